/* Mappings; see mappings.h.
 *
 *     mmap, with access  ──▶ mapping ◀── mprotect ──▶ reservation ◀── mmap, PROT_NONE
 */
#include "mappings.h"

#include "../base/clock.h"
#include "../threads/counters.h"
#include "retire.h"
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

static void write_record(uint32_t slot, const struct mh_mapping_piece *piece) {
  struct mh_record *record = mh_record(slot);
  MH_ASSERT(!record->address);
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

/* Inserts a mapping and its record, or a reservation. The lock is held, and nothing overlaps. */
static void insert(struct mh_thread *thread, const struct mh_mapping_piece *piece) {
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

static void note_piece(struct mh_split *split, const struct mh_mapping_piece *piece) {
  if (split->count < MH_SPLIT_PIECES) {
    split->pieces[split->count++] = *piece;
  } else if (!piece->reserved) {
    split->missed++;
    split->missed_bytes += piece->size;
  }
}

/* Removes [start, end) from the mappings: from each the whole, or one part, or the middle. The lock is held. */
static void split_off(struct mh_thread *thread, uintptr_t start, uintptr_t end, struct mh_split *split) {
  for (uint32_t at = mh_ranges_behind(&mh_mappings, start); at < mh_mappings.count && mh_mappings.at[at].start < end;) {
    struct mh_range *mapping = &mh_mappings.at[at];
    mh_intervals_changing();
    const struct mh_record *record = mh_record(mapping->number);
    struct mh_mapping_piece whole = {
        .start = mapping->start,
        .size = mh_record_size(record),
        .time = record->time,
        .thread = record->thread,
        .stack = record->stack,
    };
    uintptr_t whole_end = mapping->end;
    uintptr_t from = start > mapping->start ? start : mapping->start, to = end < mapping->end ? end : mapping->end;
    /* The size asked for may end within the last page. */
    uintptr_t used_end = whole.start + whole.size;
    note_piece(split, &whole);
    mh_count_free(thread, whole.stack, (struct mh_amount){1, whole.size}, false);
    struct mh_mapping_piece head = whole, tail = whole;
    head.size = from - whole.start;
    tail.start = to;
    tail.size = to < used_end ? used_end - to : 0;
    bool kept = mh_record_retire(mapping->number, mh_record(mapping->number));
    /* The whole mapping was live when the process began to exit. Its pieces are newer. */
    if (MH_UNLIKELY(kept)) head.time = tail.time = thread ? mh_clock_tell(&thread->newest_time) : mh_clock_now();
    uint32_t head_number = !head.size ? 0 : kept ? mh_slot_take(thread) : mapping->number;
    if (head_number) {
      mapping->end = from;
      mapping->number = head_number;
      write_record(head_number, &head);
      mh_count_allocation(thread, head.stack, (struct mh_amount){1, head.size}, mh_clock_now());
      at++;
    } else {
      if (head.size) mh_store_drop(head.size);
      if (!kept) mh_slot_give(thread, mapping->number);
      mh_ranges_remove(&mh_mappings, at);
    }
    MH_ASSERT(mh_ranges_in_order(&mh_mappings, at));
    if (to < whole_end && tail.size) insert(thread, &tail);
    if (to < whole_end) return;
  }
}

/* Removes [start, end) from the reservations. The lock is held. */
static void split_off_reserved(uintptr_t start, uintptr_t end, struct mh_split *split) {
  for (uint32_t at = mh_ranges_behind(&mh_reservations, start);
       at < mh_reservations.count && mh_reservations.at[at].start < end;) {
    struct mh_range whole = mh_reservations.at[at];
    note_piece(split,
               &(struct mh_mapping_piece){
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

/* Reserved addresses become memory. Its time is now, its stack that of the reservation. The lock is held. */
static void open_reserved(struct mh_thread *thread, uintptr_t start, uintptr_t end) {
  for (uint32_t at; (at = mh_ranges_behind(&mh_reservations, start)) < mh_reservations.count &&
                    mh_reservations.at[at].start < end;) {
    struct mh_range whole = mh_reservations.at[at];
    uintptr_t from = start > whole.start ? start : whole.start, to = end < whole.end ? end : whole.end;
    struct mh_split scrap = {0};
    split_off_reserved(from, to, &scrap);
    struct mh_mapping_piece piece = {
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

/* The other way round. The lock is held. */
static void reserve_again(struct mh_thread *thread, uintptr_t start, uintptr_t end) {
  for (uint32_t at;
       (at = mh_ranges_behind(&mh_mappings, start)) < mh_mappings.count && mh_mappings.at[at].start < end;) {
    struct mh_range whole = mh_mappings.at[at];
    uintptr_t from = start > whole.start ? start : whole.start, to = end < whole.end ? end : whole.end;
    uint32_t stack = mh_record(whole.number)->stack;
    struct mh_split scrap = {0};
    split_off(thread, from, to, &scrap);
    insert(thread, &(struct mh_mapping_piece){.start = from, .size = to - from, .stack = stack, .reserved = true});
    start = to;
  }
}

bool mh_mapping_concerns(bool accessible) {
  const struct mh_ranges *minding = accessible ? &mh_reservations : &mh_mappings;
  return MH_GET(minding->count) != 0;
}

void mh_mapping_protected(uintptr_t start, uint64_t size, bool accessible) {
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

void mh_mapping_add(uintptr_t start, uint64_t size, bool accessible, const struct mh_entry *entry) {
  struct mh_thread *thread = mh_thread_mine();
  struct mh_mapping_piece piece = {
      .start = start,
      .size = size,
      /* The thread's own time: a child of fork compares it with the thread's newest at the fork. */
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
  struct mh_split stale = {0}; /* unmapped where no hook saw it */
  split_off(thread, start, start + whole_pages(size), &stale);
  split_off_reserved(start, start + whole_pages(size), &stale);
  if (MH_LIKELY(program)) insert(thread, &piece);
  mh_intervals_unlock();
}

void mh_mapping_split(uintptr_t start, uint64_t size, struct mh_split *split) {
  split->count = split->missed = 0;
  split->missed_bytes = 0;
  struct mh_thread *thread = mh_thread_mine();
  /* The kernel will refuse a start within a page. And no bytes remove nothing. */
  if (start & (mh_page_bytes() - 1) || !size) return;
  if ((!mh_mapping_concerns(true) && !mh_mapping_concerns(false)) || !mh_intervals_lock()) return;
  uintptr_t end;
  if (!__builtin_add_overflow(start, whole_pages(size), &end)) {
    split_off(thread, start, end, split);
    split_off_reserved(start, end, split);
  }
  mh_intervals_unlock();
}

void mh_mapping_restore(const struct mh_split *split) {
  struct mh_thread *thread = mh_thread_mine();
  if (!split->count) return;
  for (uint32_t i = 0; i < split->missed; i++) mh_store_drop(i ? 0 : split->missed_bytes);
  if (!mh_intervals_lock()) {
    for (uint32_t i = 0; i < split->count; i++) mh_store_drop(split->pieces[i].reserved ? 0 : split->pieces[i].size);
    return;
  }
  for (uint32_t i = 0; i < split->count; i++) {
    const struct mh_mapping_piece *whole = &split->pieces[i];
    struct mh_split parts = {0};
    split_off(thread, whole->start, whole->start + whole_pages(whole->size), &parts);
    split_off_reserved(whole->start, whole->start + whole_pages(whole->size), &parts);
    insert(thread, whole);
  }
  mh_intervals_unlock();
}

uint32_t mh_mapping_peek(uintptr_t start, uint64_t size) {
  return mh_intervals_peek(start, start + whole_pages(size));
}
