/* pthread_cancel: threads are cancelled while they allocate. There is no cancellation point in an allocation, whatever
 * memhook does there. The threads go on to their own cancellation point, and their clean-up handlers free and allocate.
 * The store must grow meanwhile.
 *
 * live 32 x 210 heap before_the_end
 * live 8 x 220 heap clean_up
 */
#define _GNU_SOURCE 1
#include <pthread.h>

#include "program.h"

enum { THREADS = 8, BLOCKS = 4000, STAYING = 4 };

struct worker {
  pthread_t thread;
  void *blocks[BLOCKS];
  volatile int reached;
};
static struct worker workers[THREADS];
static pthread_barrier_t started, cancelled;

NOINLINE static void before_the_end(struct worker *self) {
  for (int i = 0; i < BLOCKS; i++) self->blocks[i] = malloc(210);
}

NOINLINE static void clean_up(void *argument) {
  struct worker *self = argument;
  for (int i = STAYING; i < BLOCKS; i++) free(self->blocks[i]);
  keep(malloc(220), 220);
}

static void *work(void *argument) {
  struct worker *self = argument;
  pthread_cleanup_push(clean_up, self);
  pthread_barrier_wait(&started);
  pthread_barrier_wait(&cancelled);
  before_the_end(self);
  self->reached = 1;
  for (;;) pthread_testcancel();
  pthread_cleanup_pop(0);
  return NULL;
}

int main(void) {
  pthread_barrier_init(&started, NULL, THREADS + 1);
  pthread_barrier_init(&cancelled, NULL, THREADS + 1);
  for (int i = 0; i < THREADS; i++) CHECK(pthread_create(&workers[i].thread, NULL, work, &workers[i]) == 0);
  pthread_barrier_wait(&started);
  for (int i = 0; i < THREADS; i++) CHECK(pthread_cancel(workers[i].thread) == 0);
  pthread_barrier_wait(&cancelled);
  for (int i = 0; i < THREADS; i++) {
    void *result = NULL;
    CHECK(pthread_join(workers[i].thread, &result) == 0);
    CHECK(result == PTHREAD_CANCELED && workers[i].reached);
  }
  return 0;
}
