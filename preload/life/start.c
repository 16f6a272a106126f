/* Starting and ending; see start.h.
 *
 *     NEVER ──first hook──▶ STARTING ──▶ RECORDING ──fork──▶ (child: wiped page) STARTING ──▶ …
 *                               └──▶ OFF   no store, or MEMHOOK_CHILDREN=off
 *
 * The first hook may come long before this library's constructor: other libraries' constructors allocate.
 */
#include "start.h"

#include <dlfcn.h>

#include "../base/alive.h"
#include "../base/clock.h"
#include "../base/log.h"
#include "../base/process.h"
#include "../base/seccomp.h"
#include "../base/self.h"
#include "../base/settings.h"
#include "../base/sys.h"
#include "../records/fork_log.h"
#include "../send/sender.h"
#include "../store/calendar.h"
#include "../store/family.h"
#include "../store/stand_in.h"
#include "../store/store.h"
#include "../threads/counters.h"
#include "clone.h"
#include "fork.h"
#include "life.h"
#include "real.h"

enum phase { NEVER, STARTING, RECORDING, OFF };

static uint32_t phase;

static void note_exit(int status, void *unused) {
  (void)unused;
  mh_end(MH_END_EXIT, status);
}

/* Only on_exit receives the status of exit(). musl has no on_exit: there the destructor notes the end without a
 * status. */
static void watch_exit(void) {
  int (*on_exit_function)(void (*)(int, void *), void *);
  /* The next definition, not the first: a program may have a function of that name that does something else. */
  *(void **)&on_exit_function = dlsym(RTLD_NEXT, "on_exit");
  if (on_exit_function) on_exit_function(note_exit, NULL);
}

static bool begin_child_somehow(void) {
  if (mh_settings.children == MH_CHILDREN_OFF) {
    mh_store_forget();
    return false;
  }
  if (mh_settings.children == MH_CHILDREN_FOLLOW && mh_clone_store()) return true;
  mh_store_forget();
  mh_live(MH_RESET);
  if (!mh_store_create()) return false;
  mh_live(MH_STORE);
  return true;
}

static bool begin_child(void) {
  mh_live(MH_CHILD);
  bool begun = begin_child_somehow();
  mh_live(MH_BEGUN);
  return begun;
}

static bool begin(void) {
  mh_live(MH_WAKE);
  if (mh_seccomp_sandboxed()) {
    mh_log("off: this program began in a sandbox, which may kill it for a system call of memhook's", "", "");
    return false;
  }
  mh_live(MH_START);
  if (!mh_store_create()) return false;
  mh_live(MH_STORE);
  return mh_alive_watch();
}

bool mh_start(void) {
  uint32_t now = __atomic_load_n(&phase, __ATOMIC_ACQUIRE);
  if (MH_LIKELY(now == OFF || now == STARTING)) {
    /* STARTING stays for ever in a child that was forked while another thread of its parent was starting memhook. */
    return false;
  }
  if (!mh_real_found()) return false;
  if (now == RECORDING && (mh_process.pid == (uint32_t)mh_getpid() || !mh_stand_in_is_over())) return false;
  /* With signals blocked. A handler that jumps out would leave the phase STARTING for ever. One that forks would make a
   * child that does the second half of it. */
  uint64_t signals = mh_signals_hold();
  bool begun = false;
  if (__atomic_compare_exchange_n(&phase, &now, STARTING, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED)) {
    uintptr_t guard = mh_guard_raise();
    begun = now == RECORDING ? begin_child() : begin();
    mh_guard_lower(guard);
    __atomic_store_n(&phase, begun ? RECORDING : OFF, __ATOMIC_RELEASE);
    if (begun) {
      __atomic_store_n(&mh_alive->recording, mh_settings.sample ? MH_RECORDING_SAMPLE : MH_RECORDING_ALL,
                       __ATOMIC_RELEASE);
      mh_sender_start();
    }
  }
  mh_signals_release(signals);
  return begun;
}

/* mh_end and mh_end_not write to the store, with the guard raised as in a hook; see mh_enter. */
void mh_end(uint32_t kind, int status) {
  uintptr_t guard = mh_guard_raise();
  if (__atomic_load_n(&mh_alive->recording, __ATOMIC_ACQUIRE)) {
    struct mh_header *header = mh_header();
    mh_count_flush_all();
    mh_calendar_turn();
    MH_SET(header->end_status, (uint32_t)status & 0xff);
    MH_SET(header->end_time, mh_clock_now());
    if (kind != MH_END_EXEC) MH_SET(header->end_newest_pid, mh_family_newest_pid());
    __atomic_store_n(&header->end_kind, kind, __ATOMIC_RELEASE);
    /* After exit() this library's destructor still runs, and until then the program goes on freeing. */
    if (kind != MH_END_EXIT) mh_sender_end();
  }
  mh_guard_lower(guard);
}

void mh_end_not(void) {
  uintptr_t guard = mh_guard_raise();
  if (__atomic_load_n(&mh_alive->recording, __ATOMIC_ACQUIRE)) {
    MH_SET(mh_header()->end_time, 0);
    __atomic_store_n(&mh_header()->end_kind, MH_END_NONE, __ATOMIC_RELEASE);
    mh_sender_start();
  }
  mh_guard_lower(guard);
}

__attribute__((constructor)) static void construct(void) {
  mh_real_find();
  if (!__atomic_load_n(&mh_alive->recording, __ATOMIC_RELAXED)) mh_start();
  if (__atomic_load_n(&mh_alive->recording, __ATOMIC_RELAXED)) {
    uintptr_t guard = mh_guard_raise();
    watch_exit();
    mh_fork_watch();
    mh_guard_lower(guard);
  }
}

__attribute__((destructor)) static void destruct(void) {
  uintptr_t guard = mh_guard_raise();
  /* Not in a child of fork that has not begun: the store is not mapped there. */
  mh_fork_log_renounce();
  if (__atomic_load_n(&mh_alive->recording, __ATOMIC_ACQUIRE)) {
    if (mh_header()->end_kind == MH_END_NONE) mh_end(MH_END_EXIT, 0);
    mh_sender_end();
  }
  mh_guard_lower(guard);
}
