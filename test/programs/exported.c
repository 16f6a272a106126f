/* Something for the exports: 3 blocks of 1,000 bytes are held, 5 of 100,000 are freed at once, and 7 of 24 bytes come
 * from a call that is inlined. What was live was most when the 5 were. */
#include "program.h"

static void *volatile held[10];

NOINLINE static void hold(void) {
  for (int i = 0; i < 3; i++) held[i] = malloc(1000);
}

NOINLINE static void peak(void) {
  void *volatile blocks[5];
  for (int i = 0; i < 5; i++) blocks[i] = malloc(100000);
  for (int i = 0; i < 5; i++) free(blocks[i]);
}

__attribute__((always_inline)) static inline void inner(int i) {
  held[i] = malloc(24);
}

NOINLINE static void outer(void) {
  for (int i = 3; i < 10; i++) inner(i);
}

int main(void) {
  hold();
  peak();
  outer();
  return 0;
}
