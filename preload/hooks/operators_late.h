/* The C++ operators of modules that dlopen loads into a program that started without a C++ runtime. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "operator_list.h"

/* Whether only such modules define some operators; and whether some modules were loaded with RTLD_GLOBAL. */
extern bool mh_operators_late, mh_operators_global;

/* Looks up the operators of the modules that were loaded with RTLD_GLOBAL. It takes the loader's lock, so it is only
 * called inside calls of the program that take it, too. */
void mh_operators_look_global(void);

/* The operator that the code at `caller` would call without memhook, NULL if there is none; and what a hook does with
 * it. */
struct mh_operator mh_operator_late(enum mh_operator_id id, uintptr_t caller);
