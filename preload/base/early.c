/* Early memory; see early.h. */
#include "early.h"

_Alignas(64) uint8_t mh_early[MH_EARLY_BYTES];
static size_t early_used;

/* Each block's size is in front of it, so that realloc can copy the block. Blocks are never freed. */
void *mh_early_allocate(size_t size, size_t alignment) {
  size_t start, end, used = __atomic_load_n(&early_used, __ATOMIC_RELAXED);
  if (alignment < 16) alignment = 16;
  if (size > MH_EARLY_BYTES || alignment > 4096) return NULL;
  do {
    start = (((uintptr_t)mh_early + used + sizeof(size_t) + alignment - 1) & ~(alignment - 1)) - (uintptr_t)mh_early;
    end = start + size;
    if (end > MH_EARLY_BYTES) return NULL;
  } while (!__atomic_compare_exchange_n(&early_used, &used, end, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
  __builtin_memcpy(mh_early + start - sizeof(size_t), &size, sizeof(size));
  return mh_early + start;
}

size_t mh_early_size(const void *block) {
  size_t size;
  __builtin_memcpy(&size, (const uint8_t *)block - sizeof(size), sizeof(size));
  return size;
}
