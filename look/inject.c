/* Makes a system call in a stopped thread of the process; on x86-64.
 *
 * This program may be killed at any instant. Then the thread runs on with the registers that it has at that moment. So
 * it gets registers that lead it back by itself:
 *
 *     rip ─▶ syscall                       the call that we want
 *            ret ──────────────┐           to what the stack pointer leads to:
 *     rsp ─▶ [restore] ◀───────┘           the code that a signal handler returns to, which has the kernel load
 *            [context]                     all registers and the signal mask, as they were, from here
 *
 * While this program lives, the thread never gets that far. It stops at the call's exit, and its own registers are put
 * back. The kernel's state of an interrupted call is not touched. The snapshot that clone makes has a stack pointer of
 * its own, which leads it to exit_group. It is stopped at its birth, and killed when this program ends.
 *
 * All this is written to empty pages of the thread's stack, far from the stack pointer, which are filled with zeros
 * again afterwards. Meanwhile signals are blocked, in this thread alone.
 */
#include "look.h"
#if defined(__x86_64__)
#include <cpuid.h>
#include <elf.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>

#define SCRATCH_BYTES (4 * PAGE)
#define WAIT_NS UINT64_C(1000000000)
/* The room below, which a signal handler may need. */
#define HANDLER_BYTES (16 * PAGE)
#define SEARCH_BYTES (UINT64_C(64) << 20)

/* struct ucontext of the kernel. */
struct context {
  uint64_t flags, link, stack, stack_flags, stack_bytes;
  uint64_t r8, r9, r10, r11, r12, r13, r14, r15, rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip, eflags;
  uint16_t cs, gs, fs, ss;
  uint64_t error, trap, old_mask, cr2, vectors, reserved[8];
  uint64_t mask;
};
_Static_assert(sizeof(struct context) == 40 + 256 + 8, "as in the kernel");

#define CONTEXT_XSTATE 1
#define CONTEXT_SS 6
#define STACK_INVALID 7 /* flags with which the kernel leaves the alternate stack as it is */

struct way_back {
  uint64_t restore;
  struct context context;
};

/* syscall; ret */
static const uint8_t call_code[] = {0x0f, 0x05, 0xc3};
/* mov $15, %rax; syscall */
static const uint8_t restore_code[] = {0x48, 0xc7, 0xc0, 0x0f, 0x00, 0x00, 0x00, 0x0f, 0x05};

static uint64_t find_code(const uint8_t *in, size_t bytes, const uint8_t *code, size_t length) {
  const uint8_t *found = memmem(in, bytes, code, length);
  return found ? (uint64_t)(found - in) : UINT64_MAX;
}

bool gadgets_find(struct gadgets *gadgets, const struct maps *maps, const struct memory *memory) {
  *gadgets = (struct gadgets){0};
  uint64_t searched = 0;
  /* libc has both. In most processes it is mapped behind the program and its other libraries. */
  for (size_t i = maps->count; i-- > 0 && searched < SEARCH_BYTES;) {
    const struct mapping *its = &maps->all[i];
    if (!(its->flags & MH_MAPPING_EXECUTABLE) || !(its->flags & MH_MAPPING_READABLE)) continue;
    size_t bytes = its->end - its->start;
    if (its->inode == 0 || bytes > SEARCH_BYTES) continue;
    uint8_t *code = malloc(bytes);
    if (!code) return false;
    searched += bytes;
    if (memory_get(memory, its->start, code, bytes)) {
      uint64_t call = find_code(code, bytes, call_code, sizeof call_code);
      uint64_t restore = find_code(code, bytes, restore_code, sizeof restore_code);
      if (call != UINT64_MAX && !gadgets->call) gadgets->call = its->start + call;
      if (restore != UINT64_MAX && !gadgets->restore) gadgets->restore = its->start + restore;
    }
    free(code);
    if (gadgets->call && gadgets->restore) return true;
  }
  return false;
}

/* The address of empty pages in the thread's own stack, or 0. */
static uint64_t scratch_of(const struct task *task, const struct maps *maps, const struct memory *memory) {
  const struct mapping *stack = maps_at(maps, task->stack_pointer);
  if (!stack || !(stack->flags & MH_MAPPING_WRITABLE) || stack->flags & MH_MAPPING_SHARED) return 0;
  /* The thread pointer points to the end of a thread's stack. The first thread's stack has a name. */
  bool own = strcmp(stack->path, "[stack]") == 0 ||
             (task->thread_pointer > task->stack_pointer && task->thread_pointer < stack->end);
  if (!own) return 0;
  for (uint64_t at = stack->start + HANDLER_BYTES; at + SCRATCH_BYTES + PAGE < task->stack_pointer; at += PAGE)
    if (memory_is_zero(memory, at, SCRATCH_BYTES)) return at;
  return 0;
}

/* The bytes of the extended state that the kernel takes from a signal handler's frame. */
static size_t vectors_for_context(struct task *task) {
  uint64_t features;
  if (task->vector_bytes < 576) return 0;
  memcpy(&features, task->vectors + 464, 8);
  features &= ~(UINT64_C(3) << 17); /* without tiles, for which a process must ask */
  size_t end = 576;
  for (unsigned bit = 2; bit < 63; bit++) {
    unsigned bytes, offset, flags, unused;
    if (!(features >> bit & 1) || !__get_cpuid_count(13, bit, &bytes, &offset, &flags, &unused)) continue;
    if (offset + bytes > end) end = offset + bytes;
  }
  if (end > task->vector_bytes) return 0;
  const uint32_t head[5] = {0x46505853, (uint32_t)end + 4, (uint32_t)features, (uint32_t)(features >> 32),
                            (uint32_t)end};
  memcpy(task->vectors + 464, head, sizeof head);
  return end;
}

/* The registers with which the thread itself would go on: an interrupted call is made again. */
static registers rewound(registers general) {
  int64_t result = (int64_t)general.rax;
  bool again = result == -512 || result == -513 || result == -514 || result == -516; /* ERESTART… */
  if ((int64_t)general.orig_rax >= 0 && again) {
    general.rax = general.orig_rax;
    general.rip -= 2;
  }
  return general;
}

static struct context context_of(const registers *its, uint64_t mask, uint64_t vectors) {
  return (struct context){.flags = CONTEXT_SS | (vectors ? CONTEXT_XSTATE : 0),
                          .stack_flags = STACK_INVALID,
                          .r8 = its->r8, .r9 = its->r9, .r10 = its->r10, .r11 = its->r11,
                          .r12 = its->r12, .r13 = its->r13, .r14 = its->r14, .r15 = its->r15,
                          .rdi = its->rdi, .rsi = its->rsi, .rbp = its->rbp, .rbx = its->rbx,
                          .rdx = its->rdx, .rax = its->rax, .rcx = its->rcx, .rsp = its->rsp,
                          .rip = its->rip, .eflags = its->eflags,
                          .cs = (uint16_t)its->cs, .ss = (uint16_t)its->ss,
                          .vectors = vectors,
                          .mask = mask};
}

struct scratch {
  uint64_t at, stack, child_stack;
  size_t bytes;
};

/* Writes the frames that lead the thread back, and the snapshot to its end. */
static bool prepare(struct scratch *scratch, struct task *task, uint64_t mask, const struct gadgets *gadgets,
                    const struct maps *maps, const struct memory *memory) {
  uint8_t frame[SCRATCH_BYTES] = {0};
  size_t bytes = vectors_for_context(task), at = 1024;
  *scratch = (struct scratch){.at = scratch_of(task, maps, memory)};
  if (!scratch->at || at + bytes + 4 > sizeof frame) return false;
  const registers own = rewound(task->general);
  const struct way_back way = {gadgets->restore, context_of(&own, mask, bytes ? scratch->at + at : 0)};
  registers ending = own;
  ending.rip = gadgets->call;
  ending.rax = SYS_exit_group;
  ending.rdi = 0;
  ending.rsp = scratch->at + sizeof frame - 64;
  const struct way_back end = {gadgets->restore, context_of(&ending, ~UINT64_C(0), 0)};
  scratch->stack = scratch->at;
  scratch->child_stack = scratch->at + 512;
  memcpy(frame, &way, sizeof way);
  memcpy(frame + 512, &end, sizeof end);
  memcpy(frame + at, task->vectors, bytes);
  const uint32_t magic = 0x46505845;
  if (bytes) memcpy(frame + at + bytes, &magic, sizeof magic);
  /* Only so much, so that no more pages are touched. */
  scratch->bytes = at + bytes + sizeof magic;
  return memory_put(memory, scratch->at, frame, scratch->bytes);
}

static void tidy(const struct scratch *scratch, const struct memory *memory) {
  static const uint8_t zeros[SCRATCH_BYTES];
  memory_put(memory, scratch->at, zeros, scratch->bytes);
}

/* Lets the thread go on to the call's entry or exit. False: the thread has ended. `born` receives a new child. */
static bool step(pid_t tid, pid_t *born) {
  for (;;) {
    int status;
    if (ptrace(PTRACE_SYSCALL, tid, 0, 0) != 0) return false;
    /* The kernel never takes that long here. But waiting for ever would help nobody. */
    if (!task_wait(tid, &status, now() + WAIT_NS)) exit(1);
    if (!WIFSTOPPED(status)) return false;
    if (WSTOPSIG(status) == (SIGTRAP | 0x80)) return true;
    if (status >> 8 == (SIGTRAP | PTRACE_EVENT_CLONE << 8)) {
      unsigned long child = 0;
      ptrace(PTRACE_GETEVENTMSG, tid, 0, &child);
      if (!born) continue;
      *born = (pid_t)child;
      if (task_wait(*born, &status, now() + WAIT_NS) && WIFSTOPPED(status))
        ptrace(PTRACE_SETOPTIONS, *born, 0, PTRACE_O_EXITKILL);
    }
  }
}

/* Makes the call in a stopped thread. False: this thread cannot be used for it. */
static bool call(struct task *task, const struct gadgets *gadgets, const struct maps *maps, const struct memory *memory,
                 uint64_t number, const uint64_t arguments[4], bool new_stack, int64_t *result, pid_t *born) {
  const uint64_t all = ~UINT64_C(0);
  uint64_t mask;
  struct scratch scratch;
  registers general = task->general;
  if (task->signal || ptrace(PTRACE_GETSIGMASK, task->tid, (void *)8, &mask) != 0) return false;
  if (!prepare(&scratch, task, mask, gadgets, maps, memory)) return false;
  general.rip = gadgets->call;
  general.rsp = scratch.stack;
  general.rax = number;
  general.orig_rax = (uint64_t)-1;
  general.rdi = arguments[0];
  general.rsi = new_stack ? scratch.child_stack : arguments[1];
  general.rdx = arguments[2];
  general.r10 = arguments[3];
  general.r8 = general.r9 = 0;
  struct iovec ours = {&general, sizeof general}, own = {&task->general, sizeof task->general};
  if (ptrace(PTRACE_SETOPTIONS, task->tid, 0, PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE) != 0) return false;
  /* From here on the thread can return by itself. The registers are set before the signal mask, and reset after it. */
  if (ptrace(PTRACE_SETREGSET, task->tid, NT_PRSTATUS, &ours) != 0) return false;
  ptrace(PTRACE_SETSIGMASK, task->tid, (void *)8, &all);
  bool alive = step(task->tid, born) && step(task->tid, born);
  if (alive) {
    ptrace(PTRACE_GETREGSET, task->tid, NT_PRSTATUS, &ours);
    *result = (int64_t)general.rax;
    ptrace(PTRACE_SETSIGMASK, task->tid, (void *)8, &mask);
    ptrace(PTRACE_SETREGSET, task->tid, NT_PRSTATUS, &own);
    ptrace(PTRACE_SETOPTIONS, task->tid, 0, 0);
    tidy(&scratch, memory);
  } else {
    task->stopped = false;
    task->gone = true;
    *result = -1;
  }
  return true;
}

pid_t inject_clone(struct tasks *tasks, const struct gadgets *gadgets, const struct maps *maps,
                   const struct memory *memory) {
  /* The snapshot shares descriptors and directory, so that no pipe has another writer. Its end sends no signal. */
  const uint64_t arguments[4] = {CLONE_FILES | CLONE_FS};
  for (size_t i = 0; i < tasks->count; i++) {
    struct task *task = &tasks->all[i];
    int64_t result;
    pid_t born = -1;
    if (!task->stopped || !call(task, gadgets, maps, memory, SYS_clone, arguments, true, &result, &born)) continue;
    return result > 0 || born > 0 ? born : -1;
  }
  return -1;
}

void inject_reap(struct tasks *tasks, const struct gadgets *gadgets, const struct maps *maps,
                 const struct memory *memory, pid_t child) {
  const uint64_t arguments[4] = {(uint64_t)child, 0, WNOHANG | __WALL, 0};
  for (size_t i = 0; i < tasks->count; i++) {
    int64_t result;
    if (tasks->all[i].stopped &&
        call(&tasks->all[i], gadgets, maps, memory, SYS_wait4, arguments, false, &result, NULL))
      return;
  }
}

#else

bool gadgets_find(struct gadgets *gadgets, const struct maps *maps, const struct memory *memory) {
  (void)gadgets, (void)maps, (void)memory;
  return false;
}

pid_t inject_clone(struct tasks *tasks, const struct gadgets *gadgets, const struct maps *maps,
                   const struct memory *memory) {
  (void)tasks, (void)gadgets, (void)maps, (void)memory;
  return -1;
}

void inject_reap(struct tasks *tasks, const struct gadgets *gadgets, const struct maps *maps,
                 const struct memory *memory, pid_t child) {
  (void)tasks, (void)gadgets, (void)maps, (void)memory, (void)child;
}
#endif
