/* C23's free_sized and free_aligned_sized, for C libraries that do not have them yet: a library for second_names.c.
 * With -DAROUND they call what is behind memhook's free, as these in a C library would. */
#define _GNU_SOURCE 1
#include <dlfcn.h>

#include "program.h"

extern void __libc_free(void *block);
__attribute__((visibility("default"))) void free_sized(void *block, size_t size);
__attribute__((visibility("default"))) void free_aligned_sized(void *block, size_t alignment, size_t size);

static void give_back(void *block) {
#ifdef AROUND
  void (*behind)(void *);
  *(void **)&behind = dlsym(RTLD_NEXT, "free");
  CHECK(behind);
  behind(block);
#else
  __libc_free(block);
#endif
}

void free_sized(void *block, size_t size) {
  (void)size;
  give_back(block);
}

void free_aligned_sized(void *block, size_t alignment, size_t size) {
  (void)alignment, (void)size;
  give_back(block);
}
