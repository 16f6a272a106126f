/* Threads come and go: 2000 of them, 50 at a time, each with blocks that it frees, one that the next thread frees, and
 * every tenth with one that stays. More threads than the store has slots for.
 *
 * live 200 x 123 heap leak_of_every_tenth
 * live 1 x 77 heap work
 */
#include <pthread.h>
#include <stdatomic.h>

#include "program.h"

enum { THREADS = 2000, AT_ONCE = 50 };

static _Atomic(void *) baton;

NOINLINE static void leak_of_every_tenth(void) { keep(malloc(123), 123); }

NOINLINE static void allocate_and_free(void) {
  void *volatile blocks[20];
  for (int i = 0; i < 20; i++) blocks[i] = malloc((size_t)(i * 10));
  for (int i = 0; i < 20; i++) free(blocks[i]);
}

static void *work(void *argument) {
  allocate_and_free();
  if ((intptr_t)argument % 10 == 0) leak_of_every_tenth();
  free(atomic_exchange(&baton, malloc(77)));
  return NULL;
}

int main(void) {
  pthread_t threads[AT_ONCE];
  for (int i = 0; i < THREADS; i += AT_ONCE) {
    for (int k = 0; k < AT_ONCE; k++) {
      CHECK(pthread_create(&threads[k], NULL, work, (void *)(intptr_t)(i + k)) == 0);
      if (k % 5 == 4) CHECK(pthread_detach(threads[k]) == 0);
    }
    for (int k = 0; k < AT_ONCE; k++) {
      if (k % 5 != 4) CHECK(pthread_join(threads[k], NULL) == 0);
    }
  }
  /* The detached ones have no other way to say that they are through. */
  pthread_exit(NULL);
}
