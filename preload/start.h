/* Starting, at the first hook called; noticing that this is a child of fork; ending. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "capture.h"
#include "debug.h"
#include "records.h"
#include "thread.h"

/* On a page that the kernel wipes in a child of fork, however it was made: 0 there until the child has started anew. */
struct mh_alive {
  uint32_t recording;
};
extern struct mh_alive *mh_alive;

/* Starts memhook, or restarts it in a child. False: not now (too early, another thread is at it) or never (off). */
bool mh_start(void);

/* Notes how the process ends. */
void mh_end(uint32_t kind, int status);

/* It does not end after all: exec failed. */
void mh_end_not(void);

/* Whether the hook that set the guard is gone: a signal handler jumped out of it. `frame`: of the hook called now. */
bool mh_guard_is_stale(uintptr_t frame);

/* Begins a hook: true when this call of the program is to be recorded; then the hook ends with mh_leave. */
MH_INLINE bool mh_enter(enum mh_hook_kind hook) {
  struct mh_tls *tls = &mh_tls;
  uintptr_t frame = (uintptr_t)__builtin_frame_address(0);
  if (MH_UNLIKELY(tls->inside) && !mh_guard_is_stale(frame)) return false;
  if (MH_UNLIKELY(!__atomic_load_n(&mh_alive->recording, __ATOMIC_RELAXED)) && !mh_start()) return false;
  MH_ASSERT(!tls->recording);
  tls->inside = frame;
  tls->hook = hook;
  return true;
}

/* Whoever interrupts from here on is a signal handler, and finds our tables as they are; see mh_nested_. */
static inline void mh_begin(void) {
  MH_ASSERT(mh_tls.inside && !mh_tls.recording);
  mh_tls.recording = 1;
  __atomic_signal_fence(__ATOMIC_SEQ_CST);
}
void mh_give_pending(void);
static inline void mh_finish(void) {
  if (MH_UNLIKELY(mh_tls.pending_count)) mh_give_pending();
  __atomic_signal_fence(__ATOMIC_SEQ_CST);
  MH_ASSERT(mh_tls.recording);
  mh_tls.recording = 0;
}

static inline void mh_leave(void) {
  mh_tls.inside = 0;
}

/* Whether the real functions of the heap are the C library's own. */
bool mh_libc_allocates(void);

/* Whether the code at `caller` is the C library's, and one that calls its own functions by their public names, which are our hooks: as
 * musl's calloc calls malloc. */
bool mh_libc_calls(uintptr_t caller);

/* What a hook that may not record (mh_enter said no) owes all the same. A call that neither memhook nor the real function made
 * is a signal handler's: it cannot be recorded, so it is counted. `caller`: where the hook was called from. */
static inline void mh_nested_allocation(const void *block, uint64_t size, enum mh_hook_kind hook, const void *caller) {
  struct mh_tls *tls = &mh_tls;
  if (MH_LIKELY(!tls->inside || !block)) return;
  bool expected = tls->hook == MH_HOOK_WRAP || (tls->hook == MH_HOOK_HEAP && hook == MH_HOOK_MAP && !mh_libc_allocates());
  if (MH_UNLIKELY(tls->recording || !(expected || mh_libc_calls((uintptr_t)caller)))) mh_store_drop(size);
}
static inline void mh_nested_free(const void *block) {
  if (MH_LIKELY(!mh_tls.inside || !block)) return;
  if (mh_tls.recording) {
    mh_record_free_nested(block);
    return;
  }
  /* Inside the real function: a new_handler that gives its reserve back, or a signal handler. Our tables are whole. */
  mh_begin();
  mh_record_heap_free(block);
  mh_finish();
}
