/* The calendar; see calendar.h. */
#include "calendar.h"

#include "../base/clock.h"
#include "../base/process.h"
#include "../base/sys.h"

#define PAUSE_NANOSECONDS 1000000000u
#define JUMP_NANOSECONDS 500000000 /* less is no jump */
#define AT_ONCE_NANOSECONDS 1000000u
#define TRIES 4

uint64_t mh_calendar_next;
static uint32_t busy; /* one thread reads the clocks: the others need not */

struct clocks {
  uint64_t monotonic, wall;
  uint64_t boottime; /* outside of all time namespaces, 0 unknown */
  uint64_t suspended;
};

/* Reads the three clocks at nearly one instant. False: this thread was interrupted in between. */
static bool read_at_once(struct clocks *now) {
  now->monotonic = mh_clock_read(CLOCK_MONOTONIC);
  now->wall = mh_clock_read(CLOCK_REALTIME);
  now->boottime = now->suspended = 0;
  /* This clock has no coarse form. */
  if (!MH_GET(mh_clock_is_coarse)) {
    now->boottime = mh_clock_read(CLOCK_BOOTTIME) - (uint64_t)mh_process.boottime_offset;
    now->suspended = now->boottime - (now->monotonic - (uint64_t)mh_process.monotonic_offset);
    if ((int64_t)now->suspended < 0) now->boottime = now->suspended = 0; /* a namespace that /proc does not describe */
  }
  return mh_clock_read(CLOCK_MONOTONIC) - now->monotonic < AT_ONCE_NANOSECONDS;
}

void mh_calendar_start(struct mh_header *header) {
  struct clocks now;
  for (int turn = 0; turn < TRIES && !read_at_once(&now); turn++) continue;
  header->start_wall = now.wall;
  header->start_monotonic = mh_clock_start = now.monotonic;
  header->calendar.start_boottime = now.boottime;
  header->calendar.start_suspended = header->calendar.suspended = now.suspended;
  busy = 0;
  mh_calendar_next = 0;
}

void mh_calendar_go_on(struct mh_header *header, const struct mh_calendar *calendar, uint64_t wall,
                       uint64_t monotonic) {
  header->start_wall = wall;
  header->calendar = *calendar;
  /* The child may be in another time namespace, where the same instant has another number. */
  uint64_t start = calendar->start_boottime - calendar->start_suspended + (uint64_t)mh_process.monotonic_offset;
  header->start_monotonic = mh_clock_start = calendar->start_boottime ? start : monotonic;
}

/* Removes a jump: the earlier one of the two with the least time between them. */
static void make_room(struct mh_calendar *calendar) {
  struct mh_jump *jumps = calendar->jumps;
  uint32_t least = 0;
  for (uint32_t i = 1; i + 1 < MH_JUMP_MAX_COUNT; i++)
    if (jumps[i + 1].time - jumps[i].time < jumps[least + 1].time - jumps[least].time) least = i;
  for (uint32_t i = least; i + 1 < MH_JUMP_MAX_COUNT; i++) {
    MH_SET(jumps[i].time, jumps[i + 1].time);
    MH_SET(jumps[i].wall, jumps[i + 1].wall);
  }
  __atomic_store_n(&calendar->jump_count, (uint64_t)MH_JUMP_MAX_COUNT - 1, __ATOMIC_RELEASE);
}

static void note_jump(struct mh_header *header, struct mh_jump now) {
  struct mh_calendar *calendar = &header->calendar;
  uint64_t count = calendar->jump_count;
  struct mh_jump last = count ? calendar->jumps[count - 1] : (struct mh_jump){.wall = header->start_wall};
  int64_t jump = (int64_t)(now.wall - last.wall - (now.time - last.time));
  if (jump < JUMP_NANOSECONDS && jump > -JUMP_NANOSECONDS) return;
  if (count == MH_JUMP_MAX_COUNT) make_room(calendar);
  count = calendar->jump_count;
  MH_SET(calendar->jumps[count].time, now.time);
  MH_SET(calendar->jumps[count].wall, now.wall);
  __atomic_store_n(&calendar->jump_count, count + 1, __ATOMIC_RELEASE);
}

/* Called by one thread at a time. If the clocks cannot be read at one instant, it is left to the next call. */
static void note(void) {
  struct mh_header *header = mh_header();
  struct clocks now;
  if (!read_at_once(&now)) return;
  uint64_t time = now.monotonic > mh_clock_start ? now.monotonic - mh_clock_start : 0;
  note_jump(header, (struct mh_jump){time, now.wall});
  if (now.boottime) MH_SET(header->calendar.suspended, now.suspended);
  __atomic_store_n(&header->calendar.seen_time, time, __ATOMIC_RELEASE);
  __atomic_store_n(&mh_calendar_next, time + PAUSE_NANOSECONDS, __ATOMIC_RELAXED);
}

__attribute__((noinline)) void mh_calendar_turn(void) {
  uint64_t signals = mh_signals_hold();
  if (!__atomic_exchange_n(&busy, 1, __ATOMIC_ACQUIRE)) {
    note();
    __atomic_store_n(&busy, 0, __ATOMIC_RELEASE);
  }
  mh_signals_release(signals);
}
