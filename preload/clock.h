/* Time: nanoseconds since the start of this process's store, on CLOCK_MONOTONIC.
 *
 * Asking the kernel's clock, even through the vDSO, costs as much as half a malloc. So each thread asks it
 * every few milliseconds and in between counts the processor's ticks, where these run evenly and alike on all
 * processors (the kernel's own clock source says so). The ticks' length is measured against the kernel's clock, over the whole
 * time since the start.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#if defined(__x86_64__)
#include <x86intrin.h>
#endif

#include "sys.h"

/* A thread's last look at the kernel's clock. */
struct mh_clock {
  uint64_t ticks, time; /* then */
  uint64_t last;        /* newest time given out: time never runs back within a thread */
};

extern uint64_t mh_clock_start;  /* CLOCK_MONOTONIC at the store's start */
extern uint64_t mh_tick_length;  /* nanoseconds times 2^32; 0 while it is not known, or where ticks cannot be used */

/* How long a look lasts, in ticks: 1 to 4 ms on today's processors. */
#define MH_CLOCK_LOOK (1u << 22)

/* Begins to count: at `start`, or now when that is 0. */
void mh_clock_begin(uint64_t start);
uint64_t mh_clock_look(struct mh_clock *clock);

static inline uint64_t mh_clock_read(clockid_t clock) {
  struct timespec now;
  clock_gettime(clock, &now); /* leaves errno alone: these clocks always exist */
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static inline uint64_t mh_clock_now(void) {
  return mh_clock_read(CLOCK_MONOTONIC) - mh_clock_start;
}

static inline uint64_t mh_ticks(void) {
#if defined(__x86_64__)
  return __rdtsc();
#elif defined(__aarch64__)
  uint64_t ticks;
  __asm__ volatile("mrs %0, cntvct_el0" : "=r"(ticks));
  return ticks;
#endif
}

/* The time now, by the thread's own clock. */
static inline uint64_t mh_clock_tell(struct mh_clock *clock) {
  uint64_t length = __atomic_load_n(&mh_tick_length, __ATOMIC_RELAXED);
  uint64_t passed = mh_ticks() - clock->ticks;
  if (MH_UNLIKELY(passed >= MH_CLOCK_LOOK || !length)) return mh_clock_look(clock);
  uint64_t time = clock->time + (passed * length >> 32);
  if (MH_LIKELY(time > clock->last)) clock->last = time;
  return clock->last;
}
