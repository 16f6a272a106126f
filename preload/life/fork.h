/* Forks: what is done before one, and after it, in the parent and in the child. */
#pragma once

/* Called once in a process that may fork: has libc tell of it. */
void mh_fork_watch(void);

/* Around a fork of which libc tells nobody. `child`: what it returned, 0 in the child. */
void mh_fork_begins(void);
void mh_fork_ends(long child);
