/* What the program frees while it exits; see exiting.h. */
#include "exiting.h"

#include "../base/clock.h"
#include "removals.h"
#include "../threads/thread.h"

uint32_t mh_removals;

static bool begun;
static uint64_t exit_time; /* relative; what was allocated later is freed as ever */

/* The clock is coarse, so a thread that has allocated since it ticked is ahead of it. */
static void note_newest(struct mh_thread *thread) {
  uint64_t time = MH_GET(thread->newest_time);
  if (time > exit_time) MH_SET(exit_time, time);
}

void mh_exiting_begin(void) {
  /* Two threads may call exit at once. */
  if (__atomic_exchange_n(&begun, true, __ATOMIC_ACQ_REL)) return;
  struct mh_thread *thread = mh_thread_mine();
  MH_SET(exit_time, thread ? mh_clock_tell(&thread->newest_time) : mh_clock_now());
  mh_thread_each(note_newest);
  if (thread) thread->newest_time = exit_time; /* what it allocates from now on is later */
  MH_SET(mh_header()->exit_time, exit_time);
  mh_removals_want(MH_REMOVALS_EXITING);
}

void mh_exiting_child(void) {
  begun = false;
  mh_removals_want_no_more(MH_REMOVALS_EXITING);
}

bool mh_exiting_keep(struct mh_record *record) {
  if (record->time > MH_GET(exit_time)) return false;
  MH_SET(record->size, record->size | 1ull << MH_RECORD_FREED_IN_EXIT_SHIFT);
  return true;
}
