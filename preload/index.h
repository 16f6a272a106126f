/* The index: from the address of a live heap block to its record.
 *
 * Two parts behind one face: the shadow for ordinary blocks (shadow.c, no locks), the side table for those
 * that do not suit it (side.c). Both are private memory, not part of the store: a viewer finds every record by
 * scanning, and a child of fork has its own copy.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "settings.h"
#include "sys.h"

/* Says that record `slot` (not 0) describes the block at `address`. If another record did, a free was missed: `*stale`
 * receives its slot, else 0. False when there is no room. */
bool mh_index_put(uintptr_t address, uint64_t size, uint32_t slot, uint32_t *stale);

/* Where only a sample is recorded, nearly every block that is freed has no record. A byte for each 4 KiB page of addresses, hashed, counts
 * the recorded blocks there (and sticks at 255): at 0 there is none. Kept only while sampling. */
#define MH_PAGES_BITS 14
extern uint8_t mh_index_pages[1 << MH_PAGES_BITS];

static inline uint8_t *mh_index_page(uintptr_t address) {
  return &mh_index_pages[(address >> 12) * 0x9e3779b97f4a7c15u >> (64 - MH_PAGES_BITS)];
}

/* False: the block has no record, which is known at once. */
static inline bool mh_index_may_have(const void *block) {
  return MH_LIKELY(!mh_settings.sample) || __atomic_load_n(mh_index_page((uintptr_t)block), __ATOMIC_RELAXED) != 0;
}

/* Takes the block's record out of the index and returns its slot, 0 if it has none. */
uint32_t mh_index_take(uintptr_t address);

/* The same for a signal handler that interrupted our own bookkeeping: looks only where no lock is needed. */
uint32_t mh_index_take_lockless(uintptr_t address);

/* The slot of the block's record, left where it is. `key`: an address, or one with MH_SIDE_CUSTOM. */
uint32_t mh_index_peek(uint64_t key);

/* In a child of fork that goes on with its parent's blocks: frees the locks that other threads held. From then on an entry
 * may be left over from a record that did not come along, and is compared with the record. */
void mh_index_inherit(void);

/* Empties it (a child that starts afresh). */
void mh_index_reset(void);

/* shadow.c */
bool mh_shadow_put(uintptr_t address, uint64_t size, uint32_t slot, uint32_t *stale);
uint32_t mh_shadow_take(uintptr_t address);
uint32_t mh_shadow_peek(uintptr_t address);
void mh_shadow_inherit(void);
void mh_shadow_reset(void);

/* side.c. Keys are addresses; memory of custom allocators lies inside other blocks and has the key's top bit set. */
#define MH_SIDE_CUSTOM ((uint64_t)1 << 63)
bool mh_side_put(uint64_t key, uint32_t slot, uint32_t *stale);
uint32_t mh_side_take(uint64_t key);
uint32_t mh_side_peek(uint64_t key);
void mh_side_inherit(void);
void mh_side_reset(void);
