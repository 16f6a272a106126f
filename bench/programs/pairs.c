/* pairs: the benchmark of design section 9.
 *
 *     pairs THREADS ROUNDS [DEPTH]    each thread replaces random entries of 4,096 slots with blocks of 16-527 bytes,
 *                                     allocated DEPTH (default 13) to DEPTH + 3 frames deep
 *     pairs tight THREADS ROUNDS      malloc, then free, about 20 frames deep, the four inner frames changing
 *
 * Prints nothing: whoever runs it measures.
 */
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "random.h"

#define SLOTS 4096

static long rounds;
static int depth = 13;
static int tight;

/* The call's result is used afterwards, so that no call here is a tail call. */
__attribute__((noinline)) static char *allocate(size_t size) {
  char *block = malloc(size);
  block[0] = 1;
  return block;
}

#define STEP(name, other)                                             \
  __attribute__((noinline)) static char *name(int left, uint32_t way, size_t size); \
  __attribute__((noinline)) static char *other(int left, uint32_t way, size_t size);
STEP(step_a, step_b)
#define BODY(name)                                                                                \
  static char *name(int left, uint32_t way, size_t size) {                                        \
    char *block = left <= 0 ? allocate(size) : way & 1 ? step_a(left - 1, way >> 1, size) \
        : step_b(left - 1, way >> 1, size); \
    block[1] = (char)left;                                                                        \
    return block;                                                                                 \
  }
BODY(step_a)
BODY(step_b)

static void *replace(void *seed) {
  uint64_t state = (uintptr_t)seed * 0x9e3779b97f4a7c15u + 1;
  char **slots = calloc(SLOTS, sizeof(*slots));
  for (long i = 0; i < rounds; i++) {
    uint64_t random = next_random(&state);
    char **slot = &slots[random % SLOTS];
    free(*slot);
    *slot = step_a(depth - 6 + (int)(random >> 20) % 4, 0x5555, 16 + (random >> 32) % 512);
  }
  for (int i = 0; i < SLOTS; i++) free(slots[i]);
  free(slots);
  return NULL;
}

/* The way through the four innermost steps is another one each time. */
static void *churn(void *seed) {
  uint64_t state = (uintptr_t)seed * 0x9e3779b97f4a7c15u + 1;
  for (long i = 0; i < rounds; i++) {
    uint64_t random = next_random(&state);
    free(step_a(15, (uint32_t)(random & 15) << 11, 16 + (random >> 32) % 512));
  }
  return NULL;
}

int main(int argc, char **argv) {
  if (argc > 1 && strcmp(argv[1], "tight") == 0) {
    tight = 1;
    argv++, argc--;
  }
  if (argc < 3) return 2;
  int threads = atoi(argv[1]);
  rounds = atol(argv[2]);
  if (argc > 3) depth = atoi(argv[3]);
  pthread_t started[64];
  for (int i = 1; i < threads; i++)
    pthread_create(&started[i], NULL, tight ? churn : replace, (void *)(uintptr_t)(i + 1));
  (tight ? churn : replace)((void *)1);
  for (int i = 1; i < threads; i++) pthread_join(started[i], NULL);
  return 0;
}
