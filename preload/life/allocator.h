/* Finds out once which allocator is behind the hooks, and tells all that depends on it: the index, pass.c, origin.c,
 * and the store's flag for calls that bypass memhook. */
#pragma once

/* Tells origin.c where the libraries behind the hooks are. */
void mh_allocator_start(void);

/* Does the rest, when the modules are known. */
void mh_allocator_judge(void);
