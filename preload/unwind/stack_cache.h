/* The same stack again: the two ways to know a stack without taking a step. Part of walk.c, which explains the first and why
 * comparing is enough; cached_tails.h explains the second. Inline, for this is how most stacks are captured.
 */
#pragma once
#include "cached_tails.h"
#include "../stacks/modules.h"
#include "cached_backtrace.h"
#include "../base/sys.h"
#include "stack_cache_data.h"

/* Whether a walk is in that very frame: then the way out of it depends on the remembered slots alone. */
MH_INLINE bool mh_walk_meets(const struct mh_walk_frame *frame, uintptr_t pc, uintptr_t sp, uintptr_t fp) {
  return frame->sp == sp && frame->pc == pc && !(frame->slots & MH_FRAME_EXACT) &&
         (!(frame->slots & MH_FRAME_NEED) || frame->fp == fp || MH_MUTATION == MUTATION_NO_FP);
}

static inline uint32_t mh_walk_generation(void) {
  return MH_MUTATION == MUTATION_NO_GENERATION ? 1 : __atomic_load_n(&mh_generation, __ATOMIC_ACQUIRE);
}

/* The stack that starts at `entry`, if it is the remembered one, or a detour into that. 0 if it has to be walked. Both were on the thread's own stack, so
 * where the stack pointer is the same the words that are compared can be read. */
MH_INLINE uint32_t mh_walk_again(struct mh_walk *walk, const struct mh_entry *entry) {
  if (MH_UNLIKELY(walk->plain != mh_walk_generation())) return 0;
  const struct mh_walk_frame *inner = walk->inner;
  if (mh_walk_meets(inner, entry->pc, entry->sp, entry->fp) && walk->stack && mh_same_from(walk, inner)) return walk->stack;
  if (MH_UNLIKELY(!mh_detours_pay(walk))) return 0;
  const struct mh_walk_detour *detour = mh_detour_find(walk, entry->pc, entry->sp, entry->fp);
  if (!detour) return 0;
  walk->doubt = 0;
  return detour->stack;
}
