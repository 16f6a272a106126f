/* The interval table; see intervals.h. */
#include "intervals.h"

#include "../base/lock.h"
#include "../base/self.h"
#include "../store/store.h"

struct mh_ranges mh_mappings, mh_reservations;
uint32_t mh_intervals_changes;

static struct mh_lock lock; /* of both */

void mh_intervals_count_reserved(int64_t bytes) {
  struct mh_header *header = mh_header();
  MH_SET(header->reserved_bytes, header->reserved_bytes + (uint64_t)bytes);
}

static bool has_record(const struct mh_range *mapping) {
  return mapping->number && MH_GET(mh_record(mapping->number)->address) == mapping->start;
}

static bool is_reserved(const struct mh_range *reservation) {
  return reservation->number < mh_header()->arrays[MH_KIND_STACKS].count;
}

/* Repairs both where a change was interrupted for good. Returns how many mappings are lost. */
static uint32_t keep_whole(void) {
  mh_intervals_changing();
  mh_ranges_keep(&mh_reservations, is_reserved);
  uint64_t bytes = 0;
  for (uint32_t i = 0; i < mh_reservations.count; i++) bytes += mh_reservations.at[i].end - mh_reservations.at[i].start;
  MH_SET(mh_header()->reserved_bytes, bytes);
  return mh_ranges_keep(&mh_mappings, has_record);
}

static bool repaired(enum mh_lock_result taken) {
  if (MH_UNLIKELY(taken == MH_LOCK_TAKEN_OVER) && keep_whole()) mh_store_drop(0);
  return taken != MH_LOCK_REFUSED;
}

bool mh_intervals_lock(void) {
  return repaired(mh_lock_acquire_reentrant(&lock, mh_self_id()));
}

void mh_intervals_unlock(void) {
  mh_lock_release(&lock);
}

bool mh_intervals_around(uintptr_t address, uintptr_t *low, uintptr_t *high) {
  *low = *high = 0;
  if (!repaired(mh_lock_try_reentrant(&lock, mh_self_id()))) return false;
  uint32_t at = mh_ranges_behind(&mh_mappings, address);
  bool inside = at < mh_mappings.count && mh_mappings.at[at].start <= address;
  *low = inside ? mh_mappings.at[at].start : at ? mh_mappings.at[at - 1].end : 0;
  *high = inside ? mh_mappings.at[at].end : at < mh_mappings.count ? mh_mappings.at[at].start : UINTPTR_MAX;
  mh_lock_release(&lock);
  return inside;
}

uint32_t mh_intervals_peek(uintptr_t start, uintptr_t end) {
  uint32_t at = mh_ranges_behind(&mh_mappings, start);
  bool found = at < mh_mappings.count && mh_mappings.at[at].start == start && mh_mappings.at[at].end == end;
  return found ? mh_mappings.at[at].number : 0;
}

void mh_intervals_clone(void) {
  lock = (struct mh_lock){0};
}

void mh_intervals_drop_missing(void) {
  keep_whole();
}

void mh_intervals_reset(void) {
  mh_mappings.count = mh_reservations.count = 0;
  lock = (struct mh_lock){0};
}
