/* Counting; see counters.h. */
#include "counters.h"

#include "../store/calendar.h"
#include "../base/clock.h"
#include "../base/lock.h"

#define FIRST_STEP 10000000u /* timeline: 10 ms, doubled whenever the entries run out */

static int64_t live_bytes, live_count;
static uint64_t allocations;
static int64_t shared_live_count; /* the part of it that is due to threads of the shared slot */
static struct mh_lock timeline_lock;
static uint64_t timeline_next;

static bool raise_peak(uint64_t bytes, uint64_t time) {
  struct mh_header *header = mh_header();
  uint64_t peak = __atomic_load_n(&header->peak_bytes, __ATOMIC_RELAXED);
  while (bytes > peak)
    if (__atomic_compare_exchange_n(&header->peak_bytes, &peak, bytes, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
      __atomic_store_n(&header->peak_time, time, __ATOMIC_RELAXED);
      return true;
    }
  return false;
}

static void set_entry(struct mh_timeline_entry *entry, struct mh_timeline_entry value) {
  MH_SET(entry->time, value.time);
  MH_SET(entry->live_bytes, value.live_bytes);
  MH_SET(entry->live_count, value.live_count);
  MH_SET(entry->allocations, value.allocations);
}

/* Keeps every second entry. The entries then cover twice the time. */
static void halve_timeline(struct mh_header *header) {
  struct mh_timeline_entry *entries = mh_timeline();
  for (uint32_t i = 0; i < MH_TIMELINE_MAX_COUNT / 2; i++) set_entry(&entries[i], entries[2 * i + 1]);
  MH_SET(header->timeline_step, header->timeline_step * 2);
  __atomic_store_n(&header->timeline_count, MH_TIMELINE_MAX_COUNT / 2, __ATOMIC_RELEASE);
}

/* The lock is held. */
static void add_entry(uint64_t time) {
  struct mh_header *header = mh_header();
  uint32_t count = header->timeline_count;
  enum { PER_PAGE = 4096 / MH_TIMELINE_BYTES };
  if (count == 0) MH_SET(header->timeline_step, FIRST_STEP);
  if (count == MH_TIMELINE_MAX_COUNT) {
    halve_timeline(header);
    count = header->timeline_count;
  }
  /* After the first halving every page has its backing. */
  if (count % PER_PAGE || header->timeline_step > FIRST_STEP ||
      mh_store_back_header(MH_TIMELINE_OFFSET + count * MH_TIMELINE_BYTES, 4096)) {
    set_entry(&mh_timeline()[count], (struct mh_timeline_entry){
                                         .time = time,
                                         .live_bytes = (uint64_t)MH_GET(live_bytes),
                                         .live_count = (uint64_t)MH_GET(live_count),
                                         .allocations = MH_GET(allocations),
                                     });
    __atomic_store_n(&header->timeline_count, count + 1, __ATOMIC_RELEASE);
  }
  __atomic_store_n(&timeline_next, time + header->timeline_step, __ATOMIC_RELAXED);
}

/* Signals are blocked. Nobody waits for this lock, so nobody would notice that a signal handler ended its holder. */
static void extend_timeline(uint64_t time) {
  if (time < __atomic_load_n(&timeline_next, __ATOMIC_RELAXED)) return;
  uint64_t signals = mh_signals_hold();
  if (mh_lock_try_reentrant(&timeline_lock, mh_self_id())) {
    add_entry(time);
    mh_lock_release(&timeline_lock);
  }
  mh_signals_release(signals);
}

/* Counts the blocks that the thread freed last. Their slots stay in `freed`. */
static void count_freed(struct mh_thread *thread) {
  uint32_t end = __atomic_load_n(&thread->freed_count, __ATOMIC_ACQUIRE);
  uint64_t bytes = 0;
  for (uint32_t i = thread->freed_counted; i < end; i++)
    mh_count_freed(thread, &thread->freed[i], mh_record(thread->freed[i].slot), &bytes);
  thread->freed_counted = end;
  mh_count_freed_bytes(thread, bytes);
}

static void flush(struct mh_thread *thread, uint64_t time) {
  int64_t bytes = thread->live_bytes, highest = bytes > thread->live_bytes_max ? bytes : thread->live_bytes_max;
  int64_t count = thread->live_count - thread->flushed_live_count;
  uint64_t made = thread->counters->allocations - thread->flushed_allocations;
  /* Subtracted here before it is added there. So a flush that a signal handler jumps out of loses counts, and never
   * adds them twice. */
  thread->live_bytes = thread->live_bytes_max = 0;
  thread->flushed_live_count = thread->live_count;
  thread->flushed_allocations += made;
  thread->flushed_frees = thread->counters->frees;
  __atomic_signal_fence(__ATOMIC_SEQ_CST);
  highest += __atomic_fetch_add(&live_bytes, bytes, __ATOMIC_RELAXED);
  __atomic_fetch_add(&live_count, count, __ATOMIC_RELAXED);
  __atomic_fetch_add(&allocations, made, __ATOMIC_RELAXED);
  mh_totals_flush(&thread->totals);
  if (highest > 0 && raise_peak((uint64_t)highest, time)) mh_totals_peak();
  extend_timeline(time);
  mh_calendar_look(time);
}

static bool is_due(const struct mh_thread *thread) {
  return thread->live_bytes >= MH_FLUSH_BYTES || thread->live_bytes <= -MH_FLUSH_BYTES ||
         thread->counters->allocations - thread->flushed_allocations >= MH_FLUSH_CALLS ||
         thread->counters->frees - thread->flushed_frees >= MH_FLUSH_CALLS;
}

__attribute__((noinline)) void mh_count_flush(struct mh_thread *thread) {
  count_freed(thread);
  if (is_due(thread)) flush(thread, mh_clock_now());
}

__attribute__((noinline)) void mh_count_shared_allocation(uint32_t stack, struct mh_amount amount, uint64_t time) {
  mh_total_directly(stack, amount, (struct mh_amount){0}, false);
  struct mh_thread_slot *shared = mh_thread_slots();
  __atomic_fetch_add(&shared->allocations, amount.count, __ATOMIC_RELAXED);
  __atomic_fetch_add(&shared->allocated_bytes, amount.bytes, __ATOMIC_RELAXED);
  int64_t now = __atomic_add_fetch(&live_bytes, (int64_t)amount.bytes, __ATOMIC_RELAXED);
  __atomic_fetch_add(&live_count, (int64_t)amount.count, __ATOMIC_RELAXED);
  __atomic_fetch_add(&shared_live_count, (int64_t)amount.count, __ATOMIC_RELAXED);
  __atomic_fetch_add(&allocations, amount.count, __ATOMIC_RELAXED);
  if (now > 0 && raise_peak((uint64_t)now, time)) mh_totals_peak();
  mh_calendar_look(time);
}

static void count_shared_free(uint32_t stack, struct mh_amount amount) {
  mh_total_directly(stack, (struct mh_amount){0}, amount, false);
  struct mh_thread_slot *shared = mh_thread_slots();
  __atomic_fetch_add(&shared->frees, amount.count, __ATOMIC_RELAXED);
  __atomic_fetch_add(&shared->freed_bytes, amount.bytes, __ATOMIC_RELAXED);
  __atomic_fetch_sub(&live_bytes, (int64_t)amount.bytes, __ATOMIC_RELAXED);
  __atomic_fetch_sub(&live_count, (int64_t)amount.count, __ATOMIC_RELAXED);
  __atomic_fetch_sub(&shared_live_count, (int64_t)amount.count, __ATOMIC_RELAXED);
}

void mh_count_free(struct mh_thread *thread, uint32_t stack, struct mh_amount amount, bool temporary) {
  if (MH_UNLIKELY(!thread || !thread->slot)) {
    count_shared_free(stack, amount);
    return;
  }
  count_freed(thread);
  mh_total_free(&thread->totals, stack, amount, temporary);
  struct mh_thread_slot *counters = thread->counters;
  MH_SET(counters->frees, counters->frees + amount.count);
  MH_SET(counters->freed_bytes, counters->freed_bytes + amount.bytes);
  if (thread->live_bytes > thread->live_bytes_max) thread->live_bytes_max = thread->live_bytes;
  thread->live_count -= (int64_t)amount.count;
  thread->live_bytes -= (int64_t)amount.bytes;
  if (is_due(thread)) flush(thread, mh_clock_now());
}

/* A thread without a slot of its own has nothing to flush: it counted in the shared one. */
static void flush_one(struct mh_thread *thread) {
  if (!thread->slot) return;
  count_freed(thread);
  flush(thread, mh_clock_now());
}

void mh_count_flush_all(void) {
  mh_thread_each(flush_one);
}

static int64_t threads_live_count;

static void add_live(struct mh_thread *thread) {
  threads_live_count += thread->live_count;
}

int64_t mh_count_live(void) {
  threads_live_count = 0;
  mh_thread_each(add_live);
  return shared_live_count + threads_live_count;
}

void mh_count_reset(void) {
  live_bytes = live_count = shared_live_count = 0;
  allocations = 0;
  timeline_next = 0;
  timeline_lock = (struct mh_lock){0};
}
