/* The shadow: one entry, a record's slot, for each 16-byte granule of the heap.
 *
 *     address   0000 0000 0000 0000 aaaa aaaa aaaa aaab bbbb bbbb bbbb cccc cccc cccc cccc gggg
 *               upper bits 0        └── 15: top ─────┘└ 13: middle ─┘ └── 16: granule ──┘
 *                                   (x86-64 programs have 47 bits of addresses, aarch64 programs 48)
 *
 *     top[a] ──▶ middle[b] ──▶ chunk[c] : slot of the record, 0 if no recorded block starts here
 *
 * A chunk mirrors 1 MiB of addresses with 256 KiB, of which only the pages that blocks touch cost memory: a
 * quarter of a byte for a byte of heap. Neighbours in the heap are neighbours here, so what the program finds in its cache we
 * mostly do too. A block's start belongs to whoever owns the block, so its entry needs no lock. Only blocks of at most 8 bytes
 * or off the 16-byte grid (8-byte size classes) may meet another one in their granule: they take the entry by compare and
 * swap, and go to the side table when it is taken. The entry's top bit says which half of the granule it is for, so that
 * nobody has to wait for the record itself.
 */
#include "index.h"
#include "store.h"
#include "sys.h"

#define UPPER_HALF ((uint32_t)1 << 31)
#define GRANULE_BITS 4
#define CHUNK_BITS 16
#define MIDDLE_BITS 13
#define TOP_BITS 15
#define ADDRESS_BITS (GRANULE_BITS + CHUNK_BITS + MIDDLE_BITS + TOP_BITS)

struct middle {
  uint32_t *chunks[1 << MIDDLE_BITS];
};

static struct middle *top[1 << TOP_BITS];
static bool inherited; /* from the parent process: entries may be left over */

/* Puts fresh memory where *place is NULL; another thread may do so first. */
static void *fresh(void **place, size_t bytes) {
  void *memory = mh_map_private(bytes);
  void *expected = NULL;
  if (!memory || __atomic_compare_exchange_n(place, &expected, memory, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
    return memory;
  mh_munmap(memory, bytes);
  return expected;
}

static uint32_t *find(uintptr_t address, bool make) {
  if (address >> ADDRESS_BITS) return NULL;
  struct middle **place = &top[address >> (ADDRESS_BITS - TOP_BITS)];
  struct middle *middle = __atomic_load_n(place, __ATOMIC_ACQUIRE);
  if (MH_UNLIKELY(!middle)) {
    if (!make) return NULL;
    middle = fresh((void **)place, sizeof(struct middle));
    if (!middle) return NULL;
  }
  uint32_t **chunk_place = &middle->chunks[address >> (GRANULE_BITS + CHUNK_BITS) & ((1 << MIDDLE_BITS) - 1)];
  uint32_t *chunk = __atomic_load_n(chunk_place, __ATOMIC_ACQUIRE);
  if (MH_UNLIKELY(!chunk)) {
    if (!make) return NULL;
    chunk = fresh((void **)chunk_place, sizeof(uint32_t) << CHUNK_BITS);
    if (!chunk) return NULL;
  }
  return &chunk[address >> GRANULE_BITS & ((1 << CHUNK_BITS) - 1)];
}

static uint32_t half_of(uintptr_t address) {
  return address & 8 ? UPPER_HALF : 0;
}

bool mh_shadow_put(uintptr_t address, uint64_t size, uint32_t slot, uint32_t *stale) {
  uint32_t *entry = address % 8 == 0 && slot < UPPER_HALF ? find(address, true) : NULL;
  if (MH_UNLIKELY(!entry)) return false;
  uint32_t old = __atomic_load_n(entry, __ATOMIC_RELAXED), half = half_of(address);
  if (MH_UNLIKELY(old && (old & UPPER_HALF) != half)) return false;
  if (MH_LIKELY(address % 16 == 0 && size > 8))
    __atomic_store_n(entry, slot, __ATOMIC_RELAXED);
  else if (!__atomic_compare_exchange_n(entry, &old, slot | half, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
    return false;
  *stale = old & ~UPPER_HALF;
  if (MH_UNLIKELY(inherited && old) && mh_record(*stale)->address != address) *stale = 0;
  return true;
}

uint32_t mh_shadow_take(uintptr_t address) {
  uint32_t *entry = address % 8 == 0 ? find(address, false) : NULL;
  if (MH_UNLIKELY(!entry)) return 0;
  uint32_t found = __atomic_load_n(entry, __ATOMIC_RELAXED), slot = found & ~UPPER_HALF;
  if (!found || (found & UPPER_HALF) != half_of(address)) return 0;
  __atomic_store_n(entry, 0, __ATOMIC_RELAXED);
  if (MH_UNLIKELY(inherited) && mh_record(slot)->address != address) return 0;
  return slot;
}

uint32_t mh_shadow_peek(uintptr_t address) {
  const uint32_t *entry = address % 8 == 0 ? find(address, false) : NULL;
  uint32_t found = entry ? *entry : 0;
  return (found & UPPER_HALF) == half_of(address) ? found & ~UPPER_HALF : 0;
}

void mh_shadow_inherit(void) {
  inherited = true;
}

void mh_shadow_reset(void) {
  inherited = false;
  for (uint32_t a = 0; a < 1 << TOP_BITS; a++) {
    if (!top[a]) continue;
    for (uint32_t b = 0; b < 1 << MIDDLE_BITS; b++)
      if (top[a]->chunks[b]) mh_madvise(top[a]->chunks[b], sizeof(uint32_t) << CHUNK_BITS, MADV_DONTNEED);
  }
}
