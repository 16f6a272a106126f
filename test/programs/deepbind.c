/* Opens plugins (deep_plugin.c, deep_plugin_cxx.cc) with RTLD_DEEPBIND, closes them and opens them again, and hands
 * blocks over both ways: 50 of its own each time are given back by the plugin, 10 of the plugin's by it. What stays
 * is printed with keep(), and the store must hold exactly that. The first argument: lazy or now.
 */
#define _GNU_SOURCE 1
#include <dlfcn.h>

#include "program.h"

#ifndef RTLD_DEEPBIND
#define RTLD_DEEPBIND 0 /* musl */
#endif

static void use(const char *path, int mode) {
  void *plugin = dlopen(path, mode | RTLD_DEEPBIND);
  if (!plugin) say("%s\n", dlerror());
  CHECK(plugin != NULL);
  void *(*lend)(void) = (void *(*)(void))(intptr_t)dlsym(plugin, "plugin_lend");
  void (*take)(void *) = (void (*)(void *))(intptr_t)dlsym(plugin, "plugin_take");
  void (*leak)(void) = (void (*)(void))(intptr_t)dlsym(plugin, "plugin_leak");
  CHECK(lend && take && leak);
  for (int i = 0; i < 50; i++) take(malloc(1000));
  for (int i = 0; i < 10; i++) free(lend());
  leak();
  keep(malloc(500), 500);
  CHECK(dlclose(plugin) == 0);
}

int main(int count, char **arguments) {
  int mode = strcmp(arguments[1], "lazy") == 0 ? RTLD_LAZY : RTLD_NOW;
  for (int again = 0; again < 2; again++)
    for (int i = 2; i < count; i++) use(arguments[i], mode);
  return 0;
}
