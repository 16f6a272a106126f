/* Whose a call is that reaches a hook: the program's, or that of the allocator behind the hooks, of libc, or of a
 * signal handler. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "entry.h"

/* Code of the libraries behind the hooks. Told once, before the first of these is asked. */
struct mh_origin {
  const void *allocator, *libc, *threads, *loader;
  bool glibc;
};
void mh_origin_start(const struct mh_origin *origin);

/* Whether the real functions of the heap are the C library's own. */
bool mh_libc_allocates(void);

/* Whether these are glibc's: nothing in them calls a hook. */
bool mh_allocator_is_silent(void);

/* Within a hook, inside of the real function: whether a signal handler makes the call that began at `entry`. False:
 * the real function does, or what it has called. */
bool mh_handler_calls(const struct mh_entry *entry);

/* Whether nobody but the allocator, libc and the loader is on this stack: then the mapping is one that the allocator
 * makes for itself, in its constructor or in a thread of its own. */
bool mh_allocator_maps(uint32_t stack);

/* Whether a module is libc, the library that threads begin in, where that is another one, or the loader. */
bool mh_module_is_runtime(uint32_t module);
