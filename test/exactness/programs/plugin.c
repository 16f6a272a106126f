/* Code that is loaded and unloaded. Built twice, with SHAPE 0 and 1: the same addresses then hold frames of other shapes. */
#include <stdlib.h>

#ifndef SHAPE
#define SHAPE 0
#endif

static void (*volatile keep)(void *);

static __attribute__((noinline)) int inner(int depth, void (*call)(void *), void *data) {
#if SHAPE
  volatile char room[333];
  room[depth] = 1;
#else
  volatile char *room = __builtin_alloca(64 + depth * 8);
  room[0] = 1;
#endif
  void *block = malloc(33);
  keep = call;
  if (depth == 0) call(data);
  int result = depth ? inner(depth - 1, call, data) : 1;
  free(block);
  return result + room[SHAPE ? depth : 0];
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
