/* A module's bound references, and changes of them and of other words in the module's memory. For visitors of
 * mh_loaded_each. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "../life/loaded.h"

/* Calls `replace` with the address that each reference by name is bound to. It returns the address to bind it to. A
 * reference that is only bound at its first use still leads into the module itself. */
void mh_bindings_each(const struct mh_loaded *module, uintptr_t (*replace)(uintptr_t bound));

/* Changes a word of the module's memory, read-only or not. False: it cannot be changed. That is counted as a dropped
 * record. */
bool mh_bindings_write(const struct mh_loaded *module, uintptr_t *place, uintptr_t value);
