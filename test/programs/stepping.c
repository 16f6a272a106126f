/* Interrupts hooks at each of their instructions. Arguments: PLUGIN ACTION FIRST EVERY [OPERATION]; without the last,
 * all operations. PLUGIN is plugin.c.
 *
 * An operation is a call of one of memhook's hooks. It is first made in single steps, which tells the instructions of
 * libmemhook.so that it takes. Then it is made once for each EVERYth of these, from the FIRST on. It stops at that
 * instruction, and a signal handler acts (stepping.h).
 *
 *   fork, _Fork, clone, instruction
 *                        makes a child by that call, or without any; parent and child return from the handler, the
 *                        child allocates on, also in a thread after fork, and ends with 0. With an even number the
 *                        parent waits in the handler, with an odd one afterwards.
 *   jump                 leaves by siglongjmp
 *   stay                 leaves a thread by siglongjmp, which then calls nothing: meanwhile another one allocates from
 *                        a stack that was never there. Every second time it calls a hook and nothing then, and the
 *                        other thread also maps and allocates much.
 *   end                  ends the thread, by turns with pthread_exit and with the bare system call
 *   others               another thread allocates, frees, maps and unmaps meanwhile
 *   fork-elsewhere       another thread forks meanwhile; the child allocates on, and ends with 0
 *   kill                 SIGKILL, in a child that was forked for this
 *
 * Where the library blocks signals, no handler would run. There only the last three actions act, which need none.
 *
 * The last operation makes tables grow, which happens only once. So it is made in a child for each instruction, and so
 * is each operation before a kill.
 *
 * Afterwards everything is recorded as ever. Live then:
 *
 * live 500 x 200 heap before
 * live 20 x 8192 mmap before
 * live 10 x 321 heap afterwards
 * live 10 x 123 heap elsewhere
 * live 1 x 65536 mmap afterwards
 *
 * and whatever `operate` left, and with stay for each time one block of 99 bytes from `beside`, and for each time that
 * `asked COUNT` tells, one of 300000 and a mapping of 20480. Prints `acted COUNT in all`, a line that begins with `bad`
 * for every child that did not end as it should, and `child PID` for every other: in its store, if it has one, is what
 * was `before`, and
 *
 * child live 500 x 200 heap before
 * child live 20 x 8192 mmap before
 * child live 5 x 77 heap in_child
 *
 * A child that was forked for an operation prints `operated PID`. In its store is what was `before`, and, if it was not
 * killed,
 *
 * operated live 500 x 200 heap before
 * operated live 20 x 8192 mmap before
 * operated live 10 x 321 heap afterwards
 * operated live 1 x 65536 mmap afterwards
 */
#define _GNU_SOURCE 1
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "program.h"
#include "stepping.h"
#include "stepping_operations.h"

static const char *action;
static sigjmp_buf back;
static long target;                    /* the number of the instruction to act at */
static volatile bool acted, is_child;
static volatile pid_t waiting_for;

static bool does(const char *wanted) {
  return strcmp(action, wanted) == 0;
}

/* ── What another thread does meanwhile ──────────────────────────────────────────────────────────── */

static sem_t to_do, done;
static pid_t others_process; /* that the thread is in: a child has none */

/* A child goes on when the interrupted hook is over. */
static void in_child(void);

NOINLINE static void meanwhile(void) {
  for (size_t i = 0; i < 20; i++) free(malloc(40 + i));
  for (unsigned i = 0; i < 3; i++) {
    void *mine = block;
    do_malloc_new();
    do_free();
    block = mine;
  }
  free(malloc(200000));
  free(realloc(malloc(100), 3000));
  char *mine = mmap(NULL, 3 * MAPPING, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(mine != MAP_FAILED);
  munmap(mine + MAPPING, MAPPING);
  munmap(mine, 3 * MAPPING);
}

static void await(pid_t child, int expected) {
  int status = -1;
  CHECK(waitpid(child, &status, 0) == child);
  if (status != expected)
    say("bad child at %ld, +0x%zx: status 0x%x\n", target, target < 0 ? 0
        : (size_t)((uintptr_t)steps->at[target] - library_start), (unsigned)status);
}

static void *be_another(void *unused) {
  for (;;) {
    while (sem_wait(&to_do)) {}
    if (does("others")) {
      meanwhile();
    } else {
      pid_t child = fork();
      if (child == 0) in_child();
      await(child, 0);
    }
    sem_post(&done);
  }
  return unused;
}

static void start_another(void) {
  pthread_t thread;
  if (others_process == getpid()) return;
  others_process = getpid();
  CHECK(sem_init(&to_do, 0, 0) == 0 && sem_init(&done, 0, 0) == 0);
  CHECK(pthread_create(&thread, NULL, be_another, NULL) == 0);
}

static void let_another_run(void) {
  sem_post(&to_do);
  while (sem_wait(&done)) {}
}

/* ── What the handler does ───────────────────────────────────────────────────────────────────────── */

static void make_child(void) {
  static pid_t (*under_fork)(void);
  if (!under_fork) *(void **)&under_fork = dlsym(RTLD_DEFAULT, "_Fork");
  pid_t child;
  if (does("_Fork") && under_fork)
    child = under_fork();
  else if (does("fork"))
    child = fork();
  else if (does("instruction"))
    child = (pid_t)fork_by_instruction();
  else
    child = (pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, 0);
  if (child == 0) {
    is_child = true;
    alarm(20);
  } else if (child > 0 && target % 2 == 0) {
    await(child, 0);
  } else {
    waiting_for = child;
  }
}

static void act(bool held) {
  if (held && !even_held) return;
  acted = true;
  if (does("kill")) kill(getpid(), SIGKILL);
  if (even_held) return let_another_run();
  if (does("jump") || does("stay")) siglongjmp(back, 1);
  if (!does("end")) return make_child();
  if (target % 2) pthread_exit(NULL);
  syscall(SYS_exit, 0);
}

/* ── Stepping ────────────────────────────────────────────────────────────────────────────────────── */

NOINLINE static void operate(const struct operation *operation) {
  block = map = NULL;
  operation->before();
  if (sigsetjmp(back, 1) == 0) {
    if (target == -1) steps_collect(operation->how == ALONE);
    if (target >= 0) steps_stop_at(target);
    operation->run();
    clear_trap();
    is_stepped = false;
  }
  steps_go_on();
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

NOINLINE static void in_child(void) {
  for (int i = 0; i < 100; i++) free(malloc((size_t)i));
  for (int i = 0; i < 5; i++) CHECK(malloc(77) != NULL);
  for (int i = 0; i < 5; i++) malloc_far_away(WAYS, 4095 - (unsigned)i), free(block);
  make_map();
  munmap(map, 3 * MAPPING);
  if (does("fork") || does("fork-elsewhere")) in_thread(allocate_in_thread, NULL);
  say("child %d\n", (int)getpid());
  _exit(0);
}

NOINLINE static void before(void) {
  for (int i = 0; i < 500; i++) CHECK(malloc(200) != NULL);
  for (int i = 0; i < 20; i++)
    CHECK(mmap(NULL, MAPPING, i % 2 ? PROT_READ : PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
        0) != MAP_FAILED);
}

NOINLINE static void afterwards(void) {
  for (int i = 0; i < 10; i++) keep(malloc(321), 321);
  CHECK(mmap(NULL, 65536, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED);
}

NOINLINE static void *elsewhere(void *unused) {
  for (int i = 0; i < 10; i++) keep(malloc(123), 123);
  return unused;
}

/* With the target that is set. */
static void operate_here(const struct operation *operation) {
  acted = false;
  waiting_for = 0;
  if (does("others") || does("fork-elsewhere")) start_another();
  if (does("end"))
    in_thread(operate_in_thread, (void *)(uintptr_t)operation);
  else if (does("stay"))
    operate_beside(operation);
  else
    operate(operation);
  if (operation->how == ONCE && acted) target = -2, operate(operation); /* what is left of it */
  if (is_child) in_child();
  if (waiting_for) await(waiting_for, 0);
}

/* The same in a child for this alone. */
static void operate_in_child(const struct operation *operation) {
  pid_t child = fork();
  if (child == 0) {
    alarm(60);
    free(malloc(1)); /* it begins here, not in the operation */
    bool counts = target >= 0;
    if (counts) say("operated %d\n", (int)getpid());
    operate_here(operation);
    if (counts) afterwards();
    _exit(acted ? 1 : 0);
  }
  int status = -1;
  CHECK(waitpid(child, &status, 0) == child);
  acted = status != 0;
  int expected = !acted ? 0 : does("kill") ? SIGKILL : 1 << 8;
  if (status != expected) say("bad child for %s at %ld: status 0x%x\n", operation->name, target, (unsigned)status);
}

static long act_at_each(const struct operation *operation, long first, long every) {
  long times = 0;
  void (*run)(const struct operation *) = operation->how == ONCE || does("kill") ? operate_in_child : operate_here;
  steps_begin();
  /* Once in vain: what the C library and the loader do the first time only,
   * looking functions up, takes very many steps. */
  for (target = -2; target < steps->count; target = target < -1 ? -1 : target < 0 ? first : target + every) {
    run(operation);
    times += acted;
  }
  say("acted %ld of %ld in %s\n", times, steps->count, operation->name);
  return times;
}

int main(int argc, char **argv) {
  CHECK(argc == 5 || argc == 6);
  plugin_path = argv[1];
  action = argv[2];
  even_held = does("others") || does("fork-elsewhere") || does("kill");
  most_steps = atol(argv[4]) == 1 ? 200000 : 10000; /* loops take many */
  find_functions();
  steps_find();
  before();
  long times = 0;
  for (size_t i = 0; i < sizeof operations / sizeof *operations; i++) {
    if (argc == 6 && strcmp(argv[5], operations[i].name) != 0) continue;
    /* What stays is counted in one process. */
    if (does("stay") && operations[i].how == ONCE) continue;
    times += act_at_each(&operations[i], atol(argv[3]), atol(argv[4]));
  }
  afterwards();
  in_thread(elsewhere, NULL);
  say("asked %ld\n", asked);
  say("acted %ld in all\n", times);
  return 0;
}
