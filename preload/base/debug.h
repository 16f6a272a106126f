/* Assertions: what is true of the library's own tables, whatever the program does. Checked only in the build of
 * `./build.sh debug`, which traps: in somebody else's process a wrong record is better than an end. */
#pragma once
#ifdef MH_DEBUG
#include "alive.h"
#define MH_ASSERT(condition) ((condition) || mh_stands_in() ? (void)0 : __builtin_trap())
#else
#define MH_ASSERT(condition) ((void)(0 && (condition))) /* compiled, not run */
#endif
