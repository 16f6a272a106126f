/* Outermost frames: the end of a stack without frame information.
 *
 * A stack ends where the frame information says so: in _start, and where glibc's threads begin. Some code there has no
 * frame information: all of musl's, the loader's before main, _start in older C libraries. No frame of the program is
 * missing on such a stack:
 *
 *     end of the stack ─▶ ┌──────────────────┐
 *                         │ _start           │   the first code of the program: it only starts the C library
 *                         │ start_main       │   the C library's: return addresses into nothing but these two
 *                  sp ──▶ ├──────────────────┤
 *                         │ main             │
 *
 * If the code of the C library is further in, as strdup, then return addresses into the program follow; or more stack
 * than is searched. In that case the callers are lost, as behind all other code without frame information.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

/* Called before the first walk. */
void mh_outermost_start(void);

/* Whether the code at `pc` is the C library's or the loader's, or the first of the program. */
bool mh_is_runtime(uintptr_t pc);

/* Whether the frame at `pc` and `sp`, from which libunwind knows no way out, is the end of its stack. */
bool mh_is_end(uintptr_t pc, bool exact, uintptr_t sp);

/* Whether no frame of the program is on the stack from `sp` on, where code without frame information has its frame. */
bool mh_is_outermost(uintptr_t sp);
