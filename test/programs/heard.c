/* Counts the signals that it gets: says `ready PID`, `heard N` for each, and when its standard input ends how often
 * each came, `SIGNAL x TIMES` in the order of their numbers. Nothing is left to a signal's default effect.
 */
#include <signal.h>

#include "program.h"

#define SIGNALS 32

static volatile sig_atomic_t times[SIGNALS];

static void hear(int number) {
  times[number]++;
  say("heard %d\n", number);
}

int main(void) {
  struct sigaction action = {.sa_handler = hear, .sa_flags = SA_RESTART};
  for (int number = 1; number < SIGNALS; number++) sigaction(number, &action, NULL);
  say("ready %d\n", (int)getpid());
  char byte;
  CHECK(read(STDIN_FILENO, &byte, 1) == 0);
  for (int number = 1; number < SIGNALS; number++)
    if (times[number]) say("%d x %d\n", number, (int)times[number]);
  return 0;
}
