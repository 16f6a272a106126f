/* Code that is loaded and unloaded. Built twice, with SHAPE 0 and 1: the same
 * addresses then hold frames of other shapes. */
#include <stdlib.h>

#ifndef SHAPE
#define SHAPE 0
#endif

static void (*volatile keep)(void *);

static __attribute__((noinline)) int inner(int depth, void (*call)(void *), void *data) {
  volatile char room[SHAPE ? 400 : 1200]; /* only a constant in the code changes, so the addresses do not */
  room[depth] = 1;
  void *block = malloc(33);
  keep = call;
  if (depth == 0) call(data);
  int result = depth ? inner(depth - 1, call, data) : 1;
  free(block);
  return result + room[depth];
}

__attribute__((visibility("default"))) void plugin_run(int depth, void (*call)(void *), void *data) {
  void *volatile block = malloc(7 + SHAPE);
  if (inner(depth, call, data) > 0) call(data);
  free(block);
}

__attribute__((constructor)) static void begin(void) {
  free(malloc(5));
}
__attribute__((destructor)) static void end(void) {
  free(malloc(6));
}
