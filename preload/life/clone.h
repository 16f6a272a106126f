/* A child of fork clones its parent's store: it starts with everything that was live at the fork, in a store of its
 * own. */
#pragma once
#include <stdbool.h>

/* In a child, at its first hook: makes its store and fills it. False when that cannot be: it has to start empty. */
bool mh_clone_store(void);
