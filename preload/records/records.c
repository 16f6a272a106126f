/* Live records; see records.h. The hot path is here. */
#include "records.h"

#include "../unwind/stack_cache.h"
#include "../threads/counters.h"
#include "guard.h"
#include "../index/index.h"
#include "retire.h"
#include "slots.h"
#include "../store/store.h"
#include "../threads/thread.h"

static void count_free(struct mh_thread *thread, uint32_t stack, uint64_t size, bool temporary) {
  mh_count_free(thread, stack, mh_sample_amount(size), temporary);
}

static uint64_t key_of(const void *block) {
  return (uintptr_t)block | MH_OVERFLOW_CUSTOM;
}

/* Removes a record whose block was freed without a hook being called. */
static __attribute__((noinline)) void retire_stale(struct mh_thread *thread, uint32_t slot) {
  struct mh_record *record = mh_record(slot);
  bool kept = mh_record_retire(slot, record);
  count_free(thread, record->stack, mh_record_size(record), false);
  if (!kept) mh_slot_give(thread, slot);
}

/* mh_capture on the fast path: looks the stack up in the thread's cache first. Only a copy's address is handed on, so
 * that the entry itself stays in registers until then. */
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

/* The fast path, for a block of the heap. The order keeps few values alive at a time: the clock is a call, and the
 * stack takes all registers. The record is complete before it can be found. A signal handler may jump out of here, and
 * the program then free the block, if it knows the block already: from posix_memalign, or from realloc in place. */
MH_INLINE void publish_fast(struct mh_thread *thread, uint32_t slot, const void *block, uint64_t size,
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
  if (MH_UNLIKELY(!mh_index_put_fast((uintptr_t)block, size, slot)) &&
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

static __attribute__((noinline)) void record_slow(const void *block, uint64_t size, const struct mh_entry *entry) {
  if (mh_sample_wants(size)) record_allocation(block, size, MH_MEMORY_HEAP, entry);
}

void *mh_record_and_leave(void *block, uint64_t size, uintptr_t pc, uintptr_t sp, uintptr_t fp) {
  struct mh_thread *thread = mh_tls.fast;
  struct mh_entry entry = {.pc = pc, .sp = sp, .fp = fp};
  if (MH_LIKELY(thread != NULL)) {
    uint32_t slot = mh_slot_take(thread);
    if (MH_LIKELY(slot != 0))
      publish_fast(thread, slot, block, size, &entry);
    else
      mh_store_drop(size);
  } else {
    struct mh_entry copy = entry;
    record_slow(block, size, &copy);
  }
  mh_finish();
  mh_leave();
  /* Hides from the compiler that `block` is returned: it would have the hook keep it, and the hook could not jump
   * here. */
  __asm__("" : "+r"(block));
  return block;
}

static void record_free(const void *block, uint32_t slot) {
  if (!slot) return;
  struct mh_thread *thread = mh_thread_mine();
  struct mh_record *record = mh_record(slot);
  MH_ASSERT(record->address == (uintptr_t)block);
  bool kept = mh_record_retire(slot, record);
  bool temporary = thread && mh_is_temporary(thread, record, thread->newest_time);
  count_free(thread, record->stack, mh_record_size(record), temporary);
  if (!kept) mh_slot_give(thread, slot);
}

void mh_record_heap_free(const void *block) {
  record_free(block, mh_index_take((uintptr_t)block));
}

void mh_record_custom_free(const void *block) {
  record_free(block, mh_overflow_take(key_of(block)));
}

static __attribute__((noinline)) void settle_and_forget(struct mh_thread *thread, void *block, void (*then)(void *),
                                                        void (*slow)(void *)) {
  mh_slots_settle(thread);
  mh_forget_and_leave(block, then, slow);
}

static __attribute__((noinline)) void finish_and_leave(void *block, void (*then)(void *)) {
  mh_finish();
  mh_leave();
  then(block);
}

static __attribute__((noinline)) void forget_and_note(void *block, uint32_t slot, void (*then)(void *)) {
  record_free(block, slot);
  finish_and_leave(block, then);
}

void mh_forget_and_leave(void *block, void (*then)(void *), void (*slow)(void *)) {
  struct mh_thread *thread = mh_tls.fast;
  if (MH_UNLIKELY(!thread)) return slow(block);
  /* Checked before the block is noted, not after: a signal handler may jump out of settling. */
  if (MH_UNLIKELY(thread->freed_count == MH_FREED)) return settle_and_forget(thread, block, then, slow);
  uint32_t slot = mh_index_take_fast((uintptr_t)block);
  if (MH_UNLIKELY(!slot)) return slow(block);
  /* Read after the block has left the index. The child of an earlier fork knows the block, that of a later one does
   * not. */
  __atomic_signal_fence(__ATOMIC_SEQ_CST);
  if (MH_UNLIKELY(MH_GET(mh_removals) != 0)) return forget_and_note(block, slot, then);
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
  taken.kept = mh_record_retire(taken.slot, record);
  return taken;
}

void mh_record_restore(const void *block, const struct mh_taken *taken) {
  if (!taken->slot) return;
  struct mh_record *record = mh_record(taken->slot);
  uint32_t stale;
  mh_exiting_restore(record, (uintptr_t)block);
  if (mh_index_put_any((uintptr_t)block, taken->size, taken->slot, &stale)) return;
  __atomic_store_n(&record->address, 0, __ATOMIC_RELEASE);
  mh_record_forget(taken);
  mh_store_drop(taken->size);
}

void mh_record_forget(const struct mh_taken *taken) {
  if (!taken->slot) return;
  count_free(mh_thread_mine(), taken->stack, taken->size, false);
  if (!taken->kept) mh_slot_give(mh_thread_mine(), taken->slot);
}

void mh_record_moved(const void *block, uint64_t size, const struct mh_taken *taken, const struct mh_entry *entry) {
  struct mh_thread *thread = mh_thread_mine();
  uint32_t slot = taken->kept ? 0 : taken->slot;
  if (taken->slot) count_free(thread, taken->stack, taken->size, false);
  if (!slot) slot = mh_slot_take(thread);
  if (MH_UNLIKELY(!slot))
    mh_store_drop(size);
  else if (MH_LIKELY(thread && thread == mh_tls.fast))
    publish_fast(thread, slot, block, size, entry);
  else
    publish(thread, slot, block, size, MH_MEMORY_HEAP, entry);
}

void mh_record_free_nested(const void *block) {
  uint32_t slot = mh_index_take_lockless((uintptr_t)block);
  if (!slot) return;
  struct mh_record *record = mh_record(slot);
  bool kept = mh_record_retire(slot, record);
  count_free(NULL, record->stack, mh_record_size(record), false);
  if (!kept && mh_tls.pending_count < sizeof(mh_tls.pending) / sizeof(mh_tls.pending[0]))
    mh_tls.pending[mh_tls.pending_count++] = slot;
}
