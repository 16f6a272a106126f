/* Waiting for a lock; see lock.h. */
#include "lock.h"

#include <errno.h>

#define SPINS 200
#define YIELDS 50
#define SLEEPS 500
#define SLEEP_NANOSECONDS 100000

__thread struct mh_locks_noted mh_locks_noted __attribute__((tls_model("initial-exec")));

/* Whether the holder's thread has ended: a signal handler ended it in the middle. */
static bool gone(uint32_t holder) {
  return holder && mh_tgkill(mh_getpid(), (int)holder, 0) == -ESRCH;
}

enum mh_lock_result mh_lock_wait(struct mh_lock *lock, uint32_t self, bool steal) {
  const struct timespec nap = {.tv_nsec = SLEEP_NANOSECONDS};
  unsigned most = !steal && __atomic_load_n(&lock->given_up, __ATOMIC_RELAXED) ? SPINS : SPINS + YIELDS + SLEEPS;
  uint32_t first = __atomic_load_n(&lock->held, __ATOMIC_RELAXED);
  mh_lock_note(lock);
  for (unsigned turn = 0; turn <= most; turn++) {
    uint32_t held = __atomic_load_n(&lock->held, __ATOMIC_RELAXED);
    if (held != first) steal = false;
    bool over = held == MH_LOCK_ABANDONED || (steal && turn == most) ||
                ((turn == SPINS + YIELDS || turn == most) && gone(held));
    if ((!held || over) &&
        __atomic_compare_exchange_n(&lock->held, &held, self, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) {
      __atomic_store_n(&lock->given_up, 0, __ATOMIC_RELAXED);
      return held ? MH_LOCK_TAKEN_OVER : MH_LOCK_ACQUIRED;
    }
    if (turn < SPINS)
      mh_pause();
    else if (turn < SPINS + YIELDS)
      mh_syscall(SYS_sched_yield, 0, 0, 0, 0, 0, 0);
    else if (turn < most)
      mh_syscall(SYS_nanosleep, (long)&nap, 0, 0, 0, 0, 0);
  }
  mh_lock_forget();
  __atomic_store_n(&lock->given_up, 1, __ATOMIC_RELAXED);
  return MH_LOCK_REFUSED;
}

void mh_lock_abandon_all(uint32_t self) {
  struct mh_locks_noted *noted = &mh_locks_noted;
  for (uint32_t i = 0; i < noted->count && i < MH_LOCKS_NOTED; i++) {
    uint32_t held = self, *place = &noted->locks[i]->held;
    __atomic_compare_exchange_n(place, &held, MH_LOCK_ABANDONED, false, __ATOMIC_RELEASE, __ATOMIC_RELAXED);
  }
  noted->count = 0;
}
