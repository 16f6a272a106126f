/* Realloc chains: a block belongs to the function that called realloc last, with the size asked for last.
 *
 * live 1 x 5000 heap grow
 * live 1 x 16 heap shrink
 * live 1 x 3990 heap shrink_in_place
 * live 1 x 2000 heap move
 * live 1 x 50 heap move
 * live 1 x 100 heap from_null
 * live 1 x 64 heap allocate_for_failure
 * live 1 x 8388608 heap grow_large
 * live 1 x 1200 heap grow_array
 */
#define _GNU_SOURCE 1
#include <errno.h>

#include "program.h"

static void fill(unsigned char *block, size_t from, size_t to) {
  for (size_t i = from; i < to; i++) block[i] = (unsigned char)(i * 31);
}

static void check_filled(const unsigned char *block, size_t size) {
  for (size_t i = 0; i < size; i++) CHECK(block[i] == (unsigned char)(i * 31));
}

NOINLINE static void grow(void) {
  unsigned char *block = NULL;
  for (size_t size = 10, old = 0; size <= 5000; old = size, size += 10) {
    block = realloc(block, size);
    check_filled(block, old);
    fill(block, old, size);
  }
  keep(block, 5000);
}

NOINLINE static void shrink(void) {
  unsigned char *block = malloc(5000);
  fill(block, 0, 5000);
  for (size_t size = 5000; size >= 16; size -= 16 + size % 16) {
    block = realloc(block, size);
    check_filled(block, size);
  }
  keep(realloc(block, 16), 16);
}

NOINLINE static void shrink_in_place(void) {
  void *block = malloc(4000);
  void *shorter = realloc(block, 3990);
  keep(shorter, 3990);
}

/* A block right behind the first one keeps it from growing where it is. */
NOINLINE static void move(void) {
  unsigned char *block = malloc(40);
  fill(block, 0, 40);
  void *wall = malloc(50);
  block = realloc(block, 2000);
  check_filled(block, 40);
  keep(block, 2000);
  keep(wall, 50);
}

NOINLINE static void from_null(void) { keep(realloc(NULL, 100), 100); }

/* glibc frees and returns NULL, musl returns an empty block: neither may leave a record behind. */
NOINLINE static void to_zero(void) {
  void *volatile block = malloc(77);
  volatile size_t nothing = 0;
  free(realloc(block, nothing));
}

NOINLINE static void *allocate_for_failure(void) { return keep(malloc(64), 64); }

NOINLINE static void fail(void) {
  unsigned char *volatile block = allocate_for_failure();
  volatile size_t most = (size_t)PTRDIFF_MAX;
  errno = 0;
  CHECK(realloc(block, most) == NULL && errno == ENOMEM);
  CHECK(block[0] == 0xa5 && block[63] == 0xa5);
}

/* The libc moves large blocks with mremap. */
NOINLINE static void grow_large(void) {
  unsigned char *block = malloc(1 << 20);
  fill(block, 0, 1 << 20);
  block = realloc(block, 8 << 20);
  check_filled(block, 1 << 20);
  keep(block, 8 << 20);
}

NOINLINE static void grow_array(void) {
  void *block = reallocarray(NULL, 3, 100);
  keep(reallocarray(block, 3, 400), 1200);
}

NOINLINE static void chain_that_ends_freed(void) {
  void *volatile block = NULL;
  for (int i = 0; i < 1000; i++) {
    block = realloc(block, (size_t)(i * 37 % 1009 + 1));
    if (i % 10 == 9) {
      free(block);
      block = NULL;
    }
  }
}

int main(void) {
  grow();
  shrink();
  shrink_in_place();
  move();
  from_null();
  to_zero();
  fail();
  grow_large();
  grow_array();
  chain_that_ends_freed();
  return 0;
}
