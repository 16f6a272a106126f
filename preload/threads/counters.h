/* Counting: allocations and frees, live totals, the peak, the timeline.
 *
 * Each thread counts in its own slot of the store. The sum over the slots is true at every instant, and no cache line
 * is shared. Peak and timeline need the sum itself. So each thread keeps the change of its live bytes since its last
 * flush, and the maximum in between. A flush adds both to the process's totals. It is due after MH_FLUSH_BYTES or
 * MH_FLUSH_CALLS. With one thread the peak is exact. With more it is off by at most MH_FLUSH_BYTES for each.
 *
 * A freed block's record is rarely in a cache, and its size and stack are needed for counting only. So a free does not
 * wait for them: it notes the empty record, and counts MH_FREED of them together, when the memory has arrived. It also
 * notes the live bytes of that moment, which keeps the peak exact. The number of frees is right at once. Their bytes
 * lag behind by at most MH_FREED blocks for each thread.
 */
#pragma once
#include <stdint.h>

#include "sample.h"
#include "thread.h"

#define MH_FLUSH_BYTES (64 << 10)
#define MH_FLUSH_CALLS 1024 /* allocations, or frees */

/* Counts what the thread freed last, and flushes if that is due. */
void mh_count_flush(struct mh_thread *thread);

/* The slow path of mh_count_allocation. */
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
  if (MH_UNLIKELY(live >= MH_FLUSH_BYTES || allocations - thread->flushed_allocations >= MH_FLUSH_CALLS))
    mh_count_flush(thread);
}

/* `thread` may be NULL: then the shared slot counts, atomically. `time` is the relative time of the allocation. */
MH_INLINE void mh_count_allocation(struct mh_thread *thread, uint32_t stack, struct mh_amount amount, uint64_t time) {
  if (MH_LIKELY(thread && thread->slot))
    mh_count_own_allocation(thread, stack, amount);
  else
    mh_count_shared_allocation(stack, amount, time);
}

/* Whether this thread made the allocation, and no other one before it freed it: then its newest allocation was at
 * `newest_time`. The slot would not tell: other threads may have freed and reused it. */
MH_INLINE bool mh_is_temporary(const struct mh_thread *thread, const struct mh_record *record, uint64_t newest_time) {
  return record->time == newest_time && record->thread == thread->tid;
}

/* `stack` made the allocation. `temporary`: see mh_is_temporary. */
void mh_count_free(struct mh_thread *thread, uint32_t stack, struct mh_amount amount, bool temporary);

/* The same for the record `slot`, on the fast path. The thread has room for one more. */
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

/* Counts one of those blocks. Its bytes are added to `bytes`, for mh_count_freed_bytes after the last. Between frees
 * the live bytes only grow, so their maximum is at one of the frees. */
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

/* Flushes the counts of every thread, at the end of the process. */
void mh_count_flush_all(void);

/* The number of live allocations, from the counts of this process's threads. A child of fork asks for those of its
 * parent's, any of which may have been in the middle of a flush. So this is a sum of numbers that no flush changes. */
int64_t mh_count_live(void);

void mh_count_reset(void);
