/* A program in C that loads the libraries that are its arguments, C++ plugins of operators_plugin.cc, and runs each
 * twice. So the C++ runtime comes late, and whose operators a plugin gets depends on what it came with. A letter
 * before the path says how it is opened: `l` locally, `g` globally, `d` before all others (RTLD_DEEPBIND), `c`
 * locally, and closed when it has run.
 */
#define _GNU_SOURCE 1
#include <dlfcn.h>

#include "program.h"

int main(int argc, char **argv) {
  void (*runs[16])(void);
  for (int i = 1; i < argc; i++) {
    int mode = RTLD_NOW | (argv[i][0] == 'g' ? RTLD_GLOBAL : RTLD_LOCAL) | (argv[i][0] == 'd' ? RTLD_DEEPBIND : 0);
    void *plugin = dlopen(argv[i] + 1, mode);
    if (plugin == NULL) say("%s\n", dlerror());
    CHECK(plugin != NULL && i < 16);
    runs[i] = (void (*)(void))(intptr_t)dlsym(plugin, "plugin_run");
    CHECK(runs[i] != NULL);
    say("%d\n", i);
    runs[i]();
    if (argv[i][0] == 'c') {
      CHECK(dlclose(plugin) == 0);
      runs[i] = NULL;
    }
  }
  for (int i = 1; i < argc; i++) {
    if (runs[i] == NULL) continue;
    say("%d again\n", i);
    runs[i]();
  }
  return 0;
}
