/* Assertions: what holds for the library's own tables, whatever the program does. Only the build of `./build.sh debug`
 * checks them, and traps. In a release a wrong record is better than the end of somebody else's process. */
#pragma once
#ifdef MH_DEBUG
#include "alive.h"
#define MH_ASSERT(condition) ((condition) || mh_stands_in() ? (void)0 : __builtin_trap())
#else
#define MH_ASSERT(condition) ((void)(0 && (condition))) /* compiled, not run */
#endif
