/* A lock for rare, short work. Taking it is bounded: after a while the caller gives up, drops the record it wanted to
 * write, and the program goes on. It is never held across a call into the program or the loader.
 *
 * Whoever holds it may be preempted, so a taker that spun in vain sleeps a little, some tens of milliseconds in all.
 * When even that was in vain, the holder may be gone for good (a signal handler jumped out of it): from then on nobody
 * waits long, until somebody gets it again. A holder's lock whose thread has ended is taken over. One that has jumped
 * out and lives on says so at its next hook (mh_lock_leave_all). It may call none for long: what can stand it is taken
 * over all the same (mh_lock_take_anyway).
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

#define MH_LOCK_LEFT UINT32_MAX /* held by somebody who jumped out of the middle */

static inline void mh_pause(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

enum mh_lock_result {
  MH_LOCK_REFUSED,
  MH_LOCK_TAKEN,
  MH_LOCK_TAKEN_OVER, /* somebody was in the middle of changing what it guards, and will not go on */
};

enum mh_lock_result mh_lock_wait(struct mh_lock *lock, uint32_t self, bool anyway);

/* What this thread is taking or holds, as far as there is room: noted before it is taken, as a signal handler may jump
 * out at any instruction. */
#define MH_LOCKS_NOTED 4
struct mh_locks_noted {
  uint32_t count;
  struct mh_lock *locks[MH_LOCKS_NOTED];
};
extern __thread struct mh_locks_noted mh_locks_noted __attribute__((tls_model("initial-exec")));

static inline void mh_lock_note(struct mh_lock *lock) {
  struct mh_locks_noted *noted = &mh_locks_noted;
  if (noted->count < MH_LOCKS_NOTED) noted->locks[noted->count] = lock;
  __atomic_signal_fence(__ATOMIC_SEQ_CST);
  noted->count++;
  __atomic_signal_fence(__ATOMIC_SEQ_CST);
}
static inline void mh_lock_forget(void) {
  __atomic_signal_fence(__ATOMIC_SEQ_CST);
  if (mh_locks_noted.count) mh_locks_noted.count--;
}

/* A signal handler jumped out of a hook of this thread, `self`: it holds nothing any more. */
void mh_lock_leave_all(uint32_t self);

/* For work that can be begun anew, or what it changes mended, when a signal handler jumped out of the middle or ended
 * the thread there: what this very thread, `self`, still holds is its own again. (A hook that is called inside a hook
 * takes no lock, so nobody else can be at it.) */
static inline enum mh_lock_result mh_lock_try_again(struct mh_lock *lock, uint32_t self) {
  mh_lock_note(lock);
  uint32_t held = MH_GET(lock->held);
  if (MH_UNLIKELY(held == self)) return MH_LOCK_TAKEN_OVER;
  /* Whose it is, and that it is held, is said at once. */
  if ((!held || held == MH_LOCK_LEFT) &&
      __atomic_compare_exchange_n(&lock->held, &held, self, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
    return held ? MH_LOCK_TAKEN_OVER : MH_LOCK_TAKEN;
  mh_lock_forget();
  return MH_LOCK_REFUSED;
}

static inline enum mh_lock_result mh_lock_take_again(struct mh_lock *lock, uint32_t self) {
  enum mh_lock_result taken = mh_lock_try_again(lock, self);
  return MH_LIKELY(taken != MH_LOCK_REFUSED) ? taken : mh_lock_wait(lock, self, false);
}

static inline void mh_lock_release(struct mh_lock *lock) {
  MH_ASSERT(lock->held);
  __atomic_store_n(&lock->held, 0, __ATOMIC_RELEASE);
  mh_lock_forget();
}

/* For work that two threads can be at, as long as that is rare: when one thread has held the lock all the while that
 * this one waited, it is taken away from it. What it releases then is its own alone. */
static inline enum mh_lock_result mh_lock_take_anyway(struct mh_lock *lock, uint32_t self) {
  enum mh_lock_result taken = mh_lock_try_again(lock, self);
  return MH_LIKELY(taken != MH_LOCK_REFUSED) ? taken : mh_lock_wait(lock, self, true);
}

static inline void mh_lock_release_own(struct mh_lock *lock, uint32_t self) {
  __atomic_compare_exchange_n(&lock->held, &self, 0, false, __ATOMIC_RELEASE, __ATOMIC_RELAXED);
  mh_lock_forget();
}
