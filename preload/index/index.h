/* The index: from the address of a live heap block to its record.
 *
 * Two parts behind one face: the shadow for ordinary blocks (shadow.c, no locks), the overflow table for those
 * that do not suit it (overflow.c). Both are private memory, not part of the store: a viewer finds every record by
 * scanning, and a child of fork has its own copy.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "../base/settings.h"
#include "shadow.h"
#include "../base/sys.h"

/* From this size on glibc maps a block by itself: it would touch a page of the shadow for one entry. */
#define MH_INDEX_LARGE_BYTES (128u << 10)

/* What is known of blocks, so that few comparisons tell the ordinary ones. */
struct mh_index {
  /* an entry means what it says for slots 1 … `slots`: 0 where only a sample is recorded, or entries were inherited */
  uint32_t slots;
  uint32_t off_grid; /* bits of an address that are 0 where a block is alone in its granule, */
  uint32_t least;    /* if it has at least so many bytes; */
  uint32_t room;     /* and so many more make it a large one */
};
extern struct mh_index mh_index;

/* Says that record `slot` (not 0) describes the block at `address`. If another record did, a free was missed:
 * `*stale` receives its slot, else 0. False when there is no room. */
bool mh_index_put_any(uintptr_t address, uint64_t size, uint32_t slot, uint32_t *stale);
uint32_t mh_index_take_any(uintptr_t address);

/* mh_index_put_any for an ordinary block whose entry is there and empty. False, with nothing done, in every other
 * case. */
MH_INLINE bool mh_index_put_fast(uintptr_t address, uint64_t size, uint32_t slot) {
  if (MH_UNLIKELY(address & mh_index.off_grid || size - mh_index.least >= mh_index.room || slot > mh_index.slots))
    return false;
  uint32_t *entry = mh_shadow_entry(address);
  if (MH_UNLIKELY(!entry || __atomic_load_n(entry, __ATOMIC_RELAXED))) return false;
  __atomic_store_n(entry, slot | mh_shadow_place(address), __ATOMIC_RELAXED);
  return true;
}

/* Where only a sample is recorded, nearly every block that is freed has no record. A byte for each 4 KiB page of
 * addresses, hashed, counts the recorded blocks there (and sticks at 255): at 0 there is none. Kept only while
 * sampling. */
#define MH_PAGES_BITS 14
extern uint8_t mh_index_pages[1 << MH_PAGES_BITS];

static inline uint8_t *mh_index_page(uintptr_t address) {
  return &mh_index_pages[(address >> 12) * 0x9e3779b97f4a7c15u >> (64 - MH_PAGES_BITS)];
}

/* False: the block has no record, which is known at once. */
static inline bool mh_index_may_have(const void *block) {
  return MH_LIKELY(!mh_settings.sample) || __atomic_load_n(mh_index_page((uintptr_t)block), __ATOMIC_RELAXED) != 0;
}

/* Takes the record of an ordinary block out of the index and returns its slot. 0, with nothing done, in every other
 * case. */
MH_INLINE uint32_t mh_index_take_fast(uintptr_t address) {
  uint32_t *entry = mh_shadow_entry(address);
  if (MH_UNLIKELY(!entry)) return 0;
  uint32_t slot = __atomic_load_n(entry, __ATOMIC_RELAXED) ^ mh_shadow_place(address);
  if (MH_UNLIKELY(slot - 1 >= mh_index.slots || address % 8)) return 0;
  __atomic_store_n(entry, 0, __ATOMIC_RELAXED);
  return slot;
}

/* Takes the block's record out of the index and returns its slot, 0 if it has none. */
MH_INLINE uint32_t mh_index_take(uintptr_t address) {
  uint32_t slot = mh_index_take_fast(address);
  return MH_LIKELY(slot != 0) ? slot : mh_index_take_any(address);
}

/* The same for a signal handler that interrupted our own bookkeeping: looks only where no lock is needed. */
uint32_t mh_index_take_lockless(uintptr_t address);

/* The slot of the block's record, left where it is. `key`: an address, or one with MH_OVERFLOW_CUSTOM. */
uint32_t mh_index_peek(uint64_t key);

/* Called before the settings are read: afterwards mh_index_may_have may say no. */
void mh_index_start(void);

/* Called once after it: whether the blocks are the C library's, and which one that is. */
void mh_index_suit(bool libc_allocates, bool glibc);

/* Some blocks are not the C library's after all, and may begin anywhere. Called before that or after it. */
void mh_index_no_grid(void);

/* The moments of a process's life; see life/life.h. Of a parent's blocks that a
 * child goes on with, an entry may be left over from a record that did not come
 * along: it is compared with the record, those of the overflow table at once. */
void mh_index_clone(void);
void mh_index_reset(void);

/* overflow.c. Keys are addresses; memory of custom allocators lies inside other blocks and has the key's top bit
 * set. */
#define MH_OVERFLOW_CUSTOM ((uint64_t)1 << 63)
bool mh_overflow_put(uint64_t key, uint32_t slot, uint32_t *stale);
uint32_t mh_overflow_take(uint64_t key);
uint32_t mh_overflow_peek(uint64_t key);
void mh_overflow_clone(void);
void mh_overflow_drop_missing(void);
void mh_overflow_reset(void);
