/* fork without exec: the child inherits what is live, frees some of it, and leaks on its own; the parent does not
 * notice. Prints `child PID`. The parent's store:
 *
 * live 10 x 100 heap before_the_fork
 * live 2 x 300 heap in_parent
 *
 * and the child's, which has its own:
 *
 * child live 7 x 100 heap before_the_fork
 * child live 5 x 200 heap in_child
 */
#include <sys/wait.h>

#include "program.h"

static void *blocks[10];

NOINLINE static void before_the_fork(void) {
  for (int i = 0; i < 10; i++) blocks[i] = malloc(100);
}

NOINLINE static void in_child(void) {
  for (int i = 0; i < 5; i++) {
    void *volatile block = malloc(200);
    CHECK(block != NULL);
  }
  for (int i = 0; i < 3; i++) free(blocks[i]);
}

NOINLINE static void in_parent(void) {
  for (int i = 0; i < 2; i++) {
    void *volatile block = malloc(300);
    CHECK(block != NULL);
  }
}

int main(void) {
  before_the_fork();
  pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    in_child();
    exit(5);
  }
  say("child %d\n", (int)child);
  int status = 0;
  CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 5);
  in_parent();
  return 0;
}
