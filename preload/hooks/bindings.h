/* What a module's references are bound to, and changes of that and of other words in its memory. For visitors of
 * mh_loaded_each. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "../life/loaded.h"

/* Calls `replace` with what each reference by name is bound to, but for those that are bound when they are first
 * used. It returns what the reference is to be bound to. */
void mh_bindings_each(const struct mh_loaded *module, uintptr_t (*replace)(uintptr_t bound));

/* Changes a word of the module's memory, read-only or not. False: it cannot be changed, which is counted as something
 * dropped. */
bool mh_bindings_write(const struct mh_loaded *module, uintptr_t *place, uintptr_t value);
