/* Slots of the records array; see slots.h. */
#include "slots.h"

#include "guard.h"

#define RUN_SLOTS 64
#define BATCH_SLOTS 256
#define KEPT_SLOTS 5 /* of a batch, in one free record */
_Static_assert(BATCH_SLOTS % KEPT_SLOTS == 1, "the numbers of all slots but the first fill records");

/* The global free list's newest batch: its first slot low, a count against ABA high. */
static uint64_t free_list;

static void push_batch(const uint32_t slots[BATCH_SLOTS]) {
  for (uint32_t i = 0; i < BATCH_SLOTS / KEPT_SLOTS; i++) {
    struct mh_record *record = mh_record(slots[i]);
    const uint32_t *kept = &slots[KEPT_SLOTS * i + 1];
    MH_SET(record->size, kept[0] | (uint64_t)kept[1] << 32);
    MH_SET(record->time, kept[2] | (uint64_t)kept[3] << 32);
    MH_SET(record->thread, kept[4]);
  }
  uint64_t old = __atomic_load_n(&free_list, __ATOMIC_RELAXED), now;
  do {
    MH_SET(mh_record(slots[0])->stack, (uint32_t)old);
    now = ((old >> 32) + 1) << 32 | slots[0];
  } while (!__atomic_compare_exchange_n(&free_list, &old, now, true, __ATOMIC_RELEASE, __ATOMIC_RELAXED));
}

/* Reads all slots of the batch that begins with slots[0]. Few of these records are in a cache. But after the first few,
 * the reads do not wait for each other. */
static void unpack_batch(uint32_t slots[BATCH_SLOTS]) {
  for (uint32_t i = 0; i < BATCH_SLOTS / KEPT_SLOTS; i++) {
    const struct mh_record *record = mh_record(slots[i]);
    uint32_t *kept = &slots[KEPT_SLOTS * i + 1];
    kept[0] = (uint32_t)record->size;
    kept[1] = (uint32_t)(record->size >> 32);
    kept[2] = (uint32_t)record->time;
    kept[3] = (uint32_t)(record->time >> 32);
    kept[4] = record->thread;
  }
}

static bool pop_batch(uint32_t slots[BATCH_SLOTS]) {
  uint64_t old = __atomic_load_n(&free_list, __ATOMIC_ACQUIRE), now;
  do {
    uint32_t first = (uint32_t)old;
    if (!first) return false;
    now = ((old >> 32) + 1) << 32 | MH_GET(mh_record(first)->stack);
  } while (!__atomic_compare_exchange_n(&free_list, &old, now, true, __ATOMIC_ACQUIRE, __ATOMIC_ACQUIRE));
  slots[0] = (uint32_t)old;
  unpack_batch(slots);
  return true;
}

/* Fresh slots [first, first + *count). */
static uint32_t take_run(uint32_t *count) {
  struct mh_array *records = &mh_header()->arrays[MH_KIND_RECORDS];
  uint32_t first = __atomic_load_n(&records->count, __ATOMIC_RELAXED);
  do {
    if (first > UINT32_MAX - *count) return 0;
    if (!mh_store_reserve(MH_KIND_RECORDS, first + *count)) return 0;
  } while (
      !__atomic_compare_exchange_n(&records->count, &first, first + *count, false, __ATOMIC_RELEASE, __ATOMIC_RELAXED));
  return first;
}

__attribute__((noinline)) void mh_slots_release_batch(struct mh_thread *thread) {
  uint32_t batch[BATCH_SLOTS], *slots = thread->free_slots + MH_FETCHED, kept = thread->free_count - BATCH_SLOTS;
  __builtin_memcpy(batch, slots, sizeof batch);
  thread->free_count = 0;
  __atomic_signal_fence(__ATOMIC_SEQ_CST);
  __builtin_memmove(slots, slots + BATCH_SLOTS, kept * sizeof *slots);
  __atomic_signal_fence(__ATOMIC_SEQ_CST);
  thread->free_count = kept;
  push_batch(batch);
}

__attribute__((noinline)) void mh_slots_settle(struct mh_thread *thread) {
  uint32_t count = thread->freed_count, counted = thread->freed_counted;
  uint64_t bytes = 0;
  if (MH_UNLIKELY(thread->free_count > MH_FREE_SLOTS - MH_FREED)) mh_slots_release_batch(thread);
  uint32_t free_count = thread->free_count, *free_slots = thread->free_slots + MH_FETCHED;
  thread->freed_counted = count; /* if a handler jumps out of here, the next call counts nothing twice */
  __atomic_signal_fence(__ATOMIC_SEQ_CST);
  for (uint32_t i = counted; i < count; i++)
    mh_count_freed(thread, &thread->freed[i], mh_record(thread->freed[i].slot), &bytes);
  /* One fence for all: a reader of the file sees each address become 0 before the slot's next owner writes. */
  __atomic_thread_fence(__ATOMIC_RELEASE);
  for (uint32_t i = 0; i < count; i++) {
    MH_ASSERT(!mh_record(thread->freed[i].slot)->address);
    free_slots[free_count + i] = thread->freed[i].slot;
  }
  __atomic_signal_fence(__ATOMIC_SEQ_CST);
  thread->freed_count = 0;
  __atomic_signal_fence(__ATOMIC_SEQ_CST);
  thread->freed_counted = 0;
  thread->free_count = free_count + count;
  mh_count_freed_bytes(thread, bytes);
  if (MH_UNLIKELY(thread->live_bytes <= -MH_FLUSH_BYTES ||
                  thread->counters->frees - thread->flushed_frees >= MH_FLUSH_CALLS))
    mh_count_flush(thread);
}

__attribute__((noinline)) uint32_t mh_slots_take_more(struct mh_thread *thread) {
  if (MH_UNLIKELY(!thread)) {
    uint32_t one = 1;
    return take_run(&one);
  }
  if (MH_LIKELY(thread->run_next < thread->run_end)) return thread->run_next++;
  if (pop_batch(thread->free_slots + MH_FETCHED)) {
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    thread->free_count = BATCH_SLOTS;
    return mh_slot_pop(thread);
  }
  /* Near the limit of the store whole runs may not fit, single slots still do. */
  for (uint32_t count = RUN_SLOTS; count; count /= 8) {
    uint32_t slot = take_run(&count);
    if (slot) {
      thread->run_next = slot + 1;
      thread->run_end = slot + count;
      return slot;
    }
  }
  mh_slots_settle(thread);
  return thread->free_count ? mh_slot_pop(thread) : 0;
}

void mh_give_pending(void) {
  struct mh_tls *tls = &mh_tls;
  uint32_t count = tls->pending_count;
  while (count) {
    uint32_t slot = tls->pending[count - 1];
    /* A signal handler may add one more at any moment. */
    if (!__atomic_compare_exchange_n(&tls->pending_count, &count, count - 1, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
      continue;
    mh_slot_give(mh_thread_mine(), slot);
    count = __atomic_load_n(&tls->pending_count, __ATOMIC_RELAXED);
  }
}

void mh_slots_reset(void) {
  free_list = 0;
}

void mh_slots_rebuild(void) {
  uint32_t batch[BATCH_SLOTS], length = 0;
  for (uint32_t slot = mh_header()->arrays[MH_KIND_RECORDS].count - 1; slot > 0; slot--) {
    if (mh_record(slot)->address) continue;
    batch[length++] = slot;
    if (length < BATCH_SLOTS) continue;
    push_batch(batch);
    length = 0;
  }
  /* The rest, less than a batch, stays unused. */
}
