/* The guard of a thread that records: between mh_begin and mh_finish memhook's own tables are being changed. */
#pragma once
#include <stdint.h>

#include "../base/self.h"

/* From here on only a signal handler can allocate, and it may find memhook's tables in the middle of a change. */
MH_INLINE void mh_begin(void) {
  MH_ASSERT(mh_tls.guard && !(mh_tls.guard & MH_GUARD_RECORDING));
  mh_tls.guard |= MH_GUARD_RECORDING;
  __atomic_signal_fence(__ATOMIC_SEQ_CST);
}

/* Gives back what a signal handler has freed meanwhile. */
void mh_give_pending(void);

MH_INLINE void mh_finish(void) {
  if (MH_UNLIKELY(mh_tls.pending_count)) mh_give_pending();
  __atomic_signal_fence(__ATOMIC_SEQ_CST);
  MH_ASSERT(mh_tls.guard & MH_GUARD_RECORDING);
  mh_tls.guard &= ~(uintptr_t)MH_GUARD_RECORDING;
}

/* Ends a hook. */
MH_INLINE void mh_leave(void) {
  __atomic_signal_fence(__ATOMIC_SEQ_CST);
  mh_tls.guard = 0;
}
