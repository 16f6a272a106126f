/* The instructions of libmemhook.so that a piece of a program takes, told by single steps (the processor's trap flag),
 * and a breakpoint at any of them, at which the program's act() is called in the signal handler. x86-64 alone.
 *
 *     steps_find();                            once
 *     steps_collect(alone); …; clear_trap();   what is between them is stepped through, and added to steps->at
 *     steps_stop_at(n); …; steps_go_on();      what is between them stops at the instruction steps->at[n], once
 */
#pragma once
#include <link.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <ucontext.h>

#include "program.h"

enum { TRAP_FLAG = 0x100, BREAKPOINT = 0xcc };

/* What the stopped thread does; it goes on when this returns. `held`: it holds
 * signals back, and no other handler would run there. */
static void act(bool held);

static struct {
  long taken, count;
  uint8_t *at[32768];
  bool known[1 << 20];
} *steps; /* shared with children, which may be the ones to collect */

static uintptr_t library_start, library_end;
static bool is_own(uintptr_t pc) {
  return pc >= library_start && pc < library_end;
}

static bool even_held; /* collects what is done with signals held back, too */
static bool is_stepped;
static long most_steps; /* of one operation */
static long stopping_at = -1;
static uint8_t replaced; /* by the breakpoint */

void set_trap(void);
void clear_trap(void);
__asm__("set_trap:\n\tpushfq\n\torq $0x100, (%rsp)\n\tpopfq\n\tret\n"
        "clear_trap:\n\tpushfq\n\tandq $~0x100, (%rsp)\n\tpopfq\n\tret\n");

/* Whom the library calls is not stepped through, if it is collected alone: a
 * breakpoint stands where it goes on. It does not behind a jump. */
static bool own_alone;
static uint8_t *goes_on, replaced_there;

static void collect(ucontext_t *context, bool held) {
  static uintptr_t before; /* the stack pointer */
  static bool was_own;
  if (++steps->taken > most_steps) context->uc_mcontext.gregs[REG_EFL] &= ~TRAP_FLAG;
  uintptr_t pc = (uintptr_t)context->uc_mcontext.gregs[REG_RIP], stack = (uintptr_t)context->uc_mcontext.gregs[REG_RSP];
  bool own = is_own(pc), called = was_own && !own && stack <= before;
  was_own = own;
  before = stack;
  if (own_alone && called) {
    context->uc_mcontext.gregs[REG_EFL] &= ~TRAP_FLAG;
    uintptr_t caller = *(uintptr_t *)stack;
    if (!is_own(caller)) return;
    goes_on = (uint8_t *)caller;
    replaced_there = *goes_on;
    *goes_on = BREAKPOINT;
  }
  if (!own || (held && !even_held)) return;
  bool *known = &steps->known[(pc - library_start) % sizeof steps->known];
  if (*known || steps->count == (long)(sizeof steps->at / sizeof *steps->at)) return;
  *known = true;
  steps->at[steps->count++] = (uint8_t *)pc;
}

static bool goes_on_at(ucontext_t *context) {
  if (!goes_on || context->uc_mcontext.gregs[REG_RIP] != (greg_t)goes_on + 1) return false;
  *goes_on = replaced_there;
  goes_on = NULL;
  context->uc_mcontext.gregs[REG_RIP] -= 1;
  context->uc_mcontext.gregs[REG_EFL] |= TRAP_FLAG;
  return true;
}

static void steps_go_on(void) {
  if (stopping_at >= 0) *steps->at[stopping_at] = replaced;
  stopping_at = -1;
}

static void on_trap(int signal, siginfo_t *info, void *interrupted) {
  (void)signal, (void)info;
  ucontext_t *context = interrupted;
  bool held = sigismember(&context->uc_sigmask, SIGALRM);
  if (goes_on_at(context) || stopping_at < 0) return collect(context, held);
  steps_go_on();
  context->uc_mcontext.gregs[REG_RIP] -= 1;
  act(held);
}

static void steps_collect(bool alone) {
  own_alone = alone;
  is_stepped = true;
  set_trap();
}

static void steps_stop_at(long number) {
  replaced = *steps->at[number];
  *steps->at[number] = BREAKPOINT;
  stopping_at = number;
}

/* Instructions that were collected already are not again. */
static void steps_begin(void) {
  steps->taken = steps->count = 0;
}

static int find_library(struct dl_phdr_info *info, size_t size, void *unused) {
  (void)size, (void)unused;
  if (!strstr(info->dlpi_name, "libmemhook")) return 0;
  for (int i = 0; i < info->dlpi_phnum; i++) {
    if (info->dlpi_phdr[i].p_type != PT_LOAD || !(info->dlpi_phdr[i].p_flags & PF_X)) continue;
    library_start = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr;
    library_end = library_start + info->dlpi_phdr[i].p_memsz;
  }
  return 1;
}

static void steps_find(void) {
  steps = mmap(NULL, sizeof *steps, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  CHECK(steps != MAP_FAILED);
  dl_iterate_phdr(find_library, NULL);
  CHECK(library_start);
  uintptr_t start = library_start & ~(uintptr_t)4095;
  CHECK(mprotect((void *)start, library_end - start, PROT_READ | PROT_WRITE | PROT_EXEC) == 0);
  struct sigaction handling = {.sa_sigaction = on_trap, .sa_flags = SA_SIGINFO | SA_RESTART};
  CHECK(sigaction(SIGTRAP, &handling, NULL) == 0);
}
