/* Threads that realloc, malloc and free the same few sizes in one arena (run it with GLIBC_TUNABLES so that there is
 * one, and no caches in front). An address that realloc frees is another thread's a moment later. A record that is
 * removed too late, or put back too late, would be that other thread's. An error disappears when the block is freed. So
 * all blocks of every thousandth round stay for good. Argument: ROUNDS. Prints `live COUNT BYTES` of the function
 * `race`.
 */
#include <pthread.h>

#include "program.h"

enum { THREADS = 2, SLOTS = 16 };

static struct worker {
  pthread_t thread;
  uint64_t random;
  long rounds;
  size_t *slots[SLOTS];
  size_t count, bytes;
} workers[THREADS];

NOINLINE static void race(struct worker *self) {
  uint64_t r = next_random(&self->random);
  size_t **slot = &self->slots[r % SLOTS], size = 200 + (r >> 8) % 5 * 200;
  if (*slot == NULL) {
    *slot = malloc(size);
    self->count++;
  } else if (r >> 16 & 3) {
    self->bytes -= **slot;
    *slot = realloc(*slot, size);
  } else {
    self->count--;
    self->bytes -= **slot;
    free(*slot);
    *slot = NULL;
    return;
  }
  CHECK(*slot != NULL);
  **slot = size;
  self->bytes += size;
}

static void *work(void *argument) {
  struct worker *self = argument;
  for (long i = 1; i <= self->rounds; i++) {
    race(self);
    if (i % 1000 == 0) memset(self->slots, 0, sizeof self->slots);
  }
  return NULL;
}

int main(int argc, char **argv) {
  CHECK(argc == 2);
  size_t count = 0, bytes = 0;
  for (int i = 0; i < THREADS; i++) {
    workers[i].random = (uint64_t)i + 1;
    workers[i].rounds = atol(argv[1]);
    CHECK(pthread_create(&workers[i].thread, NULL, work, &workers[i]) == 0);
  }
  for (int i = 0; i < THREADS; i++) {
    CHECK(pthread_join(workers[i].thread, NULL) == 0);
    count += workers[i].count;
    bytes += workers[i].bytes;
  }
  say("live %zu %zu\n", count, bytes);
  return 0;
}
