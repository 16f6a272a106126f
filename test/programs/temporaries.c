/* Temporary blocks: freed by the thread that allocated them, which allocated nothing in between. Prints
 * `temporary COUNT`, which must be what the store says; whatever libc allocates here, it keeps.
 */
#include <pthread.h>
#include <semaphore.h>

#include "program.h"

enum { BLOCKS = 64 };

static sem_t handed, returned;
static void *volatile parcel;
static void *blocks[BLOCKS];
static int temporary; /* only one of the two threads runs at a time */

NOINLINE static void *allocate(size_t size) {
  void *volatile block = malloc(size);
  CHECK(block != NULL);
  return block;
}

static void come_and_go(int count) {
  for (int i = 0; i < count; i++) free(allocate(1 + (size_t)i));
  temporary += count;
}

/* Frees what the other thread allocated last, and allocates so much that the
 * record of that is sure to be used again. */
static void *take_over(void *unused) {
  CHECK(sem_wait(&handed) == 0);
  free(parcel);
  come_and_go(BLOCKS);
  for (int i = 0; i < BLOCKS; i++) blocks[i] = allocate(100);
  CHECK(sem_post(&returned) == 0);
  return unused;
}

int main(void) {
  come_and_go(1000);

  void *first = allocate(10), *second = allocate(20);
  free(first); /* not temporary: the second came in between */
  free(second);
  temporary++;
  free(second = allocate(30));
  temporary++;

  void *moved = realloc(allocate(40), 4000); /* a free that is followed by an allocation, not one that comes after it */
  CHECK(moved != NULL);
  free(moved);
  temporary++;

  pthread_t helper;
  CHECK(sem_init(&handed, 0, 0) == 0 && sem_init(&returned, 0, 0) == 0);
  CHECK(pthread_create(&helper, NULL, take_over, NULL) == 0);
  parcel = allocate(50);
  CHECK(sem_post(&handed) == 0 && sem_wait(&returned) == 0);
  for (int i = 0; i < BLOCKS; i++) free(blocks[i]); /* none of them this thread's own */
  CHECK(pthread_join(helper, NULL) == 0);

  say("temporary %d\n", temporary);
  return 0;
}
