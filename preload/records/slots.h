/* Free slots of the records array.
 *
 * Slots are handed out so that threads do not contend for them. Each thread keeps the slots that it freed, newest on
 * top, and a run of fresh ones. A thread that frees what others allocate releases its surplus to the global free list,
 * in batches. A thread without slots takes a whole batch from there. The numbers of a batch are stored in its free
 * records, five in each, so they cost no memory:
 *
 *     slots[0]             slots[1]              …      slots[50]
 *     slots[1 … 5]         slots[6 … 10]                slots[251 … 255]
 *     and the next batch
 *
 * A slot that a thread keeps is a number in an array. Its record, which is rarely in a cache, is not read. It is
 * fetched some allocations before it is written.
 *
 * A signal handler may jump out of any of these functions, or end the thread, whose state then gets another owner. No
 * slot is ever handed out twice. At worst the slots that the thread kept are lost.
 */
#pragma once
#include <stdint.h>

#include "../store/store.h"
#include "../threads/counters.h"
#include "../threads/thread.h"

/* Releases the slots that the thread freed first, whose records have left the cache. That makes room for as many
 * more. */
void mh_slots_release_batch(struct mh_thread *thread);

/* Counts the blocks that the thread freed last, and frees their slots. */
void mh_slots_settle(struct mh_thread *thread);

/* A slot for a thread without free ones, or for `thread` NULL. */
uint32_t mh_slots_take_more(struct mh_thread *thread);

/* The thread's newest free slot, of at least one. */
MH_INLINE uint32_t mh_slot_pop(struct mh_thread *thread) {
  uint32_t count = thread->free_count - 1;
  thread->free_count = count;
  /* Free slots begin at index MH_FETCHED. So index `count` has the slot that is used MH_FETCHED allocations later, or
   * 0. */
  __builtin_prefetch(mh_record(thread->free_slots[count]), 1);
  uint32_t slot = thread->free_slots[MH_FETCHED + count];
  MH_ASSERT(!mh_record(slot)->address);
  return slot;
}

/* Takes a slot, whose record has address 0; returns 0 if there is none. And frees a slot. `thread` may be NULL. */
MH_INLINE uint32_t mh_slot_take(struct mh_thread *thread) {
  return MH_LIKELY(thread && thread->free_count) ? mh_slot_pop(thread) : mh_slots_take_more(thread);
}
MH_INLINE void mh_slot_give(struct mh_thread *thread, uint32_t slot) {
  if (MH_UNLIKELY(!thread)) return; /* lost until the process ends: rare, and better than a lock */
  MH_ASSERT(!mh_record(slot)->address);
  if (MH_UNLIKELY(thread->free_count == MH_FREE_SLOTS)) mh_slots_release_batch(thread);
  uint32_t count = thread->free_count;
  thread->free_slots[MH_FETCHED + count] = slot;
  __atomic_signal_fence(__ATOMIC_SEQ_CST);
  thread->free_count = count + 1;
}

/* In a child of fork: it starts without free slots; or every empty slot below the array's count becomes free. */
void mh_slots_reset(void);
void mh_slots_rebuild(void);
