/* Loads and unloads two libraries by turns, 1,000 times, at addresses that are used
 * again and again. Arguments: both paths (of plugin.c, and of plugin.c built with
 * -DOTHER). Every tenth time they leak: each leak names the library that was there.
 *
 * live 50 x 333 heap plugin_leak
 * live 50 x 444 heap other_leak
 */
#define _GNU_SOURCE 1
#include <dlfcn.h>

#include "program.h"

int main(int argc, char **argv) {
  CHECK(argc == 3);
  for (int i = 0; i < 1000; i++) {
    void *library = dlopen(argv[1 + i % 2], RTLD_NOW | RTLD_LOCAL);
    CHECK(library != NULL);
    void (*leak)(int) = (void (*)(int))(intptr_t)dlsym(library, i % 2 ? "other_leak" : "plugin_leak");
    CHECK(leak != NULL);
    leak(i % 20 < 2 ? 1 : 0);
    CHECK(dlclose(library) == 0);
  }
  return 0;
}
