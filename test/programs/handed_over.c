/* Blocks that another thread frees, and whose frees it flushes, before the thread that allocated them has flushed: no
 * stack may have held more than the process at its peak. The main thread allocates 100 blocks. The other one frees
 * them, and reaches a peak by itself. Then the main thread frees so much that it flushes, too, without a new peak.
 *
 * live 1 x 4000000 heap stay
 */
#include <pthread.h>

#include "program.h"

enum { BLOCKS = 100, LARGE = 40 };
static void *blocks[BLOCKS], *large[LARGE];
static void *volatile stays;

NOINLINE static void *hand_over(void) {
  return malloc(100);
}

NOINLINE static void stay(void) {
  stays = malloc(4000000);
  CHECK(stays != NULL);
}

static void *take_over(void *unused) {
  for (int i = 0; i < BLOCKS; i++) free(blocks[i]);
  void *volatile passing = malloc(200000);
  CHECK(passing != NULL);
  stay();
  free(passing);
  return unused;
}

int main(void) {
  for (int i = 0; i < LARGE; i++) CHECK((large[i] = malloc(50000)) != NULL);
  for (int i = 0; i < BLOCKS; i++) CHECK((blocks[i] = hand_over()) != NULL);
  pthread_t other;
  CHECK(pthread_create(&other, NULL, take_over, NULL) == 0 && pthread_join(other, NULL) == 0);
  for (int i = 0; i < LARGE; i++) free(large[i]);
  return 0;
}
