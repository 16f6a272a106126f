/* measure: runs a program and writes down what it used.
 *
 *     measure RESULT SECONDS [NAME=VALUE…] -- PROGRAM [ARG…]
 *
 * Sets the variables for the program alone, waits for it, and writes `wall user sys maxrss status` to the file RESULT:
 * seconds, seconds, seconds, KiB, exit code (128 + n after signal n). user and sys are those of the program and of
 * all descendants that were waited for; maxrss is that of the largest of them, mapped files included. After
 * SECONDS its whole process group is killed.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static pid_t child;

static void stop(int signal) {
  (void)signal;
  kill(-child, SIGKILL);
}

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static double seconds(struct timeval time) {
  return (double)time.tv_sec + (double)time.tv_usec / 1e6;
}

int main(int argc, char **argv) {
  int program = 3;
  while (program < argc && strcmp(argv[program], "--") != 0) program++;
  if (program + 1 >= argc) return 2;
  double start = now();
  child = fork();
  if (child == 0) {
    setpgid(0, 0);
    for (int i = 3; i < program; i++) putenv(argv[i]);
    execvp(argv[program + 1], argv + program + 1);
    _exit(127);
  }
  if (child < 0) return 2;
  setpgid(child, child);
  signal(SIGALRM, stop);
  signal(SIGTERM, stop);
  alarm((unsigned)atoi(argv[2]));
  int status;
  struct rusage used;
  while (wait4(child, &status, 0, &used) < 0)
    if (errno != EINTR) return 2;
  double wall = now() - start;
  FILE *result = fopen(argv[1], "w");
  if (!result) return 2;
  fprintf(result, "%.6f %.6f %.6f %ld %d\n", wall, seconds(used.ru_utime), seconds(used.ru_stime), used.ru_maxrss,
          WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
  return fclose(result) ? 2 : 0;
}
