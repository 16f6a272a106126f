/* A pool that reports its blocks to memhook (preload/memhook.h): one block of the heap, handed out in smaller ones.
 * memhook records the large block by itself, and the small ones because they are reported. A small block that was put
 * back is free, although the large one is not.
 *
 * live 1 x 4096 heap pool_open
 * live 3 x 64 custom pool_get
 * live 1 x 24 custom pool_get
 */
#include "../../preload/memhook.h"
#include "program.h"

enum { BLOCK = 64, BLOCKS = 4096 / BLOCK };

struct pool {
  char *piece;
  void *unused[BLOCKS];
  int count;
};

NOINLINE static void pool_open(struct pool *pool) {
  pool->piece = malloc(BLOCKS * BLOCK);
  CHECK(pool->piece != NULL);
  for (int i = 0; i < BLOCKS; i++) pool->unused[i] = pool->piece + i * BLOCK;
  pool->count = BLOCKS;
}

NOINLINE static void *pool_get(struct pool *pool, size_t size) {
  CHECK(pool->count > 0 && size <= BLOCK);
  void *block = pool->unused[--pool->count];
  memhook_alloc(block, size);
  return block;
}

NOINLINE static void pool_put(struct pool *pool, void *block) {
  memhook_free(block);
  pool->unused[pool->count++] = block;
}

NOINLINE static void forget(struct pool *pool) {
  for (int i = 0; i < 3; i++) keep(pool_get(pool, 64), 64);
}

static struct pool pool;

int main(void) {
  pool_open(&pool);
  for (int round = 0; round < 1000; round++) pool_put(&pool, pool_get(&pool, 40));
  forget(&pool);
  keep(pool_get(&pool, 24), 24);
  memhook_free(NULL);
  memhook_alloc(NULL, 24);
  return 0;
}
