/* The log of frees after a fork; see fork_log.h.
 *
 * A free looks at `mh_removals` once, without a fence. Why nothing is missed all the same: it first takes the block out
 * of the index, which is private memory, and looks then. If it saw no log, it looked before the forking thread set the
 * log, so before the fork. The fork write-protects the parent's pages and flushes them from the TLB of every processor.
 * The flush waits for all writes under the old protection (an interrupt on x86-64, TLBI and DSB on aarch64). So the
 * child's copy of the index does not have that block. If instead the write to the index came after the flush, it
 * faulted. What follows it in the program ran after the fault, and saw the log.
 */
#include "fork_log.h"

#include "../base/clock.h"
#include "../base/alive.h"
#include "../base/lock.h"
#include "../base/process.h"
#include "removals.h"
#include "../store/stand_in.h"
#include "../threads/thread.h"

#define ENTRIES (1u << 20)
#define CHILDREN 256
#define LOOKED_AT 8 /* children checked at a time; divides CHILDREN */
#define PASSES 256 /* a thread counts so many frees together */
#define FIRST_LOOK 1024
#define UNBORN UINT32_MAX

struct logged {
  uint64_t number; /* of the entry, plus 1; written last */
  struct mh_record record;
  uint32_t slot;
};

/* In memory that parent and children share. */
struct log {
  uint64_t next;   /* number of the next entry */
  uint64_t until;  /* nobody wants entries from this number on */
  uint64_t newest; /* time of the last fork: nobody wants what was allocated later */
  uint32_t wanting;  /* children that may still want it */
  uint32_t crowded;  /* not 0: more children want it than there are places */
  /* Their process ids; UNBORN from before the fork until the child's fork handler; 0: free. */
  uint32_t children[CHILDREN];
  struct logged entries[ENTRIES];
};

static struct log *kept;    /* this process's own, whether wanted (mh_removals) or not; NULL until its first fork */
static struct mh_lock lock; /* of whether it is wanted; signals are blocked, because a handler may fork */
static uint64_t passes;     /* frees since the last fork that checked whether the log is still wanted */
static uint64_t next_look;  /* at so many of them it is checked which children live */
/* Forks between mh_fork_log_prepare and their return in the parent. So it is not 0 in a child made by fork, and in a
 * child of a child that has not begun, which uses the same log. */
static uint32_t preparing;
static uint64_t prepared_at; /* time of the newest of them */
static uint64_t forked_at;   /* the log's next number just before it */

/* In a child that has not begun: its parent's, and this one's place among the children. */
static struct log *parents;
static uint32_t own_place;

/* A place among the children, from 1 on. 0: there is none. Then the log is kept as for a child that never begins. */
static uint32_t take_place(struct log *log, uint32_t pid) {
  for (uint32_t i = 0; i < CHILDREN; i++) {
    uint32_t nobody = 0;
    if (MH_GET(log->children[i]) ||
        !__atomic_compare_exchange_n(&log->children[i], &nobody, pid, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
      continue;
    __atomic_add_fetch(&log->wanting, 1, __ATOMIC_SEQ_CST);
    return i + 1;
  }
  MH_SET(log->crowded, 1);
  return 0;
}

static void give_place(struct log *log, uint32_t place, uint32_t pid) {
  if (pid && __atomic_compare_exchange_n(&log->children[place - 1], &pid, 0, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
    __atomic_sub_fetch(&log->wanting, 1, __ATOMIC_SEQ_CST);
}

/* ── In the parent ───────────────────────────────────────────────────────────────────────────────── */

/* At the first fork. Two threads may be at their first at once. */
static bool make_log(void) {
  struct log *none = NULL;
  if (__atomic_load_n(&kept, __ATOMIC_ACQUIRE)) return true;
  struct log *log =
      mh_map(sizeof(*log), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (log && !__atomic_compare_exchange_n(&kept, &none, log, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
    mh_munmap(log, sizeof(*log));
  return log;
}

void mh_fork_log_prepare(void) {
  /* A child that has not begun has allocated and freed nothing. So its own children begin with the parent's state at
   * the same fork. */
  mh_tls.fork_place = parents ? take_place(parents, UNBORN) : 0;
  if (parents || !__atomic_load_n(&mh_alive->recording, __ATOMIC_ACQUIRE)) return;
  if (!make_log()) return;
  uint64_t signals = mh_signals_hold();
  bool locked = mh_lock_acquire_reentrant(&lock, mh_self_id()) != MH_LOCK_REFUSED;
  mh_tls.fork_place = take_place(kept, UNBORN);
  __atomic_add_fetch(&preparing, 1, __ATOMIC_SEQ_CST);
  __atomic_store_n(&kept->newest, UINT64_MAX, __ATOMIC_SEQ_CST);
  prepared_at = mh_clock_now();
  forked_at = __atomic_load_n(&kept->next, __ATOMIC_RELAXED);
  MH_SET(passes, 0);
  MH_SET(next_look, FIRST_LOOK);
  __atomic_store_n(&kept->until, forked_at + ENTRIES, __ATOMIC_RELEASE);
  mh_removals_want(MH_REMOVALS_FORK_LOG);
  if (locked) mh_lock_release(&lock);
  mh_signals_release(signals);
}

void mh_fork_log_in_parent(bool made) {
  struct log *log = parents ? parents : kept;
  if (!made && log && mh_tls.fork_place) give_place(log, mh_tls.fork_place, UNBORN);
  if (parents || !kept || !preparing || __atomic_sub_fetch(&preparing, 1, __ATOMIC_SEQ_CST)) return;
  __atomic_store_n(&kept->newest, mh_clock_now(), __ATOMIC_SEQ_CST);
  /* Another thread may have begun to fork meanwhile. */
  if (__atomic_load_n(&preparing, __ATOMIC_SEQ_CST)) __atomic_store_n(&kept->newest, UINT64_MAX, __ATOMIC_SEQ_CST);
}

/* Frees the places of children that were killed. It checks only a few children, because the program waits for it in a
 * free. True: the last ones have been checked. */
static bool clear_some_places(struct log *log) {
  static uint32_t next;
  uint64_t signals = mh_signals_hold();
  uint32_t first = __atomic_fetch_add(&next, LOOKED_AT, __ATOMIC_RELAXED) % CHILDREN;
  for (uint32_t i = first; i < first + LOOKED_AT; i++) {
    uint32_t pid = MH_GET(log->children[i]);
    if (pid && pid != UNBORN && !mh_process_lives(pid, 0)) give_place(log, i + 1, pid);
  }
  mh_signals_release(signals);
  return first + LOOKED_AT == CHILDREN;
}

static void clear_all_places(struct log *log) {
  for (uint32_t i = 0; i < CHILDREN; i++) give_place(log, i + 1, MH_GET(log->children[i]));
  MH_SET(log->crowded, 0);
}

static bool somebody_wants(const struct log *log) {
  return __atomic_load_n(&log->wanting, __ATOMIC_SEQ_CST) || MH_GET(log->crowded);
}

/* Whether some child still wants the log. Every free asks this while there is a log. */
static bool is_wanted(struct log *log) {
  if (++mh_tls.fork_passes % PASSES == 0) {
    uint64_t now = __atomic_add_fetch(&passes, PASSES, __ATOMIC_RELAXED), look = MH_GET(next_look);
    if (now >= ENTRIES) return false;
    if (now >= look &&
        __atomic_compare_exchange_n(&next_look, &look, now + PASSES, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED) &&
        clear_some_places(log))
      MH_SET(next_look, now * 2);
  }
  return somebody_wants(log);
}

/* The lock is held. A thread that forks meanwhile needs the lock, too, and makes the log wanted again. */
static void end_unless_wanted(struct log *log) {
  if (MH_GET(passes) >= ENTRIES) clear_all_places(log);
  if (!somebody_wants(log)) {
    mh_removals_want_no_more(MH_REMOVALS_FORK_LOG);
    uintptr_t from = ((uintptr_t)log->entries + 4095) & ~(uintptr_t)4095;
    mh_madvise((void *)from, sizeof(log->entries) - 4096, MADV_REMOVE);
  }
}

static void end(struct log *log) {
  uint64_t signals = mh_signals_hold();
  if (mh_lock_try_reentrant(&lock, mh_self_id()) != MH_LOCK_REFUSED) {
    end_unless_wanted(log);
    mh_lock_release(&lock);
  }
  mh_signals_release(signals);
}

void mh_fork_log_add(uint32_t slot, const struct mh_record *record) {
  struct log *log = MH_GET(kept);
  if (!log || mh_stands_in()) return;
  if (MH_UNLIKELY(!is_wanted(log))) return end(log);
  /* Copied first. A handler may fork here; then the child also writes this entry, and must not read the record, which
   * is no longer its parent's. */
  struct mh_record copy = *record;
  if (copy.time > __atomic_load_n(&log->newest, __ATOMIC_RELAXED) ||
      __atomic_load_n(&log->next, __ATOMIC_RELAXED) >= __atomic_load_n(&log->until, __ATOMIC_RELAXED))
    return;
  uint64_t number = __atomic_fetch_add(&log->next, 1, __ATOMIC_ACQ_REL);
  struct logged *entry = &log->entries[number % ENTRIES];
  /* A reader that has seen any of the new words then sees the number as 0, or as the new one. */
  __atomic_store_n(&entry->number, 0, __ATOMIC_RELAXED);
  __atomic_thread_fence(__ATOMIC_RELEASE);
  entry->record = copy;
  entry->slot = slot;
  __atomic_store_n(&entry->number, number + 1, __ATOMIC_RELEASE);
}

/* ── In the child ────────────────────────────────────────────────────────────────────────────────── */

void mh_fork_log_forked(void) {
  if (!parents) parents = kept;
  kept = NULL;
  mh_removals_want_no_more(MH_REMOVALS_FORK_LOG);
  lock = (struct mh_lock){0};
  own_place = parents ? mh_tls.fork_place : 0;
  if (own_place) __atomic_store_n(&parents->children[own_place - 1], (uint32_t)mh_getpid(), __ATOMIC_RELEASE);
}

uint64_t mh_fork_log_time(void) {
  return preparing ? prepared_at : 0;
}

void mh_fork_log_replay(void (*visit)(uint32_t slot, const struct mh_record *record)) {
  if (!preparing || !parents) return;
  __atomic_thread_fence(__ATOMIC_ACQUIRE); /* the file was copied before the log is read */
  uint64_t end = __atomic_load_n(&parents->next, __ATOMIC_ACQUIRE);
  for (uint64_t number = forked_at; number < end; number++) {
    const struct logged *entry = &parents->entries[number % ENTRIES];
    if (__atomic_load_n(&entry->number, __ATOMIC_ACQUIRE) != number + 1) continue;
    struct mh_record record = entry->record;
    uint32_t slot = entry->slot;
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    if (__atomic_load_n(&entry->number, __ATOMIC_RELAXED) == number + 1) visit(slot, &record);
  }
}

/* A child of vfork has its parent's memory, but another process id. */
void mh_fork_log_renounce(void) {
  if (parents && own_place) give_place(parents, own_place, (uint32_t)mh_getpid());
}

void mh_fork_log_want(void) {
  if (!parents || !own_place) return;
  uint32_t pid = (uint32_t)mh_getpid();
  if (pid != mh_process.pid && MH_GET(parents->children[own_place - 1]) != pid) own_place = take_place(parents, pid);
}

void mh_fork_log_forget(void) {
  mh_fork_log_renounce();
  if (parents) mh_munmap(parents, sizeof(*parents));
  kept = parents = NULL;
  mh_removals_want_no_more(MH_REMOVALS_FORK_LOG);
  own_place = preparing = 0;
}
