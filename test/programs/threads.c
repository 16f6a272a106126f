/* Threads that leak known amounts, free each other's blocks, and realloc them; the main thread's leaks besides.
 * Prints `thread TID` for each of the leaking threads: each owns 100 of the blocks of leak_in_thread.
 *
 * live 800 x 64 heap leak_in_thread
 * live 8 x 33 heap leak_last
 * live 40 x 500 heap grow_what_another_made
 * live 1 x 1000 heap leak_in_main
 */
#define _GNU_SOURCE 1
#include <pthread.h>
#include <sys/syscall.h>

#include "program.h"

enum { THREADS = 8, HANDED = 1000, GROWN = 5 };

static void *volatile handed[THREADS][HANDED];
static void *volatile grown[THREADS][GROWN];
static pthread_barrier_t all_have_allocated;

NOINLINE static void leak_in_thread(void) {
  for (int i = 0; i < 100; i++) keep(malloc(64), 64);
}

NOINLINE static void leak_last(void) { keep(malloc(33), 33); }

NOINLINE static void allocate_for_others(int self) {
  for (int i = 0; i < HANDED; i++) handed[self][i] = malloc((size_t)(16 + i));
  for (int i = 0; i < GROWN; i++) grown[self][i] = malloc(20);
}

NOINLINE static void free_of_another(int self) {
  for (int i = 0; i < HANDED; i++) free(handed[(self + 1) % THREADS][i]);
}

NOINLINE static void grow_what_another_made(int self) {
  for (int i = 0; i < GROWN; i++) keep(realloc(grown[(self + 3) % THREADS][i], 500), 500);
}

static void *work(void *argument) {
  int self = (int)(intptr_t)argument;
  say("thread %ld\n", syscall(SYS_gettid));
  leak_in_thread();
  allocate_for_others(self);
  pthread_barrier_wait(&all_have_allocated);
  free_of_another(self);
  grow_what_another_made(self);
  leak_last();
  return NULL;
}

NOINLINE static void leak_in_main(void) { keep(malloc(1000), 1000); }

int main(void) {
  pthread_t threads[THREADS];
  pthread_barrier_init(&all_have_allocated, NULL, THREADS);
  for (int i = 0; i < THREADS; i++) CHECK(pthread_create(&threads[i], NULL, work, (void *)(intptr_t)i) == 0);
  for (int i = 0; i < THREADS; i++) CHECK(pthread_join(threads[i], NULL) == 0);
  leak_in_main();
  return 0;
}
