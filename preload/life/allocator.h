/* Whether another malloc comes ahead of memhook's: a definition in the program itself, as with an allocator that is linked into it, or in a library
 * preloaded before. Calls then go there, and memhook sees those alone that it passes on. */
#pragma once
#include <stdbool.h>

/* Finds out, and has the store say so. `first`: what the loader finds for malloc when it begins with the program; NULL
 * unknown. */
void mh_ahead_look(const void *first);
