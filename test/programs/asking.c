/* Loads a shared library (argument 1: plugin.c), has it lend 100 blocks, and prints `asked N`: how often meanwhile the
 * loader was asked what it has loaded, as libunwind does for each stack that it walks. With frame information that
 * memhook reads itself N is 0. */
#define _GNU_SOURCE 1
#include <dlfcn.h>
#include <link.h>

#include "program.h"

static int asked;

__attribute__((visibility("default"))) int dl_iterate_phdr(int (*visit)(struct dl_phdr_info *, size_t, void *),
    void *data) {
  asked++;
  int (*real)(int (*)(struct dl_phdr_info *, size_t, void *), void *) =
      (int (*)(int (*)(struct dl_phdr_info *, size_t, void *), void *))(intptr_t)dlsym(RTLD_NEXT, "dl_iterate_phdr");
  return real(visit, data);
}

/* Of newer C libraries; where it does not know, the other one is asked. */
__attribute__((visibility("default"))) int _dl_find_object(void *address, struct dl_find_object *result);
int _dl_find_object(void *address, struct dl_find_object *result) {
  (void)address;
  (void)result;
  asked++;
  return -1;
}

int main(int argc, char **argv) {
  CHECK(argc == 2);
  void *library = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
  CHECK(library != NULL);
  void *(*lend)(void) = (void *(*)(void))(intptr_t)dlsym(library, "plugin_lend");
  CHECK(lend != NULL);
  keep(lend(), 44);
  asked = 0;
  for (int i = 0; i < 100; i++) free(lend());
  say("asked %d\n", asked);
  return 0;
}
