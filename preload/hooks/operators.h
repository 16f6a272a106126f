/* The C++ operators new and delete: who defines them, and so what a hook of one of them may do.
 *
 * The definitions are read from the symbol tables of what is loaded, in the loader's order. The loader's own lookup
 * takes its lock, which a thread may hold that waits for this one.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "operator_list.h"

/* What the hook does that was called from `caller`; decides it when it is first asked. UNKNOWN: memhook has not
 * come so far. */
struct mh_operator mh_operator_behind(enum mh_operator_id id, uintptr_t caller);

/* To be called before modules are loaded, and after they are unloaded. `global`: what is loaded comes into the order
 * that is the same for all of the program (RTLD_GLOBAL). */
void mh_operators_loading(bool global);
