/* A daemon: it forks, leaves the session, and forks again. The process in between ends without having allocated. Before
 * the daemon calls memhook for the first time, its first parent has freed some of the live blocks. Prints `daemon PID`.
 * The store of the parent:
 *
 * live 5 x 100 heap before
 * live 1 x 50 heap in_parent
 *
 * and of the daemon, which began with all ten:
 *
 * daemon live 6 x 100 heap before
 * daemon live 3 x 130 heap in_daemon
 */
#include <sys/wait.h>

#include "program.h"

static void *blocks[10];

NOINLINE static void before(void) {
  for (int i = 0; i < 10; i++) blocks[i] = malloc(100);
}

NOINLINE static void in_parent(void) {
  for (int i = 0; i < 5; i++) free(blocks[i]);
  void *volatile block = malloc(50);
  CHECK(block != NULL);
}

NOINLINE static void in_daemon(void) {
  for (int i = 0; i < 3; i++) {
    void *volatile block = malloc(130);
    CHECK(block != NULL);
  }
  for (int i = 6; i < 10; i++) free(blocks[i]);
}

int main(void) {
  int to_daemon[2], to_parent[2];
  CHECK(pipe(to_daemon) == 0 && pipe(to_parent) == 0);
  before();
  pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    CHECK(setsid() > 0);
    pid_t second = fork();
    CHECK(second >= 0);
    if (second > 0) _exit(0);
    CHECK(chdir("/") == 0);
    char go;
    CHECK(read(to_daemon[0], &go, 1) == 1);
    in_daemon();
    say("daemon %d\n", (int)getpid());
    exit(0);
  }
  int status = -1;
  CHECK(waitpid(child, &status, 0) == child && status == 0);
  in_parent();
  close(to_parent[1]);
  CHECK(write(to_daemon[1], "x", 1) == 1);
  /* Until the daemon is gone. */
  char nothing;
  CHECK(read(to_parent[0], &nothing, 1) == 0);
  return 0;
}
