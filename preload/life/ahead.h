/* Whether another malloc comes ahead of memhook's: a definition in the program itself, as with an allocator that is linked into it, or in a library
 * preloaded before. Calls then go there, and memhook sees those alone that it passes on. */
#pragma once
#include <stdbool.h>

/* Finds out. `first`: what the loader finds for malloc when it begins with the program; NULL unknown. */
void mh_ahead_look(const void *first);

/* Notes it in a store that has just been made; in a child of fork, what was known then. */
void mh_ahead_note(void);

/* It has called memhook's after all: it is a wrapper. */
void mh_ahead_passes(void);
