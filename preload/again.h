/* The same stack again: the two ways to know a stack without taking a step. Part of walk.c, which explains the first and why
 * comparing is enough; detour.h explains the second. Inline, for this is how most stacks are captured.
 */
#pragma once
#include "detour.h"
#include "modules.h"
#include "sys.h"
#include "walk.h"

/* A slot that never holds its value: it ends a comparison that goes from the inside outwards, so that the loop has one condition. */
static inline void mh_slot_guard(struct mh_walk_slot *slot) {
  *slot = (struct mh_walk_slot){.at = (uintptr_t)&slot->at, .value = (uintptr_t)&slot->at + 1};
}

/* Compares slots[count − 1 … 0] with the stack. Returns the first that is not the same, or the guard in front of them, which ends the loop. */
MH_INLINE const struct mh_walk_slot *mh_changed_slot(const struct mh_walk_slot *slots, uint32_t count) {
  const struct mh_walk_slot *slot = slots + count - 1;
#pragma clang loop unroll_count(4)
  while (*(const mh_word *)slot->at == slot->value) slot--;
  return slot;
}

/* Whether the remembered words that this frame and all outside of it depend on are the same. */
MH_INLINE bool mh_same_from(const struct mh_walk *walk, const struct mh_walk_frame *frame) {
  return mh_changed_slot(walk->slots, frame->slots >> 2) < walk->slots;
}

/* Whether a walk is in that very frame: then the way out of it depends on the remembered slots alone. */
MH_INLINE bool mh_walk_meets(const struct mh_walk_frame *frame, uintptr_t pc, uintptr_t sp, uintptr_t fp) {
  return frame->sp == sp && frame->pc == pc && !(frame->slots & MH_FRAME_EXACT) &&
         (!(frame->slots & MH_FRAME_NEED) || frame->fp == fp || MH_MUTATION == MUTATION_NO_FP);
}

static inline uint32_t mh_walk_generation(void) {
  return MH_MUTATION == MUTATION_NO_GENERATION ? 1 : __atomic_load_n(&mh_generation, __ATOMIC_ACQUIRE);
}

/* The stack that starts at `entry`, if it is the remembered one, or a detour into that. 0 if it has to be walked. */
MH_INLINE uint32_t mh_walk_again(struct mh_walk *walk, const struct mh_entry *entry) {
  if (MH_UNLIKELY(!walk->plain || walk->generation != mh_walk_generation())) return 0;
  if (MH_UNLIKELY(entry->sp - walk->own.low >= walk->own.high - walk->own.low)) return 0;
  const struct mh_walk_frame *inner = &walk->frames[walk->depth - 1];
  if (walk->stack && mh_walk_meets(inner, entry->pc, entry->sp, entry->fp) && mh_same_from(walk, inner)) return walk->stack;
  if (!mh_detours_pay(walk)) return 0;
  const struct mh_walk_detour *detour = mh_detour_find(walk, entry->pc, entry->sp, entry->fp);
  if (!detour || !mh_same_from(walk, &walk->frames[detour->joined])) return 0;
  walk->doubt = 0;
  return detour->stack;
}
