/* Hooks: the ways to end without destructors. They note in the store how the process ended. */
#include "hook.h"
#include "process.h"

static void note(int status) {
  if (mh_enter(MH_HOOK_WRAP)) {
    mh_begin();
    mh_end(MH_END_IMMEDIATE_EXIT, status);
    mh_finish();
    mh_leave();
  }
}

/* A child of vfork ends with _exit in its parent's memory: that is not the parent's end. */
static bool own_process(void) {
  return (uint32_t)mh_getpid() == mh_process.pid;
}

MH_HOOK _Noreturn void _exit(int status) {
  if (own_process()) note(status);
  /* Another preloaded library may have something to do here. */
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
