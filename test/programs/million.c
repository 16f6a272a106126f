/* A million live blocks of 16 to 100 bytes: how much does the store take for each? Prints `live COUNT BYTES`. */
#include "program.h"

enum { BLOCKS = 1000000 };

static void *volatile last;

NOINLINE static size_t allocate_one(int i) {
  size_t size = 16 + (size_t)i % 85;
  void **block = malloc(size);
  CHECK(block != NULL);
  *block = last;
  last = block;
  return size;
}

int main(void) {
  size_t bytes = 0;
  for (int i = 0; i < BLOCKS; i++) bytes += allocate_one(i);
  say("live %d %zu\n", BLOCKS, bytes);
  return 0;
}
