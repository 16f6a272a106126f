/* Threads that give blocks to the next one in a ring, which frees or reallocs them; some are left where the ring
 * stops. After helgrind's tests and bytehound's of blocks that cross threads. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { THREADS = 4, ROUNDS = 3000 };
static void *cells[THREADS];
static pthread_barrier_t all_there;

static void *work(void *argument) {
  size_t own = (size_t)argument;
  pthread_barrier_wait(&all_there);
  for (unsigned round = 0; round < ROUNDS; round++) {
    void *block = malloc(16 + (round * 7 + own) % 500);
    void *found = __atomic_exchange_n(&cells[(own + 1) % THREADS], block, __ATOMIC_ACQ_REL);
    if (round % 3 == 0) found = realloc(found, 600 + round % 100);
    free(found);
  }
  return malloc(1000 + own);
}

int main(void) {
  pthread_t threads[THREADS];
  pthread_barrier_init(&all_there, NULL, THREADS);
  for (size_t at = 0; at < THREADS; at++) pthread_create(&threads[at], NULL, work, (void *)at);
  for (size_t at = 0; at < THREADS; at++) {
    void *last;
    pthread_join(threads[at], &last);
    if (at % 2) free(last);
  }
  puts("joined");
  return 0;
}
