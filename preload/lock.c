/* The patient half of taking a lock; see lock.h. */
#include "lock.h"

#define SPINS 200
#define YIELDS 50
#define SLEEPS 500
#define SLEEP_NANOSECONDS 100000

bool mh_lock_wait(struct mh_lock *lock, uint32_t holder) {
  const struct timespec nap = {.tv_nsec = SLEEP_NANOSECONDS};
  unsigned most = __atomic_load_n(&lock->given_up, __ATOMIC_RELAXED) ? SPINS : SPINS + YIELDS + SLEEPS;
  for (unsigned turn = 0; turn < most; turn++) {
    if (!__atomic_load_n(&lock->held, __ATOMIC_RELAXED) && mh_lock_try_as(lock, holder)) {
      __atomic_store_n(&lock->given_up, 0, __ATOMIC_RELAXED);
      return true;
    }
    if (turn < SPINS)
      mh_pause();
    else if (turn < SPINS + YIELDS)
      mh_syscall(SYS_sched_yield, 0, 0, 0, 0, 0, 0);
    else
      mh_syscall(SYS_nanosleep, (long)&nap, 0, 0, 0, 0, 0);
  }
  __atomic_store_n(&lock->given_up, 1, __ATOMIC_RELAXED);
  return false;
}
