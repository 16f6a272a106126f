/* The C++ operators of modules that dlopen brought into a program that started without any. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "loaded.h"
#include "operators.h"

/* Whether some modules were loaded with RTLD_GLOBAL. */
extern bool mh_operators_global;

/* The operator that the code at `caller` would get if memhook were not there; NULL if there is none. */
void *mh_operator_late(enum mh_operator_id id, uintptr_t caller);

/* Whether the module is a C++ runtime, whose own operators do nothing but call each other, malloc and free. */
bool mh_operators_runtime(const struct mh_loaded *module);
