/* Entering a hook: whether this call is to be recorded; and what a hook does for a call that is not. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "../base/alive.h"
#include "../base/self.h"
#include "../life/start.h"
#include "../records/guard.h"
#include "../records/records.h"
#include "../store/stand_in.h"
#include "../store/store.h"
#include "../unwind/origin.h"

/* Whether a signal handler jumped out of the hook that raised the guard. `frame` is that of the hook called now. */
bool mh_guard_is_stale(uintptr_t frame);

/* Begins a hook. True: this call is to be recorded, and the hook ends with mh_leave. `frame` is the hook's. The guard
 * is raised before `recording` is read. So a handler that forks after that forks inside a hook, and the child knows it
 * (stand_in.h). */
MH_INLINE bool mh_enter_at(enum mh_hook_kind hook, uintptr_t frame) {
  struct mh_tls *tls = &mh_tls;
  if (MH_UNLIKELY(tls->guard) && !mh_guard_is_stale(frame)) return false;
  tls->guard = frame | hook;
  __atomic_signal_fence(__ATOMIC_SEQ_CST);
  if (MH_LIKELY(__atomic_load_n(&mh_alive->recording, __ATOMIC_RELAXED)) || mh_start()) return true;
  tls->guard = 0;
  return false;
}

MH_INLINE bool mh_enter(enum mh_hook_kind hook) {
  return mh_enter_at(hook, (uintptr_t)__builtin_frame_address(0));
}

/* The fast path, two comparisons: memhook has started, the guard is down, and everything is recorded. In every other
 * case it returns false and does nothing. `bits`: of the guard. `recording` is not read atomically, so that the
 * comparison is one instruction; it is only written when memhook starts, and in a child. */
MH_INLINE bool mh_enter_fast(uintptr_t bits) {
  struct mh_tls *tls = &mh_tls;
  if (MH_UNLIKELY(tls->guard)) return false;
  tls->guard = (uintptr_t)__builtin_frame_address(0) | bits;
  __atomic_signal_fence(__ATOMIC_SEQ_CST);
  if (MH_LIKELY(mh_alive->recording == MH_RECORDING_ALL)) return true;
  tls->guard = 0;
  return false;
}

/* Whether there is a store to write to, or memory that stands in for it. */
static inline bool mh_store_is_there(void) {
  return __atomic_load_n(&mh_alive->recording, __ATOMIC_RELAXED) || mh_stand_in_is_there();
}

/* For a hook where mh_enter returned false. A call inside another hook that neither memhook nor the real function made
 * is a signal handler's. It cannot be recorded, so it is counted as dropped. */
static inline void mh_nested_allocation(const void *block, uint64_t size, struct mh_entry entry) {
  uintptr_t guard = mh_tls.guard;
  if (MH_LIKELY(!guard || !block) || !mh_store_is_there()) return;
  bool dropped = guard & MH_GUARD_RECORDING;
  if (!dropped && (guard & MH_GUARD_HOOK) != MH_HOOK_WRAP) {
    mh_begin();
    dropped = mh_handler_calls(&entry);
    mh_finish();
  }
  if (dropped) mh_store_drop(size);
}
static inline void mh_nested_free(const void *block) {
  uintptr_t guard = mh_tls.guard;
  if (MH_LIKELY(!guard || !block) || !mh_store_is_there()) return;
  if (guard & MH_GUARD_RECORDING) {
    mh_record_free_nested(block);
    return;
  }
  /* Inside the real function: a new_handler that frees its reserve, or a signal handler. Memhook's tables are
   * consistent. */
  mh_begin();
  mh_record_heap_free(block);
  mh_finish();
}
