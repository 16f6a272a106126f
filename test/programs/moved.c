/* Its file is removed, as by an upgrade, before it forks. Argument: its path.
 * It prints `child PID`. The child has one block more:
 *
 * live 1 x 100 heap leak
 *
 * child live 2 x 100 heap leak
 */
#include <sys/wait.h>

#include "program.h"

static void *volatile last;

NOINLINE static void leak(void) {
  last = malloc(100);
  CHECK(last != NULL);
}

int main(int argc, char **argv) {
  CHECK(argc == 2);
  leak();
  CHECK(unlink(argv[1]) == 0);
  pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    leak();
    _exit(0);
  }
  CHECK(waitpid(child, NULL, 0) == child);
  say("child %d\n", (int)child);
  return 0;
}
