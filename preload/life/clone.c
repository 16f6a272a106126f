/* Cloning the store; see clone.h.
 *
 * A fork must cost nothing for a child that only execs. So nothing is copied before the child's first hook, and by then
 * the parent has gone on. The child still knows what was live at the fork: the index is private memory, and the child
 * has it as it was at that instant. The records are in the parent's file. The child copies them from there, slot by
 * slot:
 *
 *     record in the file            the child's index says    it is
 *     ──────────────────            ──────────────────────    ─────────────────────────────────────────────
 *     at address A, in slot s       A is in slot s            live at the fork, unless it is newer than what its
 *                                                             thread had allocated by then
 *     anything else                 –                         the parent's later business: left out
 *
 * Records that the parent has removed since are in the fork log (fork_log.h). While a child may still want it, each
 * record is put there before it is removed, in memory that both share. Records from after the last fork are left out:
 * nobody wants them. A child that begins when the log is over, or that was made by a bare clone instruction, lacks
 * these records, and counts them as dropped.
 *
 * Slots keep their numbers, so index, modules, frames and stacks are valid as they are.
 */
#include "clone.h"

#include "../base/clock.h"
#include "../index/index.h"
#include "../records/fork_log.h"
#include "../records/mappings.h"
#include "../store/calendar.h"
#include "../store/parent.h"
#include "../store/store.h"
#include "../threads/counters.h"
#include "../threads/sample.h"
#include "../threads/thread.h"
#include "life.h"

/* The time of the newest allocation of each of the parent's threads, by thread id. */
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
  if (kind == MH_MEMORY_MMAP) return mh_mapping_peek((uintptr_t)record->address, mh_record_size(record)) == slot;
  return mh_index_peek(kind == MH_MEMORY_CUSTOM ? record->address | MH_OVERFLOW_CUSTOM : record->address) == slot;
}

static void leave_out_others(void) {
  uint32_t count = mh_header()->arrays[MH_KIND_RECORDS].count;
  for (uint32_t slot = 1; slot < count; slot++)
    if (!was_live(slot, mh_record(slot))) mh_record(slot)->address = 0;
}

/* Puts a record back that the parent has removed since the fork, or whose slot was copied while the parent overwrote
 * it. If two records were in one slot before the fork, the newer one was there at the fork. */
static void put_back(uint32_t slot, const struct mh_record *record) {
  if (slot >= mh_header()->arrays[MH_KIND_RECORDS].count || !was_live(slot, record)) return;
  const struct mh_record *copied = mh_record(slot);
  if (!copied->address || copied->time <= record->time) *mh_record(slot) = *record;
}

/* A child's totals begin with the records that it has cloned. */
static void count_inherited(int64_t expected) {
  uint32_t count = mh_header()->arrays[MH_KIND_RECORDS].count;
  uint32_t stacks = mh_header()->arrays[MH_KIND_STACKS].count;
  for (uint32_t i = 1; i < stacks; i++)
    *mh_stack(i) = (struct mh_stack){.node = mh_stack(i)->node, .flags = mh_stack(i)->flags};
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

/* The child continues the parent's relative times, and its count of dropped records. */
static void go_on_from(const struct mh_parent_store *parent) {
  struct mh_header *header = mh_header();
  mh_calendar_go_on(header, &parent->calendar, parent->start_wall, parent->start_monotonic);
  header->dropped = parent->dropped;
  header->dropped_bytes = parent->dropped_bytes;
}

static bool copy_tables(const struct mh_parent_store *parent) {
  for (uint32_t kind = MH_KIND_STACKS; kind < MH_KIND_COUNT; kind++)
    if (!mh_parent_store_copy(parent, kind)) return false;
  return mh_parent_store_copy(parent, MH_KIND_RECORDS);
}

static bool clone(struct mh_parent_store *parent) {
  if (!progress || !mh_parent_store_open(parent)) return false;
  int64_t expected = mh_count_live();
  newest_of_all = mh_fork_log_time();
  mh_thread_each(note_progress);
  mh_live(MH_CLONE);
  mh_store_forget();
  if (!mh_store_create()) return false;
  go_on_from(parent);
  if (!copy_tables(parent)) return false;
  leave_out_others();
  mh_fork_log_replay(put_back);
  count_inherited(expected);
  mh_live(MH_DROP_MISSING);
  return true;
}

bool mh_clone_store(void) {
  struct mh_parent_store parent = {.fd = -1};
  progress = mh_map_private(THREADS_CAPACITY * sizeof(struct progress));
  bool cloned = clone(&parent);
  mh_parent_store_close(&parent);
  if (progress) mh_munmap(progress, THREADS_CAPACITY * sizeof(struct progress));
  return cloned;
}
