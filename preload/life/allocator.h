/* What the allocator behind the hooks is, found out once and told to those who go by it: the index, how blocks are
 * passed on, whose a call is, and whether the store says that calls go past memhook. */
#pragma once

/* Tells where the libraries behind the hooks are. */
void mh_allocator_start(void);

/* Finds out the rest, when the modules are known. */
void mh_allocator_judge(void);
