/* The parts of the library that are replaced here, and why.
 *
 * capture_libunwind.c  The fallback for stacks for which a rule does not suffice. It is libunwind's, which keeps
 * nothing
 *                      that threads share.
 * lock.c               It waits for tens of milliseconds. On a busy machine under ThreadSanitizer these pass, and a
 *                      record is rightly dropped. This test wants to count all of them. Acquiring and releasing are the
 *                      library's own.
 * hooks_*.c            They would hook ThreadSanitizer. calls.c calls what they call, in the same order. So no name is
 *                      redirected to one of them.
 */
#include <errno.h>
#include <sched.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../../preload/unwind/capture_libunwind.h"
#include "../../preload/base/lock.h"
#include "../../preload/hooks/redirect.h"
#include "../../preload/life/life.h"

struct mh_redirect mh_redirects[1];
const unsigned mh_redirect_count = 0;

void mh_exec_forked(void) {
}

void *mh_own_malloc(size_t size);
void *mh_own_malloc(size_t size) {
  (void)size;
  return NULL;
}

void __tsan_acquire(void *);
void __tsan_release(void *);

uint32_t mh_capture_libunwind(struct mh_thread *thread, const struct mh_entry *entry) {
  (void)thread, (void)entry;
  return 0;
}

__thread struct mh_locks_noted mh_locks_noted __attribute__((tls_model("initial-exec")));
void mh_lock_abandon_all(uint32_t self) {
  (void)self;
}
enum mh_lock_result mh_lock_wait(struct mh_lock *lock, uint32_t self, bool steal) {
  (void)steal;
  while (mh_lock_try_reentrant(lock, self) == MH_LOCK_REFUSED) sched_yield();
  return MH_LOCK_ACQUIRED;
}

void *races_map_private(size_t bytes) {
  void *start = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  return start == MAP_FAILED ? NULL : start;
}

int races_munmap(void *start, size_t bytes) {
  return munmap(start, bytes);
}

static char ends;

int races_tgkill(int pid, int tid, int signal) {
  int result = (int)mh_syscall(SYS_tgkill, pid, tid, signal, 0, 0, 0);
  if (result == -ESRCH) __tsan_acquire(&ends);
  return result;
}

void races_thread_ends(void) {
  __tsan_release(&ends);
}

void races_let_others(void) {
  static __thread uint32_t random = 1;
  random = random * 1664525 + 1013904223;
  if (random >> 26 == 0) sched_yield();
}
