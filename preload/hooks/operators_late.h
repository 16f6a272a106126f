/* The C++ operators of modules that dlopen brought into a program that started without any. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "operator_list.h"

/* Whether some operators are to be had from such modules alone; and whether some were loaded with RTLD_GLOBAL. */
extern bool mh_operators_late, mh_operators_global;

/* Asks the loader which operators the modules that were loaded with RTLD_GLOBAL have. It takes the loader's lock: for
 * calls of the program that take it, too. */
void mh_operators_look_global(void);

/* The operator that the code at `caller` would get if memhook were not there, NULL if there is none; and what a hook
 * does with it. */
struct mh_operator mh_operator_late(enum mh_operator_id id, uintptr_t caller);
