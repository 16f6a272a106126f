/* memhook-look PID snapshot|stop|auto MICROSECONDS: freezes a process for a moment, and sends its contents to memview.
 *
 *     seize every thread ─▶ stop them ─▶ registers ─▶ a snapshot of the memory (clone) ─▶ let them go    the pause
 *                                                          │
 *     memview asks: read … read … release ◀────────────────┘  the snapshot never runs, and is killed
 *
 * If no snapshot can be made, the process itself stays stopped until it is released. MICROSECONDS is the longest pause
 * that is allowed, 0: any. A look that would need a longer one is refused, or given up.
 */
#include "look.h"
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* How long threads may take to stop, while the others wait for them. On an overloaded machine they take long. */
#define STOP_NS UINT64_C(500000000)
#define END_NS UINT64_C(2000000000)

static struct tasks tasks;
static struct gadgets gadgets;
static struct maps maps;
static struct memory process = {-1, -1}, picture = {-1, -1};
static pid_t child = -1;
static uint64_t began, resident;

/* Whether a snapshot may be made. */
static bool may_clone(pid_t pid, const char *status) {
  /* A seccomp filter may kill the process for a call that it does not make itself. */
  if (proc_number(status, "Seccomp", 10, 0) != 0) return false;
  /* With a shadow stack, returns are compared with calls. */
  const char *features = strstr(status, "x86_Thread_features:");
  if (features && memmem(features, strcspn(features, "\n"), "shstk", 5)) return false;
  return !memory_short(pid, resident) && gadgets_find(&gadgets, &maps, &process);
}

/* Kills the snapshot, and waits for its end. Its parent, the process, must be made to forget it afterwards. */
static void end_picture(void) {
  int status;
  kill(child, SIGKILL);
  task_wait(child, &status, now() + END_NS);
  memory_close(&picture);
}

static uint64_t pause_ended(void) {
  tasks_release(&tasks);
  return now() - began;
}

/* Makes the snapshot. False: it could not be made. */
static bool take_picture(void) {
  child = inject_clone(&tasks, &gadgets, &maps, &process);
  if (child < 0) return false;
  bool whole = memory_open(&picture, child, false);
  for (size_t i = 0; whole && i < maps.count; i++) {
    const struct mapping *its = &maps.all[i];
    if (its->flags & MH_MAPPING_NOT_FORKED && !(its->flags & (MH_MAPPING_DEVICE_MEMORY | MH_MAPPING_SHARED)))
      whole = memory_keep(&process, its);
  }
  if (!whole) {
    end_picture();
    inject_reap(&tasks, &gadgets, &maps, &process, child);
    child = -1;
  }
  return whole;
}

/* The mappings of the snapshot, and those that are not in it but were kept. */
static void merge_maps(void) {
  struct maps seen, all = {0};
  if (!maps_read(&seen, child, false)) refuse("cannot be looked at: its picture has no mappings");
  all.all = calloc(seen.count + maps.count, sizeof *all.all);
  if (!all.all) refuse("has too many mappings");
  size_t next = 0;
  for (size_t i = 0; i < seen.count; i++) {
    struct mapping its = seen.all[i];
    for (; next < maps.count && maps.all[next].end <= its.start; next++)
      if (maps.all[next].flags & MH_MAPPING_NOT_FORKED) all.all[all.count++] = maps.all[next];
    const struct mapping *before = maps_at(&maps, its.start);
    if (before) its.flags |= before->flags & (MH_MAPPING_DEVICE_MEMORY | MH_MAPPING_UNRESERVED);
    all.all[all.count++] = its;
    while (next < maps.count && maps.all[next].end <= its.end) next++;
  }
  for (; next < maps.count; next++)
    if (maps.all[next].flags & MH_MAPPING_NOT_FORKED) all.all[all.count++] = maps.all[next];
  maps = all;
}

/* Answers memview until it is done. `longest`: how long the process may stay stopped meanwhile, 0: no limit. */
static void serve(bool stopped, uint64_t longest) {
  uint8_t payload[MH_READ_BYTES];
  uint64_t checked = now();
  for (;;) {
    if (stopped && longest) {
      uint64_t spent = now() - began;
      struct pollfd input = {.fd = 0, .events = POLLIN};
      int wait = spent >= longest ? 0 : (int)((longest - spent) / 1000000 + 1);
      if (spent >= longest || poll(&input, 1, wait) == 0) {
        tasks_release(&tasks);
        refuse("would have to be stopped for longer than %llu ms; give --max-pause more, or 0",
               (unsigned long long)(longest / 1000000));
      }
    }
    uint32_t type = hear(payload);
    if (type != MH_LOOK_READ) return;
    uint64_t address, length, flags;
    memcpy(&address, payload + MH_READ_ADDRESS, 8);
    memcpy(&length, payload + MH_READ_LENGTH, 8);
    memcpy(&flags, payload + MH_READ_FLAGS, 8);
    if (!stopped && now() - checked > 100000000u) {
      checked = now();
      if (memory_short(tasks.pid, 0)) {
        end_picture();
        tasks_seize(&tasks, tasks.pid);
        if (tasks_stop(&tasks, STOP_NS)) {
          tasks_read(&tasks);
          inject_reap(&tasks, &gadgets, &maps, &process, child);
        }
        tasks_release(&tasks);
        refuse("was not looked at to the end: memory became short");
      }
    }
    const struct memory *from = stopped || flags & MH_READ_LIVE ? &process : &picture;
    memory_tell(from, address, length, flags);
  }
}

/* The process has an ended child that it does not know. It is stopped once more, to wait for that child. */
static uint64_t forget_picture(void) {
  end_picture();
  /* Another look may have just begun, and traces the threads for a moment. */
  for (int tries = 0; tries < 100; tries++) {
    char *status = proc_text("/proc/%d/status", tasks.pid);
    uint64_t tracer = proc_number(status, "TracerPid", 10, 0);
    bool ended = !status;
    free(status);
    if (ended) return 0;
    if (!tracer) break;
    nanosleep(&(struct timespec){0, 20000000}, NULL);
  }
  tasks_seize(&tasks, tasks.pid);
  began = now();
  if (tasks_stop(&tasks, STOP_NS)) {
    tasks_read(&tasks);
    maps_read(&maps, tasks.pid, false);
    inject_reap(&tasks, &gadgets, &maps, &process, child);
  }
  return pause_ended();
}

/* Goes on in a child, which nobody knows and so nobody kills. If memview or the process that it started is killed, the
 * child sees the end of its input, and leaves the process as it was. */
static void hide(void) {
  pid_t hidden = fork();
  if (hidden < 0) refuse("cannot be looked at (%s)", strerror(errno));
  if (hidden == 0) {
    setsid();
    return;
  }
  close(0);
  close(1);
  int status;
  while (waitpid(hidden, &status, 0) < 0 && errno == EINTR) {}
  exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
}

int main(int count, char **arguments) {
  if (count != 4) {
    fputs("memhook-look is called by memview\n", stderr);
    return 2;
  }
  pid_t pid = atoi(arguments[1]);
  bool only_stop = strcmp(arguments[2], "stop") == 0, only_snapshot = strcmp(arguments[2], "snapshot") == 0;
  uint64_t longest = strtoull(arguments[3], NULL, 10) * 1000;

  hide();
  /* Writing to a pipe without a reader returns an error. SIGCHLD, for a thread's change, is awaited by sigtimedwait. */
  sigset_t child_signal;
  sigemptyset(&child_signal);
  sigaddset(&child_signal, SIGCHLD);
  sigprocmask(SIG_BLOCK, &child_signal, NULL);
  signal(SIGPIPE, SIG_IGN);

  long page = sysconf(_SC_PAGESIZE);
  if (page != PAGE) refuse("has pages of %ld bytes, which memhook-look does not know", page);
  char *status = proc_text("/proc/%d/status", pid);
  if (!status) refuse("has ended, or there is no such process");
  if (proc_number(status, "TracerPid", 10, 0)) refuse_trace(pid, EPERM);
  resident = proc_number(status, "RssAnon", 10, 0) * 1024;

  tasks_seize(&tasks, pid);
  if (!memory_open(&process, pid, true)) refuse_trace(pid, errno);
  if (!maps_read(&maps, pid, true)) refuse("has ended");
  bool snapshot = !only_stop && may_clone(pid, status);
  if (only_snapshot && !snapshot)
    refuse("cannot be looked at by a snapshot: it is sandboxed by seccomp, or memory is short; use --freeze stop");
  /* Copying the page tables takes about so long. A pause that will be too long is better not begun. */
  uint64_t expected = 1000000 + resident / 1024 * 30000000 / (1 << 20);
  if (snapshot && longest && expected > longest)
    refuse("would stand still for about %llu ms, for its %llu MiB; --max-pause %llums allows that",
           (unsigned long long)(expected / 1000000), (unsigned long long)(resident >> 20),
           (unsigned long long)(expected / 500000));

  began = now();
  if (!tasks_stop(&tasks, longest && longest < STOP_NS ? longest : STOP_NS))
    refuse("has a thread that does not stop: it waits in the kernel, as a parent of vfork does; try again");
  tasks_read(&tasks);
  if (snapshot && !take_picture()) {
    snapshot = false;
    if (only_snapshot) {
      tasks_release(&tasks);
      refuse("cannot be looked at by a snapshot: no thread, or no memory for it; use --freeze stop");
    }
  }
  uint64_t pause = 0;
  if (snapshot) {
    pause = pause_ended();
    merge_maps();
  } else {
    maps_read(&maps, pid, true);
  }

  const uint32_t method[2] = {snapshot ? MH_METHOD_SNAPSHOT : MH_METHOD_STOP, (uint32_t)tasks.count};
  say(MH_LOOK_FROZEN, (struct part[]){{method, sizeof method}, {&pause, sizeof pause}}, 2);
  tasks_say(&tasks);
  maps_say(&maps);
  say(MH_LOOK_READY, NULL, 0);
  serve(!snapshot, longest);
  uint64_t last = snapshot ? forget_picture() : pause_ended();
  say(MH_LOOK_RELEASED, &(struct part){&last, sizeof last}, 1);
  return 0;
}
