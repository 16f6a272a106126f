/* Forks: what is done before one, and after it, in the parent and in the child. */
#pragma once

/* Called once: registers handlers with libc, which calls them around each fork. */
void mh_fork_watch(void);

/* Called around a fork for which libc calls no handlers. `child` is the fork's result, 0 in the child. */
void mh_fork_begins(void);
void mh_fork_ends(long child);
