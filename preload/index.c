/* The index: chooses between shadow and side table; see index.h. */
#include "index.h"

/* From this size on glibc maps a block by itself: it would touch a page of the shadow for one entry. */
#define LARGE_BYTES (128u << 10)

bool mh_index_put(uintptr_t address, uint64_t size, uint32_t slot, uint32_t *stale) {
  *stale = 0;
  if (size < LARGE_BYTES && mh_shadow_put(address, size, slot, stale)) return true;
  return mh_side_put(address, slot, stale);
}

uint32_t mh_index_take(uintptr_t address) {
  uint32_t slot = mh_shadow_take(address);
  return slot ? slot : mh_side_take(address);
}

uint32_t mh_index_take_lockless(uintptr_t address) {
  return mh_shadow_take(address);
}

uint32_t mh_index_peek(uint64_t key) {
  uint32_t slot = key & MH_SIDE_CUSTOM ? 0 : mh_shadow_peek((uintptr_t)key);
  return slot ? slot : mh_side_peek(key);
}

void mh_index_inherit(void) {
  mh_shadow_inherit();
  mh_side_inherit();
}

void mh_index_reset(void) {
  mh_shadow_reset();
  mh_side_reset();
}
