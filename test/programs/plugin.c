/* A shared library for dlopen.c: leaks and lends blocks, and allocates in its constructor and destructor. With -DOTHER
 * its leak has another name and size, at about the same place (see reloading.c). */
#include "program.h"

#ifdef OTHER
#define plugin_leak other_leak
#define LEAK_BYTES 444
#else
#define LEAK_BYTES 333
#endif

__attribute__((visibility("default"))) void plugin_leak(int count);
__attribute__((visibility("default"))) void *plugin_lend(void);

static void *volatile from_constructor;

__attribute__((constructor)) NOINLINE static void plugin_constructor(void) { from_constructor = malloc(222); }

__attribute__((destructor)) NOINLINE static void plugin_destructor(void) {
  void *volatile passing = malloc(10);
  free(passing);
  free(from_constructor);
}

NOINLINE void plugin_leak(int count) {
  for (int i = 0; i < count; i++) keep(malloc(LEAK_BYTES), LEAK_BYTES);
}

NOINLINE void *plugin_lend(void) {
  void *volatile block = malloc(44);
  return block;
}
