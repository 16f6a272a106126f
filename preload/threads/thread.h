/* Per-thread state: what a thread needs to record allocations without meeting another thread.
 *
 * States are pooled. There is no thread-exit hook: allocation goes on after every destructor a library could
 * register, so a state stays its thread's until the kernel says that the thread is gone, and only then is given to a new one.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../base/clock.h"
#include "../base/debug.h"
#include "../base/process.h"
#include "../base/settings.h"
#include "../store/store.h"
#include "../base/sys.h"
#include "totals.h"

struct mh_stack_cache;

/* A block just freed, not counted yet, with what was so then; see counters.h. */
struct mh_freed {
  int64_t live_bytes;   /* of its thread; see below */
  uint64_t newest_time; /* the same */
  uint32_t slot;        /* of the record, which is still there, all but its address */
};
#define MH_FREED 16

#define MH_FREE_SLOTS 768
#define MH_FETCHED 8 /* so many allocations before its slot is used is a record fetched */

struct mh_thread {
  uint32_t tid;
  uint32_t slot; /* in the store's thread slots; 0: shared with other threads */
  struct mh_thread_slot *counters;

  /* Record slots at hand: freed ones, in free_slots below, and a run of fresh ones. */
  uint32_t free_count;
  uint32_t run_next, run_end;

  /* Since the last fold: what became of live bytes, and the most of them at a free. Since ever: what became of live blocks; private, so
   * that a child of fork finds what was live then. And this and the counters, as they were at the last fold. See counters.h. */
  int64_t live_bytes, live_bytes_max;
  int64_t live_count, folded_live_count;
  uint64_t folded_allocations, folded_frees;

  /* What it freed last: the first `freed_counted` are counted, and only wait for their slots to be given back. */
  uint32_t freed_count, freed_counted;
  struct mh_freed freed[MH_FREED];

  uint64_t newest_time; /* of the thread's last allocation, and of no other of this thread; see clock.h */
  struct mh_totals totals;

  uint32_t free_slots[MH_FETCHED + MH_FREE_SLOTS]; /* from MH_FETCHED on, newest last; see records.c */

  struct mh_stack_cache *stack_cache; /* NULL until the first capture */
  uintptr_t *frames;    /* room for the frames of one stack, NULL until it is wanted */
} __attribute__((aligned(128))); /* neighbours belong to other threads: pairs of cache lines of their own */

/* What kind of hook a thread is in, which tells whose a call inside it is. */
enum mh_hook_kind {
  MH_HOOK_HEAP, /* malloc and its family: libc's call none of the hooks */
  MH_HOOK_MAP,  /* mmap and its family: nothing is called inside */
  MH_HOOK_WRAP, /* operators new and delete, libc calls: they allocate through the hooks, and are recorded themselves or not at all */
};

/* A guard is the frame address of a hook, which is aligned, and in its lowest bits the kind of hook and these. */
enum {
  MH_GUARD_HOOK = 3,
  MH_GUARD_RECORDING = 4, /* inside our own bookkeeping: whoever allocates now is a signal handler */
  MH_GUARD_BITS = 7,
};

struct mh_tls {
  struct mh_thread *thread;
  struct mh_thread *plain; /* the same, if it has a slot of its own and a stack cache, and everything is recorded */
  uintptr_t guard; /* not 0: this thread is inside that hook, and what it allocates there is not the program's */
  bool disarms; /* its alternate signal stack has SS_AUTODISARM; see hooks_signal.c */
  int64_t until_sample; /* bytes to allocate until the next sample; see sample.h */
  uint64_t random;
  uintptr_t operator_; /* the C++ operator that a hook of one has called; see operators_late.c */
  size_t refused;      /* what malloc has just refused to an operator new; see hooks_new.c */
  uint32_t fork_place, fork_passes; /* see fork_log.c */
  uint32_t unloading; /* calls of dlclose that this thread is inside of; see cfi.c */
  /* Record slots freed by a signal handler meanwhile; given back when the bookkeeping is done. */
  uint32_t pending_count;
  uint32_t pending[8];
};

extern __thread struct mh_tls mh_tls __attribute__((tls_model("initial-exec")));

/* Raises the guard around work of memhook's own that may allocate; returns what it was, for mh_guard_lower. */
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

/* The calling thread's state; NULL if there is no memory for one (then it shares slot 0, without stacks). */
struct mh_thread *mh_thread_acquire(void);

/* To be called when what decides it has changed. */
static inline void mh_thread_judge(void) {
  struct mh_thread *thread = mh_tls.thread;
  mh_tls.plain = thread && thread->slot && thread->stack_cache && !mh_settings.sample ? thread : NULL;
}

/* A state is its thread's alone; a child of vfork is the parent's thread. */
static inline bool mh_thread_owns(const struct mh_thread *thread) {
  return !thread || thread->tid == (uint32_t)mh_gettid() || mh_process.pid != (uint32_t)mh_getpid();
}

static inline struct mh_thread *mh_thread_mine(void) {
  struct mh_thread *thread = mh_tls.thread;
  MH_ASSERT(mh_thread_owns(thread));
  return MH_LIKELY(thread != NULL) ? thread : mh_thread_acquire();
}

/* The calling thread's id in the kernel; `thread` is its state, NULL if it has none. Not asked for as a rule: a program that finds new stacks
 * all the time would spend a twelfth of its time on that. */
static inline uint32_t mh_thread_id(const struct mh_thread *thread) {
  MH_ASSERT(mh_thread_owns(thread));
  return MH_LIKELY(thread != NULL) ? thread->tid : (uint32_t)mh_gettid();
}

/* Calls `visit` for every state that has an owner or had one. */
void mh_thread_each(void (*visit)(struct mh_thread *));

/* In a child of fork: every state belonged to the parent's threads. */
void mh_thread_reset(void);
