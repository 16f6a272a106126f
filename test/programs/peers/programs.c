/* Programs that start programs: exec in its own place, in a child of vfork and of fork, by posix_spawn, system and
 * popen. Each allocates and leaves something. After valgrind's and bytehound's tests of children. */
#define _GNU_SOURCE 1
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;
static char own[4096];

static void ended(pid_t pid) {
  int status = -1;
  waitpid(pid, &status, 0);
  printf("ended with %d\n", WEXITSTATUS(status));
  fflush(stdout);
}

static void start(const char *what) {
  void *left = malloc(3000), *freed = malloc(2000);
  char *arguments[] = {own, (char *)what, NULL};
  pid_t pid = vfork();
  if (pid == 0) {
    execv(own, arguments);
    _exit(99);
  }
  ended(pid);
  pid = fork();
  if (pid == 0) {
    free(left);
    execv(own, arguments);
    _exit(99);
  }
  ended(pid);
  if (posix_spawn(&pid, own, NULL, NULL, arguments, environ) == 0) ended(pid);
  free(freed);
}

int main(int count, char **words) {
  if (count > 1) {
    if (!malloc(strlen(words[1]) * 100)) return 1;
    return (int)strlen(words[1]);
  }
  ssize_t length = readlink("/proc/self/exe", own, sizeof(own) - 1);
  if (length <= 0) return 1;
  start("once");
  char command[5000];
  snprintf(command, sizeof(command), "'%s' system; exit 7", own);
  printf("system: %d\n", WEXITSTATUS(system(command)));
  snprintf(command, sizeof(command), "'%s' popen; echo said", own);
  FILE *said = popen(command, "r");
  char line[32] = "";
  if (said && fgets(line, sizeof(line), said)) printf("popen: %s", line);
  if (said) pclose(said);
  fflush(stdout);
  execl(own, own, "the last one", NULL);
  return 98;
}
