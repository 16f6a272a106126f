/* Inheriting; see clone.h.
 *
 * A fork must cost nothing to those that only exec, so nothing is copied before the child's first hook. By then the
 * parent has gone on. What was live at the fork is known all the same: the index is private memory, so the child has it as it was
 * at that instant. The records themselves are in the parent's file, and the child copies them from there, slot by slot:
 *
 *     record in the file            the child's index says    it is
 *     ──────────────────            ──────────────────────    ─────────────────────────────────────────────
 *     at address A, in slot s       A is in slot s            live at the fork, unless it is newer than what its
 *                                                             thread had allocated by then
 *     anything else                 –                         the parent's later business: left out
 *
 * What the parent has freed since is in the fork log (fork_log.h): while a child may still want it, every removed record is noted
 * there first, in memory that both share. What was allocated after the last fork interests nobody and is not noted.
 * A child that comes later than the log lasts, or was made by a clone that is no call of a function, misses
 * what is not there, and counts it as dropped.
 *
 * Slots keep their numbers, so index, modules, frames and stacks are valid as they are.
 */
#include "clone.h"

#include <dlfcn.h>

#include "../store/calendar.h"
#include "../base/clock.h"
#include "../threads/counters.h"
#include "../records/fork_log.h"
#include "../base/alive.h"
#include "../index/index.h"
#include "../index/intervals.h"
#include "../stacks/intern.h"
#include "../base/log.h"
#include "../stacks/modules.h"
#include "../records/records.h"
#include "../records/regions.h"
#include "../threads/sample.h"
#include "../send/sender.h"
#include "../store/parent.h"
#include "../store/stand_in.h"
#include "../threads/thread.h"

static void prepare(void) {
  /* A child that has not begun has a parent's log, if that follows. */
  if (mh_settings.children == MH_CHILDREN_FOLLOW) mh_fork_log_prepare();
}

static void in_parent(void) {
  mh_fork_log_in_parent(true);
}

/* What the wiped page says already, where there is one: older kernels, some sandboxes and emulators do not wipe it, and nothing of
 * the parent's store is mapped here. */
static void in_child(void) {
  __atomic_store_n(&mh_alive->recording, 0, __ATOMIC_RELEASE);
  __atomic_store_n(&mh_alive->own_store, 0, __ATOMIC_RELEASE);
  mh_fork_log_in_child();
  if (mh_settings.net_host) mh_sender_forget();
  mh_stand_in_told();
  mh_sample_redraw();
}

void mh_fork_begins(void) {
  prepare();
}

void mh_fork_ends(long child) {
  if (child)
    mh_fork_log_in_parent(child > 0);
  else
    in_child();
}

void mh_inherit_watch(void) {
  /* glibc keeps pthread_atfork in a static part; this is what it calls there. musl has the plain one. */
  int (*glibc)(void (*)(void), void (*)(void), void (*)(void), void *);
  int (*plain)(void (*)(void), void (*)(void), void (*)(void));
  *(void **)&glibc = dlsym(RTLD_NEXT, "__register_atfork");
  *(void **)&plain = glibc ? NULL : dlsym(RTLD_NEXT, "pthread_atfork");
  if (glibc)
    glibc(prepare, in_parent, in_child, NULL);
  else if (plain)
    plain(prepare, in_parent, in_child);
}

/* How far each thread of the parent had come: the time of its newest allocation, by thread id. */
#define THREADS_CAPACITY 32768
struct progress {
  uint32_t tid;
  uint64_t newest;
};
static struct progress *progress;
static uint64_t newest_of_all;

static struct progress *progress_of(uint32_t tid) {
  uint32_t at = tid * 2654435761u % THREADS_CAPACITY;
  while (progress[at].tid && progress[at].tid != tid) at = (at + 1) % THREADS_CAPACITY;
  return &progress[at];
}

static void note_progress(struct mh_thread *thread) {
  *progress_of(thread->tid) = (struct progress){thread->tid, thread->newest_time};
  if (thread->newest_time > newest_of_all) newest_of_all = thread->newest_time;
}

/* Whether the record was live at the fork. */
static bool was_live(uint32_t slot, const struct mh_record *record) {
  if (!record->address) return false;
  unsigned kind = (unsigned)(record->size >> MH_RECORD_KIND_SHIFT);
  const struct progress *thread = progress_of(record->thread);
  if (record->time > (thread->tid ? thread->newest : newest_of_all)) return false;
  if (kind == MH_MEMORY_MMAP) return mh_region_peek((uintptr_t)record->address, mh_record_size(record)) == slot;
  return mh_index_peek(kind == MH_MEMORY_CUSTOM ? record->address | MH_OVERFLOW_CUSTOM : record->address) == slot;
}

static void leave_out_others(void) {
  uint32_t count = mh_header()->arrays[MH_KIND_RECORDS].count;
  for (uint32_t slot = 1; slot < count; slot++)
    if (!was_live(slot, mh_record(slot))) mh_record(slot)->address = 0;
}

/* Puts back what the parent has removed since the fork, and what was copied while the parent wrote over it. Of two that were in one
 * slot before the fork, the newer one was there at the fork. */
static void put_back(uint32_t slot, const struct mh_record *record) {
  if (slot >= mh_header()->arrays[MH_KIND_RECORDS].count || !was_live(slot, record)) return;
  const struct mh_record *copied = mh_record(slot);
  if (!copied->address || copied->time <= record->time) *mh_record(slot) = *record;
}

/* The totals of a child begin with what it inherits. */
static void count_inherited(int64_t expected) {
  uint32_t count = mh_header()->arrays[MH_KIND_RECORDS].count;
  uint32_t stacks = mh_header()->arrays[MH_KIND_STACKS].count;
  for (uint32_t i = 1; i < stacks; i++) *mh_stack(i) = (struct mh_stack){.node = mh_stack(i)->node, .flags = mh_stack(i)->flags};
  uint64_t now = mh_clock_now();
  for (uint32_t slot = 1; slot < count; slot++) {
    struct mh_record *record = mh_record(slot);
    if (!record->address) continue;
    struct mh_amount amount = {1, mh_record_size(record)};
    if (record->size >> MH_RECORD_KIND_SHIFT != MH_MEMORY_MMAP) amount = mh_sample_amount(amount.bytes);
    if (record->stack >= stacks) record->stack = 0;
    if (record->stack) {
      mh_stack(record->stack)->allocations += amount.count;
      mh_stack(record->stack)->allocated_bytes += amount.bytes;
    }
    mh_count_allocation(NULL, 0, amount, now);
    expected -= (int64_t)amount.count;
  }
  for (; expected > 0; expected--) mh_store_drop(0);
}

/* Relative times go on from the parent's beginning; and what the parent could not record is missing here, too. */
static void go_on_from(const struct mh_parent_store *parent) {
  struct mh_header *header = mh_header();
  mh_calendar_go_on(header, &parent->calendar, parent->start_wall, parent->start_monotonic);
  header->dropped = parent->dropped;
  header->dropped_bytes = parent->dropped_bytes;
}

bool mh_inherit(void) {
  struct mh_parent_store parent = {.fd = -1};
  progress = mh_map_private(THREADS_CAPACITY * sizeof(struct progress));
  bool possible = progress && mh_parent_store_open(&parent);
  mh_store_forget();
  int64_t expected = mh_count_live();
  if (possible) {
    newest_of_all = mh_fork_log_time();
    mh_thread_each(note_progress);
    mh_intern_unlock();
    mh_modules_inherit(parent.counts[MH_KIND_MODULES]);
    mh_index_inherit();
    mh_intervals_inherit();
  }
  mh_thread_reset();
  mh_records_reset();
  mh_count_reset();
  possible = possible && mh_store_create();
  if (possible) go_on_from(&parent);
  for (uint32_t kind = MH_KIND_STACKS; possible && kind < MH_KIND_COUNT; kind++) possible = mh_parent_store_copy(&parent, kind);
  if (possible && (possible = mh_parent_store_copy(&parent, MH_KIND_RECORDS))) {
    leave_out_others();
    mh_fork_log_replay(put_back);
    mh_index_prune();
    mh_intervals_prune();
    count_inherited(expected);
    mh_records_rebuild();
  }
  mh_parent_store_close(&parent);
  if (progress) mh_munmap(progress, THREADS_CAPACITY * sizeof(struct progress));
  return possible;
}
