/* The shadow; see shadow.h. */
#include "shadow.h"

#include "../store/store.h"

struct mh_shadow_middle *mh_shadow_top[1 << MH_TOP_BITS];
uint8_t mh_granule_bits = 4;
static bool inherited; /* from the parent process: some entries may have no record */

static size_t chunk_bytes(void) {
  return sizeof(uint32_t) << (MH_CHUNK_BITS - mh_granule_bits);
}

/* Puts fresh memory where *place is NULL; another thread may do so first. */
static void *fresh(void **place, size_t bytes) {
  void *memory = mh_map_private(bytes);
  void *expected = NULL;
  if (!memory || __atomic_compare_exchange_n(place, &expected, memory, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
    return memory;
  mh_munmap(memory, bytes);
  return expected;
}

/* The entry for an address, made if there is none. */
static uint32_t *make(uintptr_t address) {
  if (address >> MH_SHADOW_ADDRESS_BITS) return NULL;
  struct mh_shadow_middle **place = &mh_shadow_top[address >> (MH_SHADOW_ADDRESS_BITS - MH_TOP_BITS)];
  struct mh_shadow_middle *middle = __atomic_load_n(place, __ATOMIC_ACQUIRE);
  if (!middle) middle = fresh((void **)place, sizeof(struct mh_shadow_middle));
  if (!middle) return NULL;
  uint32_t **chunk = &middle->chunks[address >> MH_CHUNK_BITS & ((1 << MH_MIDDLE_BITS) - 1)];
  if (!__atomic_load_n(chunk, __ATOMIC_ACQUIRE) && !fresh((void **)chunk, chunk_bytes())) return NULL;
  return mh_shadow_entry(address);
}

bool mh_shadow_put(uintptr_t address, bool alone, uint32_t slot, uint32_t *stale) {
  uint32_t *entry = address % 8 == 0 && slot < MH_SHADOW_SLOTS ? make(address) : NULL;
  if (MH_UNLIKELY(!entry)) return false;
  uint32_t old = __atomic_load_n(entry, __ATOMIC_RELAXED), place = mh_shadow_place(address);
  if (MH_UNLIKELY(old && (old ^ place) >= MH_SHADOW_SLOTS)) return false;
  if (MH_LIKELY(alone))
    __atomic_store_n(entry, slot | place, __ATOMIC_RELAXED);
  else if (!__atomic_compare_exchange_n(entry, &old, slot | place, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
    return false;
  *stale = old ? old ^ place : 0;
  if (MH_UNLIKELY(inherited && old) && mh_record(*stale)->address != address) *stale = 0;
  return true;
}

uint32_t mh_shadow_peek(uintptr_t address) {
  const uint32_t *entry = address % 8 == 0 ? mh_shadow_entry(address) : NULL;
  uint32_t found = entry ? __atomic_load_n(entry, __ATOMIC_RELAXED) : 0, slot = found ^ mh_shadow_place(address);
  return found && slot < MH_SHADOW_SLOTS ? slot : 0;
}

uint32_t mh_shadow_take(uintptr_t address) {
  uint32_t slot = mh_shadow_peek(address);
  if (!slot) return 0;
  __atomic_store_n(mh_shadow_entry(address), 0, __ATOMIC_RELAXED);
  if (MH_UNLIKELY(inherited) && mh_record(slot)->address != address) return 0;
  return slot;
}

void mh_shadow_clone(void) {
  inherited = true;
}

void mh_shadow_reset(void) {
  inherited = false;
  for (uint32_t a = 0; a < 1 << MH_TOP_BITS; a++) {
    if (!mh_shadow_top[a]) continue;
    for (uint32_t b = 0; b < 1 << MH_MIDDLE_BITS; b++)
      if (mh_shadow_top[a]->chunks[b]) mh_madvise(mh_shadow_top[a]->chunks[b], chunk_bytes(), MADV_DONTNEED);
  }
}
