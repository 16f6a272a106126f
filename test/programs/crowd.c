/* Threads begin and end, 64 at a time, ROUNDS times (argument; 32 without one). Each has blocks that it frees, and one
 * that the next thread frees. In the first twenty rounds every eighth thread has one that stays. In all there are many
 * more threads than the store has slots.
 *
 * live 160 x 123 heap leak_of_every_eighth
 * live 1 x 77 heap work
 */
#include <pthread.h>
#include <stdatomic.h>

#include "program.h"

enum { AT_ONCE = 64, LEAKING_ROUNDS = 20 };

static _Atomic(void *) baton;

NOINLINE static void leak_of_every_eighth(void) { keep(malloc(123), 123); }

NOINLINE static void allocate_and_free(void) {
  void *volatile blocks[20];
  for (int i = 0; i < 20; i++) blocks[i] = malloc((size_t)(i * 10));
  for (int i = 0; i < 20; i++) free(blocks[i]);
}

static void *work(void *leaks) {
  allocate_and_free();
  if (leaks != NULL) leak_of_every_eighth();
  free(atomic_exchange(&baton, malloc(77)));
  return NULL;
}

int main(int argc, char **argv) {
  int rounds = argc > 1 ? atoi(argv[1]) : 32;
  pthread_t threads[AT_ONCE];
  pthread_attr_t small;
  pthread_attr_init(&small);
  pthread_attr_setstacksize(&small, 65536);
  CHECK(rounds >= LEAKING_ROUNDS);
  for (int round = 0; round < rounds; round++) {
    for (int k = 0; k < AT_ONCE; k++) {
      void *leaks = round < LEAKING_ROUNDS && k % 8 == 0 ? &threads : NULL;
      CHECK(pthread_create(&threads[k], &small, work, leaks) == 0);
      if (k % 5 == 4) CHECK(pthread_detach(threads[k]) == 0);
    }
    for (int k = 0; k < AT_ONCE; k++) {
      if (k % 5 != 4) CHECK(pthread_join(threads[k], NULL) == 0);
    }
  }
  /* The detached ones have no other way to say that they are through. */
  pthread_exit(NULL);
}
