/* Standing in for the parent's store, in a child of a fork that a signal handler made inside a hook.
 *
 * Nothing of the parent's store is mapped in a child (MADV_DONTFORK). But when the handler returns there, the hook that it interrupted goes on,
 * and holds pointers into the store:
 *
 *     parent   hook ── signal ── handler: fork ── handler returns ── the hook goes on, in the store
 *     child                           └────────── handler returns ── the hook goes on, in memory of its own, all zeros
 *
 * So that what is left of that hook has something to write to, private memory is mapped where the parent's store is. Nobody reads what is
 * written there, but the count of what was dropped. It goes when the child begins by itself: at its first hook after the interrupted one.
 */
#pragma once
#include <stdbool.h>

/* True from such a fork until the child has begun. Nothing is published meanwhile, and the store does not grow. It becomes true between any two
 * instructions of a hook. */
extern bool mh_stand_in;
static inline bool mh_stands_in(void) {
  __atomic_signal_fence(__ATOMIC_SEQ_CST);
  return __atomic_load_n(&mh_stand_in, __ATOMIC_RELAXED);
}

/* In a child: maps it, if the forking thread is inside a hook. */
void mh_stand_in_begin(void);

/* Whether the interrupted hook is over, so that the child may begin. Asked by a thread that is at the beginning of a hook. */
bool mh_stand_in_is_over(void);

/* Forgets where the parent's store was, and unmaps what stood in for it. */
void mh_stand_in_end(void);
