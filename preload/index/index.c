/* The index: chooses between shadow and overflow table; see index.h. */
#include "index.h"

#include "../base/early.h"

struct mh_index mh_index;
uint8_t mh_index_pages[1 << MH_PAGES_BITS];

static void count_in_page(uintptr_t address, int change) {
  if (MH_LIKELY(!mh_settings.sample)) return;
  uint8_t *page = mh_index_page(address), seen = __atomic_load_n(page, __ATOMIC_RELAXED);
  while (seen != UINT8_MAX && (seen || change > 0) &&
         !__atomic_compare_exchange_n(page, &seen, (uint8_t)(seen + change), true, __ATOMIC_RELAXED,
                                      __ATOMIC_RELAXED)) {
  }
}

/* Whether no other block can begin in the granule: the block begins with the granule and reaches into its last 8
 * bytes. */
static bool is_alone(uintptr_t address, uint64_t size) {
  return !(address & mh_index.off_grid) && size >= mh_index.least;
}

bool mh_index_put_any(uintptr_t address, uint64_t size, uint32_t slot, uint32_t *stale) {
  *stale = 0;
  count_in_page(address, 1);
  if (size < MH_INDEX_LARGE_BYTES && mh_shadow_put(address, is_alone(address, size), slot, stale)) return true;
  return mh_overflow_put(address, slot, stale);
}

uint32_t mh_index_take_any(uintptr_t address) {
  uint32_t slot = mh_shadow_take(address);
  if (!slot) slot = mh_overflow_take(address);
  if (slot) count_in_page(address, -1);
  return slot;
}

uint32_t mh_index_take_lockless(uintptr_t address) {
  return mh_shadow_take(address);
}

uint32_t mh_index_peek(uint64_t key) {
  uint32_t slot = key & MH_OVERFLOW_CUSTOM ? 0 : mh_shadow_peek((uintptr_t)key);
  return slot ? slot : mh_overflow_peek(key);
}

void mh_index_clone(void) {
  mh_index.slots = 0;
}

static bool irregular; /* some blocks are not the C library's */

static void suit(uint32_t off_grid, uint32_t least) {
  MH_SET(mh_index.least, least);
  MH_SET(mh_index.room, MH_INDEX_LARGE_BYTES - least);
  MH_SET(mh_index.off_grid, off_grid);
}

void mh_index_no_grid(void) {
  __atomic_store_n(&irregular, true, __ATOMIC_RELAXED);
  uint32_t granule = 1u << mh_granule_bits;
  suit(granule - 1, granule - 7);
}

void mh_index_start(void) {
  /* A free of a block there must always be looked at: the real free does not know such blocks. */
  for (uintptr_t page = 0; page <= MH_EARLY_BYTES; page += 4096) *mh_index_page((uintptr_t)mh_early + page) = UINT8_MAX;
}

static void set_slots(void) {
  mh_index.slots = mh_settings.sample ? 0 : MH_SHADOW_SLOTS - 1;
}

void mh_index_suit(bool libc_allocates, bool glibc) {
  set_slots();
  /* glibc's blocks begin 16 bytes behind those of its chunks, which have 32 bytes at least; musl's have 16. */
  if (libc_allocates && glibc) mh_granule_bits = 5;
  if (libc_allocates && !__atomic_load_n(&irregular, __ATOMIC_RELAXED))
    suit(15, 0);
  else
    mh_index_no_grid();
}

void mh_index_reset(void) {
  __builtin_memset(mh_index_pages, 0, sizeof(mh_index_pages));
  mh_index_start();
  set_slots();
}
