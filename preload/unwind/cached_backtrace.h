/* Comparing the remembered words with the stack. Part of walk.c, which explains why that is enough. */
#pragma once
#include "../base/sys.h"
#include "stack_cache_data.h"

/* A slot that never holds its value: it ends a comparison that goes from the inside outwards, so that the loop has one condition. It lies at itself,
 * where no word of a stack does. */
static inline void mh_slot_guard(struct mh_walk_slot *slot) {
  *slot = (struct mh_walk_slot){.at = (uintptr_t)&slot->at, .value = (uintptr_t)&slot->at + 1};
}
MH_INLINE bool mh_slot_is_guard(const struct mh_walk_slot *slot) {
  return slot->at == (uintptr_t)&slot->at;
}

/* Compares the slots in front of `end` with the stack. Returns the first that is not the same, or the guard in front of them all. */
MH_INLINE const struct mh_walk_slot *mh_changed_slot(const struct mh_walk_slot *end) {
  const struct mh_walk_slot *slot = end - 1;
#pragma clang loop unroll_count(4)
  while (*(const mh_word *)slot->at == slot->value) slot--;
  return slot;
}

/* Whether the remembered words that this frame and all outside of it depend on are the same. */
MH_INLINE bool mh_same_from(const struct mh_walk *walk, const struct mh_walk_frame *frame) {
  return mh_slot_is_guard(mh_changed_slot((const struct mh_walk_slot *)((const char *)walk->slots + (frame->slots & ~MH_FRAME_BITS))));
}
