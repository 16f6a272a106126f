/* Time; see clock.h. */
#include "clock.h"

#include <sys/prctl.h>

#include "text.h"

/* A measurement over less than this would be too coarse. */
#define MEASURE_NANOSECONDS 2000000u

uint64_t mh_clock_start;
uint64_t mh_tick_length;

static uint64_t first_ticks, first_time; /* first_ticks is 0 where ticks cannot be used */

static bool ticks_are_even(void) {
#if defined(__x86_64__)
  int allowed = 0;
  if (mh_syscall(SYS_prctl, PR_GET_TSC, (long)&allowed, 0, 0, 0, 0) < 0 || allowed != PR_TSC_ENABLE) return false;
  char source[16];
  return mh_read_file("/sys/devices/system/clocksource/clocksource0/current_clocksource", source, sizeof(source)) > 0 &&
         mh_starts(source, "tsc");
#else
  return true; /* the architecture says so */
#endif
}

void mh_clock_begin(uint64_t start) {
  mh_clock_start = start ? start : mh_clock_read(CLOCK_MONOTONIC);
  mh_tick_length = 0;
  first_time = mh_clock_now();
  first_ticks = ticks_are_even() ? mh_ticks() : 0;
}

uint64_t mh_clock_look(struct mh_clock *clock) {
  uint64_t time = mh_clock_now();
  if (first_ticks) {
    uint64_t ticks = mh_ticks();
    clock->ticks = ticks;
    clock->time = time;
    if (time - first_time >= MEASURE_NANOSECONDS && ticks > first_ticks) {
      /* Both grow for years before the product leaves 128 bits. */
      uint64_t length = (uint64_t)(((unsigned __int128)(time - first_time) << 32) / (ticks - first_ticks));
      __atomic_store_n(&mh_tick_length, length, __ATOMIC_RELAXED);
    }
  }
  if (time > clock->last) clock->last = time;
  return clock->last;
}
