/* Signal handlers that allocate, as many programs wrongly do: on the normal and on an alternate stack, out of ordinary
 * code, out of another handler, and left by siglongjmp. Here the interrupted code is never inside malloc itself, which
 * would be the program's own deadlock.
 *
 * live 10 x 150 heap in_handler
 * live 10 x 160 heap in_handler_on_its_own_stack
 * live 5 x 170 heap in_nested_handler
 * live 5 x 180 heap before_jumping_out
 * live 1 x 190 heap in_main
 */
#define _GNU_SOURCE 1
#include <setjmp.h>
#include <signal.h>

#include "program.h"

static sigjmp_buf back;

NOINLINE static void in_handler(int signal) {
  (void)signal;
  keep(malloc(150), 150);
}

NOINLINE static void in_handler_on_its_own_stack(int signal) {
  (void)signal;
  keep(malloc(160), 160);
}

NOINLINE static void in_nested_handler(int signal) {
  (void)signal;
  keep(malloc(170), 170);
}

NOINLINE static void raise_another(int signal) {
  (void)signal;
  raise(SIGTERM);
}

NOINLINE static void before_jumping_out(void) { keep(malloc(180), 180); }

NOINLINE static void jump_out(int signal) {
  (void)signal;
  before_jumping_out();
  siglongjmp(back, 1);
}

static void handle(int signal, void (*handler)(int), int flags) {
  struct sigaction action = {.sa_handler = handler, .sa_flags = flags};
  CHECK(sigaction(signal, &action, NULL) == 0);
}

NOINLINE static void in_main(void) { keep(malloc(190), 190); }

int main(void) {
  static char alternate[65536];
  stack_t stack = {.ss_sp = alternate, .ss_size = sizeof alternate};
  CHECK(sigaltstack(&stack, NULL) == 0);
  handle(SIGUSR1, in_handler, 0);
  handle(SIGUSR2, in_handler_on_its_own_stack, SA_ONSTACK);
  handle(SIGTERM, in_nested_handler, 0);
  handle(SIGHUP, raise_another, SA_ONSTACK);
  handle(SIGINT, jump_out, 0);
  for (int i = 0; i < 10; i++) {
    raise(SIGUSR1);
    raise(SIGUSR2);
  }
  for (int i = 0; i < 5; i++) raise(SIGHUP);
  for (volatile int i = 0; i < 5; i++) {
    if (sigsetjmp(back, 1) == 0) raise(SIGINT);
  }
  in_main();
  return 0;
}
