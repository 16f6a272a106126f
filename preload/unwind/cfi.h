/* Call frame information: from a program counter to the unwind rule that leads to its caller, read from the module's
 * .eh_frame, by the search table in .eh_frame_hdr if there is one. Every read is checked against the segment that holds
 * it. So damaged information gives a wrong rule or none, and never a crash.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

/* The rule for `pc`, without a frame id; see unwind_rule.h. `exact`: `pc` is an interrupted instruction and no return
 * address. Never 0. Takes no lock. Depends on the modules that are loaded now. */
uint64_t mh_cfi_rule(uintptr_t pc, bool exact);

/* Called before and after a dlclose. In between, frame information may be unmapped at any moment. So it is copied by
 * the kernel, which returns an error where a load would crash. */
void mh_cfi_unloading(void);
void mh_cfi_unloaded(void);

/* In a child of fork: only the calling thread is left. It may be in a destructor, inside of a dlclose. */
void mh_cfi_child(void);
