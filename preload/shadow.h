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
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "sys.h"

#define MH_SHADOW_UPPER_HALF ((uint32_t)1 << 31)
#define MH_GRANULE_BITS 4
#define MH_CHUNK_BITS 16
#define MH_MIDDLE_BITS 13
#define MH_TOP_BITS 15
#define MH_SHADOW_ADDRESS_BITS (MH_GRANULE_BITS + MH_CHUNK_BITS + MH_MIDDLE_BITS + MH_TOP_BITS)

struct mh_shadow_middle {
  uint32_t *chunks[1 << MH_MIDDLE_BITS];
};
extern struct mh_shadow_middle *mh_shadow_top[1 << MH_TOP_BITS];

/* The entry for an address, NULL if there is none yet. */
static inline __attribute__((always_inline)) uint32_t *mh_shadow_entry(uintptr_t address) {
  if (MH_UNLIKELY(address >> MH_SHADOW_ADDRESS_BITS)) return NULL;
  struct mh_shadow_middle *middle = __atomic_load_n(&mh_shadow_top[address >> (MH_SHADOW_ADDRESS_BITS - MH_TOP_BITS)], __ATOMIC_ACQUIRE);
  if (MH_UNLIKELY(!middle)) return NULL;
  uintptr_t number = address >> (MH_GRANULE_BITS + MH_CHUNK_BITS) & ((1 << MH_MIDDLE_BITS) - 1);
  uint32_t *chunk = __atomic_load_n(&middle->chunks[number], __ATOMIC_ACQUIRE);
  return MH_LIKELY(chunk != NULL) ? &chunk[address >> MH_GRANULE_BITS & ((1 << MH_CHUNK_BITS) - 1)] : NULL;
}

/* As those of index.h. Put answers false where a block has to go to the side table. */
bool mh_shadow_put(uintptr_t address, uint64_t size, uint32_t slot, uint32_t *stale);
uint32_t mh_shadow_take(uintptr_t address);
uint32_t mh_shadow_peek(uintptr_t address);
void mh_shadow_inherit(void);
void mh_shadow_reset(void);
