/* Some time after a fork, frees are as fast as before it. Argument: what the child does (exits; executes; is-killed;
 * begins; leaves, by the bare system call; waits, for ever). Then the parent frees, and counts in single steps the
 * instructions of libmemhook.so that a free takes. Prints `before COUNT after COUNT`, which must be equal.
 */
#define _GNU_SOURCE 1
#include <link.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <ucontext.h>

#include "program.h"

enum { FREES = 1100000 };

static uintptr_t library_start, library_end;
static volatile long steps;

static void on_trap(int signal, siginfo_t *info, void *interrupted) {
  (void)signal, (void)info;
  uintptr_t pc = (uintptr_t)((ucontext_t *)interrupted)->uc_mcontext.gregs[REG_RIP];
  if (pc >= library_start && pc < library_end) steps++;
}

void set_trap(void);
void clear_trap(void);
__asm__("set_trap:\n\tpushfq\n\torq $0x100, (%rsp)\n\tpopfq\n\tret\n"
        "clear_trap:\n\tpushfq\n\tandq $~0x100, (%rsp)\n\tpopfq\n\tret\n");

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

/* The least of some frees: now and then one has more to do. */
static long count_instructions(void) {
  long least = 1000000;
  for (int i = 0; i < 5; i++) {
    void *volatile block = malloc(64);
    steps = 0;
    set_trap();
    free(block);
    clear_trap();
    if (steps < least) least = steps;
  }
  return least;
}

int main(int argc, char **argv) {
  if (argc == 1) return 0; /* the program that the child executes */
  CHECK(argc == 2);
  const char *fate = argv[1];
  struct sigaction handling = {.sa_sigaction = on_trap, .sa_flags = SA_SIGINFO};
  CHECK(sigaction(SIGTRAP, &handling, NULL) == 0);
  dl_iterate_phdr(find_library, NULL);
  static void *old[1000];
  for (int i = 0; i < 1000; i++) old[i] = malloc(100);
  for (int i = 0; i < 100; i++) free(malloc(64));
  long before = count_instructions();
  int ready[2];
  CHECK(pipe(ready) == 0);
  pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    CHECK(write(ready[1], "", 1) == 1);
    if (strcmp(fate, "exits") == 0) _exit(0);
    if (strcmp(fate, "leaves") == 0) __asm__ volatile("syscall" : : "a"(SYS_exit_group), "D"(0));
    if (strcmp(fate, "executes") == 0) execve("/proc/self/exe", (char *[]){argv[0], NULL}, (char *[]){NULL});
    if (strcmp(fate, "begins") == 0) free(malloc(1));
    for (;;) pause();
  }
  int ends = strcmp(fate, "exits") == 0 || strcmp(fate, "leaves") == 0 || strcmp(fate, "executes") == 0;
  char byte;
  CHECK(read(ready[0], &byte, 1) == 1);
  if (strcmp(fate, "is-killed") == 0) CHECK(kill(child, SIGKILL) == 0);
  siginfo_t end;
  /* A child that ended is left a zombie for a while: it wants nothing any more. */
  if (ends || strcmp(fate, "is-killed") == 0) CHECK(waitid(P_PID, (id_t)child, &end, WEXITED | WNOWAIT) == 0);
  for (int i = 0; i < 1000; i++) free(old[i]);
  int frees = strcmp(fate, "waits") == 0 ? FREES : strcmp(fate, "begins") == 0 ? 0 : 2000;
  for (int i = 0; i < frees; i++) free(malloc(64));
  long after = count_instructions();
  /* When it begins is the child's own business: as soon as it has. */
  for (int i = 0; strcmp(fate, "begins") == 0 && after > before && i < 100000; i++) after = count_instructions();
  kill(child, SIGKILL);
  CHECK(waitpid(child, NULL, 0) == child);
  say("before %ld after %ld\n", before, after);
  return 0;
}
