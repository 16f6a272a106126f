/* The origin of a call that reaches a hook: the program, the allocator behind the hooks, libc, or a signal handler. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "entry.h"

/* Addresses of code in the libraries behind the hooks. To be called once, before the functions below. */
struct mh_origin {
  const void *allocator, *libc, *threads, *loader;
  bool glibc;
};
void mh_origin_start(const struct mh_origin *origin);

/* Whether the real functions of the heap are the C library's own. */
bool mh_libc_allocates(void);

/* Whether these are glibc's: nothing in them calls a hook. */
bool mh_allocator_is_silent(void);

/* Inside a hook, while the real function runs: whether a signal handler made the call with this entry. False: the real
 * function made it, or code that it called. */
bool mh_handler_calls(const struct mh_entry *entry);

/* Whether only the allocator, libc and the loader are on this stack. Then the allocator makes the mapping for itself,
 * in its constructor or in a thread of its own. */
bool mh_allocator_maps(uint32_t stack);

/* Whether a module is libc, the loader, or the library that threads begin in. */
bool mh_module_is_runtime(uint32_t module);
