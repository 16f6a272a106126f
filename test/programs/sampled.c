/* Keeps a known number of bytes live in 24 call stacks, in blocks of 64 bytes to 96 KiB, and frees some of what it
 * allocates. Prints `FUNCTION BYTES COUNT` for each stack: the truth that estimates from a sample are compared with.
 */
#include "program.h"

static void *volatile last;

/* `count` blocks, and every third one more that does not stay. */
#define STACK(name, size, count)                                              \
  NOINLINE static void name(void) {                                           \
    for (int i = 0; i < (count); i++) {                                       \
      void **block = malloc(size);                                            \
      CHECK(block != NULL);                                                   \
      *block = last;                                                          \
      last = block;                                                           \
      if (i % 3 == 0) {                                                       \
        void *volatile passing = malloc(size);                                \
        free(passing);                                                        \
      }                                                                       \
    }                                                                         \
    say(#name " %lld %d\n", (long long)(size) * (count), (count));            \
  }

#define STACKS(STACK)                                                                                              \
  STACK(small_1, 64, 70000) STACK(small_2, 64, 50000) STACK(small_3, 80, 60000) STACK(small_4, 96, 50000)           \
  STACK(small_5, 112, 60000) STACK(small_6, 128, 30000) STACK(medium_1, 1000, 6000) STACK(medium_2, 1024, 5000)     \
  STACK(medium_3, 1500, 6000) STACK(medium_4, 2000, 2500) STACK(medium_5, 3000, 2500) STACK(medium_6, 4096, 2000)   \
  STACK(large_1, 10000, 900) STACK(large_2, 16384, 700) STACK(large_3, 20000, 600) STACK(large_4, 24000, 400)       \
  STACK(large_5, 32768, 350) STACK(large_6, 40000, 500) STACK(huge_1, 50000, 300) STACK(huge_2, 60000, 200)         \
  STACK(huge_3, 65536, 250) STACK(huge_4, 70000, 150) STACK(huge_5, 80000, 200) STACK(huge_6, 98304, 120)

STACKS(STACK)

#define CALL(name, size, count) name();

int main(void) {
  STACKS(CALL)
  return 0;
}
