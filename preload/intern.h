/* Interning: gives frames, stack nodes and stacks dense ids, the same id for the same thing, and publishes
 * each new one in the store before its id is returned.
 *
 *     pc ──▶ frame id ─┐
 *                      ├─▶ node id (parent, frame) ──▶ … ──▶ stack id
 *     parent node id ──┘
 *
 * Lookups take no lock; an insertion takes a short bounded one. Every function returns 0 when the thing
 * could not be kept (store full, lock not had in time): 0 is the "unknown" element of its array.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

/* Frame for a program counter as found while unwinding. `exact`: the instruction itself (the frame a signal
 * interrupted) rather than a return address. Depends on the modules loaded now. */
uint32_t mh_intern_frame(uintptr_t pc, bool exact);

/* Node for `frame` called from `parent` (0: outermost). Touches shared memory only for a new node. */
uint32_t mh_intern_node(uint32_t parent, uint32_t frame);

/* Stack whose innermost frame is `node`. `cut`: outer frames are missing because of the depth limit. */
uint32_t mh_intern_stack(uint32_t node, bool cut);

/* In a child of fork that goes on with its parent's stacks: frees the locks that other threads held. */
void mh_intern_unlock(void);

/* Empties what depends on nothing but this process's store: after fork, when a child starts its own. */
void mh_intern_reset(void);
