/* Standing in for the parent's store, in a child of a fork that a signal handler made inside a hook.
 *
 * Nothing of the parent's store is mapped in a child (MADV_DONTFORK). But when the handler returns there, the hook that
 * it interrupted goes on, and holds pointers into the store:
 *
 *     parent   hook ── signal ── handler: fork ── handler returns ── the hook goes on, in the store
 *     child                           └────────── handler returns ── the hook goes on, in memory of its own, all zeros
 *
 * So the rest of that hook needs memory to write to: private memory at the addresses of the parent's store. Only the
 * count of dropped records is ever read from it. It is unmapped when the child begins by itself, at its first hook
 * after the interrupted one.
 *
 * Where memhook learns of the fork, it maps that memory. Of a fork by an instruction in the program's own code it does
 * not learn. Therefore each block of the store has a page above it that grows downwards, as a stack does. In the parent
 * the page cannot grow, because the block is there. In a child the block is missing, and the kernel lets the page grow
 * into its place when the hook goes on:
 *
 *     parent   │no access│ block, 1 MiB, shared, not in children │grows downwards│
 *     child    │no access│ ◀─────────────────────────────────────│grows downwards│
 *
 * The kernel maps nothing else there meanwhile: it keeps a distance of 1 MiB from memory that may grow. The page below
 * is without access, because memory does not grow close to other accessible memory. (None of this works on x86-64
 * before Linux 5.0, or with a stack limit below 1 MiB.)
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

/* In a child, inside the interrupted hook: maps the memory that stands in, if this thread has forked and the memory is
 * missing. */
bool mh_stand_in_is_there(void);

/* Whether the interrupted hook is over, so that the child may begin. Called at the beginning of a hook. */
bool mh_stand_in_is_over(void);

/* Unmaps what is at the store's addresses, and forgets them. */
void mh_stand_in_end(void);
