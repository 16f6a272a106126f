/* C23's free_sized and free_aligned_sized, for C libraries that do not have them yet: a library for second_names.c. */
#include "program.h"

extern void __libc_free(void *block);
__attribute__((visibility("default"))) void free_sized(void *block, size_t size);
__attribute__((visibility("default"))) void free_aligned_sized(void *block, size_t alignment, size_t size);

void free_sized(void *block, size_t size) {
  (void)size;
  __libc_free(block);
}

void free_aligned_sized(void *block, size_t alignment, size_t size) {
  (void)alignment, (void)size;
  __libc_free(block);
}
