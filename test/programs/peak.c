/* One thread that allocates, frees and resizes at random, from blocks of a few bytes to some that
 * the allocator maps by themselves, and counts: what it had live at most, and what all in all.
 * Prints `peak BYTES`, `allocated COUNT BYTES`, `freed COUNT BYTES`, which must be what the store
 * says to the byte: nothing else allocates here. A realloc counts as a free and an allocation.
 */
#include <stdbool.h>

#include "program.h"

enum { SLOTS = 300, ROUNDS = 60000 };

static struct {
  void *block;
  size_t size;
} slots[SLOTS];
static size_t live, peak, allocations, allocated, frees, freed;

static void came(size_t size) {
  allocations++;
  allocated += size;
  live += size;
  if (live > peak) peak = live;
}

static void went(size_t size) {
  frees++;
  freed += size;
  live -= size;
}

int main(void) {
  uint64_t random = 1;
  for (int i = 0; i < ROUNDS; i++) {
    uint64_t r = next_random(&random), at = r % SLOTS;
    size_t size = r >> 20 & 127 ? 1 + (r >> 32) % 700 : (r >> 32) % 200000;
    /* A while of growth, a while of shrinking, so that peaks are reached in both. */
    bool keeps = (r >> 10 & 3) > (uint64_t)(i / 1000 % 3);
    if (slots[at].block && (r >> 8 & 3) == 0 && size) {
      void *moved = realloc(slots[at].block, size);
      CHECK(moved != NULL);
      slots[at].block = moved;
      went(slots[at].size);
      came(slots[at].size = size);
    } else if (slots[at].block) {
      free(slots[at].block);
      slots[at].block = NULL;
      went(slots[at].size);
    } else if (keeps) {
      slots[at].block = malloc(size);
      CHECK(slots[at].block != NULL);
      came(slots[at].size = size);
    }
  }
  say("peak %zu\nallocated %zu %zu\nfreed %zu %zu\n", peak, allocations, allocated, frees, freed);
  return 0;
}
