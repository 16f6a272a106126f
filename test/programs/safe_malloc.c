/* A malloc that may be called in signal handlers, to be preloaded behind memhook: then a handler may allocate even
 * where it has interrupted one of memhook's hooks, and only memhook decides whether that is safe. Blocks are cut off
 * one after the other and never used again. */
#define _GNU_SOURCE 1
#include <errno.h>
#include <stdatomic.h>

#include "program.h"

#define VISIBLE __attribute__((visibility("default")))
#define AREA_BYTES ((size_t)1 << 30)

static _Alignas(4096) char area[AREA_BYTES]; /* as .bss: only what is touched costs memory */
static _Atomic size_t used;

static void *take(size_t size, size_t alignment) {
  if (alignment < 16) alignment = 16;
  size_t from = used, start, end;
  do {
    start = (from + 16 + alignment - 1) & ~(alignment - 1);
    end = start + size;
    if (size > AREA_BYTES || end > AREA_BYTES) {
      errno = ENOMEM;
      return NULL;
    }
  } while (!atomic_compare_exchange_weak(&used, &from, end));
  memcpy(area + start - sizeof size, &size, sizeof size);
  return area + start;
}

VISIBLE void *malloc(size_t size) { return take(size, 16); }
VISIBLE void free(void *block) { (void)block; }
VISIBLE void *calloc(size_t count, size_t size) {
  size_t bytes;
  return __builtin_mul_overflow(count, size, &bytes) ? NULL : take(bytes, 16);
}
VISIBLE void *realloc(void *block, size_t size) {
  void *moved = take(size, 16);
  size_t old = 0;
  if (block != NULL) memcpy(&old, (char *)block - sizeof old, sizeof old);
  if (block != NULL && moved != NULL) memcpy(moved, block, old < size ? old : size);
  return moved;
}
VISIBLE void *memalign(size_t alignment, size_t size) { return take(size, alignment); }
VISIBLE void *aligned_alloc(size_t alignment, size_t size) { return take(size, alignment); }
VISIBLE int posix_memalign(void **block, size_t alignment, size_t size) {
  *block = take(size, alignment);
  return *block == NULL ? ENOMEM : 0;
}
