/* memhook-look: what its files share. README.md says what it is, and what it must never do. */
#pragma once
#define _GNU_SOURCE
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include "look_layout.h"

#define PAGE 4096u

/* ── message.c ───────────────────────────────────────────────────────────────────────────────────────────────────── */
struct part {
  const void *bytes;
  size_t count;
};
/* Sends a frame, if memview still reads. */
void say(uint32_t type, const struct part *parts, size_t count);
/* Sends why there will be no look, as a sentence without its subject, and ends this program. */
_Noreturn void refuse(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Receives a frame from memview. Returns its type, 0: there will be no more. `payload` has LOOK_READ's size. */
uint32_t hear(uint8_t payload[MH_READ_BYTES]);

/* ── proc.c ──────────────────────────────────────────────────────────────────────────────────────────────────────── */
/* Reads a whole file of /proc, ended by NUL. To be freed. NULL: it cannot be read. */
char *proc_text(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The number behind "Name:" at the beginning of a line; `fallback` if there is none. */
uint64_t proc_number(const char *text, const char *name, int base, uint64_t fallback);
/* Nanoseconds on the monotonic clock. */
uint64_t now(void);

/* ── maps.c ──────────────────────────────────────────────────────────────────────────────────────────────────────── */
struct mapping {
  uint64_t start, end, offset, device, inode;
  uint32_t flags; /* MH_MAPPING_… */
  char *path;     /* "": none */
};
struct maps {
  size_t count;
  struct mapping *all;
};
/* Every mapping of a process, in the order of addresses. `whole`: with the flags that only smaps has, which takes
   longer. */
bool maps_read(struct maps *maps, pid_t pid, bool whole);
const struct mapping *maps_at(const struct maps *maps, uint64_t address);
void maps_say(const struct maps *maps);

/* ── memory.c ────────────────────────────────────────────────────────────────────────────────────────────────────── */
struct memory {
  int contents, pages; /* /proc/PID/mem and pagemap; -1: not open */
};
bool memory_open(struct memory *memory, pid_t pid, bool writing);
void memory_close(struct memory *memory);
bool memory_get(const struct memory *memory, uint64_t address, void *to, size_t bytes);
bool memory_put(const struct memory *memory, uint64_t address, const void *from, size_t bytes);
/* Whether these pages hold nothing but zeros, or were never touched. */
bool memory_is_zero(const struct memory *memory, uint64_t address, size_t bytes);
/* Keeps the mapping's contents of now, to be sent instead of its later contents. False: there is too much. */
bool memory_keep(const struct memory *memory, const struct mapping *mapping);
/* Answers a LOOK_READ; `flags` are its READ_…. */
void memory_tell(const struct memory *memory, uint64_t address, uint64_t length, uint64_t flags);

/* ── tasks.c ─────────────────────────────────────────────────────────────────────────────────────────────────────── */
#if defined(__x86_64__)
#include <sys/user.h>
typedef struct user_regs_struct registers;
#else
struct aarch64_registers {
  uint64_t x[31], sp, pc, pstate;
};
typedef struct aarch64_registers registers;
#endif
#define VECTORS_MAX 16384

struct task {
  pid_t tid;
  bool stopped, gone; /* gone: it has ended */
  bool released;      /* it is no longer traced */
  bool repeatable;    /* it is in a call that a stop ends with EINTR */
  int signal;         /* the signal that it was about to get */
  registers general;
  uint64_t stack_pointer, thread_pointer, program_counter;
  size_t vector_bytes;
  uint8_t *vectors;
};
struct tasks {
  pid_t pid;
  size_t count, room;
  struct task *all;
};
/* Begins to trace every thread, without stopping it. */
void tasks_seize(struct tasks *tasks, pid_t pid);
/* Stops them all, and those that they have started meanwhile. If one does not stop within `limit` nanoseconds, all are
 * released again. Then it returns false. */
bool tasks_stop(struct tasks *tasks, uint64_t limit);
void tasks_read(struct tasks *tasks);
/* Lets them go on as if nothing had happened. */
void tasks_release(struct tasks *tasks);
void tasks_say(const struct tasks *tasks);
/* Waits for a change of a thread's state. False: there was none before `until`. */
bool task_wait(pid_t tid, int *status, uint64_t until);

/* ── inject.c ────────────────────────────────────────────────────────────────────────────────────────────────────── */
/* Addresses of code in the process that makes a system call. */
struct gadgets {
  uint64_t call;    /* syscall; ret */
  uint64_t restore; /* what a signal handler returns to */
};
bool gadgets_find(struct gadgets *gadgets, const struct maps *maps, const struct memory *memory);
/* Makes a snapshot of the process. Returns its id; -1: no thread can be used for it, or the kernel refuses. */
pid_t inject_clone(struct tasks *tasks, const struct gadgets *gadgets, const struct maps *maps,
                   const struct memory *memory);
/* Makes the process wait for its ended child, and so forget it. */
void inject_reap(struct tasks *tasks, const struct gadgets *gadgets, const struct maps *maps,
                 const struct memory *memory, pid_t child);

/* ── reason.c ────────────────────────────────────────────────────────────────────────────────────────────────────── */
/* Refuses, with the reason why the process cannot be traced. */
_Noreturn void refuse_trace(pid_t pid, int error);
/* Whether a copy of the process may need too much memory, of the machine or of its control group. */
bool memory_short(pid_t pid, uint64_t resident);
