/* Passing a call on with nothing recorded: a malloc that no sample falls into, and every free.
 *
 * glibc's allocator calls none of our hooks, so its functions are called as they are. Any other may: for the memory
 * that it maps, for a thread that it starts, and musl's calloc calls malloc. What it does inside is not the program's,
 * so it is called with the guard up. */
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
