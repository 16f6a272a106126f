/* Passing a call on without recording it: a malloc that no sample falls into, and every free.
 *
 * glibc's allocator calls no hook, so its functions are called directly. Other allocators may call hooks: they map
 * memory and start threads, and musl's calloc calls malloc. Those calls are not the program's. So these allocators are
 * called with the guard raised. */
#pragma once
#include <stddef.h>

struct mh_pass {
  void *(*malloc)(size_t size);
  void *(*calloc)(size_t count, size_t size);
  void *(*memalign)(size_t alignment, size_t size);
  void (*free)(void *block);
};

extern struct mh_pass mh_pass;

/* Called once, at the start: the allocator was found to be glibc's. */
void mh_pass_directly(void);
