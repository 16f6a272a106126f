/* A lock for rare, short work. Acquiring it is bounded: after some time the caller gives up and drops the record that
 * it wanted to write, and the program goes on. It is never held across a call into the program or the loader.
 *
 * The holder may be preempted. So a waiter first spins, then yields, then sleeps some tens of milliseconds in all. If
 * that was in vain, the holder may be gone for good: a signal handler jumped out of it. From then on nobody waits long,
 * until somebody acquires the lock again.
 *
 * A lock whose holder's thread has ended is taken over. A holder that was jumped out of, in a thread that goes on,
 * abandons its locks at the thread's next hook (mh_lock_abandon_all). That may be long in coming. So work that two
 * threads may do at once steals the lock instead (mh_lock_acquire_or_steal).
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "debug.h"
#include "sys.h"

struct mh_lock {
  uint32_t held; /* 0: free; else the holder's thread id */
  uint32_t given_up;
};

#define MH_LOCK_ABANDONED UINT32_MAX /* a signal handler jumped out of the holder */

static inline void mh_pause(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

enum mh_lock_result {
  MH_LOCK_REFUSED,
  MH_LOCK_ACQUIRED,
  MH_LOCK_TAKEN_OVER, /* acquired, but its last holder was in the middle of a change, and will not finish it */
};

enum mh_lock_result mh_lock_wait(struct mh_lock *lock, uint32_t self, bool steal);

/* The locks that this thread holds or is about to acquire, as far as there is room. They are noted before they are
 * acquired, because a signal handler may jump out at any instruction. */
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

/* A signal handler jumped out of a hook of this thread, `self`: its locks are marked as abandoned. */
void mh_lock_abandon_all(uint32_t self);

/* Reentrant: a lock that this very thread, `self`, still holds is its own again. A signal handler has jumped out of its
 * holder. A hook that is called inside another one acquires no lock, so nobody else is in the middle of that work. The
 * work must be one that can be restarted, or whose data can be repaired. */
static inline enum mh_lock_result mh_lock_try_reentrant(struct mh_lock *lock, uint32_t self) {
  mh_lock_note(lock);
  uint32_t held = MH_GET(lock->held);
  if (MH_UNLIKELY(held == self)) return MH_LOCK_TAKEN_OVER;
  /* One exchange both acquires the lock and says for whom. */
  if ((!held || held == MH_LOCK_ABANDONED) &&
      __atomic_compare_exchange_n(&lock->held, &held, self, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
    return held ? MH_LOCK_TAKEN_OVER : MH_LOCK_ACQUIRED;
  mh_lock_forget();
  return MH_LOCK_REFUSED;
}

static inline enum mh_lock_result mh_lock_acquire_reentrant(struct mh_lock *lock, uint32_t self) {
  enum mh_lock_result taken = mh_lock_try_reentrant(lock, self);
  return MH_LIKELY(taken != MH_LOCK_REFUSED) ? taken : mh_lock_wait(lock, self, false);
}

static inline void mh_lock_release(struct mh_lock *lock) {
  MH_ASSERT(lock->held);
  __atomic_store_n(&lock->held, 0, __ATOMIC_RELEASE);
  mh_lock_forget();
}

/* For work that two threads may do at once, if that is rare. When one thread has held the lock for all the time that
 * this one waited, the lock is stolen from it. Both then release it with mh_lock_release_own, which leaves a stolen
 * lock to its new holder. */
static inline enum mh_lock_result mh_lock_acquire_or_steal(struct mh_lock *lock, uint32_t self) {
  enum mh_lock_result taken = mh_lock_try_reentrant(lock, self);
  return MH_LIKELY(taken != MH_LOCK_REFUSED) ? taken : mh_lock_wait(lock, self, true);
}

static inline void mh_lock_release_own(struct mh_lock *lock, uint32_t self) {
  __atomic_compare_exchange_n(&lock->held, &self, 0, false, __ATOMIC_RELEASE, __ATOMIC_RELAXED);
  mh_lock_forget();
}
