/* The cached backtrace: comparing it with the stack, at its innermost frame or at one further out. Part of the stack
 * cache; stack_cache.h explains what is cached, and why comparing is enough.
 */
#pragma once
#include "../base/sys.h"
#include "../stacks/modules.h"
#include "mutation.h"
#include "stack_cache_data.h"

static inline uint32_t mh_stack_cache_generation(void) {
  return MH_MUTATION == MUTATION_NO_GENERATION ? 1 : __atomic_load_n(&mh_generation, __ATOMIC_ACQUIRE);
}

/* The guard: a witness that never holds. It ends a comparison from the inside outwards, so that the loop has one
 * condition. Its address is its own, which no word of a stack has. */
static inline void mh_witness_guard(struct mh_witness *guard) {
  *guard = (struct mh_witness){.at = (uintptr_t)&guard->at, .value = (uintptr_t)&guard->at + 1};
}
MH_INLINE bool mh_witness_is_guard(const struct mh_witness *witness) {
  return witness->at == (uintptr_t)&witness->at;
}

/* Compares the witnesses in front of `end` with the stack. Returns the first that does not hold, or the guard in front
 * of them all. */
MH_INLINE const struct mh_witness *mh_changed_witness(const struct mh_witness *end) {
  const struct mh_witness *witness = end - 1;
#pragma clang loop unroll_count(4)
  while (*(const mh_word *)witness->at == witness->value) witness--;
  return witness;
}

/* Whether the witnesses of this frame and all outside of it hold. */
MH_INLINE bool mh_witnesses_hold(const struct mh_stack_cache *cache, const struct mh_cached_frame *frame) {
  size_t bytes = frame->witnesses & ~MH_FRAME_BITS;
  return mh_witness_is_guard(mh_changed_witness((const struct mh_witness *)((const char *)cache->witnesses + bytes)));
}

/* Whether a walk is in that very frame. Then the rest of the walk depends on the witnesses alone. */
MH_INLINE bool mh_cached_frame_is(const struct mh_cached_frame *frame, uintptr_t pc, uintptr_t sp, uintptr_t fp) {
  return frame->sp == sp && frame->pc == pc && !(frame->witnesses & MH_FRAME_EXACT) &&
         (!(frame->witnesses & MH_FRAME_NEEDS_FP) || frame->fp == fp || MH_MUTATION == MUTATION_NO_FP);
}

/* ── On the way outwards ───────────────────────────────────────────────────────────────────────── */

/* The number of the innermost witness that has changed, from 1; 0: none has. */
MH_INLINE uint32_t mh_first_changed(const struct mh_witness *witnesses, uint32_t count) {
  return (uint32_t)(mh_changed_witness(witnesses + count) - (witnesses - 1));
}

/* The same on a foreign stack, which cannot be read by loads alone. A word that cannot be read counts as changed. */
static __attribute__((noinline)) uint32_t mh_first_changed_foreign(const struct mh_witness *witnesses, uint32_t count,
                                                                   struct mh_stack_range *range) {
  uintptr_t word;
  if (MH_MUTATION == MUTATION_NO_FOREIGN_STACK) return 0;
  while (count && mh_stack_range_word(range, witnesses[count - 1].at, &word) && word == witnesses[count - 1].value)
    count--;
  return count;
}

/* Where a walk may still meet the cached backtrace. */
struct mh_meeting {
  uint32_t outer;  /* frames that it may meet, the outermost ones */
  uintptr_t below; /* the stack pointer in the innermost of them: further in there is nothing to look for */
};

MH_INLINE void mh_meeting_set(struct mh_meeting *meeting, const struct mh_stack_cache *cache, uint32_t outer) {
  meeting->outer = outer;
  meeting->below = outer ? cache->frames[outer - 1].sp : UINTPTR_MAX;
}

/* Whether a walk that has come to a frame by `count` steps is now on the cached backtrace. Then the rest of the stack
 * is the cached frames from the innermost of `meeting`'s outer frames on. `meeting` also learns which frames the walk
 * cannot meet any more. */
MH_INLINE bool mh_stack_cache_lookup_rest(const struct mh_stack_cache *cache, struct mh_meeting *meeting, uintptr_t pc,
                                          uintptr_t sp, uintptr_t fp, bool exact, uint32_t count,
                                          struct mh_stack_range *range) {
  const struct mh_cached_frame *frames = cache->frames;
  uint32_t outer = meeting->outer, limit = cache->limit;
  while (outer && frames[outer - 1].sp < sp) outer--;
  if (outer && !exact && mh_cached_frame_is(&frames[outer - 1], pc, sp, fp) &&
      (cache->cut ? count + outer == limit : count + outer <= limit) &&
      (MH_LIKELY(cache->top <= range->high) || range->foreign)) {
    uint32_t witnesses = mh_frame_witnesses(&frames[outer - 1]);
    uint32_t changed = MH_UNLIKELY(range->foreign != NULL)
                           ? mh_first_changed_foreign(cache->witnesses, witnesses, range)
                           : mh_first_changed(cache->witnesses, witnesses);
    if (!changed) {
      meeting->outer = outer;
      return true;
    }
    /* No frame inside of the changed word can be met. */
    while (outer && mh_frame_witnesses(&frames[outer - 1]) >= changed) outer--;
  }
  mh_meeting_set(meeting, cache, outer);
  return false;
}
