/* Preloaded behind memhook for operators_asked.cc: prints what malloc and its family are asked for, between a malloc
 * of 77777 bytes and one of 77778, and refuses the first of each three mallocs of 4242 bytes, and the second.
 */
#define _GNU_SOURCE 1
#include <dlfcn.h>
#include <errno.h>
#include <malloc.h>

#include "program.h"

static int printing, refused;

#define REAL(name)                       \
  static __typeof__(&name) real_##name; \
  if (real_##name == NULL) real_##name = (__typeof__(&name))(intptr_t)dlsym(RTLD_NEXT, #name)

__attribute__((visibility("default"))) void *malloc(size_t size) {
  REAL(malloc);
  if (size == 77777) printing = 1;
  if (printing) say("malloc %zu\n", size);
  if (size == 77778) printing = 0;
  if (size == 4242 && ++refused % 3 != 0) {
    errno = ENOMEM;
    return NULL;
  }
  return real_malloc(size);
}

__attribute__((visibility("default"))) void *memalign(size_t alignment, size_t size) {
  REAL(memalign);
  if (printing) say("memalign %zu %zu\n", alignment, size);
  return real_memalign(alignment, size);
}

__attribute__((visibility("default"))) void *aligned_alloc(size_t alignment, size_t size) {
  REAL(aligned_alloc);
  if (printing) say("aligned_alloc %zu %zu\n", alignment, size);
  return real_aligned_alloc(alignment, size);
}

__attribute__((visibility("default"))) int posix_memalign(void **block, size_t alignment, size_t size) {
  REAL(posix_memalign);
  if (printing) say("posix_memalign %zu %zu\n", alignment, size);
  return real_posix_memalign(block, alignment, size);
}
