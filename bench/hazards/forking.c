/* What a fork costs with many live allocations: measured by forking.sh.
 *
 *   forking LIVE TURNS PROGRAM
 *
 * Allocates LIVE blocks of 16 to 271 bytes, then forks TURNS children of each kind, by turns, and prints the medians,
 * in µs from before fork until the child is reaped:
 *
 *     exec      it executes PROGRAM at once, with an empty environment: what that costs is the same with memhook and
 *               without
 *     allocate  it allocates one block and ends
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { EXEC, ALLOCATE, KINDS };

static double microseconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static double fork_once(int kind, char *program) {
  double start = microseconds();
  pid_t child = fork();
  if (child == 0) {
    if (kind == EXEC) execve(program, (char *[]){program, NULL}, (char *[]){NULL});
    void *volatile block = malloc(100);
    _exit(kind == EXEC || !block);
  }
  int status = -1;
  if (child < 0 || waitpid(child, &status, 0) != child || status != 0) exit(1);
  return microseconds() - start;
}

static int ascending(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

int main(int argc, char **argv) {
  if (argc != 4) return 2;
  long live = atol(argv[1]), turns = atol(argv[2]);
  double *times[KINDS];
  for (int kind = 0; kind < KINDS; kind++) times[kind] = calloc((size_t)turns, sizeof(double));
  uint32_t random = 1;
  for (long i = 0; i < live; i++) {
    random = random * 1664525 + 1013904223;
    char *volatile block = malloc(16 + (random >> 24));
    if (!block) return 1;
    *block = 1;
  }
  for (long turn = 0; turn < turns; turn++)
    for (int kind = 0; kind < KINDS; kind++) times[kind][turn] = fork_once(kind, argv[3]);
  for (int kind = 0; kind < KINDS; kind++) {
    qsort(times[kind], (size_t)turns, sizeof(double), ascending);
    printf("%.0f ", times[kind][turns / 2]);
  }
  printf("\n");
  return 0;
}
