/* Signal handlers that allocate: on a stack of their own, nested, left by siglongjmp, in a thread, while others are
 * blocked. Raised by the program itself, so that every run is the same. After valgrind's tests of signals. */
#define _GNU_SOURCE 1
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

static void *kept[64];
static volatile int count;
static sigjmp_buf outside;

static void inner(int number) {
  kept[count++] = malloc((size_t)(500 + number));
}

static void outer(int number) {
  void *block = malloc(100);
  raise(SIGUSR2);
  kept[count++] = realloc(block, (size_t)(200 + number));
}

static void leave(int number) {
  kept[count++] = calloc(1, (size_t)(300 + number));
  siglongjmp(outside, 1);
}

static void on(int number, void (*handler)(int), int flags) {
  struct sigaction action = {.sa_handler = handler, .sa_flags = flags};
  sigaction(number, &action, NULL);
}

static void *thread(void *nothing) {
  stack_t stack = {.ss_sp = malloc(65536), .ss_size = 65536};
  sigaltstack(&stack, NULL);
  pthread_kill(pthread_self(), SIGUSR1);
  stack.ss_flags = SS_DISABLE;
  sigaltstack(&stack, NULL);
  free(stack.ss_sp);
  return nothing;
}

int main(void) {
  on(SIGUSR1, outer, SA_ONSTACK);
  on(SIGUSR2, inner, SA_ONSTACK | SA_NODEFER);
  on(SIGSEGV, leave, 0);
  stack_t stack = {.ss_sp = malloc(65536), .ss_size = 65536};
  sigaltstack(&stack, NULL);
  for (int round = 0; round < 5; round++) {
    raise(SIGUSR1);
    if (sigsetjmp(outside, 1) == 0) *(volatile int *)16 = round;
  }
  pthread_t other;
  pthread_create(&other, NULL, thread, NULL);
  pthread_join(other, NULL);
  free(kept[0]);
  printf("%d blocks\n", count);
  return 0;
}
