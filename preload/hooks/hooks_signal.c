/* Hooks: sigaltstack, to know which threads have an alternate stack with SS_AUTODISARM. While a handler runs on such a
 * stack, the kernel says that there is none. Then mh_guard_is_stale would take the interrupted hook for one that was
 * jumped out of.
 */
#include <errno.h>

#include "hook.h"

#define DISARMS ((int)(1u << 31)) /* SS_AUTODISARM, which older headers lack */

MH_HOOK int sigaltstack(const stack_t *stack, stack_t *before) {
  MH_FIND_REAL(sigaltstack);
  int result;
  if (MH_LIKELY(mh_real.sigaltstack != NULL)) {
    result = mh_real.sigaltstack(stack, before);
  } else {
    result = (int)mh_syscall(SYS_sigaltstack, (long)stack, (long)before, 0, 0, 0, 0);
    if (result < 0) {
      errno = -result;
      return -1;
    }
  }
  if (result == 0 && stack) mh_tls.disarms = stack->ss_flags & DISARMS && !(stack->ss_flags & SS_DISABLE);
  return result;
}
