/* A lock for rare, short work. Taking it is bounded: after a while the caller gives up, drops the record it
 * wanted to write, and the program goes on. It is never held across a call into the program or the loader.
 *
 * Whoever holds it may be preempted, so a taker that spun in vain sleeps a little, some tens of milliseconds in all. When even
 * that was in vain, the holder may be gone for good (a signal handler jumped out of it): from then on nobody
 * waits long, until somebody gets it again. A holder's lock whose thread has ended is taken over.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "debug.h"
#include "sys.h"

struct mh_lock {
  uint32_t held; /* 0: free, else by whom: a thread's id */
  uint32_t given_up;
};

static inline void mh_pause(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

/* Whose it is, and that it is held, is said at once: a signal handler may jump out at any instruction. */
static inline bool mh_lock_try_as(struct mh_lock *lock, uint32_t holder) {
  uint32_t nobody = 0;
  return __atomic_compare_exchange_n(&lock->held, &nobody, holder, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

enum mh_lock_result {
  MH_LOCK_REFUSED,
  MH_LOCK_TAKEN,
  MH_LOCK_TAKEN_OVER, /* somebody was in the middle of changing what it guards, and will not go on */
};

enum mh_lock_result mh_lock_wait(struct mh_lock *lock, uint32_t self);

/* For work that can be begun anew, or what it changes mended, when a signal handler jumped out of the middle or ended the thread there: what this very
 * thread, `self`, still holds is its own again. (A hook that is called inside a hook takes no lock, so nobody else can be at it.) */
static inline enum mh_lock_result mh_lock_try_again(struct mh_lock *lock, uint32_t self) {
  if (MH_UNLIKELY(MH_GET(lock->held) == self)) return MH_LOCK_TAKEN_OVER;
  return mh_lock_try_as(lock, self) ? MH_LOCK_TAKEN : MH_LOCK_REFUSED;
}

static inline enum mh_lock_result mh_lock_take_again(struct mh_lock *lock, uint32_t self) {
  enum mh_lock_result taken = mh_lock_try_again(lock, self);
  return MH_LIKELY(taken != MH_LOCK_REFUSED) ? taken : mh_lock_wait(lock, self);
}

static inline void mh_lock_release(struct mh_lock *lock) {
  MH_ASSERT(lock->held);
  __atomic_store_n(&lock->held, 0, __ATOMIC_RELEASE);
}
