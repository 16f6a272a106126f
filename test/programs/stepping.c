/* Interrupts hooks at each of their instructions. Arguments: ACTION FIRST EVERY [OPERATION], all without one.
 *
 * An operation, a call of one of memhook's hooks, is made in single steps (the processor's trap flag), which tells the instructions of
 * libmemhook.so that it takes and no other before it took. Then it is made once for each of these, the FIRST and EVERY so many later: there a
 * breakpoint instruction stands, and the signal handler acts. Where the library holds signals back no handler would run, and this one does nothing.
 *
 *   fork, _Fork, clone, instruction
 *                        makes a child by that call, or without any; parent and child return from the handler, the child allocates on, also in a thread
 *                        after fork, and ends with 0. With an even number the parent waits in the handler, with an odd one afterwards.
 *   jump                 leaves by siglongjmp
 *   stay                 leaves a thread by siglongjmp, which then calls nothing: meanwhile another one allocates from a stack that was never there.
 *                        Every second time it calls a hook and nothing then, and the other thread also maps and allocates much.
 *   end                  ends the thread, by turns with pthread_exit and with the bare system call
 *
 * Afterwards everything is recorded as ever. Live then:
 *
 * live 500 x 200 heap before
 * live 20 x 8192 mmap before
 * live 10 x 321 heap afterwards
 * live 10 x 123 heap elsewhere
 * live 1 x 65536 mmap afterwards
 *
 * and whatever `operate` left, and with stay for each time one block of 99 bytes from `beside`, and
 * for each time that `asked COUNT` tells, one of 300000 and a mapping of 20480. Prints `acted COUNT in all`, a line that begins with `bad` for every child that did not end with 0, and
 * `child PID` for every other: in its store, if it has one, is what was `before`, and
 *
 * child live 500 x 200 heap before
 * child live 20 x 8192 mmap before
 * child live 5 x 77 heap in_child
 */
#define _GNU_SOURCE 1
#include <dlfcn.h>
#include <link.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <ucontext.h>

#include "../../preload/memhook.h"
#include "program.h"

enum { TRAP_FLAG = 0x100, MAPPING = 8192, WAYS = 12 };

static const char *action;
static uintptr_t library_start, library_end;
static sigjmp_buf back;
static uint8_t *instructions[32768];   /* those of the operation */
static long count;
static long target;                    /* which of them to act at; -1: they are collected; -2: neither */
static uint8_t replaced;               /* by the breakpoint */
static volatile bool acted, is_child;
static volatile pid_t waiting_for;
static unsigned way;                   /* of the next call stack that was never there */
static void *block, *map;
static void *(*operator_new)(size_t);
static void (*operator_delete)(void *);

/* ── Operations: before() and after() are not stepped through ────────────────────────────────────── */

static void nothing(void) {}
static void make_block(void) {
  block = malloc(64);
}
static void make_large_block(void) {
  block = malloc(200000);
}
static void make_map(void) {
  map = mmap(NULL, 3 * MAPPING, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}
/* So many that some of them are counted. */
static void *several[20];
static void make_several(void) {
  for (int i = 0; i < 20; i++) several[i] = malloc(64);
}
static void do_free_several(void) {
  for (int i = 0; i < 20; i++) {
    void *volatile old = several[i];
    several[i] = NULL;
    free(old);
  }
}
static void do_malloc(void) {
  block = malloc(64);
}
NOINLINE static void malloc_far_away(unsigned left, unsigned ways);
NOINLINE static void one_way(unsigned left, unsigned ways) {
  malloc_far_away(left, ways);
}
NOINLINE static void other_way(unsigned left, unsigned ways) {
  malloc_far_away(left, ways);
}
NOINLINE static void malloc_far_away(unsigned left, unsigned ways) {
  if (left == 0)
    block = malloc(64);
  else
    (ways & 1 ? one_way : other_way)(left - 1, ways >> 1);
}
static void do_malloc_new(void) {
  malloc_far_away(WAYS, way++);
}
static void do_malloc_large(void) {
  make_large_block();
}
static void do_calloc(void) {
  block = calloc(4, 16);
}
static void do_posix_memalign(void) {
  if (posix_memalign(&block, 64, 64)) block = NULL;
}
static void do_new(void) {
  block = operator_new(64);
}
static void do_delete(void) {
  void *volatile old = block;
  block = NULL;
  operator_delete(old);
}
static void do_free(void) {
  void *volatile old = block;
  block = NULL;
  free(old);
}
static void do_realloc(void) {
  void *old = block;
  block = NULL;
  block = realloc(old, 3000);
}
static void do_mmap(void) {
  make_map();
}
static void do_munmap(void) {
  munmap(map, 3 * MAPPING);
}
static void do_munmap_part(void) {
  munmap((char *)map + MAPPING, MAPPING);
}
static void do_mremap(void) {
  void *moved = mremap(map, 3 * MAPPING, 5 * MAPPING, MREMAP_MAYMOVE);
  if (moved != MAP_FAILED) munmap(moved, 5 * MAPPING);
}
static void do_pool(void) {
  static char pool[64];
  memhook_alloc(pool, sizeof pool);
  memhook_free(pool);
}
static void do_failing_exec(void) {
  char *none[] = {NULL};
  execve("/nowhere", none, none);
}

static const struct operation {
  const char *name;
  void (*before)(void), (*run)(void);
} operations[] = {
    {"malloc", nothing, do_malloc},
    {"malloc-new", nothing, do_malloc_new},
    {"malloc-large", nothing, do_malloc_large},
    {"calloc", nothing, do_calloc},
    {"posix_memalign", nothing, do_posix_memalign},
    {"new", nothing, do_new},
    {"delete", make_block, do_delete},
    {"free", make_block, do_free},
    {"free-large", make_large_block, do_free},
    {"free-several", make_several, do_free_several},
    {"realloc", make_block, do_realloc},
    {"realloc-large", make_large_block, do_realloc},
    {"mmap", nothing, do_mmap},
    {"munmap", make_map, do_munmap},
    {"munmap-part", make_map, do_munmap_part},
    {"mremap", make_map, do_mremap},
    {"pool", nothing, do_pool},
    {"exec", nothing, do_failing_exec},
};

/* ── What the handler does ───────────────────────────────────────────────────────────────────────── */

static void await(pid_t child) {
  int status = -1;
  CHECK(waitpid(child, &status, 0) == child);
  if (status != 0) say("bad child at %ld, +0x%zx: status 0x%x\n", target, (size_t)((uintptr_t)instructions[target] - library_start), (unsigned)status);
}

static void make_child(void) {
  static pid_t (*under_fork)(void);
  if (!under_fork) *(void **)&under_fork = dlsym(RTLD_DEFAULT, "_Fork");
  pid_t child;
  if (strcmp(action, "_Fork") == 0 && under_fork)
    child = under_fork();
  else if (strcmp(action, "fork") == 0)
    child = fork();
  else if (strcmp(action, "instruction") == 0)
    child = (pid_t)fork_by_instruction();
  else
    child = (pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, 0);
  if (child == 0) {
    is_child = true;
    alarm(20);
  } else if (child > 0 && target % 2 == 0) {
    await(child);
  } else {
    waiting_for = child;
  }
}

static bool is_new(const uint8_t *pc) {
  static bool known[1 << 20];
  bool *place = &known[((uintptr_t)pc - library_start) % sizeof known], before = *place;
  *place = true;
  return !before;
}

static void on_trap(int signal, siginfo_t *info, void *interrupted) {
  (void)signal, (void)info;
  ucontext_t *context = interrupted;
  greg_t *pc = &context->uc_mcontext.gregs[REG_RIP];
  bool held = sigismember(&context->uc_sigmask, SIGALRM);
  if (target < 0) {
    bool ours = (uintptr_t)*pc >= library_start && (uintptr_t)*pc < library_end;
    if (ours && !held && count < (long)(sizeof instructions / sizeof *instructions) && is_new((uint8_t *)*pc)) instructions[count++] = (uint8_t *)*pc;
    return;
  }
  *instructions[target] = replaced;
  *pc -= 1;
  if (held) return;
  acted = true;
  if (strcmp(action, "jump") == 0 || strcmp(action, "stay") == 0) siglongjmp(back, 1);
  if (strcmp(action, "end") != 0) return make_child();
  if (target % 2) pthread_exit(NULL);
  syscall(SYS_exit, 0);
}

/* ── Stepping ────────────────────────────────────────────────────────────────────────────────────── */

void set_trap(void);
void clear_trap(void);
__asm__("set_trap:\n\tpushfq\n\torq $0x100, (%rsp)\n\tpopfq\n\tret\n"
        "clear_trap:\n\tpushfq\n\tandq $~0x100, (%rsp)\n\tpopfq\n\tret\n");

NOINLINE static void operate(const struct operation *operation) {
  block = map = NULL;
  operation->before();
  if (sigsetjmp(back, 1) == 0) {
    if (target == -1) set_trap();
    if (target >= 0)
      replaced = *instructions[target], *instructions[target] = 0xcc;
    operation->run();
    clear_trap();
  }
  if (target >= 0) *instructions[target] = replaced;
}

static void *operate_in_thread(void *operation) {
  operate(operation);
  return NULL;
}

static volatile int stage; /* 1: the thread has jumped out, or come to the end; 2: it may go on */

static void *operate_and_stay(void *operation) {
  operate(operation);
  if (target % 2) free(malloc(64));
  stage = 1;
  while (stage != 2) syscall(SYS_sched_yield);
  return NULL;
}

NOINLINE static void beside(unsigned left, unsigned ways);
NOINLINE static void beside_it(unsigned left, unsigned ways) {
  beside(left, ways);
}
static long asked;

NOINLINE static void beside(unsigned left, unsigned ways) {
  if (left == 0) {
    CHECK(malloc(99) != NULL);
    if (target % 2 == 0) return;
    CHECK(malloc(300000) != NULL);
    CHECK(mmap(NULL, 20480, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED);
    asked++;
  } else
    (ways & 1 ? beside : beside_it)(left - 1, ways >> 1);
}

static void operate_beside(const struct operation *operation) {
  pthread_t thread;
  stage = 0;
  CHECK(pthread_create(&thread, NULL, operate_and_stay, (void *)(uintptr_t)operation) == 0);
  while (stage != 1) syscall(SYS_sched_yield);
  if (acted) beside(WAYS, way++);
  stage = 2;
  CHECK(pthread_join(thread, NULL) == 0);
}

static void in_thread(void *(*run)(void *), void *argument) {
  pthread_t thread;
  CHECK(pthread_create(&thread, NULL, run, argument) == 0);
  CHECK(pthread_join(thread, NULL) == 0);
}

static void *allocate_in_thread(void *unused) {
  for (int i = 0; i < 20; i++) free(malloc(40));
  return unused;
}

/* A child goes on when the interrupted hook is over. */
NOINLINE static void in_child(void) {
  for (int i = 0; i < 100; i++) free(malloc((size_t)i));
  for (int i = 0; i < 5; i++) CHECK(malloc(77) != NULL);
  for (int i = 0; i < 5; i++) malloc_far_away(WAYS, 4095 - (unsigned)i), free(block);
  make_map();
  munmap(map, 3 * MAPPING);
  if (strcmp(action, "fork") == 0) in_thread(allocate_in_thread, NULL);
  say("child %d\n", (int)getpid());
  _exit(0);
}

NOINLINE static void before(void) {
  for (int i = 0; i < 500; i++) CHECK(malloc(200) != NULL);
  for (int i = 0; i < 20; i++)
    CHECK(mmap(NULL, MAPPING, i % 2 ? PROT_READ : PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED);
}

NOINLINE static void afterwards(void) {
  for (int i = 0; i < 10; i++) keep(malloc(321), 321);
  CHECK(mmap(NULL, 65536, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED);
}

NOINLINE static void *elsewhere(void *unused) {
  for (int i = 0; i < 10; i++) keep(malloc(123), 123);
  return unused;
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

static void find_functions(void) {
  dl_iterate_phdr(find_library, NULL);
  dlopen("libstdc++.so.6", RTLD_NOW | RTLD_GLOBAL); /* without it memhook's operators do what malloc and free do */
  *(void **)&operator_new = dlsym(RTLD_DEFAULT, "_Znwm");
  *(void **)&operator_delete = dlsym(RTLD_DEFAULT, "_ZdlPv");
  CHECK(library_start && operator_new && operator_delete);
  uintptr_t start = library_start & ~(uintptr_t)4095;
  CHECK(mprotect((void *)start, library_end - start, PROT_READ | PROT_WRITE | PROT_EXEC) == 0);
}

static long act_at_each(const struct operation *operation, long first, long every) {
  long times = 0;
  /* Once in vain: what the C library and the loader do the first time only, looking functions up, takes very many steps. */
  for (count = 0, target = -2; target < count; target = target < -1 ? -1 : target < 0 ? first : target + every) {
    acted = false;
    waiting_for = 0;
    if (strcmp(action, "end") == 0)
      in_thread(operate_in_thread, (void *)(uintptr_t)operation);
    else if (strcmp(action, "stay") == 0)
      operate_beside(operation);
    else
      operate(operation);
    if (is_child) in_child();
    if (waiting_for) await(waiting_for);
    times += acted;
  }
  say("acted %ld of %ld in %s\n", times, count, operation->name);
  return times;
}

int main(int argc, char **argv) {
  CHECK(argc == 4 || argc == 5);
  action = argv[1];
  find_functions();
  struct sigaction handling = {.sa_sigaction = on_trap, .sa_flags = SA_SIGINFO | SA_RESTART};
  CHECK(sigaction(SIGTRAP, &handling, NULL) == 0);
  before();
  long times = 0;
  for (size_t i = 0; i < sizeof operations / sizeof *operations; i++)
    if (argc == 4 || strcmp(argv[4], operations[i].name) == 0) times += act_at_each(&operations[i], atol(argv[2]), atol(argv[3]));
  afterwards();
  in_thread(elsewhere, NULL);
  say("asked %ld\n", asked);
  say("acted %ld in all\n", times);
  return 0;
}
