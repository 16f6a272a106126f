/* The functions behind the hooks: the next definition in the loader's search order, which is libc's, or another
 * allocator's, or another preloaded library's. */
#pragma once
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>
#include <time.h>

#include "functions.h"

struct dl_phdr_info;
struct nothrow; /* std::nothrow_t */

/* All are looked up at the start: a lookup later would overwrite what dlerror has to tell the program. */
struct mh_real {
#define F(name, result, parameters) result(*name) parameters;
#define NONE(name, result, parameters)
  MH_FUNCTIONS(F, NONE, F)
#undef F
#undef NONE
};

extern struct mh_real mh_real;

/* Looks all of them up, once. While that goes on, allocations come from early memory. */
void mh_real_find(void);

/* Which malloc the program's calls reach, found at the same time: memhook's own, unless another one comes ahead of
 * it. */
extern void *mh_real_first_malloc;

/* Whether that has been done. */
bool mh_real_found(void);

/* The next definition of a symbol in the order that is the same for all of the program, NULL if there is none. Takes
 * the loader's lock, and a signal handler may run meanwhile: for calls of the program that are like that themselves. */
void *mh_real_next(const char *symbol);
