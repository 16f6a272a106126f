/* Hooks: prctl and syscall. Both can install a seccomp filter (see seccomp.h; libseccomp calls seccomp(2) by
 * syscall()), and syscall can map memory, fork or exit. All other calls are passed on by a jump: some of them return
 * twice, or on another stack. */
#include <errno.h>
#include <linux/prctl.h>
#include <linux/seccomp.h>

#include "../base/clock.h"
#include "hook.h"
#include "../base/seccomp.h"

/* A child of vfork runs in its parent's memory, but its filters are its own. */
static bool borrows_memory(void) {
  return __atomic_load_n(&mh_alive->recording, __ATOMIC_RELAXED) && (uint32_t)mh_getpid() != mh_process.pid;
}

/* Copies a filter that is about to be installed. True: the copy must be dropped if the installation fails. */
static bool expect(unsigned long mode, const void *program) {
  return mode == SECCOMP_MODE_FILTER && !borrows_memory() && mh_seccomp_add(program);
}

/* Acts on the result of the installation. */
static long came(long result, bool expected, bool strict) {
  if (result < 0 && expected) mh_seccomp_drop();
  if (result == 0 && strict) mh_seccomp_strict();
  return result;
}

/* Strict mode and a trapping counter take effect at once, for this thread. So the clock becomes coarse before the
 * call. */
static void before_prctl(long option, unsigned long a) {
  bool traps = option == PR_SET_TSC && a == PR_TSC_SIGSEGV;
  if (MH_UNLIKELY(traps || (option == PR_SET_SECCOMP && a == SECCOMP_MODE_STRICT))) mh_clock_coarsen();
}

MH_HOOK int prctl(int option, unsigned long a, unsigned long b, unsigned long c, unsigned long d) {
  MH_FIND_REAL(prctl);
  before_prctl(option, a);
  if (MH_LIKELY(option != PR_SET_SECCOMP)) __attribute__((musttail)) return mh_real.prctl(option, a, b, c, d);
  bool expected = expect(a, (const void *)b);
  return (int)came(mh_real.prctl(option, a, b, c, d), expected, a == SECCOMP_MODE_STRICT);
}

/* Whether the thread has a split stack (gcc -fsplit-stack; glibc keeps a word for the end of the current piece). When
 * only about 1,000 bytes are left, libgcc maps the next piece by syscall. That is too little stack to record
 * anything. */
static bool on_split_stack(void) {
#if defined(__x86_64__)
  uintptr_t end;
  __asm__("mov %%fs:0x70, %0" : "=r"(end));
  return end && mh_real.gnu_get_libc_version;
#else
  return false;
#endif
}

static bool is_about_memory(long number) {
  return number == SYS_mmap || number == SYS_munmap || number == SYS_mremap || number == SYS_mprotect ||
         number == SYS_pkey_mprotect;
}

MH_HOOK long syscall(long number, long a, long b, long c, long d, long e, long f) {
  MH_FIND_REAL(syscall);
  if (MH_UNLIKELY(mh_hook_exit(number, (int)a))) {
    long failed = mh_real.syscall(number, a, b, c, d, e, f);
    mh_end_not();
    return failed;
  }
  if (MH_UNLIKELY(mh_fork_is(number, a, b))) return mh_fork_call(number, a, b, c, d, e, f);
  if (is_about_memory(number) && !on_split_stack())
    return mh_hook_syscall_memory(number, (const long[]){a, b, c, d, e, f}, MH_ENTRY());
  if (MH_UNLIKELY(number == SYS_prctl)) {
    before_prctl(a, (unsigned long)b);
    if (a == PR_SET_SECCOMP)
      return prctl((int)a, (unsigned long)b, (unsigned long)c, (unsigned long)d, (unsigned long)e);
  }
  if (MH_LIKELY(number != SYS_seccomp)) __attribute__((musttail)) return mh_real.syscall(number, a, b, c, d, e, f);
  bool expected = expect(a == SECCOMP_SET_MODE_FILTER ? SECCOMP_MODE_FILTER : 0, (const void *)c);
  return came(mh_real.syscall(number, a, b, c, d, e, f), expected, a == SECCOMP_SET_MODE_STRICT);
}
