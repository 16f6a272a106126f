/* The real functions, behind the hooks: the next definitions in the loader's search order. They are libc's, another
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

/* All are looked up at the start: a later lookup would overwrite dlerror's message for the program. */
struct mh_real {
#define F(name, result, parameters) result(*name) parameters;
#define NONE(name, result, parameters)
  MH_FUNCTIONS(F, NONE, F)
#undef F
#undef NONE
};

extern struct mh_real mh_real;

/* Looks all of them up, once. Meanwhile, allocations come from early memory. */
void mh_real_find(void);

/* The malloc that the program's calls reach, found at the same time: memhook's own, unless another one precedes it. */
extern void *mh_real_first_malloc;

/* Whether that has been done. */
bool mh_real_found(void);

/* The next definition of a symbol in the program's global order, NULL if there is none. Takes the loader's lock, and a
 * signal handler may run meanwhile. So it is only called inside calls of the program that take that lock themselves. */
void *mh_real_next(const char *symbol);
