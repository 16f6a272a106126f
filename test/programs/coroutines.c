/* Control flow that does not go up and down one stack: coroutines on stacks of their own (small, from malloc and mmap;
 * freed and used again), longjmp over frames, very deep recursion, threads with tiny stacks.
 *
 * live 300 x 71 heap in_coroutine
 * live 30 x 77 heap pages_away
 * live 100 x 72 heap before_longjmp
 * live 10 x 73 heap after_longjmp
 * live 50 x 74 heap at_the_bottom
 * live 8 x 75 heap on_a_tiny_stack
 * live 1 x 76 heap in_main
 */
#define _GNU_SOURCE 1
#include <limits.h>
#include <pthread.h>
#include <setjmp.h>
#include <sys/mman.h>
#include <ucontext.h>

#include "program.h"

enum { COROUTINES = 10, TURNS = 10, ROUNDS = 3, STACK = 65536, DEPTH = 100000 };

static ucontext_t scheduler, coroutines[COROUTINES];

NOINLINE static void in_coroutine(void) { keep(malloc(71), 71); }

/* Frames of more than a page. */
NOINLINE static void pages_away(int depth) {
  char frame[5000];
  __asm__ volatile("" : : "r"(frame) : "memory"); /* it is used whole */
  if (depth > 0)
    pages_away(depth - 1);
  else
    keep(malloc(77), 77);
  __asm__ volatile("" : : "r"(frame) : "memory");
}

static void coroutine(int self) {
  pages_away(self % 5);
  for (int turn = 0; turn < TURNS; turn++) {
    in_coroutine();
    void *volatile passing = malloc((size_t)(turn * 8));
    swapcontext(&coroutines[self], &scheduler);
    free(passing);
  }
}

NOINLINE static void run_coroutines(void) {
  void *stacks[COROUTINES];
  for (int i = 0; i < COROUTINES; i++) {
    stacks[i] = i % 2 ? malloc(STACK) : mmap(NULL, STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(stacks[i] != NULL && stacks[i] != MAP_FAILED);
    getcontext(&coroutines[i]);
    coroutines[i].uc_stack.ss_sp = stacks[i];
    coroutines[i].uc_stack.ss_size = STACK;
    coroutines[i].uc_link = &scheduler;
    makecontext(&coroutines[i], (void (*)(void))(intptr_t)coroutine, 1, i);
  }
  for (int turn = 0; turn <= TURNS; turn++)
    for (int i = 0; i < COROUTINES; i++) swapcontext(&scheduler, &coroutines[i]);
  for (int i = 0; i < COROUTINES; i++) {
    if (i % 2)
      free(stacks[i]);
    else
      CHECK(munmap(stacks[i], STACK) == 0);
  }
}

static jmp_buf back;

NOINLINE static void before_longjmp(void) { keep(malloc(72), 72); }
NOINLINE static void after_longjmp(void) { keep(malloc(73), 73); }

/* In a function of its own, so that the compiler does not see that down_and_jump never returns. */
NOINLINE static void jump_back(void) { longjmp(back, 1); }

NOINLINE static void down_and_jump(int depth) {
  volatile char frame[64];
  frame[0] = (char)depth;
  if (depth > 0) {
    down_and_jump(depth - 1);
  } else {
    before_longjmp();
    jump_back();
  }
  frame[1] = frame[0];
}

NOINLINE static void at_the_bottom(void) { keep(malloc(74), 74); }

NOINLINE static void recurse(int depth) {
  volatile char frame[16];
  frame[0] = (char)depth;
  if (depth == 0) {
    for (int i = 0; i < 25; i++) at_the_bottom();
  } else {
    recurse(depth - 1);
  }
  /* On the way out again, at other depths. */
  if (depth % 4000 == 1) at_the_bottom();
  frame[1] = frame[0];
}

static void *deep(void *unused) {
  (void)unused;
  recurse(DEPTH);
  return NULL;
}

NOINLINE static void on_a_tiny_stack(void) { keep(malloc(75), 75); }

static void *tiny(void *unused) {
  (void)unused;
  on_a_tiny_stack();
  void *volatile passing = realloc(malloc(10), 1000);
  free(passing);
  return NULL;
}

static void in_thread(void *(*work)(void *), size_t stack) {
  pthread_attr_t attributes;
  pthread_t thread;
  pthread_attr_init(&attributes);
  CHECK(pthread_attr_setstacksize(&attributes, stack) == 0);
  CHECK(pthread_create(&thread, &attributes, work, NULL) == 0);
  CHECK(pthread_join(thread, NULL) == 0);
}

NOINLINE static void in_main(void) { keep(malloc(76), 76); }

int main(void) {
  for (int i = 0; i < ROUNDS; i++) run_coroutines();
  for (volatile int i = 0; i < 100; i++) {
    if (setjmp(back) == 0) down_and_jump(i);
    if (i % 10 == 0) after_longjmp();
  }
  in_thread(deep, (size_t)64 << 20);
  for (int i = 0; i < 8; i++) in_thread(tiny, STACK);
  in_main();
  return 0;
}
