/* Ranges of addresses: a sorted array of ranges that do not overlap, each with a number. Its users have a lock for
 * it.
 *
 * Ranges are few: the kernel allows 65,530 mappings by default. Each costs a system call; moving the array's tail costs
 * little in comparison.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "../base/debug.h"
#include "../base/sys.h"

struct mh_range {
  uintptr_t start, end;
  uint32_t number;
};

struct mh_ranges {
  struct mh_range *at;
  uint32_t count, capacity; /* count is also read without the lock */
};

static inline bool mh_ranges_make_room(struct mh_ranges *ranges) {
  if (ranges->count < ranges->capacity) return true;
  uint32_t larger = ranges->capacity ? ranges->capacity * 2 : 256;
  struct mh_range *memory = mh_map_private(larger * sizeof(struct mh_range));
  if (!memory) return false;
  __builtin_memcpy(memory, ranges->at, ranges->count * sizeof(struct mh_range));
  struct mh_range *old = ranges->at;
  uint32_t old_capacity = ranges->capacity;
  ranges->at = memory;
  ranges->capacity = larger;
  if (old) mh_munmap(old, old_capacity * sizeof(struct mh_range));
  return true;
}

/* The first that ends behind `address`. */
static inline uint32_t mh_ranges_behind(const struct mh_ranges *ranges, uintptr_t address) {
  uint32_t low = 0, high = ranges->count;
  while (low < high) {
    uint32_t middle = (low + high) / 2;
    if (ranges->at[middle].end <= address)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

/* Whether the array is in order at `at` and around it. */
static inline bool mh_ranges_in_order(const struct mh_ranges *ranges, uint32_t at) {
  const struct mh_range *all = ranges->at;
  if (at >= ranges->count || all[at].start >= all[at].end) return at >= ranges->count;
  return (!at || all[at - 1].end <= all[at].start) && (at + 1 == ranges->count || all[at].end <= all[at + 1].start);
}

/* There is room, and nothing overlaps. */
static inline void mh_ranges_insert(struct mh_ranges *ranges, struct mh_range range) {
  uint32_t at = mh_ranges_behind(ranges, range.start);
  __builtin_memmove(&ranges->at[at + 1], &ranges->at[at], (ranges->count - at) * sizeof(struct mh_range));
  ranges->at[at] = range;
  MH_SET(ranges->count, ranges->count + 1);
  MH_ASSERT(ranges->count <= ranges->capacity && mh_ranges_in_order(ranges, at));
}

static inline void mh_ranges_remove(struct mh_ranges *ranges, uint32_t at) {
  MH_SET(ranges->count, ranges->count - 1);
  __builtin_memmove(&ranges->at[at], &ranges->at[at + 1], (ranges->count - at) * sizeof(struct mh_range));
}

/* Repairs the array where a change was interrupted for good: keeps the ranges that are in order and that `is_whole`
 * accepts. Returns how many are lost. */
static inline uint32_t mh_ranges_keep(struct mh_ranges *ranges, bool (*is_whole)(const struct mh_range *range)) {
  uint32_t kept = 0, before = ranges->count;
  /* While a range is being removed, the array still has one more behind the last. */
  uint32_t written = before < ranges->capacity ? before + 1 : before;
  for (uint32_t i = 0; i < written; i++) {
    struct mh_range range = ranges->at[i];
    if (range.start >= range.end || (kept && range.start < ranges->at[kept - 1].end) || !is_whole(&range)) continue;
    ranges->at[kept++] = range;
  }
  MH_SET(ranges->count, kept);
  return kept < before ? before - kept : 0;
}
