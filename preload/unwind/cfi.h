/* Call frame information: from a program counter to the unwind rule that leads to its caller, read from the module's
 * .eh_frame through the search table in .eh_frame_hdr, where there is one. Every read is checked against the segment
 * that holds them, so damaged information gives a wrong or no rule, never a crash.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

/* The rule for `pc`, without a frame id; see unwind_rule.h. `exact`: an interrupted instruction rather than a return
 * address. Never 0. Takes no lock. Depends on the modules loaded now. */
uint64_t mh_cfi_rule(uintptr_t pc, bool exact);

/* Around a dlclose: frame information may vanish at any moment between the two, so it is then read through the kernel,
 * which answers where a plain load would crash. */
void mh_cfi_unloading(void);
void mh_cfi_unloaded(void);

/* In a child of fork: only the calling thread is left, perhaps in a destructor that its dlclose calls. */
void mh_cfi_child(void);
