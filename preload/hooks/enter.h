/* Entering a hook: whether this call of the program is to be recorded; and what is owed where it is not. */
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

/* Whether the hook that set the guard is gone: a signal handler jumped out of it. `frame`: of the hook called now. */
bool mh_guard_is_stale(uintptr_t frame);

/* Begins a hook: true when this call of the program is to be recorded; then the hook ends with mh_leave. `frame`: of
 * the hook. The guard is up before it is asked whether memhook records here: so a handler that forks after the answer
 * forks inside a hook, and its child knows (stand_in.h). */
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

/* The same where that is a matter of two comparisons: memhook has started, the guard is down, and everything is
 * recorded. False, with nothing done, in every other case. `bits`: of the guard. The word is read as an ordinary one,
 * so that the comparison is one instruction: it is written when memhook starts, and in a child. */
MH_INLINE bool mh_enter_fast(uintptr_t bits) {
  struct mh_tls *tls = &mh_tls;
  if (MH_UNLIKELY(tls->guard)) return false;
  tls->guard = (uintptr_t)__builtin_frame_address(0) | bits;
  __atomic_signal_fence(__ATOMIC_SEQ_CST);
  if (MH_LIKELY(mh_alive->recording == MH_RECORDING_ALL)) return true;
  tls->guard = 0;
  return false;
}

/* Whether there is a store to write to, or what stands in for it. */
static inline bool mh_store_is_there(void) {
  return __atomic_load_n(&mh_alive->recording, __ATOMIC_RELAXED) || mh_stand_in_is_there();
}

/* What a hook that may not record (mh_enter said no) owes all the same. A call that neither memhook nor the real
 * function made is a signal handler's: it cannot be recorded, so it is counted. */
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
  /* Inside the real function: a new_handler that gives its reserve back, or a signal handler. Our tables are whole. */
  mh_begin();
  mh_record_heap_free(block);
  mh_finish();
}
