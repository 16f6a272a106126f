/* Per-thread state; see thread.h. */
#include "thread.h"

#include <errno.h>

#include "../base/lock.h"
#include "../base/process.h"
#include "../base/settings.h"

#define STATES_MAX 16384
#define STATES_AT_ONCE 64
#define PROBES 8
#define FIRST_BACKED (4096 / MH_THREAD_BYTES) /* slots of the page that every store begins with */

static struct mh_lock lock;
static struct mh_thread *states[STATES_MAX / STATES_AT_ONCE];
static uint32_t state_count;
static uint32_t cursor; /* where the last search for a dead owner ended */
static uint32_t backed_slots = FIRST_BACKED;

static struct mh_thread *state_at(uint32_t index) {
  return &states[index / STATES_AT_ONCE][index % STATES_AT_ONCE];
}

/* Whether the store's page with this slot has backing. It is asked for with the first slot that needs it, and again
 * with each further slot while it is refused. */
static bool slot_is_backed(uint32_t slot) {
  enum { PER_PAGE = 4096 / MH_THREAD_BYTES };
  while (slot >= backed_slots) {
    if (!mh_store_back_header(MH_THREADS_OFFSET + backed_slots * MH_THREAD_BYTES, 4096)) return false;
    backed_slots += PER_PAGE;
  }
  return true;
}

static struct mh_thread *new_state(void) {
  if (state_count == STATES_MAX) return NULL;
  uint32_t group = state_count / STATES_AT_ONCE;
  if (!states[group]) {
    states[group] = mh_map_private(STATES_AT_ONCE * sizeof(struct mh_thread));
    if (!states[group]) return NULL;
  }
  struct mh_thread *state = state_at(state_count);
  uint32_t slot = state_count + 1;
  if (slot < MH_THREADS_MAX_COUNT && slot_is_backed(slot)) {
    state->slot = slot;
    MH_SET(mh_header()->thread_slots, slot + 1);
  }
  state->counters = &mh_thread_slots()[state->slot];
  __atomic_store_n(&state_count, state_count + 1, __ATOMIC_RELEASE);
  return state;
}

/* A state whose owner is gone. Only a few states are looked at, so that the search stays cheap with many threads. That
 * is enough to keep the number of states little above the largest number of threads at one time. */
static struct mh_thread *orphan(uint32_t tid) {
  for (unsigned probe = 0; probe < PROBES && probe < state_count; probe++) {
    cursor = cursor + 1 < state_count ? cursor + 1 : 0;
    struct mh_thread *state = state_at(cursor);
    if (state->tid == tid || mh_tgkill((int)mh_process.pid, (int)state->tid, 0) == -ESRCH) return state;
  }
  return NULL;
}

struct mh_thread *mh_thread_acquire(void) {
  /* A child of vfork runs in its parent's memory, as its parent's thread. The parent would go on using a state that the
   * child acquired; and the child's end would make that state free for another thread as well. */
  if ((uint32_t)mh_getpid() != mh_process.pid) return NULL;
  int id = mh_gettid();
  if (id < 0) return NULL; /* a sandbox forbids it */
  uint32_t tid = (uint32_t)id;
  if (!mh_lock_acquire_reentrant(&lock, tid)) return NULL;
  struct mh_thread *state = orphan(tid);
  if (!state) state = new_state();
  if (state) {
    state->tid = tid;
    if (state->slot) {
      MH_SET(state->counters->tid, tid);
      MH_SET(state->counters->state, MH_THREAD_LIVE);
    }
    /* The stack cache is of the former owner's stack. The first capture decides what becomes of it. */
    if (state->stack_cache) state->spare_cache = state->stack_cache;
    state->stack_cache = NULL;
    mh_tls.thread = state;
    mh_tls.tid = tid;
    mh_thread_update_fast();
  }
  mh_lock_release(&lock);
  return state;
}

void mh_thread_each(void (*visit)(struct mh_thread *)) {
  uint32_t count = __atomic_load_n(&state_count, __ATOMIC_ACQUIRE);
  for (uint32_t i = 0; i < count; i++) visit(state_at(i));
}

void mh_thread_reset(void) {
  for (uint32_t group = 0; group * STATES_AT_ONCE < state_count; group++)
    mh_madvise(states[group], STATES_AT_ONCE * sizeof(struct mh_thread), MADV_DONTNEED);
  state_count = cursor = 0;
  backed_slots = FIRST_BACKED;
  lock = (struct mh_lock){0};
  mh_tls.thread = NULL;
  mh_tls.tid = 0;
  mh_thread_update_fast();
  mh_tls.pending_count = 0;
}
