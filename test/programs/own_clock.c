/* A program with a clock_gettime of its own, as libraries that fake the time have. That function allocates, and returns
 * a time of its own. memhook must not call it.
 *
 * live 100 x 40 heap main
 */
#include <time.h>

#include "program.h"

static volatile int calls;

__attribute__((visibility("default"))) int clock_gettime(clockid_t clock, struct timespec *now) {
  (void)clock;
  calls++;
  void *volatile scratch = malloc(24);
  CHECK(scratch != NULL);
  free(scratch);
  *now = (struct timespec){.tv_sec = 1, .tv_nsec = 1};
  return 0;
}

int main(void) {
  for (int i = 0; i < 100; i++) {
    free(memset(malloc(32), 0xa5, 32));
    keep(malloc(40), 40);
  }
  CHECK(calls == 0);
  return 0;
}
