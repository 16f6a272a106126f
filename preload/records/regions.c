/* Regions; see regions.h.
 *
 *     mmap, with access  ──▶ region ◀── mprotect ──▶ reservation ◀── mmap, PROT_NONE
 */
#include "regions.h"

#include "../base/clock.h"
#include "../threads/counters.h"
#include "fork_log.h"
#include "../unwind/origin.h"
#include "../index/intervals.h"
#include "slots.h"
#include "../store/store.h"
#include "../base/sys.h"
#include "../threads/thread.h"

static uint64_t whole_pages(uint64_t bytes) {
  uint64_t page = mh_page_bytes();
  return (bytes + page - 1) & ~(page - 1);
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

/* The lock is held, and nothing overlaps. */
static void insert_reserved(struct mh_range range) {
  if (!mh_ranges_make_room(&mh_reservations)) return;
  mh_ranges_insert(&mh_reservations, range);
  mh_intervals_count_reserved((int64_t)(range.end - range.start));
}

/* Inserts a region and its record, or a reservation. The lock is held, and nothing overlaps. */
static void insert(struct mh_thread *thread, const struct mh_piece *piece) {
  struct mh_range range = {piece->start, piece->start + whole_pages(piece->size), piece->stack};
  if (piece->reserved) {
    insert_reserved(range);
    return;
  }
  range.number = mh_ranges_make_room(&mh_mappings) ? mh_slot_take(thread) : 0;
  if (!range.number) {
    mh_store_drop(piece->size);
    return;
  }
  mh_intervals_changing();
  mh_ranges_insert(&mh_mappings, range);
  write_record(range.number, piece);
  mh_count_allocation(thread, piece->stack, (struct mh_amount){1, piece->size}, mh_clock_now());
}

static void note_piece(struct mh_cut *cut, const struct mh_piece *piece) {
  if (cut->count < MH_CUT_PIECES) {
    cut->pieces[cut->count++] = *piece;
  } else if (!piece->reserved) {
    cut->missed++;
    cut->missed_bytes += piece->size;
  }
}

/* Takes [start, end) out of the regions. The lock is held. */
static void cut_out(struct mh_thread *thread, uintptr_t start, uintptr_t end, struct mh_cut *cut) {
  for (uint32_t at = mh_ranges_behind(&mh_mappings, start); at < mh_mappings.count && mh_mappings.at[at].start < end;) {
    struct mh_range *region = &mh_mappings.at[at];
    mh_intervals_changing();
    const struct mh_record *record = mh_record(region->number);
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
      write_record(region->number, &head);
      mh_count_allocation(thread, head.stack, (struct mh_amount){1, head.size}, mh_clock_now());
      at++;
    } else {
      mh_record_retire(region->number, mh_record(region->number));
      mh_slot_give(thread, region->number);
      mh_ranges_remove(&mh_mappings, at);
    }
    MH_ASSERT(mh_ranges_in_order(&mh_mappings, at));
    if (to < whole_end && tail.size) insert(thread, &tail);
    if (to < whole_end) return;
  }
}

/* Takes [start, end) out of the reservations. The lock is held. */
static void cut_out_reserved(uintptr_t start, uintptr_t end, struct mh_cut *cut) {
  for (uint32_t at = mh_ranges_behind(&mh_reservations, start);
       at < mh_reservations.count && mh_reservations.at[at].start < end;) {
    struct mh_range whole = mh_reservations.at[at];
    note_piece(cut,
               &(struct mh_piece){
                   .start = whole.start, .size = whole.end - whole.start, .stack = whole.number, .reserved = true});
    uintptr_t from = whole.start < start ? start : whole.start;
    if (whole.start < start)
      mh_reservations.at[at++].end = start;
    else
      mh_ranges_remove(&mh_reservations, at);
    mh_intervals_count_reserved(-(int64_t)(whole.end - from));
    if (whole.end <= end) continue;
    insert_reserved((struct mh_range){end, whole.end, whole.number});
    return;
  }
}

/* What becomes memory begins now; whose it is stays. The lock is held. */
static void open_reserved(struct mh_thread *thread, uintptr_t start, uintptr_t end) {
  for (uint32_t at; (at = mh_ranges_behind(&mh_reservations, start)) < mh_reservations.count &&
                    mh_reservations.at[at].start < end;) {
    struct mh_range whole = mh_reservations.at[at];
    uintptr_t from = start > whole.start ? start : whole.start, to = end < whole.end ? end : whole.end;
    struct mh_cut scrap = {0};
    cut_out_reserved(from, to, &scrap);
    struct mh_piece piece = {
        .start = from,
        .size = to - from,
        .time = thread ? mh_clock_tell(&thread->newest_time) : mh_clock_now(),
        .thread = mh_thread_id(thread),
        .stack = whole.number,
    };
    insert(thread, &piece);
    start = to;
  }
}

/* The lock is held. */
static void reserve_again(struct mh_thread *thread, uintptr_t start, uintptr_t end) {
  for (uint32_t at;
       (at = mh_ranges_behind(&mh_mappings, start)) < mh_mappings.count && mh_mappings.at[at].start < end;) {
    struct mh_range whole = mh_mappings.at[at];
    uintptr_t from = start > whole.start ? start : whole.start, to = end < whole.end ? end : whole.end;
    uint32_t stack = mh_record(whole.number)->stack;
    struct mh_cut scrap = {0};
    cut_out(thread, from, to, &scrap);
    insert(thread, &(struct mh_piece){.start = from, .size = to - from, .stack = stack, .reserved = true});
    start = to;
  }
}

bool mh_region_minds(bool accessible) {
  const struct mh_ranges *minding = accessible ? &mh_reservations : &mh_mappings;
  return MH_GET(minding->count) != 0;
}

void mh_region_protected(uintptr_t start, uint64_t size, bool accessible) {
  struct mh_thread *thread = mh_thread_mine();
  uintptr_t end;
  if (__builtin_add_overflow(start, whole_pages(size), &end)) return;
  if (!mh_intervals_lock()) {
    mh_store_drop(0);
    return;
  }
  if (accessible)
    open_reserved(thread, start, end);
  else
    reserve_again(thread, start, end);
  mh_intervals_unlock();
}

void mh_region_add(uintptr_t start, uint64_t size, bool accessible, const struct mh_entry *entry) {
  struct mh_thread *thread = mh_thread_mine();
  struct mh_piece piece = {
      .start = start,
      .size = size,
      /* By the thread's clock: a child of fork compares it with how far the thread had come. */
      .time = thread ? mh_clock_tell(&thread->newest_time) : mh_clock_now(),
      .thread = mh_thread_id(thread),
      .stack = thread ? mh_capture(thread, entry) : 0,
      .reserved = !accessible,
  };
  bool program = !mh_allocator_maps(piece.stack);
  if (!mh_intervals_lock()) {
    mh_store_drop(accessible ? size : 0);
    return;
  }
  struct mh_cut stale = {0}; /* unmapped where no hook saw it */
  cut_out(thread, start, start + whole_pages(size), &stale);
  cut_out_reserved(start, start + whole_pages(size), &stale);
  if (MH_LIKELY(program)) insert(thread, &piece);
  mh_intervals_unlock();
}

void mh_region_cut(uintptr_t start, uint64_t size, struct mh_cut *cut) {
  cut->count = cut->missed = 0;
  cut->missed_bytes = 0;
  struct mh_thread *thread = mh_thread_mine();
  /* The kernel will refuse what does not begin with a page; and where there are no bytes, none are taken away. */
  if (start & (mh_page_bytes() - 1) || !size) return;
  if ((!mh_region_minds(true) && !mh_region_minds(false)) || !mh_intervals_lock()) return;
  uintptr_t end;
  if (!__builtin_add_overflow(start, whole_pages(size), &end)) {
    cut_out(thread, start, end, cut);
    cut_out_reserved(start, end, cut);
  }
  mh_intervals_unlock();
}

void mh_region_restore(const struct mh_cut *cut) {
  struct mh_thread *thread = mh_thread_mine();
  if (!cut->count) return;
  for (uint32_t i = 0; i < cut->missed; i++) mh_store_drop(i ? 0 : cut->missed_bytes);
  if (!mh_intervals_lock()) {
    for (uint32_t i = 0; i < cut->count; i++) mh_store_drop(cut->pieces[i].reserved ? 0 : cut->pieces[i].size);
    return;
  }
  for (uint32_t i = 0; i < cut->count; i++) {
    const struct mh_piece *whole = &cut->pieces[i];
    struct mh_cut parts = {0};
    cut_out(thread, whole->start, whole->start + whole_pages(whole->size), &parts);
    cut_out_reserved(whole->start, whole->start + whole_pages(whole->size), &parts);
    insert(thread, whole);
  }
  mh_intervals_unlock();
}

uint32_t mh_region_peek(uintptr_t start, uint64_t size) {
  return mh_intervals_peek(start, start + whole_pages(size));
}
