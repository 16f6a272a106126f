/* The index: from the address of a live heap block to its record.
 *
 * One interface for two tables: the shadow for ordinary blocks (shadow.c, no locks), and the overflow table for all
 * others (overflow.c). Both are private memory, not part of the store: a viewer finds every record by scanning, and a
 * child of fork has its own copy.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "../base/settings.h"
#include "shadow.h"
#include "../base/sys.h"

/* From this size on glibc maps each block separately. Such a block would need a page of the shadow for one entry. */
#define MH_INDEX_LARGE_BYTES (128u << 10)

/* What the fast paths compare, to recognize ordinary blocks. */
struct mh_index {
  /* The fast paths trust entries with slots 1 … `slots`. It is 0 while sampling, and in a child with its parent's
   * index. */
  uint32_t slots;
  uint32_t off_grid; /* bits of an address: a block is alone in its granule if they are 0, */
  uint32_t least;    /* and if it has at least so many bytes */
  uint32_t room;     /* a block with so many bytes more is a large one */
};
extern struct mh_index mh_index;

/* Puts record `slot` (not 0) in for the block at `address`. If another record was there, a free was missed: `*stale`
 * receives its slot, else 0. False: there is no room. */
bool mh_index_put_any(uintptr_t address, uint64_t size, uint32_t slot, uint32_t *stale);
uint32_t mh_index_take_any(uintptr_t address);

/* The fast path of mh_index_put_any: an ordinary block whose entry exists and is empty. In every other case it returns
 * false and does nothing. */
MH_INLINE bool mh_index_put_fast(uintptr_t address, uint64_t size, uint32_t slot) {
  if (MH_UNLIKELY(address & mh_index.off_grid || size - mh_index.least >= mh_index.room || slot > mh_index.slots))
    return false;
  uint32_t *entry = mh_shadow_entry(address);
  if (MH_UNLIKELY(!entry || __atomic_load_n(entry, __ATOMIC_RELAXED))) return false;
  __atomic_store_n(entry, slot | mh_shadow_place(address), __ATOMIC_RELAXED);
  return true;
}

/* While sampling, nearly every block that is freed has no record. A byte for each 4 KiB page of addresses, hashed,
 * counts the recorded blocks there, up to 255, where it stays. 0 means that no block there has a record. */
#define MH_PAGES_BITS 14
extern uint8_t mh_index_pages[1 << MH_PAGES_BITS];

static inline uint8_t *mh_index_page(uintptr_t address) {
  return &mh_index_pages[(address >> 12) * 0x9e3779b97f4a7c15u >> (64 - MH_PAGES_BITS)];
}

/* False: the block certainly has no record. */
static inline bool mh_index_may_have(const void *block) {
  return MH_LIKELY(!mh_settings.sample) || __atomic_load_n(mh_index_page((uintptr_t)block), __ATOMIC_RELAXED) != 0;
}

/* The fast path of mh_index_take: an ordinary block. In every other case it returns 0 and does nothing. */
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

/* The same for a signal handler that interrupted memhook's own bookkeeping: without locks. */
uint32_t mh_index_take_lockless(uintptr_t address);

/* The slot of the block's record, left where it is. `key`: an address, or one with MH_OVERFLOW_CUSTOM. */
uint32_t mh_index_peek(uint64_t key);

/* Called before the settings are read: afterwards mh_index_may_have may say no. */
void mh_index_start(void);

/* Called once after the settings are read: whether the blocks are the C library's, and whether that is glibc. */
void mh_index_suit(bool libc_allocates, bool glibc);

/* Some blocks are not the C library's, and may begin anywhere. May be called before mh_index_suit or after it. */
void mh_index_no_grid(void);

/* The moments of a process's life; see life/life.h. A child that continues its parent's index may have entries without
 * a record. The shadow's are compared with the record when they are met, the overflow table's all at once. */
void mh_index_clone(void);
void mh_index_reset(void);

/* overflow.c. Keys are addresses. Memory of custom allocators lies inside other blocks; its keys have the top bit
 * set. */
#define MH_OVERFLOW_CUSTOM ((uint64_t)1 << 63)
bool mh_overflow_put(uint64_t key, uint32_t slot, uint32_t *stale);
uint32_t mh_overflow_take(uint64_t key);
uint32_t mh_overflow_peek(uint64_t key);
void mh_overflow_clone(void);
void mh_overflow_drop_missing(void);
void mh_overflow_reset(void);
