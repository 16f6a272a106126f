/* Frees all that it has, but only when it exits: 10 blocks of 100 bytes are live until then, none at the end. */
#include <stdlib.h>

static void *blocks[10];

static void give_back(void) {
  for (int i = 0; i < 10; i++) free(blocks[i]);
}

int main(void) {
  atexit(give_back);
  for (int i = 0; i < 10; i++) blocks[i] = malloc(100);
  return 0;
}
