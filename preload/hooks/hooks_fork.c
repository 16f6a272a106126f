/* Hooks: the ways to fork for which libc runs no handlers, _Fork and the system calls by syscall(). These hooks call
 * memhook's handlers themselves. A signal handler may make such calls, and so fork inside a hook. Calls whose child
 * runs on another stack, or in its parent's memory, are not handled here: hooks_seccomp.c passes them on by a jump.
 */
#include <linux/sched.h>

#include "hook.h"
#include "../life/fork.h"
#include "../base/peek.h"

MH_HOOK pid_t _Fork(void) {
  MH_FIND_REAL(_Fork);
  /* glibc before 2.34 has none, but a weak reference finds this hook. */
  if (MH_UNLIKELY(!mh_real._Fork)) return mh_real.fork();
  mh_fork_begins();
  pid_t child = mh_real._Fork();
  mh_fork_ends(child);
  return child;
}

bool mh_fork_is(long number, long a, long b) {
#ifdef SYS_fork
  if (number == SYS_fork) return true;
#endif
  if (number == SYS_clone) return !(a & CLONE_VM) && !b;
  struct clone_args arguments;
  return number == SYS_clone3 && mh_peek(&arguments, (uintptr_t)a, CLONE_ARGS_SIZE_VER0) &&
         !(arguments.flags & CLONE_VM) && !arguments.stack;
}

long mh_fork_call(long number, long a, long b, long c, long d, long e, long f) {
  mh_fork_begins();
  long child = mh_real.syscall(number, a, b, c, d, e, f);
  mh_fork_ends(child);
  return child;
}
