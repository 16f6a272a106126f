/* The index: chooses between shadow and side table; see index.h. */
#include "index.h"

bool mh_index_plain, mh_index_grid;
uint8_t mh_index_pages[1 << MH_PAGES_BITS];

static void count_in_page(uintptr_t address, int change) {
  if (MH_LIKELY(!mh_settings.sample)) return;
  uint8_t *page = mh_index_page(address), seen = __atomic_load_n(page, __ATOMIC_RELAXED);
  while (seen != UINT8_MAX && (seen || change > 0) &&
         !__atomic_compare_exchange_n(page, &seen, (uint8_t)(seen + change), true, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
  }
}

bool mh_index_put_any(uintptr_t address, uint64_t size, uint32_t slot, uint32_t *stale) {
  *stale = 0;
  count_in_page(address, 1);
  if (size < MH_INDEX_LARGE_BYTES && mh_shadow_put(address, size, slot, stale)) return true;
  return mh_side_put(address, slot, stale);
}

uint32_t mh_index_take_any(uintptr_t address) {
  uint32_t slot = mh_shadow_take(address);
  if (!slot) slot = mh_side_take(address);
  if (slot) count_in_page(address, -1);
  return slot;
}

uint32_t mh_index_take_lockless(uintptr_t address) {
  return mh_shadow_take(address);
}

uint32_t mh_index_peek(uint64_t key) {
  uint32_t slot = key & MH_SIDE_CUSTOM ? 0 : mh_shadow_peek((uintptr_t)key);
  return slot ? slot : mh_side_peek(key);
}

void mh_index_inherit(void) {
  mh_index_plain = false;
  mh_shadow_inherit();
  mh_side_inherit();
}

void mh_index_start(void) {
  mh_index_plain = !mh_settings.sample;
}

void mh_index_reset(void) {
  mh_index_start();
  __builtin_memset(mh_index_pages, 0, sizeof(mh_index_pages));
  mh_shadow_reset();
  mh_side_reset();
}
