/* Inheriting: a child of fork starts with everything that was live at the fork, in a store of its own. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "../store/store.h"

/* Called once in a process that may fork. */
void mh_inherit_watch(void);

/* In a child, at its first hook: makes its store and fills it. False when that cannot be: it has to start empty. */
bool mh_inherit(void);

/* Around a fork of which libc tells nobody. `child`: what it returned, 0 in the child. */
void mh_fork_begins(void);
void mh_fork_ends(long child);

/* hooks_fork.c. Whether a system call, by its number and first two arguments, is such a fork; and the call. */
bool mh_fork_is(long number, long a, long b);
long mh_fork_call(long number, long a, long b, long c, long d, long e, long f);
