/* million: many small live blocks from many call stacks, for the memory targets of design section 9.
 *
 *     million BLOCKS    BLOCKS blocks of 16-100 bytes from up to 10,000 call stacks, all live at the end
 */
#include <stdint.h>
#include <stdlib.h>

/* Ten calls from ten places to the next level: four levels are ten thousand call stacks. */
/* The instruction behind each keeps the compiler from making one call of them. */
#define CALL(next, digit) case digit: block = next(path / 10, size); __asm__ volatile("nop # " #digit); break;
#define LEVEL(name, next)                                                                                         \
  __attribute__((noinline)) static char *name(unsigned path, size_t size) {                                       \
    char *block = NULL;                                                                                           \
    switch (path % 10) {                                                                                          \
      CALL(next, 0) CALL(next, 1) CALL(next, 2) CALL(next, 3) CALL(next, 4)                                       \
      CALL(next, 5) CALL(next, 6) CALL(next, 7) CALL(next, 8) CALL(next, 9)                                       \
    }                                                                                                             \
    block[0] = (char)path;                                                                                        \
    __asm__ volatile("");                                                                                         \
    return block;                                                                                                 \
  }

__attribute__((noinline)) static char *allocate(unsigned path, size_t size) {
  char *block = malloc(size);
  block[1] = (char)path;
  return block;
}
LEVEL(level_d, allocate)
LEVEL(level_c, level_d)
LEVEL(level_b, level_c)
LEVEL(level_a, level_b)

int main(int argc, char **argv) {
  unsigned blocks = argc > 1 ? (unsigned)atoi(argv[1]) : 1000000;
  uint64_t state = 88172645463325252u;
  char *volatile kept = NULL;
  for (unsigned i = 0; i < blocks; i++) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    kept = level_a(i % 10000, 16 + (state >> 32) % 85);
  }
  return kept == NULL && blocks;
}
