/* Detours: ways taken not long ago from an innermost frame into the remembered walk. Part of walk.c, which explains what is
 * remembered and why comparing it is enough.
 *
 * Programs go to and fro between a few places: the inner frames change with each allocation, while the walk further out
 * stays. A detour keeps, for an innermost frame (pc, sp), the words that led from there to a remembered frame:
 *
 *     the stack              remembered walk         detour
 *   ┌─────────────┐
 *   │ main        │             main
 *   │ parse       │             parse ◀──────────── joined: this frame, by number, pc, sp, node (and fp, if it matters)
 *   │ ─ ─ ─ ─ ─ ─ │
 *   │ name        │             number               slots of name, copy: must still hold their values
 *   │ copy        │             digits               → stack: main, parse, name, copy
 *   └─────────────┘
 *
 * A capture that starts at a detour's frame compares the detour's words from the inside outwards, looks whether the remembered walk
 * still has that frame, and compares the remembered words from there on. If all are the same, so is the stack, by the same
 * induction as for the walk itself. Nothing is stepped, interned or written, and the remembered walk stays as it is.
 */
#pragma once
#include "mutation.h"
#include "walk.h"

typedef uintptr_t mh_word __attribute__((may_alias, aligned(1)));

static inline __attribute__((always_inline)) struct mh_walk_detour *mh_detours_from(struct mh_walk *walk, uintptr_t pc, uintptr_t sp) {
  return walk->detours[((pc + sp * 5) * 0x9e3779b97f4a7c15ull >> 40) % MH_DETOUR_SETS];
}

/* The detour that leads from there into the remembered walk as it is now: the inner half of the proof. The outer half, the remembered
 * slots of frame number `outer`, is the caller's. NULL if there is none. */
static inline __attribute__((always_inline)) const struct mh_walk_detour *mh_detour_find(struct mh_walk *walk, uintptr_t pc,
                                                                                         uintptr_t sp, uintptr_t fp) {
  const struct mh_walk_detour *detour = mh_detours_from(walk, pc, sp);
  for (unsigned way = 0; way < MH_DETOUR_WAYS; way++, detour++) {
    if (detour->pc != pc || detour->sp != sp || (detour->need_fp && detour->fp != fp)) continue;
    const struct mh_walk_slot *slot = detour->slot + detour->slots;
    const struct mh_walk_slot *outermost = detour->slot + (MH_MUTATION == MUTATION_NO_DETOUR_SLOT ? detour->slots > 1 : 0);
    while (slot > outermost && *(const mh_word *)slot[-1].at == slot[-1].value) slot--;
    if (slot > outermost || detour->outer > walk->depth) continue;
    const struct mh_walk_frame *joined = &walk->frames[detour->outer - 1];
    bool same_frame = joined->pc == detour->joined.pc && joined->sp == detour->joined.sp;
    if (!same_frame || (joined->node != detour->joined.node && MH_MUTATION != MUTATION_NO_DETOUR_NODE)) continue;
    if (joined->slots & MH_FRAME_EXACT) continue;
    if ((joined->slots ^ detour->joined.slots) & MH_FRAME_NEED) continue;
    if (joined->slots & MH_FRAME_NEED && joined->fp != detour->joined.fp) continue;
    return detour;
  }
  return NULL;
}

/* Notes the way from `entry` to the remembered frame number `outer`, now that all frames in between are remembered too. */
static inline void mh_detour_note(struct mh_walk *walk, const struct mh_entry *entry, uint32_t outer, uint32_t stack) {
  const struct mh_walk_frame *joined = &walk->frames[outer - 1], *inner = &walk->frames[walk->depth - 1];
  uint32_t from = joined->slots >> 2, to = inner->slots >> 2;
  if (to - from > MH_DETOUR_SLOTS) return;
  struct mh_walk_detour *detour = &mh_detours_from(walk, entry->pc, entry->sp)[walk->detour_turn++ % MH_DETOUR_WAYS];
  detour->pc = 0; /* a signal handler may jump out of here */
  __atomic_signal_fence(__ATOMIC_SEQ_CST);
  detour->sp = entry->sp;
  detour->fp = entry->fp;
  detour->joined = *joined;
  detour->outer = outer;
  detour->stack = stack;
  detour->slots = to - from;
  detour->need_fp = inner->slots & MH_FRAME_NEED;
  for (uint32_t i = from; i < to; i++) detour->slot[i - from] = walk->slots[i];
  __atomic_signal_fence(__ATOMIC_SEQ_CST);
  detour->pc = entry->pc;
}
