/* The calling thread: everything of memhook's that is thread-local, in one structure.
 *
 * The guard says which hook a thread is inside of. Hooks raise it, so that calls that the real functions make are not
 * recorded as the program's. Memhook's own work that may allocate raises it, too. It is one word, so no signal handler
 * sees half of it.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "debug.h"
#include "process.h"
#include "sys.h"

/* The kind of hook that a thread is in. It tells who makes a call inside of it. */
enum mh_hook_kind {
  MH_HOOK_HEAP, /* malloc and its family: libc's functions call none of the hooks */
  MH_HOOK_MAP,  /* mmap and its family: they call nothing */
  MH_HOOK_WRAP, /* operators, libc's functions: they allocate through the hooks, and only the outer call is recorded */
};

/* A guard is the frame address of a hook, which is aligned, and in its lowest bits the kind of hook and these. */
enum {
  MH_GUARD_HOOK = 3,
  MH_GUARD_RECORDING = 4, /* memhook's own tables are being changed: only a signal handler can allocate now */
  MH_GUARD_BITS = 7,
};

struct mh_thread;

struct mh_tls {
  struct mh_thread *thread; /* the thread's state, see threads/thread.h; NULL: it has none yet */
  struct mh_thread *fast;   /* the same, if it may take the fast paths; else NULL: see mh_thread_update_fast */
  uintptr_t guard;          /* not 0: this thread is inside that hook; what it allocates there is not the program's */
  uint32_t tid;             /* in the kernel; 0: not asked yet */
  bool disarms;             /* its alternate signal stack has SS_AUTODISARM; see hooks_signal.c */
  int64_t until_sample;     /* bytes to allocate until the next sample; see sample.h */
  uint64_t random;
  uintptr_t operator_;      /* the C++ operator that a hook of one has called; see operators_late.c */
  size_t refused;           /* what malloc has just refused to an operator new; see hooks_new.c */
  uint32_t fork_place, fork_passes; /* see fork_log.c */
  uint32_t unloading;       /* calls of dlclose that this thread is inside of; see cfi.c */
  /* Record slots freed by a signal handler meanwhile; given back when the bookkeeping is done. */
  uint32_t pending_count;
  uint32_t pending[8];
};

extern __thread struct mh_tls mh_tls __attribute__((tls_model("initial-exec")));

/* Raises the guard around work of memhook's own that may allocate. Returns the guard before, for mh_guard_lower. */
MH_INLINE uintptr_t mh_guard_raise(void) {
  uintptr_t before = mh_tls.guard;
  mh_tls.guard = (uintptr_t)__builtin_frame_address(0) | MH_HOOK_WRAP | (before & MH_GUARD_RECORDING);
  __atomic_signal_fence(__ATOMIC_SEQ_CST);
  return before;
}
static inline void mh_guard_lower(uintptr_t before) {
  __atomic_signal_fence(__ATOMIC_SEQ_CST);
  mh_tls.guard = before;
}

/* Whether `tid` is the calling thread. A child of vfork is the parent's thread. */
static inline bool mh_self_is(uint32_t tid) {
  return tid == (uint32_t)mh_gettid() || mh_process.pid != (uint32_t)mh_getpid();
}

/* The calling thread's id in the kernel. It is kept, because asking is expensive: a program with new stacks all the
 * time would spend a twelfth of its time on it. */
static inline uint32_t mh_self_id(void) {
  uint32_t tid = mh_tls.tid;
  MH_ASSERT(!tid || mh_self_is(tid));
  return MH_LIKELY(tid != 0) ? tid : (uint32_t)mh_gettid();
}
