/* Every way to start another program: posix_spawn, system, popen, vfork and exec, fork
 * and exec, with an environment that is cleared and with one that lacks LD_PRELOAD.
 * Argument: the program to start, and its arguments; each must end with 0.
 *
 * live 10 x 100 heap before
 * live 1 x 120 heap between
 */
#define _GNU_SOURCE 1
#include <spawn.h>
#include <sys/wait.h>

#include "program.h"

extern char **environ;

NOINLINE static void before(void) {
  for (int i = 0; i < 10; i++) keep(malloc(100), 100);
}

NOINLINE static void between(void) { keep(malloc(120), 120); }

static void wait_for(pid_t child) {
  int status = -1;
  CHECK(child > 0 && waitpid(child, &status, 0) == child);
  if (status != 0) say("status 0x%x\n", (unsigned)status);
  CHECK(status == 0);
}

int main(int argc, char **argv) {
  CHECK(argc >= 2);
  before();
  char *empty[] = {NULL};
  pid_t child;
  CHECK(posix_spawn(&child, argv[1], NULL, NULL, argv + 1, environ) == 0);
  wait_for(child);
  CHECK(posix_spawn(&child, argv[1], NULL, NULL, argv + 1, empty) == 0);
  wait_for(child);
  child = vfork();
  if (child == 0) {
    execv(argv[1], argv + 1);
    _exit(97);
  }
  wait_for(child);
  child = vfork();
  if (child == 0) {
    execv("/nonexistent", argv + 1);
    _exit(0);
  }
  wait_for(child);
  between();
  child = fork();
  if (child == 0) {
    clearenv();
    execv(argv[1], argv + 1);
    _exit(97);
  }
  wait_for(child);
  CHECK(system("exit 0") == 0);
  FILE *pipe = popen("echo through the pipe", "r");
  char line[64];
  CHECK(pipe != NULL && fgets(line, sizeof line, pipe) != NULL && strcmp(line, "through the pipe\n") == 0);
  CHECK(pclose(pipe) == 0);
  CHECK(unsetenv("LD_PRELOAD") == 0);
  CHECK(system("exit 0") == 0);
  clearenv();
  void *volatile passing = malloc(7);
  free(passing);
  return 0;
}
