/* Blocks of 8 bytes, two of which allocators other than libc's put into one granule of 16 bytes. Two threads allocate
 * and free them at the same time. Run it with an allocator that gives both threads the same memory (jemalloc without
 * caches). The blocks that are live at every thousandth round stay. Argument: ROUNDS. Prints `live COUNT BYTES` of the
 * function `small`.
 */
#include <pthread.h>

#include "program.h"

enum { THREADS = 2, SLOTS = 64 };

static struct worker {
  pthread_t thread;
  uint64_t random;
  long rounds;
  uint64_t *slots[SLOTS];
  size_t count;
} workers[THREADS];

NOINLINE static void small(struct worker *self) {
  uint64_t **slot = &self->slots[next_random(&self->random) % SLOTS];
  if (*slot != NULL) {
    free(*slot);
    *slot = NULL;
    self->count--;
  } else {
    *slot = malloc(sizeof(uint64_t));
    CHECK(*slot != NULL);
    self->count++;
  }
}

static void *work(void *argument) {
  struct worker *self = argument;
  for (long i = 1; i <= self->rounds; i++) {
    small(self);
    if (i % 1000 == 0) memset(self->slots, 0, sizeof self->slots);
  }
  return NULL;
}

int main(int argc, char **argv) {
  CHECK(argc == 2);
  size_t count = 0;
  for (int i = 0; i < THREADS; i++) {
    workers[i].random = (uint64_t)i + 1;
    workers[i].rounds = atol(argv[1]);
    CHECK(pthread_create(&workers[i].thread, NULL, work, &workers[i]) == 0);
  }
  for (int i = 0; i < THREADS; i++) {
    CHECK(pthread_join(workers[i].thread, NULL) == 0);
    count += workers[i].count;
  }
  say("live %zu %zu\n", count, count * sizeof(uint64_t));
  return 0;
}
