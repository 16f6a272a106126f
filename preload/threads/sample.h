/* Sampling: recording only some allocations, so that each byte allocated is as likely to be noticed as any other.
 *
 * The bytes a thread allocates are a line on which samples fall at random, MEMHOOK_SAMPLE bytes apart on average
 * (a Poisson process); an allocation is recorded when a sample falls into it, that is with probability
 * 1 − e^(−size / mean). So a viewer that counts a recorded allocation as 1 / (1 − e^(−size / mean)) has unbiased
 * estimates. An allocation that is not recorded costs a subtraction and a comparison.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "../base/settings.h"
#include "thread.h"

/* What a recorded allocation of `size` bytes stands for, while sampling. */
struct mh_amount mh_sample_scale(uint64_t size);

static inline struct mh_amount mh_sample_amount(uint64_t size) {
  if (MH_LIKELY(!mh_settings.sample)) return (struct mh_amount){.count = 1, .bytes = size};
  return mh_sample_scale(size);
}

/* Draws the distance to the next sample; true, because one fell into the allocation that asked. */
bool mh_sample_draw(struct mh_tls *tls);

/* In a child of fork, which would otherwise notice the same bytes as its parent and its siblings. The distance to the
 * next sample does not depend on where the last one was, so it may be drawn anew at any moment that is not chosen by
 * it. */
void mh_sample_redraw(void);

/* The same in a child that was noticed by its first hook alone. The distance that it came with may have led there, so
 * it stays: the first sample is common to such siblings, those that follow are not. */
void mh_sample_reseed(void);

/* Whether no sample falls into an allocation of `size` bytes, asked before anything else is done: then it is the real
 * function's business alone. Never so without sampling: `until_sample` is 0 then. */
MH_INLINE bool mh_sample_passes(uint64_t size) {
  struct mh_tls *tls = &mh_tls;
  int64_t until = tls->until_sample;
  if (MH_LIKELY(until <= 0) || size >= (uint64_t)until || tls->guard) return false;
  tls->until_sample = until - (int64_t)(size ? size : 1);
  return true;
}

/* Whether an allocation of `size` bytes is to be recorded. */
MH_INLINE bool mh_sample_wants(uint64_t size) {
  if (MH_LIKELY(!mh_settings.sample)) return true;
  struct mh_tls *tls = &mh_tls;
  tls->until_sample -= (int64_t)(size ? size : 1);
  return MH_UNLIKELY(tls->until_sample < 0) && mh_sample_draw(tls);
}
