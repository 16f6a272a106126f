/* Time: nanoseconds since the start of this process's store, on CLOCK_MONOTONIC.
 *
 * An allocation's time is that of the kernel's last tick, 1 to 10 ms ago. Within a thread it is made unique by adding
 * 1, so the order within a thread is exact. Finer times are not worth their cost: reading the processor's counter takes
 * half as long as a malloc, because it waits for the loads of the program's own work. And nobody needs to know in which
 * microsecond a leak began.
 */
#pragma once
#include <stdint.h>
#include <time.h>

#include "sys.h"

extern uint64_t mh_clock_start; /* CLOCK_MONOTONIC at the store's start */

/* The kernel's clock_gettime: that of the vDSO, or the system call where there is none. It leaves errno alone, and
 * fails for none of these clocks. Where a filter forbids the call, the clocks stand still. It is never a function of
 * that name in the program or another preloaded library: that one may return another time, or allocate. */
extern int (*mh_clock_gettime)(clockid_t clock, struct timespec *now);

/* Called once, at the start. */
void mh_clock_find(void);

/* From this call on only the kernel's last tick is read. The exact clock reads the processor's counter, which raises a
 * signal after PR_SET_TSC; or it makes a system call where the counter is unusable, for which a sandbox may kill. */
void mh_clock_coarsen(void);
extern bool mh_clock_is_coarse;

static inline uint64_t mh_clock_read(clockid_t clock) {
  struct timespec now;
  if (clock != CLOCK_MONOTONIC_COARSE && MH_UNLIKELY(MH_GET(mh_clock_is_coarse)))
    clock = clock == CLOCK_REALTIME ? CLOCK_REALTIME_COARSE : CLOCK_MONOTONIC_COARSE;
  mh_clock_gettime(clock, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* The exact time. */
static inline uint64_t mh_clock_now(void) {
  int64_t time = (int64_t)(mh_clock_read(CLOCK_MONOTONIC) - mh_clock_start);
  return MH_LIKELY(time > 0) ? (uint64_t)time : 0; /* the last tick may be from before the start */
}

/* The time for an allocation. `newest` is the thread's last one; the result is later, and is stored there. */
static inline uint64_t mh_clock_tell(uint64_t *newest) {
  /* less than 0 until the first tick after the start */
  int64_t time = (int64_t)(mh_clock_read(CLOCK_MONOTONIC_COARSE) - mh_clock_start);
  return *newest = MH_LIKELY(time > (int64_t)*newest) ? (uint64_t)time : *newest + 1;
}
