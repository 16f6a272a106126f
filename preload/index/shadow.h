/* The shadow: one entry, a record's slot, for each granule of the heap.
 *
 *     address   0000 0000 0000 0000 aaaa aaaa aaaa aaab bbbb bbbb bbbb cccc cccc cccc cccq qqqq
 *               upper bits 0        └── 15: top ─────┘└ 13: middle ─┘ └ 15: granule ──┘└ 5: in it
 *                                   (x86-64 programs have 47 bits of addresses, aarch64 programs 48)
 *
 *     top[a] ──▶ middle[b] ──▶ chunk[c]: slot of the record and place in the granule; 0: no recorded block starts here
 *
 * A granule is as small as the smallest block that the allocator makes. So each granule has one owner, and its entry
 * needs no lock. With glibc that is 32 bytes, else 16 (then c has 16 bits and q 4).
 *
 * A chunk covers 1 MiB of addresses with 128 KiB (256 KiB with granules of 16 bytes). Only the pages that blocks touch
 * cost memory: an eighth of a byte (a quarter) for each byte of heap. Neighbours in the heap are neighbours here. The
 * fewer cache lines the entries need, the more of its own data the program keeps in the caches. With a second-level
 * cache of 512 KB and a mebibyte of blocks, granules of 32 bytes instead of 16 save a tenth of what memhook adds.
 *
 * Blocks of other allocators that are smaller than a granule or off the grid may share one. They take the entry by
 * compare and swap, and go to the overflow table if it is taken. The entry's two upper bits say where in the granule
 * the block begins, in steps of 8 bytes. So a look-up need not wait for the record itself.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "../base/sys.h"

#define MH_SHADOW_SLOTS ((uint32_t)1 << 30) /* slots below this one fit into an entry */
#define MH_CHUNK_BITS 20 /* addresses */
#define MH_MIDDLE_BITS 13
#define MH_TOP_BITS 15
#define MH_SHADOW_ADDRESS_BITS (MH_CHUNK_BITS + MH_MIDDLE_BITS + MH_TOP_BITS)

struct mh_shadow_middle {
  uint32_t *chunks[1 << MH_MIDDLE_BITS];
};
extern struct mh_shadow_middle *mh_shadow_top[1 << MH_TOP_BITS];

/* Bits of an address within a granule, 4 or 5. Set before the first entry is made, and never changed afterwards. */
extern uint8_t mh_granule_bits;

/* The entry for an address, NULL if there is none yet. */
MH_INLINE uint32_t *mh_shadow_entry(uintptr_t address) {
  uintptr_t top = address >> (MH_SHADOW_ADDRESS_BITS - MH_TOP_BITS);
  if (MH_UNLIKELY(top >= 1 << MH_TOP_BITS)) return NULL;
  struct mh_shadow_middle *middle = __atomic_load_n(&mh_shadow_top[top], __ATOMIC_ACQUIRE);
  if (MH_UNLIKELY(!middle)) return NULL;
  uintptr_t number = address >> MH_CHUNK_BITS & ((1 << MH_MIDDLE_BITS) - 1);
  uint32_t *chunk = __atomic_load_n(&middle->chunks[number], __ATOMIC_ACQUIRE);
  return MH_LIKELY(chunk != NULL) ? &chunk[(address & ((1 << MH_CHUNK_BITS) - 1)) >> MH_GET(mh_granule_bits)] : NULL;
}

/* The two upper bits of the entry of a block there. */
static inline uint32_t mh_shadow_place(uintptr_t address) {
  return (uint32_t)address >> 3 << 30;
}

/* Like those of index.h. Put returns false where the block must go to the overflow table. `alone`: no other block can
 * begin in its granule. */
bool mh_shadow_put(uintptr_t address, bool alone, uint32_t slot, uint32_t *stale);
uint32_t mh_shadow_take(uintptr_t address);
uint32_t mh_shadow_peek(uintptr_t address);
void mh_shadow_clone(void);
void mh_shadow_reset(void);
