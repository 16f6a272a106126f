/* Counting: allocations and frees, live totals, the peak, the timeline.
 *
 * Each thread counts in its own slot of the store, so the sum over the slots is true at every instant and costs nobody a
 * shared cache line. Peak and timeline need the sum itself: each thread keeps what its live bytes changed since it last
 * said so, with the highest point in between, and folds that into the process's total after MH_FOLD_BYTES or
 * MH_FOLD_CALLS. With one thread the peak is exact; with more it is off by at most MH_FOLD_BYTES for each.
 */
#pragma once
#include <stdint.h>

#include "sample.h"
#include "thread.h"

#define MH_FOLD_BYTES (64 << 10)
#define MH_FOLD_CALLS 1024 /* as many allocations, or as many frees */

/* The rare ways of the two below. */
void mh_count_fold(struct mh_thread *thread, uint64_t time);
void mh_count_shared_allocation(uint32_t stack, struct mh_amount amount, uint64_t time);
void mh_count_shared_free(uint32_t stack, struct mh_amount amount);

/* `thread` may be NULL: then the shared slot counts, atomically. `time` is the relative time of the allocation. */
static inline __attribute__((always_inline)) void mh_count_allocation(struct mh_thread *thread, uint32_t stack, struct mh_amount amount, uint64_t time) {
  if (MH_UNLIKELY(!thread || !thread->slot)) {
    mh_count_shared_allocation(stack, amount, time);
    return;
  }
  mh_total_allocation(&thread->totals, stack, amount);
  struct mh_thread_slot *counters = thread->counters;
  uint64_t allocations = counters->allocations + amount.count;
  MH_SET(counters->allocations, allocations);
  MH_SET(counters->allocated_bytes, MH_GET(counters->allocated_bytes) + amount.bytes);
  thread->live_count += (int64_t)amount.count;
  int64_t live = thread->live_bytes + (int64_t)amount.bytes;
  thread->live_bytes = live;
  if (MH_UNLIKELY(live >= MH_FOLD_BYTES || allocations - thread->folded_allocations >= MH_FOLD_CALLS)) mh_count_fold(thread, time);
}

/* `stack` made the allocation. `temporary`: by this thread, which made no other since. */
static inline __attribute__((always_inline)) void mh_count_free(struct mh_thread *thread, uint32_t stack, struct mh_amount amount, bool temporary) {
  if (MH_UNLIKELY(!thread || !thread->slot)) {
    mh_count_shared_free(stack, amount);
    return;
  }
  mh_total_free(&thread->totals, stack, amount, temporary);
  struct mh_thread_slot *counters = thread->counters;
  uint64_t frees = counters->frees + amount.count;
  MH_SET(counters->frees, frees);
  MH_SET(counters->freed_bytes, MH_GET(counters->freed_bytes) + amount.bytes);
  thread->live_count -= (int64_t)amount.count;
  /* Between frees the live bytes only grow: where they were highest is known now. */
  int64_t live = thread->live_bytes;
  if (live > thread->live_bytes_max) thread->live_bytes_max = live;
  thread->live_bytes = live -= (int64_t)amount.bytes;
  if (MH_UNLIKELY(live <= -MH_FOLD_BYTES || frees - thread->folded_frees >= MH_FOLD_CALLS)) mh_count_fold(thread, mh_clock_now());
}

/* Folds what every thread has counted into peak and timeline (at the end of the process). */
void mh_count_fold_all(void);

/* Live allocations, by what this process's threads have counted. A child of fork asks this of its parent's threads, any of which may have
 * been in the middle of a fold: so it is the sum of what no fold changes. */
int64_t mh_count_live(void);

void mh_count_reset(void);
