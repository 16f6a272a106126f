/* Counting: allocations and frees, live totals, the peak, the timeline.
 *
 * Each thread counts in its own slot of the store, so the sum over the slots is true at every instant and costs nobody
 * a shared cache line. Peak and timeline need the sum itself: each thread keeps what its live bytes changed since it
 * last said so, with the highest point in between, and folds that into the process's total after MH_FOLD_BYTES or
 * MH_FOLD_CALLS. With one thread the peak is exact; with more it is off by at most MH_FOLD_BYTES for each.
 *
 * The record of a block that is freed is in no cache as a rule, and its size and stack are wanted for counting only. So
 * a free does not wait for them: the empty record is noted, and counted with MH_FREED others, when it has come. What
 * was live at the free is noted too, which keeps the peak exact. The number of frees is right at once, their bytes are
 * behind by those MH_FREED of each thread.
 */
#pragma once
#include <stdint.h>

#include "sample.h"
#include "thread.h"

#define MH_FOLD_BYTES (64 << 10)
#define MH_FOLD_CALLS 1024 /* as many allocations, or as many frees */

/* Folds if that is due, now that everything is counted. */
void mh_count_fold(struct mh_thread *thread);

/* The rare way of the next. */
void mh_count_shared_allocation(uint32_t stack, struct mh_amount amount, uint64_t time);

/* For a thread with a slot of its own. */
MH_INLINE void mh_count_own_allocation(struct mh_thread *thread, uint32_t stack, struct mh_amount amount) {
  mh_total_allocation(&thread->totals, stack, amount);
  struct mh_thread_slot *counters = thread->counters;
  uint64_t allocations = counters->allocations + amount.count;
  MH_SET(counters->allocations, allocations);
  MH_SET(counters->allocated_bytes, MH_GET(counters->allocated_bytes) + amount.bytes);
  thread->live_count += (int64_t)amount.count;
  int64_t live = thread->live_bytes + (int64_t)amount.bytes;
  thread->live_bytes = live;
  if (MH_UNLIKELY(live >= MH_FOLD_BYTES || allocations - thread->folded_allocations >= MH_FOLD_CALLS))
    mh_count_fold(thread);
}

/* `thread` may be NULL: then the shared slot counts, atomically. `time` is the relative time of the allocation. */
MH_INLINE void mh_count_allocation(struct mh_thread *thread, uint32_t stack, struct mh_amount amount, uint64_t time) {
  if (MH_LIKELY(thread && thread->slot))
    mh_count_own_allocation(thread, stack, amount);
  else
    mh_count_shared_allocation(stack, amount, time);
}

/* Whether this thread made the allocation, and no other before it freed it: its last one then was at `newest_time`.
 * Told by the time and not by the slot, which may have been freed and taken anew by other threads. */
MH_INLINE bool mh_is_temporary(const struct mh_thread *thread, const struct mh_record *record, uint64_t newest_time) {
  return record->time == newest_time && record->thread == thread->tid;
}

/* `stack` made the allocation. `temporary`: see mh_is_temporary. */
void mh_count_free(struct mh_thread *thread, uint32_t stack, struct mh_amount amount, bool temporary);

/* The same, of the record `slot`, for a plain thread that has room for one more. */
MH_INLINE void mh_count_free_later(struct mh_thread *thread, uint32_t slot) {
  struct mh_thread_slot *counters = thread->counters;
  uint32_t count = thread->freed_count;
  MH_ASSERT(count < MH_FREED);
  MH_SET(counters->frees, counters->frees + 1);
  thread->live_count--;
  thread->freed[count] =
      (struct mh_freed){.live_bytes = thread->live_bytes, .newest_time = thread->newest_time, .slot = slot};
  __atomic_store_n(&thread->freed_count, count + 1, __ATOMIC_RELEASE);
}

/* Counts one of those, all but its bytes, which are added to `bytes` and counted together, after the last. Between
 * frees the live bytes only grow: where they were highest is known at the frees. */
MH_INLINE void mh_count_freed(struct mh_thread *thread, const struct mh_freed *freed, const struct mh_record *record,
                              uint64_t *bytes) {
  struct mh_amount amount = {.count = 1, .bytes = mh_record_size(record)};
  mh_total_free(&thread->totals, record->stack, amount, mh_is_temporary(thread, record, freed->newest_time));
  int64_t live = freed->live_bytes - (int64_t)*bytes;
  if (live > thread->live_bytes_max) thread->live_bytes_max = live;
  *bytes += amount.bytes;
}
static inline void mh_count_freed_bytes(struct mh_thread *thread, uint64_t bytes) {
  thread->live_bytes -= (int64_t)bytes;
  MH_SET(thread->counters->freed_bytes, thread->counters->freed_bytes + bytes);
}

/* Folds what every thread has counted into peak and timeline (at the end of the process). */
void mh_count_fold_all(void);

/* Live allocations, by what this process's threads have counted. A child of fork asks this of its parent's threads, any
 * of which may have been in the middle of a fold: so it is the sum of what no fold changes. */
int64_t mh_count_live(void);

void mh_count_reset(void);
