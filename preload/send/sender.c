/* The sender; see sender.h, and sender_parts.h for its parts. asm/FORMAT.md, "Wire", describes its messages. */
#include "sender.h"

#include <errno.h>
#include <linux/futex.h>
#include <sys/prctl.h>

#include "../base/clock.h"
#include "../base/alive.h"
#include "../base/log.h"
#include "sender_parts.h"
#include "../base/settings.h"
#include "../store/store.h"
#include "../base/sys.h"

#define BACKOFF_FIRST (100 * MILLISECOND)
/* Less than the time for which memdb keeps the path of a process that is not connected. */
#define BACKOFF_MOST (5 * SECOND)
/* How long the program's end may wait for the last flush, and for the first attempt to connect. */
#define END_MOST (2 * SECOND)
#define END_ATTEMPT_MOST (250 * MILLISECOND)
#define PAUSE_MOST SECOND

struct mh_sender mh_sender;

/* False: a sandbox forbids to wait. */
static bool wait_word(uint32_t *word, uint32_t value, uint64_t nanoseconds) {
  struct timespec most = {.tv_sec = (time_t)(nanoseconds / SECOND), .tv_nsec = (long)(nanoseconds % SECOND)};
  return mh_syscall(SYS_futex, (long)word, FUTEX_WAIT, value, (long)&most, 0, 0) != -EPERM;
}

static void set_word(uint32_t *word, uint32_t value) {
  __atomic_store_n(word, value, __ATOMIC_RELEASE);
  mh_syscall(SYS_futex, (long)word, FUTEX_WAKE, INT32_MAX, 0, 0, 0);
}

/* Waits until *word is no longer `value`, or until the time is over. Not FUTEX_PRIVATE: the kernel's wake at a thread's
 * end is not private. */
static bool wait_change(uint32_t *word, uint32_t value, uint64_t nanoseconds) {
  uint64_t start = mh_clock_read(CLOCK_MONOTONIC), passed = 0;
  while (__atomic_load_n(word, __ATOMIC_ACQUIRE) == value && passed < nanoseconds) {
    if (!wait_word(word, value, nanoseconds - passed)) break;
    passed = mh_clock_read(CLOCK_MONOTONIC) - start;
  }
  return __atomic_load_n(word, __ATOMIC_ACQUIRE) != value;
}

/* The same for the sender's thread. False: it cannot wait, and must end. */
static bool may_go_on(uint64_t pause) {
  uint64_t start = mh_clock_read(CLOCK_MONOTONIC);
  return wait_change(&mh_sender.command, RUN, pause) || mh_clock_read(CLOCK_MONOTONIC) - start >= pause;
}

/* Serves one connection until its end. */
static void serve(void) {
  mh_link_say("connected to memdb at ", "");
  set_word(&mh_sender.connected, 1);
  set_word(&mh_sender.settled, 1);
  bool going = true;
  while (going) {
    uint32_t before = mh_sender_command();
    going = before != STOP && mh_thread_belongs_here() && mh_difference_send(before == END);
    if (!going || before == END) break;
    going = mh_difference_more() || may_go_on(mh_settings.net_interval);
  }
  __atomic_store_n(&mh_sender.connected, 0, __ATOMIC_RELEASE);
  mh_close(mh_link.fd);
  if (!going) mh_link_say("connection lost to memdb at ", "");
}

static void sender_main(void) {
  mh_syscall(SYS_prctl, PR_SET_NAME, (long)"memhook", 0, 0, 0, 0);
  mh_thread_close_descriptors();
  uint64_t pause = BACKOFF_FIRST;
  while (mh_sender_command() == RUN ||
         (mh_sender_command() == END && !__atomic_load_n(&mh_sender.settled, __ATOMIC_RELAXED))) {
    if (mh_link_connect()) {
      pause = BACKOFF_FIRST;
      serve();
    }
    set_word(&mh_sender.settled, 1);
    if (mh_sender_command() != RUN || !mh_thread_belongs_here() || !may_go_on(pause)) break;
    pause = pause * 2 < BACKOFF_MOST ? pause * 2 : BACKOFF_MOST;
  }
  set_word(&mh_sender.settled, 1);
  set_word(&mh_sender.finished, 1);
  /* If a sandbox kills for a thread's end, the thread sleeps for ever instead. */
  const long leave[7] = {SYS_exit};
  while (mh_syscall_forbidden && mh_syscall_forbidden(leave) && wait_word(&mh_sender.finished, 1, BACKOFF_MOST)) {
  }
}

/* ── For the program's threads ────────────────────────────────────────────────────────────────── */

static void start(void) {
  /* A thread that has sent its last flush will end soon: it is waited for. */
  uint32_t tid = __atomic_load_n(&mh_sender.tid, __ATOMIC_ACQUIRE);
  if (tid && !(__atomic_load_n(&mh_sender.finished, __ATOMIC_ACQUIRE) && wait_change(&mh_sender.tid, tid, PAUSE_MOST)))
    return;
  if (!mh_sender.area) {
    mh_sender.area = mh_map_private(sizeof(struct area));
    if (!mh_sender.area) return;
    mh_madvise(mh_sender.area, sizeof(struct area), MADV_DONTFORK);
  }
  struct area *area = mh_sender.area;
  mh_link.records = (struct mh_wire){.data = area->records, .capacity = sizeof(area->records)};
  mh_link.tables = (struct mh_wire){.data = area->tables, .capacity = sizeof(area->tables)};
  mh_link.removed = (struct mh_wire){.data = area->removed, .capacity = sizeof(area->removed)};
  mh_sender.command = RUN;
  mh_sender.settled = mh_sender.connected = mh_sender.finished = 0;
  void **thread_pointer = (void **)(area->tls + sizeof(area->tls) / 2);
  *thread_pointer = thread_pointer;
  /* The new thread inherits the signal mask: all signals are blocked. */
  uint64_t all = UINT64_MAX, before;
  mh_syscall(SYS_rt_sigprocmask, 0 /* SIG_BLOCK */, (long)&all, (long)&before, sizeof(all), 0, 0);
  long result = mh_thread_clone(sender_main, area->stack + sizeof(area->stack), thread_pointer, &mh_sender.tid);
  mh_syscall(SYS_rt_sigprocmask, 2 /* SIG_SETMASK */, (long)&before, 0, sizeof(before), 0, 0);
  if (result < 0) {
    mh_sender.tid = 0;
    mh_log("no thread for sending to memdb at ", mh_settings.net_host, "");
  }
}

void mh_sender_start(void) {
  /* Not in a child of fork that has not begun: its store does not exist yet. */
  if (!mh_settings.net_host || !mh_store || !__atomic_load_n(&mh_alive->recording, __ATOMIC_ACQUIRE)) return;
  uint64_t signals = mh_signals_hold();
  start();
  mh_signals_release(signals);
}

void mh_sender_end(void) {
  if (!__atomic_load_n(&mh_sender.tid, __ATOMIC_ACQUIRE)) return;
  uint32_t run = RUN;
  if (!__atomic_compare_exchange_n(&mh_sender.command, &run, END, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED)) return;
  set_word(&mh_sender.command, END);
  /* A short program may end before the first attempt to connect has ended. */
  wait_change(&mh_sender.settled, 0, END_ATTEMPT_MOST);
  if (__atomic_load_n(&mh_sender.connected, __ATOMIC_ACQUIRE)) wait_change(&mh_sender.finished, 0, END_MOST);
}

bool mh_sender_pause(void) {
  uint32_t tid = __atomic_load_n(&mh_sender.tid, __ATOMIC_ACQUIRE);
  if (!tid || mh_sender_command() != RUN) return false;
  set_word(&mh_sender.command, STOP);
  /* The thread ends in time, unless it is waiting for a name server. Then it stays. */
  if (!wait_change(&mh_sender.tid, tid, PAUSE_MOST)) {
    set_word(&mh_sender.command, RUN);
    return false;
  }
  /* The kernel clears the word early in the thread's end. The thread counts as one until its id is free. */
  const struct timespec nap = {.tv_nsec = MILLISECOND / 10};
  for (int turn = 0; turn < 1000 && mh_tgkill(mh_getpid(), (int)tid, 0) == 0; turn++)
    mh_syscall(SYS_nanosleep, (long)&nap, 0, 0, 0, 0, 0);
  return true;
}

void mh_sender_forget(void) {
  if (!mh_settings.net_host) return;
  mh_difference_forget();
  mh_sender.area = NULL;
  mh_sender.tid = 0;
  /* Nobody may wait for it any longer. */
  mh_sender.settled = mh_sender.finished = 1;
}
