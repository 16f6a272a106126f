/* Comparing the remembered words with the stack. Part of walk.c, which explains why that is enough. */
#pragma once
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
