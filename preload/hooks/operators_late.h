/* The C++ operators of modules that dlopen brought into a program that started without any. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "../life/loaded.h"
#include "operators.h"

/* Whether some operators are to be had from such modules alone; and whether some were loaded with RTLD_GLOBAL. */
extern bool mh_operators_late, mh_operators_global;

/* Asks the loader which operators the modules that were loaded with RTLD_GLOBAL have. It takes the loader's lock: for calls
 * of the program that take it, too. */
void mh_operators_look_global(void);

/* The operator that the code at `caller` would get if memhook were not there, NULL if there is none; and what a hook
 * does with it. */
struct mh_operator mh_operator_late(enum mh_operator_id id, uintptr_t caller);

/* operators.c, for this part: to which one a runtime's own forwards, itself if to none; and what a hook does where all
 * are a runtime's own. */
extern const uint8_t mh_operators_next[MH_OPERATOR_COUNT];
enum mh_way mh_operators_plain_way(unsigned id);

/* Whether the module is a C++ runtime, whose own operators do nothing but call each other, malloc and free. */
bool mh_operators_runtime(const struct mh_loaded *module);
