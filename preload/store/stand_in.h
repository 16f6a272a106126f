/* Standing in for the parent's store, in a child of a fork that a signal handler made inside a hook.
 *
 * Nothing of the parent's store is mapped in a child (MADV_DONTFORK). But when the handler returns there, the hook that
 * it interrupted goes on, and holds pointers into the store:
 *
 *     parent   hook ── signal ── handler: fork ── handler returns ── the hook goes on, in the store
 *     child                           └────────── handler returns ── the hook goes on, in memory of its own, all zeros
 *
 * So that what is left of that hook has something to write to, private memory is there where the parent's store is.
 * Nobody reads what is written there, but the count of what was dropped. It goes when the child begins by itself: at
 * its first hook after the interrupted one.
 *
 * Where memhook is told of the fork, it maps that memory. A fork by an instruction of the program's own tells nobody.
 * Therefore each block of the store has a page above it that grows downwards, as a stack does. In the parent it cannot,
 * as the block is there. In a child the block is missing, and the kernel has the page grow into its place where the
 * hook goes on:
 *
 *     parent   │no access│ block, 1 MiB, shared, not in children │grows downwards│
 *     child    │no access│ ◀─────────────────────────────────────│grows downwards│
 *
 * Nor does the kernel put anything else there meanwhile, as it keeps a distance of 1 MiB from what may grow. The page
 * below is there because memory does not grow to where it would be near to other memory. (Not on x86-64 before Linux
 * 5.0, and not with a stack limit below 1 MiB.)
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "../base/alive.h"

/* Where a block of the store is to be mapped; NULL if there is no room. */
uint8_t *mh_stand_in_place(void);
void mh_stand_in_give_place(uint8_t *block);

/* In a child that was told of the fork. */
void mh_stand_in_forked(void);

/* In a child, inside the interrupted hook: makes sure of the memory that stands in, if this is the thread that has
 * forked. */
bool mh_stand_in_is_there(void);

/* Whether the interrupted hook is over, so that the child may begin. Asked by a thread that is at the beginning of a
 * hook. */
bool mh_stand_in_is_over(void);

/* Forgets where the store was, and unmaps what is there. */
void mh_stand_in_end(void);
