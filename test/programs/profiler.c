/* A sampling profiler in the program, as gperftools and Go's have it: SIGPROF at a high rate
 * to threads that allocate, and a handler that takes a backtrace. Argument: the number of
 * samples to take. Prints `live COUNT BYTES` of the function `churn`, and `reached COUNT`:
 * how many backtraces came out at the thread's function, through memhook's hooks, too.
 */
#define _GNU_SOURCE 1
#include <execinfo.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/time.h>

#include "program.h"

enum { THREADS = 2, SLOTS = 512 };

static struct worker {
  pthread_t thread;
  uint64_t random;
  size_t *slots[SLOTS];
  size_t count, bytes;
} workers[THREADS];

static void *work(void *self);

static atomic_int samples, reached;
static int wanted;

static void sample(int signal) {
  (void)signal;
  void *frames[64];
  int count = backtrace(frames, 64);
  samples++;
  for (int i = 0; i < count; i++)
    if ((uintptr_t)frames[i] - (uintptr_t)work < 200) {
      reached++;
      return;
    }
}

NOINLINE static void churn(struct worker *self) {
  uint64_t r = next_random(&self->random);
  size_t **slot = &self->slots[r % SLOTS], size = sizeof(size_t) + (r >> 16) % 500;
  if (*slot) {
    self->count--;
    self->bytes -= **slot;
    free(*slot);
    *slot = NULL;
  } else {
    *slot = malloc(size);
    CHECK(*slot != NULL);
    **slot = size;
    self->count++;
    self->bytes += size;
  }
}

static void *work(void *self) {
  while (samples < wanted) churn(self);
  return NULL;
}

int main(int argc, char **argv) {
  CHECK(argc == 2);
  wanted = atoi(argv[1]);
  void *frames[4];
  CHECK(backtrace(frames, 4) > 0); /* the first call loads a library */
  struct sigaction action = {.sa_handler = sample, .sa_flags = SA_RESTART};
  CHECK(sigaction(SIGPROF, &action, NULL) == 0);
  struct itimerval often = {.it_interval = {.tv_usec = 200}, .it_value = {.tv_usec = 200}}, never = {0};
  CHECK(setitimer(ITIMER_PROF, &often, NULL) == 0);
  for (int i = 0; i < THREADS; i++) {
    workers[i].random = (uint64_t)i + 1;
    CHECK(pthread_create(&workers[i].thread, NULL, work, &workers[i]) == 0);
  }
  size_t count = 0, bytes = 0;
  for (int i = 0; i < THREADS; i++) {
    CHECK(pthread_join(workers[i].thread, NULL) == 0);
    count += workers[i].count;
    bytes += workers[i].bytes;
  }
  CHECK(setitimer(ITIMER_PROF, &never, NULL) == 0);
  say("live %zu %zu\n", count, bytes);
  say("reached %d\n", (int)reached);
  return 0;
}
