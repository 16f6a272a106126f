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

/* Which set a detour from there is in, and its tag in it. */
struct mh_detour_key {
  uint32_t set;
  uint8_t tag;
};
static inline __attribute__((always_inline)) struct mh_detour_key mh_detour_key(uintptr_t pc, uintptr_t sp) {
  uint64_t hash = (pc + sp * 5) * 0x9e3779b97f4a7c15ull;
  return (struct mh_detour_key){.set = hash >> 61, .tag = (uint8_t)(hash >> 53)};
}
_Static_assert(MH_DETOUR_SETS == 8, "three bits of the hash");

/* The top bit of each byte of `tags` that is `tag`. */
static inline __attribute__((always_inline)) uint64_t mh_detour_same(uint64_t tags, uint8_t tag) {
  const uint64_t low = 0x7f7f7f7f7f7f7f7full;
  uint64_t other = tags ^ tag * 0x0101010101010101ull;
  return ~(((other & low) + low) | other | low);
}

/* The detour that leads from there into the remembered walk as it is now: the inner half of the proof. The outer half, the remembered
 * slots of frame number `outer`, is the caller's. NULL if there is none. */
static inline __attribute__((always_inline)) const struct mh_walk_detour *mh_detour_find(struct mh_walk *walk, uintptr_t pc,
                                                                                         uintptr_t sp, uintptr_t fp) {
  struct mh_detour_key key = mh_detour_key(pc, sp);
  const struct mh_walk_detour *eight = walk->detours[key.set];
  uint64_t same = mh_detour_same(walk->detour_tags[key.set][0], key.tag);
  for (unsigned word = 1;; same &= same - 1) {
    if (!same && word < MH_DETOUR_WAYS / 8) {
      same = mh_detour_same(walk->detour_tags[key.set][word++], key.tag);
      eight += 8;
    }
    if (!same) return NULL;
    const struct mh_walk_detour *detour = &eight[__builtin_ctzll(same) / 8];
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
}

/* Notes the way from `entry` to the remembered frame number `outer`, now that all frames in between are remembered too. */
static inline void mh_detour_note(struct mh_walk *walk, const struct mh_entry *entry, uint32_t outer, uint32_t stack) {
  const struct mh_walk_frame *joined = &walk->frames[outer - 1], *inner = &walk->frames[walk->depth - 1];
  uint32_t from = joined->slots >> 2, to = inner->slots >> 2;
  if (to - from > MH_DETOUR_SLOTS) return;
  struct mh_detour_key key = mh_detour_key(entry->pc, entry->sp);
  uint32_t way = walk->detour_turn++ % MH_DETOUR_WAYS;
  struct mh_walk_detour *detour = &walk->detours[key.set][way];
  detour->pc = 0; /* a signal handler may jump out of here */
  __atomic_signal_fence(__ATOMIC_SEQ_CST);
  uint64_t *tags = &walk->detour_tags[key.set][way / 8];
  *tags = (*tags & ~((uint64_t)0xff << way % 8 * 8)) | (uint64_t)key.tag << way % 8 * 8;
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
