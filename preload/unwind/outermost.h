/* Outermost frames: where a stack ends that nobody says the end of.
 *
 * A stack ends where the frame information says so, as in _start and where glibc's threads begin. Some code that runs
 * there has no frame information: all of musl's, the loader's before main, _start in older C libraries. Nobody of the
 * program's is missing on such a stack:
 *
 *     end of the stack ─▶ ┌──────────────────┐
 *                         │ _start           │   the first code of the program: it only starts the C library
 *                         │ start_main       │   the C library's: return addresses into nothing but these two
 *                  sp ──▶ ├──────────────────┤
 *                         │ main             │
 *
 * Where code of the C library is further in, as strdup, return addresses into the program follow, or so much that
 * nobody would like to search it. Then the stack's callers are lost, as behind all other code without frame
 * information.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

/* Called before the first walk. */
void mh_outermost_start(void);

/* Whether the code at `pc` is the C library's or the loader's, or the first of the program. */
bool mh_is_runtime(uintptr_t pc);

/* Whether the frame at `pc` and `sp`, from which some other unwinder knows no way out, is the end of its stack. */
bool mh_is_end(uintptr_t pc, bool exact, uintptr_t sp);

/* Whether from `sp` on, where such code without frame information keeps its frame, the stack has no other. */
bool mh_is_outermost(uintptr_t sp);
