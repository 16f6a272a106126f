/* A program in which the loader finds something else than memhook's malloc first, while memhook sees every call all the
 * same: with -DWRAPS a malloc of the program's own that passes everything on, without it the entry of the program's
 * PLT, if it is not position independent. Three blocks of 100 bytes stay live.
 */
#define _GNU_SOURCE 1
#include <dlfcn.h>

#include "program.h"

static void *(*volatile next)(size_t);

#ifdef WRAPS
__attribute__((visibility("default"))) void *malloc(size_t size) {
  if (next == NULL) next = (void *(*)(size_t))(intptr_t)dlsym(RTLD_NEXT, "malloc");
  return next(size);
}
#endif

NOINLINE static void leak(void) {
#ifndef WRAPS
  next = malloc;
  for (int i = 0; i < 3; i++) keep(next(100), 100);
#else
  for (int i = 0; i < 3; i++) keep(malloc(100), 100);
#endif
}

int main(void) {
  leak();
  return 0;
}
