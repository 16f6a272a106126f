/* Regions; see regions.h.
 *
 * A sorted array under a lock: mappings are few (the kernel allows 65,530 by default) and each costs a system call, next to
 * which moving the array's tail is small.
 */
#include "regions.h"

#include "clock.h"
#include "counters.h"
#include "fork_log.h"
#include "lock.h"
#include "origin.h"
#include "records.h"
#include "store.h"
#include "sys.h"
#include "thread.h"

struct region {
  uintptr_t start, end; /* whole pages */
  uint32_t slot;
};

static struct region *regions;
static uint32_t count, capacity; /* count is also read without the lock */
static struct mh_lock lock;
uint32_t mh_region_changes;

static uint64_t whole_pages(uint64_t bytes) {
  uint64_t page = mh_header()->page_bytes;
  return (bytes + page - 1) & ~(page - 1);
}

static bool make_room(void) {
  if (count < capacity) return true;
  uint32_t larger = capacity ? capacity * 2 : 256;
  struct region *memory = mh_map_private(larger * sizeof(struct region));
  if (!memory) return false;
  __builtin_memcpy(memory, regions, count * sizeof(struct region));
  struct region *old = regions;
  uint32_t old_capacity = capacity;
  regions = memory;
  capacity = larger;
  if (old) mh_munmap(old, old_capacity * sizeof(struct region));
  return true;
}

/* The first region that ends behind `address`. */
static uint32_t first_behind(uintptr_t address) {
  uint32_t low = 0, high = count;
  while (low < high) {
    uint32_t middle = (low + high) / 2;
    if (regions[middle].end <= address)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

static void write_record(uint32_t slot, const struct mh_piece *piece) {
  struct mh_record *record = mh_record(slot);
  if (record->address) mh_record_retire(slot, record);
  MH_SET(record->size, piece->size | (uint64_t)MH_MEMORY_MMAP << MH_RECORD_KIND_SHIFT);
  MH_SET(record->time, piece->time);
  MH_SET(record->thread, piece->thread);
  MH_SET(record->stack, piece->stack);
  __atomic_store_n(&record->address, piece->start, __ATOMIC_RELEASE);
}

/* Sorted, no two overlapping: at `at` and around it. */
static bool in_order(uint32_t at) {
  if (at >= count || regions[at].start >= regions[at].end) return at >= count;
  return (!at || regions[at - 1].end <= regions[at].start) && (at + 1 == count || regions[at].end <= regions[at + 1].start);
}

/* The lock is held. */
static void changed(void) {
  MH_SET(mh_region_changes, mh_region_changes + 1);
}

/* Keeps the regions that are in order and have their records, where somebody was in the middle of a change. Returns how many are gone. */
static uint32_t keep_whole(void) {
  uint32_t kept = 0, before = count, written = count < capacity ? count + 1 : count; /* while one is taken out there is one behind the last */
  for (uint32_t i = 0; i < written; i++) {
    struct region region = regions[i];
    if (region.start >= region.end || (kept && region.start < regions[kept - 1].end)) continue;
    if (!region.slot || MH_GET(mh_record(region.slot)->address) != region.start) continue;
    regions[kept++] = region;
  }
  changed();
  MH_SET(count, kept);
  return kept < before ? before - kept : 0;
}

static void mend(void) {
  if (keep_whole()) mh_store_drop(0);
}

static bool mended(enum mh_lock_result taken) {
  if (MH_UNLIKELY(taken == MH_LOCK_TAKEN_OVER)) mend();
  return taken != MH_LOCK_REFUSED;
}

static bool take(struct mh_thread *thread) {
  return mended(mh_lock_take_again(&lock, mh_thread_id(thread)));
}

/* Inserts a region and its record. The lock is held, and nothing overlaps. */
static void insert(struct mh_thread *thread, const struct mh_piece *piece) {
  uint32_t slot = make_room() ? mh_slot_take(thread) : 0;
  if (!slot) {
    mh_store_drop(piece->size);
    return;
  }
  uint32_t at = first_behind(piece->start);
  changed();
  __builtin_memmove(&regions[at + 1], &regions[at], (count - at) * sizeof(struct region));
  regions[at] = (struct region){piece->start, piece->start + whole_pages(piece->size), slot};
  MH_SET(count, count + 1);
  MH_ASSERT(count <= capacity && in_order(at));
  write_record(slot, piece);
  mh_count_allocation(thread, piece->stack, (struct mh_amount){1, piece->size}, mh_clock_now());
}

static void note_piece(struct mh_cut *cut, const struct mh_piece *piece) {
  if (cut->count < MH_CUT_PIECES) {
    cut->pieces[cut->count++] = *piece;
  } else {
    cut->missed++;
    cut->missed_bytes += piece->size;
  }
}

/* Takes [start, end) out of the regions. The lock is held. */
static void cut_out(struct mh_thread *thread, uintptr_t start, uintptr_t end, struct mh_cut *cut) {
  for (uint32_t at = first_behind(start); at < count && regions[at].start < end;) {
    struct region *region = &regions[at];
    changed();
    const struct mh_record *record = mh_record(region->slot);
    struct mh_piece whole = {
        .start = region->start,
        .size = mh_record_size(record),
        .time = record->time,
        .thread = record->thread,
        .stack = record->stack,
    };
    uintptr_t whole_end = region->end;
    uintptr_t from = start > region->start ? start : region->start, to = end < region->end ? end : region->end;
    /* The size asked for may end within the last page. */
    uintptr_t used_end = whole.start + whole.size;
    note_piece(cut, &whole);
    mh_count_free(thread, whole.stack, (struct mh_amount){1, whole.size}, false);
    struct mh_piece head = whole, tail = whole;
    head.size = from - whole.start;
    tail.start = to;
    tail.size = to < used_end ? used_end - to : 0;
    if (head.size) {
      region->end = from;
      write_record(region->slot, &head);
      mh_count_allocation(thread, head.stack, (struct mh_amount){1, head.size}, mh_clock_now());
      at++;
    } else {
      mh_record_retire(region->slot, mh_record(region->slot));
      mh_slot_give(thread, region->slot);
      MH_SET(count, count - 1);
      __builtin_memmove(region, region + 1, (count - at) * sizeof(struct region));
    }
    MH_ASSERT(in_order(at));
    if (to < whole_end && tail.size) insert(thread, &tail);
    if (to < whole_end) return;
  }
}

void mh_region_add(uintptr_t start, uint64_t size, const struct mh_entry *entry) {
  struct mh_thread *thread = mh_thread_mine();
  struct mh_piece piece = {
      .start = start,
      .size = size,
      /* By the thread's clock: a child of fork compares it with how far the thread had come. */
      .time = thread ? mh_clock_tell(&thread->newest_time) : mh_clock_now(),
      .thread = mh_thread_id(thread),
      .stack = thread ? mh_capture(thread, entry) : 0,
  };
  bool program = !mh_allocator_maps(piece.stack);
  if (!take(thread)) {
    mh_store_drop(size);
    return;
  }
  struct mh_cut stale = {0}; /* unmapped where no hook saw it */
  cut_out(thread, start, start + whole_pages(size), &stale);
  if (MH_LIKELY(program)) insert(thread, &piece);
  mh_lock_release(&lock);
}

void mh_region_cut(uintptr_t start, uint64_t size, struct mh_cut *cut) {
  cut->count = cut->missed = 0;
  cut->missed_bytes = 0;
  struct mh_thread *thread = mh_thread_mine();
  /* The kernel will refuse what does not begin with a page; and where there are no bytes, none are taken away. */
  if (start & (mh_header()->page_bytes - 1) || !size) return;
  if (!MH_GET(count) || !take(thread)) return;
  uintptr_t end;
  if (!__builtin_add_overflow(start, whole_pages(size), &end)) cut_out(thread, start, end, cut);
  mh_lock_release(&lock);
}

void mh_region_restore(const struct mh_cut *cut) {
  struct mh_thread *thread = mh_thread_mine();
  if (!cut->count) return;
  for (uint32_t i = 0; i < cut->missed; i++) mh_store_drop(i ? 0 : cut->missed_bytes);
  if (!take(thread)) {
    for (uint32_t i = 0; i < cut->count; i++) mh_store_drop(cut->pieces[i].size);
    return;
  }
  for (uint32_t i = 0; i < cut->count; i++) {
    const struct mh_piece *whole = &cut->pieces[i];
    struct mh_cut parts = {0};
    cut_out(thread, whole->start, whole->start + whole_pages(whole->size), &parts);
    insert(thread, whole);
  }
  mh_lock_release(&lock);
}

bool mh_region_around(uintptr_t address, uintptr_t *low, uintptr_t *high) {
  *low = *high = 0;
  if (!mended(mh_lock_try_again(&lock, mh_thread_id(mh_thread_mine())))) return false;
  uint32_t at = first_behind(address);
  bool inside = at < count && regions[at].start <= address;
  *low = inside ? regions[at].start : at ? regions[at - 1].end : 0;
  *high = inside ? regions[at].end : at < count ? regions[at].start : UINTPTR_MAX;
  mh_lock_release(&lock);
  return inside;
}

uint32_t mh_region_peek(uintptr_t start, uint64_t size) {
  uint32_t at = first_behind(start);
  return at < count && regions[at].start == start && regions[at].end == start + whole_pages(size) ? regions[at].slot : 0;
}

void mh_regions_inherit(void) {
  lock = (struct mh_lock){0};
}

void mh_regions_prune(void) {
  keep_whole();
}

void mh_regions_reset(void) {
  count = 0;
  lock = (struct mh_lock){0};
}
