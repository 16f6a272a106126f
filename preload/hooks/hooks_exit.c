/* Hooks: the ways to end.
 *
 * Those that run handlers and destructors tell that the process begins to exit, before any of these runs: exit,
 * quick_exit, and the return from main, which is called from here for that. The others note how the process ended. A
 * program that makes the system call with an instruction of its own, as Go does, is not noticed. */
#include <sys/stat.h>

#include "../records/fork_log.h"
#include "../records/exiting.h"
#include "hook.h"
#include "../base/process.h"

static void note(int status) {
  if (mh_enter(MH_HOOK_WRAP)) {
    mh_begin();
    mh_end(MH_END_IMMEDIATE_EXIT, status);
    mh_finish();
    mh_leave();
  }
}

/* False in a child of vfork, which calls _exit in its parent's memory: that is not the parent's end. And false in a
 * child of fork that has not begun. */
static bool own_process(void) {
  mh_fork_log_renounce();
  return (uint32_t)mh_getpid() == mh_process.pid;
}

/* The directory of the threads has one link for each thread, and two more. */
static bool is_only_thread(void) {
  struct stat threads;
  return mh_stat("/proc/self/task", &threads) == 0 && threads.st_nlink == 3;
}

bool mh_hook_exit(long number, int status) {
  if ((number != SYS_exit_group && number != SYS_exit) || !own_process()) return false;
  if (number == SYS_exit && !is_only_thread()) return false;
  note(status);
  return true;
}

/* By the real function: another preloaded library may have a hook, too. */
MH_INLINE _Noreturn void end(void (*real)(int), int status) {
  if (real) real(status);
  for (;;) mh_syscall(SYS_exit_group, status, 0, 0, 0, 0, 0);
}

MH_HOOK _Noreturn void _exit(int status) {
  if (own_process()) note(status);
  end(mh_real._exit, status);
}

MH_HOOK _Noreturn void _Exit(int status) {
  _exit(status);
}

/* The process begins to exit. A child of vfork does so in its parent's memory. A child of fork that has not begun need
 * not begin for it. */
static void begin(void) {
  if (!own_process() || !mh_enter(MH_HOOK_WRAP)) return;
  mh_begin();
  mh_exiting_begin();
  mh_finish();
  mh_leave();
}

static int (*real_main)(int, char **, char **);

/* What libc does when main returns: exit. Threads that run on may still use what lies in frames that main has left, as
 * they should not. So these are left alone: what exit calls has its frames further down. */
static MH_HIDDEN _Noreturn void exit_below(int status) {
  char left[16384];
  __asm__ volatile("" : : "r"(left) : "memory"); /* or the compiler would do without */
  begin();
  MH_FIND_REAL(exit);
  end(mh_real.exit, status);
}

static MH_HIDDEN int call_main(int count, char **arguments, char **environment) {
  exit_below(real_main(count, arguments, environment));
}

MH_HOOK int __libc_start_main(int (*main)(int, char **, char **), int count, char **arguments, void (*init)(void),
                              void (*fini)(void), void (*loader_fini)(void), void *stack_end) {
  MH_FIND_REAL(__libc_start_main);
  real_main = main;
  __attribute__((musttail)) return mh_real.__libc_start_main(call_main, count, arguments, init, fini, loader_fini,
                                                             stack_end);
}

MH_HOOK MH_HIDDEN _Noreturn void exit(int status) {
  begin();
  MH_FIND_REAL(exit);
  end(mh_real.exit, status);
}

MH_HOOK _Noreturn void quick_exit(int status) {
  begin();
  if (own_process()) note(status);
  MH_FIND_REAL(quick_exit);
  end(mh_real.quick_exit, status);
}
