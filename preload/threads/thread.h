/* Per-thread state: what a thread needs to record allocations without meeting another thread.
 *
 * States are pooled. There is no thread-exit hook: a thread may allocate after every destructor that a library could
 * register. So a state stays its thread's until the kernel says that the thread is gone. Then a new thread may get it.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../base/clock.h"
#include "../base/self.h"
#include "../base/settings.h"
#include "../store/store.h"
#include "../base/sys.h"
#include "totals.h"

struct mh_stack_cache;

/* A block that was just freed and is not counted yet, with the state at the free; see counters.h. */
struct mh_freed {
  int64_t live_bytes;   /* of its thread; see below */
  uint64_t newest_time; /* the same */
  uint32_t slot;        /* of the record, whose address is 0 by now */
};
#define MH_FREED 16

#define MH_FREE_SLOTS 768
#define MH_FETCHED 8 /* a record is fetched so many allocations before its slot is used */

struct mh_thread {
  uint32_t tid;
  uint32_t slot; /* in the store's thread slots; 0: shared with other threads */
  struct mh_thread_slot *counters;

  /* Record slots at hand: freed ones, in free_slots below, and a run of fresh ones. */
  uint32_t free_count;
  uint32_t run_next, run_end;

  /* See counters.h. Since the last flush: the change of the live bytes, and their maximum at any free. */
  int64_t live_bytes, live_bytes_max;
  /* Since the thread began: the change of the number of live blocks. Private memory, so a child of fork finds the value
   * at the fork. Then this and the counters as they were at the last flush. */
  int64_t live_count, flushed_live_count;
  uint64_t flushed_allocations, flushed_frees;

  /* The blocks freed last. The first `freed_counted` are counted; their slots are not given back yet. */
  uint32_t freed_count, freed_counted;
  struct mh_freed freed[MH_FREED];

  uint64_t newest_time; /* of the thread's last allocation; no other one of this thread has it; see clock.h */
  struct mh_totals totals;

  uint32_t free_slots[MH_FETCHED + MH_FREE_SLOTS]; /* from MH_FETCHED on, newest last; see records.c */

  struct mh_stack_cache *stack_cache; /* NULL until the first capture */
  struct mh_stack_cache *spare_cache; /* the former owner's, until then */
  uintptr_t *frames; /* room for the frames of one stack, NULL until it is wanted */
} __attribute__((aligned(128))); /* neighbours belong to other threads: pairs of cache lines of their own */

/* The calling thread's state; NULL if there is no memory for one (then it shares slot 0, without stacks). */
struct mh_thread *mh_thread_acquire(void);

/* Decides whether the calling thread may take the fast paths: it has a slot of its own and a stack cache, and
 * everything is recorded. To be called when one of these has changed. */
static inline void mh_thread_update_fast(void) {
  struct mh_thread *thread = mh_tls.thread;
  mh_tls.fast = thread && thread->slot && thread->stack_cache && !mh_settings.sample ? thread : NULL;
}

/* A state is its thread's alone. */
static inline bool mh_thread_owns(const struct mh_thread *thread) {
  return !thread || mh_self_is(thread->tid);
}

static inline struct mh_thread *mh_thread_mine(void) {
  struct mh_thread *thread = mh_tls.thread;
  MH_ASSERT(mh_thread_owns(thread));
  return MH_LIKELY(thread != NULL) ? thread : mh_thread_acquire();
}

/* mh_self_id() where the calling thread's state is at hand; NULL if it has none. */
static inline uint32_t mh_thread_id(const struct mh_thread *thread) {
  MH_ASSERT(mh_thread_owns(thread));
  return MH_LIKELY(thread != NULL) ? thread->tid : mh_self_id();
}

/* Calls `visit` for every state that has an owner or had one. */
void mh_thread_each(void (*visit)(struct mh_thread *));

/* In a child of fork: every state belonged to the parent's threads. */
void mh_thread_reset(void);
