/* Hooks: the ways to end without destructors. They note in the store how the process ended. A program that makes the
 * system call with an instruction of its own, as Go does, is not noticed. */
#include <sys/stat.h>

#include "../records/fork_log.h"
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

MH_HOOK _Noreturn void _exit(int status) {
  if (own_process()) note(status);
  /* Another preloaded library may have a hook, too. */
  if (mh_real._exit) mh_real._exit(status);
  for (;;) mh_syscall(SYS_exit_group, status, 0, 0, 0, 0, 0);
}

MH_HOOK _Noreturn void _Exit(int status) {
  _exit(status);
}

MH_HOOK _Noreturn void quick_exit(int status) {
  if (own_process()) note(status);
  if (!mh_real.quick_exit) mh_real_find();
  mh_real.quick_exit(status);
  for (;;) mh_syscall(SYS_exit_group, status, 0, 0, 0, 0, 0);
}
