/* A lock for rare, short work. Taking it is bounded: after a while the caller gives up, drops the record it
 * wanted to write, and the program goes on. It is never held across a call into the program or the loader. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "sys.h"

struct mh_lock {
  uint32_t held;
};

static inline void mh_pause(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

static inline bool mh_lock_try(struct mh_lock *lock) {
  return !__atomic_exchange_n(&lock->held, 1, __ATOMIC_ACQUIRE);
}

/* Spins, then yields the processor to whoever holds the lock: together some milliseconds at most. */
static inline bool mh_lock_take(struct mh_lock *lock) {
  for (unsigned turn = 0; turn < 2000; turn++) {
    if (!__atomic_load_n(&lock->held, __ATOMIC_RELAXED) && mh_lock_try(lock)) return true;
    if (turn < 200)
      mh_pause();
    else
      mh_syscall(SYS_sched_yield, 0, 0, 0, 0, 0, 0);
  }
  return false;
}

static inline void mh_lock_release(struct mh_lock *lock) {
  __atomic_store_n(&lock->held, 0, __ATOMIC_RELEASE);
}
