/* The threads of the process: stop them, read their registers, let them go.
 *
 * They are seized, which stops no thread and sends no signal. A thread that is stopped inside a system call continues
 * the call afterwards: the kernel restarts it, or waits for the rest of the time. A few calls end with EINTR instead,
 * as if a signal had been handled. Of these, the ones that can be repeated without harm are repeated, by setting the
 * program counter back.
 */
#include "look.h"
#include <errno.h>
#include <dirent.h>
#include <elf.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>

#ifndef PTRACE_EVENT_STOP
#define PTRACE_EVENT_STOP 128
#endif
/* How long a thread that was told to stop may take, when the look has been given up. */
#define GRACE_NS UINT64_C(1000000000)
#if defined(__x86_64__)
#define VECTORS NT_X86_XSTATE
#else
#define VECTORS NT_PRFPREG
#endif

static struct task *find(struct tasks *tasks, pid_t tid) {
  for (size_t i = 0; i < tasks->count; i++)
    if (tasks->all[i].tid == tid) return &tasks->all[i];
  return NULL;
}

/* Whether a thread has ended and still has an entry in /proc, as a main thread that called pthread_exit. */
static bool has_ended(pid_t pid, pid_t tid) {
  char *stat = proc_text("/proc/%d/task/%d/stat", pid, tid), *end = stat ? strrchr(stat, ')') : NULL;
  bool ended = !end || end[2] == 'Z' || end[2] == 'X';
  free(stat);
  return ended;
}

bool task_wait(pid_t tid, int *status, uint64_t until) {
  for (;;) {
    pid_t done = waitpid(tid, status, __WALL | WNOHANG);
    if (done == tid) return true;
    if (done < 0 && errno != EINTR) {
      *status = 0; /* as if it had exited */
      return true;
    }
    uint64_t time = now();
    if (time >= until) return false;
    struct timespec rest = {(time_t)((until - time) / 1000000000u), (long)((until - time) % 1000000000u)};
    /* Each change of a traced thread sends this program SIGCHLD, which is blocked. */
    sigset_t child;
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    sigtimedwait(&child, NULL, &rest);
  }
}

/* Whether a signal is pending for the thread that it does not block. */
static bool has_signal(pid_t pid, pid_t tid) {
  char *status = proc_text("/proc/%d/task/%d/status", pid, tid);
  uint64_t own = proc_number(status, "SigPnd", 16, 0), shared = proc_number(status, "ShdPnd", 16, 0);
  uint64_t blocked = proc_number(status, "SigBlk", 16, 0);
  free(status);
  return ((own | shared) & ~blocked) != 0;
}

/* Whether this is a call that a stop ends with EINTR, and that may be repeated, because nothing has happened yet. */
static bool may_be_repeated(uint64_t number) {
  switch (number) {
#if defined(__x86_64__)
  case SYS_epoll_wait:
#endif
  case SYS_epoll_pwait:
  case SYS_epoll_pwait2:
  case SYS_semop:
  case SYS_semtimedop:
  case SYS_rt_sigtimedwait:
  case SYS_io_getevents:
  case SYS_io_uring_enter:
  case SYS_read:
  case SYS_readv:
  case SYS_write:
  case SYS_writev:
  case SYS_recvfrom:
  case SYS_recvmsg:
  case SYS_recvmmsg:
  case SYS_sendto:
  case SYS_sendmsg:
  case SYS_sendmmsg:
  case SYS_accept:
  case SYS_accept4:
  case SYS_connect:
    return true;
  default:
    return false;
  }
}

/* Makes a thread repeat a call that the stop has ended with EINTR. This is done at once, so that it is done even if
 * this
 *    program ends before the thread goes on. */
static void cure_interruption(pid_t pid, const struct task *task) {
  registers general;
  struct iovec vector = {&general, sizeof general};
  if (task->signal || ptrace(PTRACE_GETREGSET, task->tid, NT_PRSTATUS, &vector) != 0) return;
#if defined(__x86_64__)
  if ((int64_t)general.orig_rax < 0 || (int64_t)general.rax != -EINTR || !may_be_repeated(general.orig_rax)) return;
  if (has_signal(pid, task->tid)) return;
  general.rax = general.orig_rax;
  general.orig_rax = (uint64_t)-1;
  general.rip -= 2;
#else
  int number = -1;
  struct iovec call = {&number, sizeof number};
  if (ptrace(PTRACE_GETREGSET, task->tid, NT_ARM_SYSTEM_CALL, &call) != 0 || number < 0) return;
  /* The result has overwritten the first argument, so the call cannot be repeated: it is left as it is. */
  (void)pid;
  (void)may_be_repeated;
  (void)has_signal;
  return;
#endif
  ptrace(PTRACE_SETREGSET, task->tid, NT_PRSTATUS, &vector);
}

/* Whether the thread seems to be in one of these calls now. */
static bool is_in_repeatable(pid_t pid, pid_t tid) {
  char *call = proc_text("/proc/%d/task/%d/syscall", pid, tid);
  bool is = call && call[0] >= '0' && call[0] <= '9' && may_be_repeated(strtoull(call, NULL, 10));
  free(call);
  return is;
}

/* Seizes the threads that are not seized yet. Returns their number. */
static size_t seize_new(struct tasks *tasks) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/task", tasks->pid);
  DIR *folder = opendir(path);
  if (!folder) refuse("has ended");
  size_t found = 0;
  for (struct dirent *entry; (entry = readdir(folder));) {
    pid_t tid = atoi(entry->d_name);
    if (tid <= 0 || find(tasks, tid)) continue;
    if (tasks->count == tasks->room) {
      struct task *larger = realloc(tasks->all, (tasks->room = tasks->room ? tasks->room * 2 : 64) * sizeof *larger);
      if (!larger) refuse("has too many threads");
      tasks->all = larger;
    }
    if (ptrace(PTRACE_SEIZE, tid, 0, 0) != 0) {
      int error = errno;
      if (error == ESRCH || has_ended(tasks->pid, tid)) continue;
      refuse_trace(tasks->pid, error);
    }
    tasks->all[tasks->count++] = (struct task){.tid = tid, .repeatable = is_in_repeatable(tasks->pid, tid)};
    found++;
  }
  closedir(folder);
  return found;
}

void tasks_seize(struct tasks *tasks, pid_t pid) {
  *tasks = (struct tasks){.pid = pid};
  seize_new(tasks);
  if (tasks->count == 0) refuse("has ended");
}

static bool await_stop(struct tasks *tasks, struct task *task, uint64_t until) {
  int status;
  if (!task_wait(task->tid, &status, until)) return false;
  task->gone = !WIFSTOPPED(status);
  task->stopped = !task->gone;
  /* Otherwise it was about to get a signal, and gets it when it goes on. */
  if (task->stopped && status >> 16 == 0) task->signal = WSTOPSIG(status);
  if (task->stopped) cure_interruption(tasks->pid, task);
  return true;
}

static bool stop_all(struct tasks *tasks, uint64_t until) {
  size_t interrupted = 0;
  do {
    /* Threads in such a call are stopped one after the other, so that each can repeat its call as soon as it has
       stopped. Then the others are stopped at once. */
    for (; interrupted < tasks->count; interrupted++) {
      struct task *task = &tasks->all[interrupted];
      ptrace(PTRACE_INTERRUPT, task->tid, 0, 0);
      if (task->repeatable && !await_stop(tasks, task, until)) return false;
    }
    for (size_t i = 0; i < tasks->count; i++) {
      struct task *task = &tasks->all[i];
      if (!task->stopped && !task->gone && !await_stop(tasks, task, until)) return false;
    }
    /* A thread that had not stopped yet may have started others. */
  } while (seize_new(tasks) > 0);
  return true;
}

/* Gives up. Threads that have stopped go on at once, the others as soon as they have stopped, too: none is left with a
 * stop that was only requested. */
static void give_up(struct tasks *tasks) {
  tasks_release(tasks);
  for (size_t i = 0; i < tasks->count; i++) {
    struct task *task = &tasks->all[i];
    if (!task->gone && !task->released && await_stop(tasks, task, now() + GRACE_NS)) tasks_release(tasks);
  }
}

bool tasks_stop(struct tasks *tasks, uint64_t limit) {
  if (stop_all(tasks, now() + limit)) return true;
  give_up(tasks);
  return false;
}

void tasks_read(struct tasks *tasks) {
  static uint8_t vectors[VECTORS_MAX];
  for (size_t i = 0; i < tasks->count; i++) {
    struct task *task = &tasks->all[i];
    if (!task->stopped) continue;
    struct iovec general = {&task->general, sizeof task->general};
    if (ptrace(PTRACE_GETREGSET, task->tid, NT_PRSTATUS, &general) != 0) {
      task->stopped = false;
      task->gone = true;
      continue;
    }
    struct iovec wide = {vectors, sizeof vectors};
    if (ptrace(PTRACE_GETREGSET, task->tid, VECTORS, &wide) == 0 && (task->vectors = malloc(wide.iov_len))) {
      task->vector_bytes = wide.iov_len & ~(size_t)7;
      memcpy(task->vectors, vectors, task->vector_bytes);
    }
#if defined(__x86_64__)
    task->stack_pointer = task->general.rsp;
    task->program_counter = task->general.rip;
    task->thread_pointer = task->general.fs_base;
#else
    task->stack_pointer = task->general.sp;
    task->program_counter = task->general.pc;
    struct iovec pointer = {&task->thread_pointer, sizeof task->thread_pointer};
    ptrace(PTRACE_GETREGSET, task->tid, NT_ARM_TLS, &pointer);
#endif
  }
}

void tasks_release(struct tasks *tasks) {
  for (size_t i = 0; i < tasks->count; i++) {
    struct task *task = &tasks->all[i];
    if (!task->stopped) continue;
    ptrace(PTRACE_DETACH, task->tid, 0, task->signal);
    task->stopped = false;
    task->released = true;
  }
}

void tasks_say(const struct tasks *tasks) {
  for (size_t i = 0; i < tasks->count; i++) {
    const struct task *task = &tasks->all[i];
    if (task->gone) continue;
    const uint32_t who[2] = {(uint32_t)task->tid, 0};
    const uint64_t where[3] = {task->stack_pointer, task->thread_pointer, task->program_counter};
    say(MH_LOOK_TASK,
        (struct part[]){{who, sizeof who},
                        {where, sizeof where},
                        {&task->general, sizeof task->general},
                        {task->vectors, task->vector_bytes}},
        4);
  }
}

_Static_assert(MH_TASK_STACK_POINTER == 8 && MH_TASK_REGISTERS == 32, "as tasks_say() has it");
