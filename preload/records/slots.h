/* Slots of the records array: free ones, and those at hand.
 *
 * Slots of the records array are handed out so that threads do not meet: each thread keeps the slots it freed, newest
 * on top, and a run of fresh ones. A thread that frees what others allocate releases its surplus, in batches, to the
 * global free list, from which a thread without slots takes a whole batch. The numbers of a batch are kept in the free
 * records themselves, five in each, so that they cost no memory of their own:
 *
 *     slots[0]             slots[1]              …      slots[50]
 *     slots[1 … 5]         slots[6 … 10]                slots[251 … 255]
 *     and the next batch
 *
 * A slot that a thread keeps is a number in an array: its record is not read, which is in no cache as a rule, but
 * fetched some allocations before it is written.
 *
 * A signal handler may jump out of all this, or end the thread, whose state is another one's then. No slot is ever
 * handed out twice; at worst, what the thread kept is lost.
 */
#pragma once
#include <stdint.h>

#include "../store/store.h"
#include "../threads/counters.h"
#include "../threads/thread.h"

/* Releases those that the thread freed first, no more in the cache: room for as many more. */
void mh_slots_release_batch(struct mh_thread *thread);

/* Counts what the thread freed last, and gives the slots back. */
void mh_slots_settle(struct mh_thread *thread);

/* A slot for a thread that has none at hand, or NULL. */
uint32_t mh_slots_take_more(struct mh_thread *thread);

/* The thread's newest free slot, of at least one. */
MH_INLINE uint32_t mh_slot_pop(struct mh_thread *thread) {
  uint32_t count = thread->free_count - 1;
  thread->free_count = count;
  /* Free slots begin MH_FETCHED places into the array: this is the one that comes after so many others, or none. */
  __builtin_prefetch(mh_record(thread->free_slots[count]), 1);
  uint32_t slot = thread->free_slots[MH_FETCHED + count];
  MH_ASSERT(!mh_record(slot)->address);
  return slot;
}

/* A record slot, zeroed, 0 if there is none; and back. `thread` may be NULL. */
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

/* In a child of fork: it starts empty; or every empty slot below the array's count becomes available. */
void mh_slots_reset(void);
void mh_slots_rebuild(void);
