/* Holds 200 blocks of 64 KiB for a while, 1 block of 100 bytes to the end, and 10 of 1000 until it exits. */
#include "program.h"

enum { BLOCKS = 200 };
static void *blocks[BLOCKS];

NOINLINE static void burst(void) {
  for (int i = 0; i < BLOCKS; i++) CHECK((blocks[i] = malloc(65536)) != NULL);
}

NOINLINE static void *hold(size_t size) {
  void *kept = malloc(size);
  CHECK(kept != NULL);
  return kept;
}

static void *tables[10];

static void tidy(void) {
  for (int i = 0; i < 10; i++) free(tables[i]);
}

int main(void) {
  (void)hold(100);
  for (int i = 0; i < 10; i++) tables[i] = hold(1000);
  atexit(tidy);
  burst();
  for (int i = 0; i < BLOCKS; i++) free(blocks[i]);
  say("done\n");
  return 0;
}
