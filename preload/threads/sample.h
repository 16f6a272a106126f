/* Sampling: only some allocations are recorded. Each allocated byte is equally likely to be noticed.
 *
 * The bytes that a thread allocates form a line. Samples fall on it at random, MEMHOOK_SAMPLE bytes apart on average (a
 * Poisson process). An allocation is recorded if a sample falls into it. The probability of that is
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

/* Draws the distance to the next sample. True: a sample fell into the current allocation. */
bool mh_sample_draw(struct mh_tls *tls);

/* In a child of fork, which would otherwise notice the same bytes as its parent and its siblings. Draws the distance
 * again. In a Poisson process that is correct at any moment that does not depend on the distance itself. */
void mh_sample_redraw(void);

/* The same in a child that was only noticed at its first hook. That moment may depend on the distance, so the distance
 * stays. Such siblings share their first sample, but not the following ones. */
void mh_sample_reseed(void);

/* Whether no sample falls into an allocation of `size` bytes. Hooks ask this first, and then only call the real
 * function. Always false without sampling: `until_sample` is 0 then. */
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
