/* Time: nanoseconds since the start of this process's store, on CLOCK_MONOTONIC. */
#pragma once
#include <stdint.h>
#include <time.h>

extern uint64_t mh_clock_start; /* CLOCK_MONOTONIC at the store's start */

static inline uint64_t mh_clock_read(clockid_t clock) {
  struct timespec now;
  clock_gettime(clock, &now); /* vDSO; leaves errno alone as these clocks always exist */
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static inline uint64_t mh_clock_now(void) {
  return mh_clock_read(CLOCK_MONOTONIC) - mh_clock_start;
}
