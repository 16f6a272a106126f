/* Recursion of 100,000 frames in a thread with 256 KiB of stack, for programs built with split stacks, which grow in
 * pieces.
 *
 * live 25 x 64 heap at_the_bottom
 * live 1 x 65 heap main
 */
#include <pthread.h>

#include "program.h"

NOINLINE static void at_the_bottom(void) { keep(malloc(64), 64); }

NOINLINE static void recurse(int depth) {
  volatile char frame[64];
  frame[0] = (char)depth;
  if (depth == 0) {
    for (int i = 0; i < 25; i++) at_the_bottom();
  } else {
    recurse(depth - 1);
  }
  frame[1] = frame[0];
}

static void *deep(void *unused) {
  recurse(100000);
  return unused;
}

int main(void) {
  pthread_t thread;
  pthread_attr_t small;
  pthread_attr_init(&small);
  CHECK(pthread_attr_setstacksize(&small, 256 << 10) == 0);
  CHECK(pthread_create(&thread, &small, deep, NULL) == 0 && pthread_join(thread, NULL) == 0);
  keep(malloc(65), 65);
  return 0;
}
