/* Entering a hook after a signal handler jumped out of another one; see enter.h. */
#include "enter.h"

#include <signal.h>

#include "../base/lock.h"

bool mh_guard_is_stale(uintptr_t frame) {
  /* A frame deeper on the stack is a call from inside the hook. At the same place or further out, the hook's frame
   * cannot exist any more; unless this is a signal handler on another stack. */
  if (frame < (mh_tls.guard & ~(uintptr_t)MH_GUARD_BITS)) return false;
  stack_t alternate;
  if (mh_syscall(SYS_sigaltstack, 0, (long)&alternate, 0, 0, 0, 0) < 0 || alternate.ss_flags & SS_ONSTACK) return false;
  if (mh_tls.disarms && alternate.ss_flags & SS_DISABLE) return false;
  mh_lock_abandon_all(mh_self_id());
  mh_tls.guard = 0;
  return true;
}
