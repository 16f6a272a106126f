/* Processes that fork three generations deep; each frees some of what it has from its parent, and allocates. Sizes
 * tell the generations apart. After valgrind's tests of fork and glibc's of malloc in children. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static void *own[4][64];

static int generation(int depth) {
  for (int at = 0; at < 64; at++) own[depth][at] = malloc((size_t)(100 * (depth + 1) + at));
  if (depth > 0)
    for (int at = depth; at < 64; at += 3) free(own[depth - 1][at]), own[depth - 1][at] = NULL;
  if (depth == 3) return 3;
  int sum = depth;
  for (int child = 0; child < 2; child++) {
    pid_t pid = fork();
    if (pid == 0) _exit(generation(depth + 1));
    for (int at = child; at < 16; at += 2) own[depth][at] = realloc(own[depth][at], 1000);
    int status;
    waitpid(pid, &status, 0);
    sum += WIFEXITED(status) ? WEXITSTATUS(status) : 1000;
  }
  return sum;
}

int main(void) {
  printf("%d\n", generation(0));
  return 0;
}
