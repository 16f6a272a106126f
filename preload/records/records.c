/* Live records; see records.h.
 *
 * Slots of the records array are handed out so that threads do not meet: each thread keeps the slots it freed, newest
 * on top, and a run of fresh ones. A thread that frees what others allocate hands its surplus, in bundles, to the
 * common stack, from which a thread without slots takes a whole bundle. The numbers of a bundle are kept in the free
 * records themselves, five in each, so that they cost no memory of their own:
 *
 *     slots[0]             slots[1]              …      slots[50]
 *     slots[1 … 5]         slots[6 … 10]                slots[251 … 255]
 *     and the next bundle
 *
 * A slot that a thread keeps is a number in an array: its record is not read, which is in no cache as a rule, but
 * fetched some allocations before it is written.
 *
 * A signal handler may jump out of all this, or end the thread, whose state is another one's then. No slot is ever
 * handed out twice; at worst, what the thread kept is lost.
 */
#include "records.h"

#include "../unwind/stack_cache.h"
#include "../threads/counters.h"
#include "fork_log.h"
#include "guard.h"
#include "../index/index.h"
#include "../store/store.h"
#include "../threads/thread.h"

#define RUN_SLOTS 64
#define BUNDLE_SLOTS 256
#define KEPT_SLOTS 5 /* of a bundle, in one free record */
_Static_assert(BUNDLE_SLOTS % KEPT_SLOTS == 1, "the numbers of all slots but the first fill records");

static uint64_t common; /* top bundle of the common stack: its first slot low, a count against ABA high */

static void push_bundle(const uint32_t slots[BUNDLE_SLOTS]) {
  for (uint32_t i = 0; i < BUNDLE_SLOTS / KEPT_SLOTS; i++) {
    struct mh_record *record = mh_record(slots[i]);
    const uint32_t *kept = &slots[KEPT_SLOTS * i + 1];
    MH_SET(record->size, kept[0] | (uint64_t)kept[1] << 32);
    MH_SET(record->time, kept[2] | (uint64_t)kept[3] << 32);
    MH_SET(record->thread, kept[4]);
  }
  uint64_t old = __atomic_load_n(&common, __ATOMIC_RELAXED), now;
  do {
    MH_SET(mh_record(slots[0])->stack, (uint32_t)old);
    now = ((old >> 32) + 1) << 32 | slots[0];
  } while (!__atomic_compare_exchange_n(&common, &old, now, true, __ATOMIC_RELEASE, __ATOMIC_RELAXED));
}

/* All slots of the bundle that begins with slots[0]. Nearly all of these records are in no cache, but after the first
 * few they do not wait for each other. */
static void unpack_bundle(uint32_t slots[BUNDLE_SLOTS]) {
  for (uint32_t i = 0; i < BUNDLE_SLOTS / KEPT_SLOTS; i++) {
    const struct mh_record *record = mh_record(slots[i]);
    uint32_t *kept = &slots[KEPT_SLOTS * i + 1];
    kept[0] = (uint32_t)record->size;
    kept[1] = (uint32_t)(record->size >> 32);
    kept[2] = (uint32_t)record->time;
    kept[3] = (uint32_t)(record->time >> 32);
    kept[4] = record->thread;
  }
}

static bool pop_bundle(uint32_t slots[BUNDLE_SLOTS]) {
  uint64_t old = __atomic_load_n(&common, __ATOMIC_ACQUIRE), now;
  do {
    uint32_t first = (uint32_t)old;
    if (!first) return false;
    now = ((old >> 32) + 1) << 32 | MH_GET(mh_record(first)->stack);
  } while (!__atomic_compare_exchange_n(&common, &old, now, true, __ATOMIC_ACQUIRE, __ATOMIC_ACQUIRE));
  slots[0] = (uint32_t)old;
  unpack_bundle(slots);
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

/* Makes room for one more slot by giving away those that were freed first, no more in the cache. */
static __attribute__((noinline)) void give_bundle(struct mh_thread *thread) {
  uint32_t bundle[BUNDLE_SLOTS], *slots = thread->free_slots + MH_FETCHED, kept = thread->free_count - BUNDLE_SLOTS;
  __builtin_memcpy(bundle, slots, sizeof bundle);
  thread->free_count = 0;
  __atomic_signal_fence(__ATOMIC_SEQ_CST);
  __builtin_memmove(slots, slots + BUNDLE_SLOTS, kept * sizeof *slots);
  __atomic_signal_fence(__ATOMIC_SEQ_CST);
  thread->free_count = kept;
  push_bundle(bundle);
}

MH_INLINE void give_slot(struct mh_thread *thread, uint32_t slot) {
  if (MH_UNLIKELY(!thread)) return; /* lost until the process ends: rare, and better than a lock */
  MH_ASSERT(!mh_record(slot)->address);
  if (MH_UNLIKELY(thread->free_count == MH_FREE_SLOTS)) give_bundle(thread);
  uint32_t count = thread->free_count;
  thread->free_slots[MH_FETCHED + count] = slot;
  __atomic_signal_fence(__ATOMIC_SEQ_CST);
  thread->free_count = count + 1;
}

/* Counts what the thread freed last, and gives the slots back. */
static __attribute__((noinline)) void settle(struct mh_thread *thread) {
  uint32_t count = thread->freed_count, counted = thread->freed_counted;
  uint64_t bytes = 0;
  if (MH_UNLIKELY(thread->free_count > MH_FREE_SLOTS - MH_FREED)) give_bundle(thread);
  uint32_t free_count = thread->free_count, *free_slots = thread->free_slots + MH_FETCHED;
  thread->freed_counted = count; /* begun anew after a jump out of here, this counts nothing twice */
  __atomic_signal_fence(__ATOMIC_SEQ_CST);
  for (uint32_t i = counted; i < count; i++)
    mh_count_freed(thread, &thread->freed[i], mh_record(thread->freed[i].slot), &bytes);
  /* Once for all of them: the address is gone before the slot's next owner writes, for whoever reads the file. */
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
  if (MH_UNLIKELY(thread->live_bytes <= -MH_FOLD_BYTES ||
                  thread->counters->frees - thread->folded_frees >= MH_FOLD_CALLS))
    mh_count_fold(thread);
}

MH_INLINE uint32_t pop_slot(struct mh_thread *thread) {
  uint32_t count = thread->free_count - 1;
  thread->free_count = count;
  /* Free slots begin MH_FETCHED places into the array: this is the one that comes after so many others, or none. */
  __builtin_prefetch(mh_record(thread->free_slots[count]), 1);
  uint32_t slot = thread->free_slots[MH_FETCHED + count];
  MH_ASSERT(!mh_record(slot)->address);
  return slot;
}

/* A slot for a thread that has none at hand, or NULL. */
static __attribute__((noinline)) uint32_t take_more(struct mh_thread *thread) {
  if (MH_UNLIKELY(!thread)) {
    uint32_t one = 1;
    return take_run(&one);
  }
  if (MH_LIKELY(thread->run_next < thread->run_end)) return thread->run_next++;
  if (pop_bundle(thread->free_slots + MH_FETCHED)) {
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    thread->free_count = BUNDLE_SLOTS;
    return pop_slot(thread);
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
  settle(thread);
  return thread->free_count ? pop_slot(thread) : 0;
}

MH_INLINE uint32_t take_slot(struct mh_thread *thread) {
  return MH_LIKELY(thread && thread->free_count) ? pop_slot(thread) : take_more(thread);
}

uint32_t mh_slot_take(struct mh_thread *thread) {
  return take_slot(thread);
}

void mh_slot_give(struct mh_thread *thread, uint32_t slot) {
  give_slot(thread, slot);
}

static void count_free(struct mh_thread *thread, uint32_t stack, uint64_t size, bool temporary) {
  mh_count_free(thread, stack, mh_sample_amount(size), temporary);
}

static uint64_t key_of(const void *block) {
  return (uintptr_t)block | MH_OVERFLOW_CUSTOM;
}

/* The record at this address says of a block what was freed where no hook saw it. */
static __attribute__((noinline)) void retire_stale(struct mh_thread *thread, uint32_t slot) {
  struct mh_record *record = mh_record(slot);
  mh_record_retire(slot, record);
  count_free(thread, record->stack, mh_record_size(record), false);
  mh_slot_give(thread, slot);
}

/* mh_capture for a plain thread: a stack that is the same again is known in here. The copy keeps the entry in registers
 * until then. */
MH_INLINE uint32_t capture(struct mh_thread *thread, const struct mh_entry *entry) {
  uint32_t stack = mh_stack_cache_lookup(thread->stack_cache, entry);
  if (MH_LIKELY(stack != 0)) return stack;
  struct mh_entry copy = *entry;
  return mh_capture(thread, &copy);
}

/* Makes the record of a block findable. False, and the slot is given back, when there is no room. */
static __attribute__((noinline)) bool put_in_index(struct mh_thread *thread, uint32_t slot, const void *block,
                                                   uint64_t size, unsigned kind) {
  uint32_t stale;
  bool room = kind == MH_MEMORY_CUSTOM ? mh_overflow_put(key_of(block), slot, &stale)
                                       : mh_index_put_any((uintptr_t)block, size, slot, &stale);
  if (MH_LIKELY(room)) {
    if (MH_UNLIKELY(stale)) retire_stale(thread, stale);
    return true;
  }
  __atomic_store_n(&mh_record(slot)->address, 0, __ATOMIC_RELEASE);
  mh_slot_give(thread, slot);
  mh_store_drop(size);
  return false;
}

/* Fills the slot and makes it findable. */
static void publish(struct mh_thread *thread, uint32_t slot, const void *block, uint64_t size, unsigned kind,
                    const struct mh_entry *entry) {
  struct mh_record *record = mh_record(slot);
  MH_ASSERT(!record->address);
  uint64_t time = thread ? mh_clock_tell(&thread->newest_time) : mh_clock_now();
  uint32_t stack = thread ? mh_capture(thread, entry) : 0;
  MH_SET(record->size, size | (uint64_t)kind << MH_RECORD_KIND_SHIFT);
  MH_SET(record->time, time);
  MH_SET(record->thread, mh_thread_id(thread));
  MH_SET(record->stack, stack);
  MH_ASSERT(stack < mh_header()->arrays[MH_KIND_STACKS].count);
  __atomic_store_n(&record->address, (uintptr_t)block, __ATOMIC_RELEASE);
  if (!put_in_index(thread, slot, block, size, kind)) return;
  mh_count_allocation(thread, stack, mh_sample_amount(size), time);
}

/* The same for a block of the heap, in a plain thread. In the order in which the least has to be kept at a time: the
 * clock is a call, and the stack takes all registers. Nobody finds the record before it is whole: a signal handler may
 * jump out of here and the program free the block, if it knows it already (from posix_memalign, or realloc that left it
 * where it was). */
MH_INLINE void publish_plainly(struct mh_thread *thread, uint32_t slot, const void *block, uint64_t size,
                               const struct mh_entry *entry) {
  uint64_t time = mh_clock_tell(&thread->newest_time);
  struct mh_record *record = mh_record(slot);
  MH_ASSERT(!record->address);
  MH_SET(record->size, size | (uint64_t)MH_MEMORY_HEAP << MH_RECORD_KIND_SHIFT);
  MH_SET(record->time, time);
  MH_SET(record->thread, mh_thread_id(thread));
  uint32_t stack = capture(thread, entry);
  MH_SET(record->stack, stack);
  MH_ASSERT(stack < mh_header()->arrays[MH_KIND_STACKS].count);
  __atomic_store_n(&record->address, (uintptr_t)block, __ATOMIC_RELEASE);
  if (MH_UNLIKELY(!mh_index_put_plainly((uintptr_t)block, size, slot)) &&
      !put_in_index(thread, slot, block, size, MH_MEMORY_HEAP))
    return;
  mh_count_own_allocation(thread, stack, (struct mh_amount){.count = 1, .bytes = size});
}

/* Fills a slot of its own, as far as there is one. A thread that could get no state has `thread` NULL. */
static void record_allocation(const void *block, uint64_t size, unsigned kind, const struct mh_entry *entry) {
  struct mh_thread *thread = mh_thread_mine();
  uint32_t slot = mh_slot_take(thread);
  if (MH_LIKELY(slot != 0))
    publish(thread, slot, block, size, kind, entry);
  else
    mh_store_drop(size);
}

void mh_record_custom_allocation(const void *block, uint64_t size, const struct mh_entry *entry) {
  record_allocation(block, size, MH_MEMORY_CUSTOM, entry);
}

static __attribute__((noinline)) void record_otherwise(const void *block, uint64_t size, const struct mh_entry *entry) {
  if (mh_sample_wants(size)) record_allocation(block, size, MH_MEMORY_HEAP, entry);
}

void *mh_record_and_leave(void *block, uint64_t size, uintptr_t pc, uintptr_t sp, uintptr_t fp) {
  struct mh_thread *thread = mh_tls.plain;
  struct mh_entry entry = {.pc = pc, .sp = sp, .fp = fp};
  if (MH_LIKELY(thread != NULL)) {
    uint32_t slot = take_slot(thread);
    if (MH_LIKELY(slot != 0))
      publish_plainly(thread, slot, block, size, &entry);
    else
      mh_store_drop(size);
  } else {
    struct mh_entry copy = entry;
    record_otherwise(block, size, &copy);
  }
  mh_finish();
  mh_leave();
  /* if the compiler knew what is returned, it would keep that for the hook, which could not jump here */
  __asm__("" : "+r"(block));
  return block;
}

static void record_free(const void *block, uint32_t slot) {
  if (!slot) return;
  struct mh_thread *thread = mh_thread_mine();
  struct mh_record *record = mh_record(slot);
  MH_ASSERT(record->address == (uintptr_t)block);
  mh_record_retire(slot, record);
  bool temporary = thread && mh_is_temporary(thread, record, thread->newest_time);
  count_free(thread, record->stack, mh_record_size(record), temporary);
  give_slot(thread, slot);
}

void mh_record_heap_free(const void *block) {
  record_free(block, mh_index_take((uintptr_t)block));
}

void mh_record_custom_free(const void *block) {
  record_free(block, mh_overflow_take(key_of(block)));
}

static __attribute__((noinline)) void settle_and_forget(struct mh_thread *thread, void *block, void (*then)(void *),
                                                        void (*otherwise)(void *)) {
  settle(thread);
  mh_forget_and_leave(block, then, otherwise);
}

static __attribute__((noinline)) void finish_and_leave(void *block, void (*then)(void *)) {
  mh_finish();
  mh_leave();
  then(block);
}

static __attribute__((noinline)) void forget_and_log(void *block, uint32_t slot, void (*then)(void *)) {
  record_free(block, slot);
  finish_and_leave(block, then);
}

void mh_forget_and_leave(void *block, void (*then)(void *), void (*otherwise)(void *)) {
  struct mh_thread *thread = mh_tls.plain;
  if (MH_UNLIKELY(!thread)) return otherwise(block);
  /* Asked first and not after the last one was noted: a signal handler may jump out of settling. */
  if (MH_UNLIKELY(thread->freed_count == MH_FREED)) return settle_and_forget(thread, block, then, otherwise);
  uint32_t slot = mh_index_take_plainly((uintptr_t)block);
  if (MH_UNLIKELY(!slot)) return otherwise(block);
  /* Asked when the index says so no more: a child of a fork before that knows the block, and one after it does not. */
  __atomic_signal_fence(__ATOMIC_SEQ_CST);
  if (MH_UNLIKELY(MH_GET(mh_fork_log) != NULL)) return forget_and_log(block, slot, then);
  MH_ASSERT(mh_record(slot)->address == (uintptr_t)block);
  __atomic_store_n(&mh_record(slot)->address, 0, __ATOMIC_RELEASE);
  mh_count_free_later(thread, slot);
  if (MH_UNLIKELY(mh_tls.pending_count)) return finish_and_leave(block, then);
  mh_leave();
  then(block);
}

struct mh_taken mh_record_take(const void *block) {
  struct mh_taken taken = {.slot = mh_index_take((uintptr_t)block)};
  if (!taken.slot) return taken;
  struct mh_record *record = mh_record(taken.slot);
  MH_ASSERT(record->address == (uintptr_t)block);
  taken.size = mh_record_size(record);
  taken.time = record->time;
  taken.thread = record->thread;
  taken.stack = record->stack;
  mh_record_retire(taken.slot, record);
  return taken;
}

void mh_record_restore(const void *block, const struct mh_taken *taken) {
  if (!taken->slot) return;
  struct mh_record *record = mh_record(taken->slot);
  uint32_t stale;
  __atomic_store_n(&record->address, (uintptr_t)block, __ATOMIC_RELEASE);
  if (mh_index_put_any((uintptr_t)block, taken->size, taken->slot, &stale)) return;
  __atomic_store_n(&record->address, 0, __ATOMIC_RELEASE);
  mh_record_forget(taken);
  mh_store_drop(taken->size);
}

void mh_record_forget(const struct mh_taken *taken) {
  if (!taken->slot) return;
  count_free(mh_thread_mine(), taken->stack, taken->size, false);
  mh_slot_give(mh_thread_mine(), taken->slot);
}

void mh_record_moved(const void *block, uint64_t size, const struct mh_taken *taken, const struct mh_entry *entry) {
  struct mh_thread *thread = mh_thread_mine();
  uint32_t slot = taken->slot;
  if (slot)
    count_free(thread, taken->stack, taken->size, false);
  else
    slot = mh_slot_take(thread);
  if (MH_UNLIKELY(!slot))
    mh_store_drop(size);
  else if (MH_LIKELY(thread && thread == mh_tls.plain))
    publish_plainly(thread, slot, block, size, entry);
  else
    publish(thread, slot, block, size, MH_MEMORY_HEAP, entry);
}

void mh_record_free_nested(const void *block) {
  uint32_t slot = mh_index_take_lockless((uintptr_t)block);
  if (!slot) return;
  struct mh_record *record = mh_record(slot);
  mh_record_retire(slot, record);
  count_free(NULL, record->stack, mh_record_size(record), false);
  if (mh_tls.pending_count < sizeof(mh_tls.pending) / sizeof(mh_tls.pending[0]))
    mh_tls.pending[mh_tls.pending_count++] = slot;
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

void mh_records_reset(void) {
  common = 0;
}

void mh_records_rebuild(void) {
  uint32_t bundle[BUNDLE_SLOTS], length = 0;
  for (uint32_t slot = mh_header()->arrays[MH_KIND_RECORDS].count - 1; slot > 0; slot--) {
    if (mh_record(slot)->address) continue;
    bundle[length++] = slot;
    if (length < BUNDLE_SLOTS) continue;
    push_bundle(bundle);
    length = 0;
  }
  /* The rest, less than a bundle, is left. */
}
