/* A random mix of every way to allocate and free, in one or more threads that also free each other's blocks, while
 * the program keeps its own count. Arguments: THREADS OPERATIONS SEED. Prints `live COUNT BYTES`: the store's count
 * of blocks that the function `churn` or `remap` asked for must be the same, to the block and to the byte.
 *
 * Counters and slots are in static memory, so that counting does not count.
 */
#define _GNU_SOURCE 1
#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>

#include "program.h"

enum { MAX_THREADS = 16, SLOTS = 2048, SHARED_SLOTS = 256 };

/* Each block starts with its own size; mappings are kept apart, since they are freed in another way. */
struct block {
  size_t size;
};

static struct worker {
  pthread_t thread;
  uint64_t random;
  long operations;
  struct block *slots[SLOTS];
  char *mapping;
  size_t mapping_size;
  /* Modulo 2^64: what one thread allocates and another frees is negative there. */
  size_t count, bytes;
} workers[MAX_THREADS];

static _Atomic(struct block *) shared[SHARED_SLOTS];

static size_t random_size(uint64_t r) {
  switch (r % 16) {
    case 0: return sizeof(struct block) + r / 16 % 200000;
    case 1: return sizeof(struct block) + r / 16 % 5000;
    default: return sizeof(struct block) + r / 16 % 250;
  }
}

static inline __attribute__((always_inline)) void count_in(struct worker *self, struct block *block, size_t size) {
  CHECK(block != NULL);
  memset(block, (int)size, size);
  block->size = size;
  self->count++;
  self->bytes += size;
}

static void check_intact(const struct block *block) {
  const unsigned char *bytes = (const unsigned char *)block;
  for (size_t i = sizeof *block; i < block->size; i += 1 + block->size / 64)
    CHECK(bytes[i] == (unsigned char)block->size);
}

static void count_out(struct worker *self, const struct block *block) {
  check_intact(block);
  self->count--;
  self->bytes -= block->size;
}

NOINLINE static void remap(struct worker *self, uint64_t r) {
  size_t size = 65536 * (1 + r % 8);
  if (self->mapping == NULL) {
    self->mapping = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(self->mapping != MAP_FAILED);
    self->mapping_size = size;
    self->count++;
    self->bytes += size;
  } else if (r & 1024) {
    CHECK(munmap(self->mapping, self->mapping_size) == 0);
    self->count--;
    self->bytes -= self->mapping_size;
    self->mapping = NULL;
  } else {
    self->mapping = mremap(self->mapping, self->mapping_size, size, MREMAP_MAYMOVE);
    CHECK(self->mapping != MAP_FAILED);
    self->bytes += size - self->mapping_size;
    self->mapping_size = size;
  }
}

NOINLINE static void churn(struct worker *self) {
  uint64_t r = next_random(&self->random);
  struct block **slot = &self->slots[r % SLOTS], *block;
  size_t size = random_size(next_random(&self->random));
  r >>= 16;
  if (r % 256 == 0) {
    remap(self, r >> 8);
  } else if (r % 8 == 0) {
    /* Hand the block to whoever comes next, and take what was left there. */
    *slot = atomic_exchange(&shared[(r >> 8) % SHARED_SLOTS], *slot);
  } else if (*slot == NULL) {
    switch ((r >> 8) % 8) {
      case 0: block = calloc(1, size); break;
      case 1: block = realloc(NULL, size); break;
      case 2: block = memalign(64, size); break;
      case 3:
        size = (size + 255) & ~(size_t)255;
        block = aligned_alloc(256, size);
        break;
      default: block = malloc(size); break;
    }
    count_in(self, block, size);
    *slot = block;
  } else if (r & 16) {
    count_out(self, *slot);
    block = realloc(*slot, size);
    count_in(self, block, size);
    *slot = block;
  } else {
    count_out(self, *slot);
    free(*slot);
    *slot = NULL;
  }
}

static void *work(void *argument) {
  struct worker *self = argument;
  for (long i = 0; i < self->operations; i++) churn(self);
  return NULL;
}

int main(int argc, char **argv) {
  CHECK(argc == 4);
  int threads = atoi(argv[1]);
  CHECK(threads >= 0 && threads <= MAX_THREADS);
  for (int i = 0; i < MAX_THREADS; i++) {
    workers[i].operations = atol(argv[2]);
    workers[i].random = (uint64_t)atol(argv[3]) * 1000003 + (uint64_t)i * 7919 + 1;
  }
  /* No threads at all: the main thread does the work. */
  if (threads == 0) work(&workers[0]);
  for (int i = 0; i < threads; i++) CHECK(pthread_create(&workers[i].thread, NULL, work, &workers[i]) == 0);
  for (int i = 0; i < threads; i++) CHECK(pthread_join(workers[i].thread, NULL) == 0);
  size_t count = 0, bytes = 0;
  for (int i = 0; i < MAX_THREADS; i++) {
    count += workers[i].count;
    bytes += workers[i].bytes;
  }
  say("live %zu %zu\n", count, bytes);
  return 0;
}
