/* Live records; see records.h.
 *
 * Slots of the records array are handed out so that threads do not meet: each thread keeps a chain of slots it freed
 * and a run of fresh ones. A thread that frees what others allocate hands its surplus, in chains of CHAIN_SLOTS, to the
 * common stack, from which a thread without slots takes a whole chain. Free slots are linked through the records
 * themselves (`stack` leads to the next slot of a chain, `size` to the next chain), so they cost no memory of their own.
 *
 * A signal handler may jump out of all this, or end the thread, whose state is another one's then. At most a few slots are lost: a chain is always
 * a chain, and free_count is never more than there are.
 */
#include "records.h"

#include "again.h"
#include "counters.h"
#include "index.h"
#include "inherit.h"
#include "store.h"
#include "thread.h"

#define RUN_SLOTS 64
#define CHAIN_SLOTS 256

#define INLINE MH_INLINE

static uint64_t common; /* top chain of the common stack: its first slot low, a count against ABA high */

static void push_chain(uint32_t first) {
  uint64_t old = __atomic_load_n(&common, __ATOMIC_RELAXED), now;
  do {
    __atomic_store_n(&mh_record(first)->size, old & 0xffffffff, __ATOMIC_RELAXED);
    now = ((old >> 32) + 1) << 32 | first;
  } while (!__atomic_compare_exchange_n(&common, &old, now, true, __ATOMIC_RELEASE, __ATOMIC_RELAXED));
}

static uint32_t pop_chain(void) {
  uint64_t old = __atomic_load_n(&common, __ATOMIC_ACQUIRE), now;
  do {
    uint32_t first = (uint32_t)old;
    if (!first) return 0;
    now = ((old >> 32) + 1) << 32 | (uint32_t)__atomic_load_n(&mh_record(first)->size, __ATOMIC_RELAXED);
  } while (!__atomic_compare_exchange_n(&common, &old, now, true, __ATOMIC_ACQUIRE, __ATOMIC_ACQUIRE));
  return (uint32_t)old;
}

/* Fresh slots [first, first + *count). */
static uint32_t take_run(uint32_t *count) {
  struct mh_array *records = &mh_header()->arrays[MH_KIND_RECORDS];
  uint32_t first = __atomic_load_n(&records->count, __ATOMIC_RELAXED);
  do {
    if (first > UINT32_MAX - *count) return 0;
    if (!mh_store_reserve(MH_KIND_RECORDS, first + *count)) return 0;
  } while (!__atomic_compare_exchange_n(&records->count, &first, first + *count, false, __ATOMIC_RELEASE, __ATOMIC_RELAXED));
  return first;
}

/* Slot `head`, the `count`th of those just freed, begins a new chain. With two whole chains below it the older one, no more in the cache, is
 * given away. Returns how many are left. */
static __attribute__((noinline)) int32_t begin_chain(struct mh_thread *thread, uint32_t head, int32_t count) {
  if (count > 2 * CHAIN_SLOTS) {
    struct mh_record *last = mh_record(thread->second_chain);
    uint32_t surplus = last->stack;
    thread->free_count = 0;
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    MH_SET(last->stack, 0);
    push_chain(surplus);
    count -= CHAIN_SLOTS;
  }
  if (count > CHAIN_SLOTS) thread->second_chain = head;
  return count;
}

/* Slots that are being given back, in front of those that the thread has. */
struct given {
  uint32_t head;
  int32_t count;
};

INLINE void link_slot(struct mh_thread *thread, struct given *given, struct mh_record *record, uint32_t slot) {
  MH_ASSERT(!record->address && slot != given->head);
  MH_SET(record->stack, given->head);
  given->head = slot;
  given->count++;
  if (MH_UNLIKELY((uint32_t)given->count % CHAIN_SLOTS == 1)) given->count = begin_chain(thread, slot, given->count);
}

INLINE void keep_slots(struct mh_thread *thread, const struct given *given) {
  __atomic_signal_fence(__ATOMIC_SEQ_CST);
  thread->free_head = given->head;
  __atomic_signal_fence(__ATOMIC_SEQ_CST);
  thread->free_count = given->count;
}

INLINE void give_slot(struct mh_thread *thread, struct mh_record *record, uint32_t slot) {
  if (MH_UNLIKELY(!thread)) return; /* lost until the process ends: rare, and better than a lock */
  struct given given = {thread->free_head, thread->free_count};
  link_slot(thread, &given, record, slot);
  keep_slots(thread, &given);
}

/* Counts what the thread freed last, and gives the slots back. */
static __attribute__((noinline)) void settle(struct mh_thread *thread) {
  uint32_t count = thread->freed_count, counted = thread->freed_counted;
  struct given given = {thread->free_head, thread->free_count};
  uint64_t bytes = 0;
  /* Once a slot is linked, its record tells nothing any more. */
  thread->freed_counted = count;
  __atomic_signal_fence(__ATOMIC_SEQ_CST);
  for (uint32_t i = 0; i < count; i++) {
    const struct mh_freed *freed = &thread->freed[i];
    struct mh_record *record = mh_record(freed->slot);
    if (MH_LIKELY(i >= counted)) mh_count_freed(thread, freed, record, &bytes);
    link_slot(thread, &given, record, freed->slot);
  }
  __atomic_signal_fence(__ATOMIC_SEQ_CST);
  thread->freed_count = 0;
  __atomic_signal_fence(__ATOMIC_SEQ_CST);
  thread->freed_counted = 0;
  keep_slots(thread, &given);
  mh_count_freed_bytes(thread, bytes);
  if (MH_UNLIKELY(thread->live_bytes <= -MH_FOLD_BYTES || thread->counters->frees - thread->folded_frees >= MH_FOLD_CALLS)) mh_count_fold(thread);
}

INLINE uint32_t pop_slot(struct mh_thread *thread) {
  uint32_t slot = thread->free_head, next = mh_record(slot)->stack;
  MH_ASSERT(!mh_record(slot)->address);
  thread->free_count--;
  __atomic_signal_fence(__ATOMIC_SEQ_CST);
  thread->free_head = next;
  /* Where much was freed at once, the slots freed first are no more in the cache: the next one comes while the program works. */
  __builtin_prefetch(mh_record(next), 1);
  return slot;
}

/* A slot for a thread that has none at hand, or NULL. */
static __attribute__((noinline)) uint32_t take_more(struct mh_thread *thread) {
  if (MH_UNLIKELY(!thread)) {
    uint32_t one = 1;
    return take_run(&one);
  }
  if (MH_LIKELY(thread->run_next < thread->run_end)) return thread->run_next++;
  uint32_t slot = pop_chain();
  if (slot) {
    thread->free_head = mh_record(slot)->stack;
    thread->free_count = CHAIN_SLOTS - 1;
    return slot;
  }
  /* Near the limit of the store whole runs may not fit, single slots still do. */
  for (uint32_t count = RUN_SLOTS; count; count /= 8) {
    slot = take_run(&count);
    if (slot) {
      thread->run_next = slot + 1;
      thread->run_end = slot + count;
      return slot;
    }
  }
  settle(thread);
  return thread->free_head ? pop_slot(thread) : 0;
}

INLINE uint32_t take_slot(struct mh_thread *thread) {
  return MH_LIKELY(thread && thread->free_head) ? pop_slot(thread) : take_more(thread);
}

uint32_t mh_slot_take(struct mh_thread *thread) {
  return take_slot(thread);
}

void mh_slot_give(struct mh_thread *thread, uint32_t slot) {
  give_slot(thread, mh_record(slot), slot);
}

/* Where only a sample is recorded, a block counts for others. */
static __attribute__((noinline)) void count_sampled_allocation(struct mh_thread *thread, uint32_t stack, uint64_t size, uint64_t time) {
  mh_count_allocation(thread, stack, mh_sample_scale(size), time);
}

INLINE void count_allocation(struct mh_thread *thread, uint32_t stack, uint64_t size, uint64_t time) {
  if (MH_LIKELY(!mh_settings.sample))
    mh_count_allocation(thread, stack, (struct mh_amount){.count = 1, .bytes = size}, time);
  else
    count_sampled_allocation(thread, stack, size, time);
}
static void count_free(struct mh_thread *thread, uint32_t stack, uint64_t size, bool temporary) {
  mh_count_free(thread, stack, mh_sample_amount(size), temporary);
}

static uint64_t key_of(const void *block) {
  return (uintptr_t)block | MH_SIDE_CUSTOM;
}

/* The record at this address says of a block what was freed where no hook saw it. */
static __attribute__((noinline)) void retire_stale(struct mh_thread *thread, uint32_t slot) {
  struct mh_record *record = mh_record(slot);
  mh_record_retire(slot, record);
  count_free(thread, record->stack, mh_record_size(record), false);
  mh_slot_give(thread, slot);
}

/* mh_capture, but a stack that is the same again is known in here. The copy keeps the entry in registers until then. */
INLINE uint32_t capture(struct mh_thread *thread, const struct mh_entry *entry) {
  uint32_t stack = MH_LIKELY(thread->walk != NULL) ? mh_walk_again(thread->walk, entry) : 0;
  if (MH_LIKELY(stack != 0)) return stack;
  struct mh_entry copy = *entry;
  return mh_capture(thread, &copy);
}

/* Fills the slot and makes it findable. */
INLINE void publish(struct mh_thread *thread, uint32_t slot, const void *block, uint64_t size, unsigned kind, const struct mh_entry *entry) {
  struct mh_record *record = mh_record(slot);
  MH_ASSERT(!record->address);
  uint32_t *place = kind == MH_MEMORY_CUSTOM ? NULL : mh_index_ready((uintptr_t)block);
  uint64_t time = MH_LIKELY(thread != NULL) ? mh_clock_tell(&thread->newest_time) : mh_clock_now();
  uint32_t stack = thread ? capture(thread, entry) : 0, stale;
  MH_SET(record->size, size | (uint64_t)kind << MH_RECORD_KIND_SHIFT);
  MH_SET(record->time, time);
  MH_SET(record->thread, mh_thread_id(thread));
  MH_SET(record->stack, stack);
  MH_ASSERT(stack < mh_header()->arrays[MH_KIND_STACKS].count);
  __atomic_store_n(&record->address, (uintptr_t)block, __ATOMIC_RELEASE);
  bool room = kind == MH_MEMORY_CUSTOM ? mh_side_put(key_of(block), slot, &stale) : mh_index_put(place, (uintptr_t)block, size, slot, &stale);
  if (MH_UNLIKELY(!room)) {
    __atomic_store_n(&record->address, 0, __ATOMIC_RELEASE);
    mh_slot_give(thread, slot);
    mh_store_drop(size);
    return;
  }
  count_allocation(thread, stack, size, time);
  if (MH_LIKELY(thread != NULL)) thread->newest = slot;
  if (MH_UNLIKELY(stale)) retire_stale(thread, stale);
}

/* Fills a slot of its own, as far as there is one. A thread that could get no state has `thread` NULL. */
INLINE void record_in(struct mh_thread *thread, const void *block, uint64_t size, unsigned kind, const struct mh_entry *entry) {
  uint32_t slot = take_slot(thread);
  if (MH_UNLIKELY(!slot)) {
    mh_store_drop(size);
    return;
  }
  publish(thread, slot, block, size, kind, entry);
}

static __attribute__((noinline)) void record_without_thread(const void *block, uint64_t size, unsigned kind) {
  record_in(NULL, block, size, kind, NULL);
}

INLINE void record_allocation(const void *block, uint64_t size, unsigned kind, const struct mh_entry *entry) {
  struct mh_thread *thread = mh_thread_mine();
  if (MH_LIKELY(thread != NULL))
    record_in(thread, block, size, kind, entry);
  else
    record_without_thread(block, size, kind);
}

void mh_record_heap_allocation(const void *block, uint64_t size, uintptr_t pc, uintptr_t sp, uintptr_t fp) {
  record_allocation(block, size, MH_MEMORY_HEAP, &(struct mh_entry){.pc = pc, .sp = sp, .fp = fp});
}

void mh_record_custom_allocation(const void *block, uint64_t size, const struct mh_entry *entry) {
  record_allocation(block, size, MH_MEMORY_CUSTOM, entry);
}

static __attribute__((noinline)) void free_at_once(struct mh_thread *thread, uint32_t slot) {
  struct mh_record *record = mh_record(slot);
  bool temporary = thread && thread->newest == slot;
  if (temporary) thread->newest = 0;
  count_free(thread, record->stack, mh_record_size(record), temporary);
  give_slot(thread, record, slot);
}

INLINE void record_free(const void *block, uint32_t slot) {
  if (MH_UNLIKELY(!slot)) return;
  struct mh_thread *thread = mh_thread_mine();
  MH_ASSERT(mh_record(slot)->address == (uintptr_t)block);
  mh_record_retire(slot, mh_record(slot));
  if (MH_UNLIKELY(!thread || !thread->counts_later)) {
    free_at_once(thread, slot);
    return;
  }
  bool temporary = thread->newest == slot;
  if (temporary) thread->newest = 0;
  if (MH_UNLIKELY(thread->freed_count == MH_FREED)) settle(thread);
  mh_count_free_later(thread, slot, temporary);
}

void mh_record_heap_free(const void *block) {
  record_free(block, mh_index_take((uintptr_t)block));
}

void mh_record_custom_free(const void *block) {
  record_free(block, mh_side_take(key_of(block)));
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
  if (mh_index_put(mh_index_ready((uintptr_t)block), (uintptr_t)block, taken->size, taken->slot, &stale)) return;
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

void mh_records_reset(void) {
  common = 0;
}

void mh_records_rebuild(void) {
  uint32_t count = mh_header()->arrays[MH_KIND_RECORDS].count;
  uint32_t first = 0, length = 0;
  for (uint32_t slot = count - 1; slot > 0; slot--) {
    struct mh_record *record = mh_record(slot);
    if (record->address) continue;
    record->stack = first;
    first = slot;
    if (++length < CHAIN_SLOTS) continue;
    push_chain(first);
    first = length = 0;
  }
  /* The rest, shorter than a chain, is left: less than CHAIN_SLOTS slots. */
}
