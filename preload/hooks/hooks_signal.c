/* Hooks: sigaltstack, to know which threads have a stack that disarms itself. While a handler runs on such a stack
 * (SS_AUTODISARM) the kernel says that there is none, and the handler would look as if it had jumped out of the hook
 * that it interrupted; see mh_guard_is_stale.
 */
#include <errno.h>

#include "hook.h"

#define DISARMS ((int)(1u << 31)) /* SS_AUTODISARM, which older headers lack */

MH_HOOK int sigaltstack(const stack_t *stack, stack_t *before) {
  if (MH_UNLIKELY(!mh_real.sigaltstack)) mh_real_find();
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
