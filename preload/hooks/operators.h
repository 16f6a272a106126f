/* The C++ operators new and delete: who defines them, and so what a hook of one of them may do.
 *
 * The definitions are read from the symbol tables of the loaded modules, in the loader's order. The loader's own lookup
 * would take its lock; the thread that holds it may be waiting for this one.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "operator_list.h"

/* What the hook that was called from `caller` does. It is decided at the first call. MH_WAY_UNKNOWN: it cannot be
 * decided yet. */
struct mh_operator mh_operator_behind(enum mh_operator_id id, uintptr_t caller);

/* To be called before modules are loaded, and after they are unloaded. `global`: they are loaded with RTLD_GLOBAL, into
 * the program's global order. */
void mh_operators_loading(bool global);
