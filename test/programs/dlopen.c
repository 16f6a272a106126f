/* Loads a shared library (argument 1: its path), lets it leak, and unloads it. The leaks stay, and name the library
 * that was there when they were made.
 *
 * live 2 x 333 heap plugin_leak
 * live 1 x 44 heap plugin_lend
 * live 1 x 66 heap leak_in_main
 *
 * With the library in C++ the first line is instead
 *
 * c++ live 2 x 555 heap leak_by_new()
 */
#define _GNU_SOURCE 1
#include <dlfcn.h>

#include "program.h"

NOINLINE static void leak_in_main(void) { keep(malloc(66), 66); }

int main(int argc, char **argv) {
  CHECK(argc == 2);
  void *library = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
  if (library == NULL) say("%s\n", dlerror());
  CHECK(library != NULL);
  void (*leak)(int) = (void (*)(int))(intptr_t)dlsym(library, "plugin_leak");
  void *(*lend)(void) = (void *(*)(void))(intptr_t)dlsym(library, "plugin_lend");
  CHECK(leak != NULL && lend != NULL);
  leak(2);
  void *borrowed = lend();
  keep(lend(), 44);
  CHECK(dlclose(library) == 0);
  free(borrowed);
  leak_in_main();
  CHECK(dlopen("no-such-library.so", RTLD_NOW) == NULL && dlerror() != NULL);
  return 0;
}
