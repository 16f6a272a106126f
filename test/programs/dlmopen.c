/* Libraries in a namespace of their own. They have a libc of their own there, whose heap no hook sees; what the program
 * itself does, and what is loaded into its own namespace by dlmopen, is recorded as ever. Arguments: two libraries,
 * plugin.c's and the one with -DOTHER, which are loaded by turns, at addresses that are used again.
 *
 * live 10 x 333 heap plugin_leak
 * live 10 x 444 heap other_leak
 * live 20 x 66 heap in_main
 */
#define _GNU_SOURCE 1
#include <dlfcn.h>

#include "program.h"

NOINLINE static void in_main(void) { keep(malloc(66), 66); }

int main(int argc, char **argv) {
  CHECK(argc == 3);
  for (int i = 0; i < 20; i++) {
    void *far = dlmopen(LM_ID_NEWLM, argv[1], RTLD_NOW);
    if (far == NULL) say("%s\n", dlerror());
    CHECK(far != NULL);
    void *(*lend)(void) = (void *(*)(void))(intptr_t)dlsym(far, "plugin_lend");
    CHECK(lend != NULL && lend() != NULL);
    in_main();
    CHECK(dlclose(far) == 0);
    void *near = dlmopen(LM_ID_BASE, argv[1 + i % 2], RTLD_NOW);
    CHECK(near != NULL);
    void (*leak)(int) = (void (*)(int))(intptr_t)dlsym(near, i % 2 ? "other_leak" : "plugin_leak");
    CHECK(leak != NULL);
    leak(1);
    CHECK(dlclose(near) == 0);
  }
  return 0;
}
