/* What the sender sends: the difference between the store and what was sent last. For that it keeps a mark, a hash of
 * 64 bits, for each slot and each element that may change. */
#include "../store/calendar.h"
#include "../base/clock.h"
#include "sender_parts.h"
#include "../base/settings.h"
#include "../store/store.h"
#include "../base/sys.h"

#define MARKS_BLOCK(bytes) (MH_BLOCK_BYTES / (bytes) * sizeof(uint64_t))

#define FREED_IN_EXIT ((uint64_t)1 << MH_RECORD_FREED_IN_EXIT_SHIFT)

/* The marks of what was sent last; 0: nothing was. By block, as in the store. */
static uint64_t *record_marks[MH_BLOCK_MAX_COUNT];
static uint64_t *stack_marks[MH_TABLE_BLOCKS], *module_marks[MH_TABLE_BLOCKS];

/* Of this connection. */
static struct {
  uint32_t sent[MH_KIND_COUNT]; /* elements of the tables */
  uint64_t sequence;
  uint32_t resume; /* slot at which a flush that had its full number of items stopped; 0: none did */
} progress;

void mh_difference_begin(void) {
  for (uint32_t i = 0; i < MH_BLOCK_MAX_COUNT && record_marks[i]; i++)
    __builtin_memset(record_marks[i], 0, MARKS_BLOCK(MH_RECORD_BYTES));
  for (uint32_t i = 0; i < MH_TABLE_BLOCKS && stack_marks[i]; i++)
    __builtin_memset(stack_marks[i], 0, MARKS_BLOCK(MH_STACK_BYTES));
  for (uint32_t i = 0; i < MH_TABLE_BLOCKS && module_marks[i]; i++)
    __builtin_memset(module_marks[i], 0, MARKS_BLOCK(MH_MODULE_BYTES));
  for (uint32_t kind = 0; kind < MH_KIND_COUNT; kind++) progress.sent[kind] = 1;
  progress.sequence = 0;
  progress.resume = 0;
}

/* The mark of an element's contents, never 0. A change is missed with a probability of 2^-64. */
static uint64_t mark_of(const uint64_t *words, unsigned count) {
  uint64_t mark = 0;
  for (unsigned i = 0; i < count; i++) {
    mark = (mark ^ MH_GET(words[i])) * 0x9e3779b97f4a7c15u;
    mark ^= mark >> 32;
  }
  return mark ? mark : 1;
}

/* Where the marks of a block are; NULL if there is no memory for them. */
static uint64_t *marks_in(uint64_t **blocks, uint32_t ordinal, size_t bytes) {
  if (!blocks[ordinal]) {
    blocks[ordinal] = mh_map_private(bytes);
    if (blocks[ordinal]) mh_madvise(blocks[ordinal], bytes, MADV_DONTFORK);
  }
  return blocks[ordinal];
}

/* Reads the record twice, both times in ascending order. If both are equal, the record was like that in between. False:
 * it is being changed. */
static bool read_record(const struct mh_record *record, struct mh_record *copy) {
  union {
    uint64_t words[sizeof(struct mh_record) / 8];
    struct mh_record record;
  } first, second;
  const uint64_t *from = (const uint64_t *)record;
  for (size_t i = 0; i < sizeof(first.words) / 8; i++) first.words[i] = __atomic_load_n(&from[i], __ATOMIC_ACQUIRE);
  for (size_t i = 0; i < sizeof(first.words) / 8; i++) second.words[i] = __atomic_load_n(&from[i], __ATOMIC_ACQUIRE);
  *copy = second.record;
  bool equal = true;
  for (size_t i = 0; i < sizeof(first.words) / 8; i++) equal = equal && first.words[i] == second.words[i];
  return equal && copy->stack < __atomic_load_n(&mh_header()->arrays[MH_KIND_STACKS].count, __ATOMIC_ACQUIRE);
}

/* Elements [first, end) of a table, block by block. */
static bool push(uint32_t kind, uint32_t bytes, uint32_t first, uint32_t end) {
  uint32_t per_block = MH_BLOCK_BYTES / bytes;
  while (first < end) {
    uint32_t here = per_block - first % per_block;
    if (here > end - first) here = end - first;
    const uint8_t *from = mh_table_blocks[kind][first / per_block] + (size_t)(first % per_block) * bytes;
    uint32_t pushed = mh_wire_elements(&mh_link.tables, kind, first, here, bytes, from);
    if (!pushed && !mh_link_send(&mh_link.tables)) return false;
    first += pushed;
  }
  return true;
}

/* Sends the new definitions. The counts are read in the opposite order: so all that an element refers to is sent before
 * it. */
static bool push_definitions(void) {
  static const struct {
    uint32_t kind, bytes;
  } order[] = {{MH_KIND_STRINGS, 1},
               {MH_KIND_MODULES, MH_MODULE_BYTES},
               {MH_KIND_FRAMES, MH_FRAME_BYTES},
               {MH_KIND_NODES, MH_NODE_BYTES},
               {MH_KIND_STACKS, MH_STACK_BYTES}};
  enum { KINDS = sizeof(order) / sizeof(order[0]) };
  uint32_t ends[KINDS];
  for (int i = KINDS - 1; i >= 0; i--)
    ends[i] = __atomic_load_n(&mh_header()->arrays[order[i].kind].count, __ATOMIC_ACQUIRE);
  for (int i = 0; i < KINDS; i++) {
    if (!push(order[i].kind, order[i].bytes, progress.sent[order[i].kind], ends[i])) return false;
    if (ends[i] > progress.sent[order[i].kind]) progress.sent[order[i].kind] = ends[i];
  }
  return true;
}

/* Sends the elements again that have changed: totals of stacks, modules that were unloaded. */
static bool push_changes(uint32_t kind, uint32_t bytes, uint64_t **blocks, uint32_t first) {
  uint32_t per_block = MH_BLOCK_BYTES / bytes;
  for (uint32_t i = first; i < progress.sent[kind]; i++) {
    uint64_t *marks = marks_in(blocks, i / per_block, per_block * sizeof(uint64_t));
    if (!marks) return false;
    const uint64_t *words = (const uint64_t *)(mh_table_blocks[kind][i / per_block] + (size_t)(i % per_block) * bytes);
    uint64_t mark = mark_of(words, bytes / 8);
    if (mark == marks[i % per_block]) continue;
    marks[i % per_block] = mark;
    if (!push(kind, bytes, i, i + 1)) return false;
  }
  return true;
}

static bool push_region(uint32_t kind, uint32_t bytes, uint32_t count, const void *elements) {
  for (uint32_t first = 0, pushed; first < count; first += pushed) {
    pushed = mh_wire_elements(&mh_link.tables, kind, first, count - first, bytes,
                              (const uint8_t *)elements + (size_t)first * bytes);
    if (!pushed && !mh_link_send(&mh_link.tables)) return false;
  }
  return true;
}

static bool send_records(void) {
  return push_definitions() && mh_link_send(&mh_link.tables) && mh_link_send(&mh_link.records);
}

static bool send_removed(void) {
  return mh_link_send(&mh_link.removed);
}

/* Compares the slots with what was sent, up to `most` differences. False when the connection is over. */
static bool scan(uint64_t most) {
  enum { PER_BLOCK = MH_BLOCK_BYTES / MH_RECORD_BYTES };
  uint32_t count = __atomic_load_n(&mh_header()->arrays[MH_KIND_RECORDS].count, __ATOMIC_ACQUIRE);
  uint32_t slot = progress.resume ? progress.resume : 1;
  progress.resume = 0;
  while (slot < count) {
    uint64_t *marks = marks_in(record_marks, slot / PER_BLOCK, MARKS_BLOCK(MH_RECORD_BYTES));
    if (!marks) return false;
    if (mh_sender_command() == STOP) return false;
    uint32_t stop = slot - slot % PER_BLOCK + PER_BLOCK;
    for (stop = stop < count ? stop : count; slot < stop; slot++) {
      const struct mh_record *record = mh_record(slot);
      uint64_t *mark = &marks[slot % PER_BLOCK];
      if (!__atomic_load_n(&record->address, __ATOMIC_ACQUIRE) && !(MH_GET(record->size) & FREED_IN_EXIT)) {
        if (!*mark) continue;
        while (!mh_wire_removed(&mh_link.removed, slot))
          if (!send_removed()) return false;
        *mark = 0;
      } else {
        struct mh_record copy;
        if (!read_record(record, &copy) || (!copy.address && !(copy.size & FREED_IN_EXIT))) continue;
        const uint64_t words[] = {copy.address, copy.size, copy.time};
        uint64_t now = mark_of(words, 3);
        if (*mark == now) continue;
        while (!mh_wire_record(&mh_link.records, slot, &copy))
          if (!send_records()) return false;
        *mark = now;
      }
      if (--most == 0) {
        progress.resume = slot + 1;
        return true;
      }
    }
  }
  return true;
}

bool mh_difference_send(bool last) {
  struct mh_header *header = mh_header();
  bool whole = progress.sequence == 0 || last || !mh_settings.net_items, resumed = progress.resume != 0;
  if (!scan(whole ? UINT64_MAX : mh_settings.net_items)) return false;
  /* A last flush that continued where the one before stopped must still send the slots before that. */
  if (last && resumed && !scan(UINT64_MAX)) return false;
  if (!send_records() || !send_removed()) return false;
  if (!push_changes(MH_KIND_STACKS, MH_STACK_BYTES, stack_marks, 0) ||
      !push_changes(MH_KIND_MODULES, MH_MODULE_BYTES, module_marks, 1) ||
      !push_region(MH_WIRE_KIND_THREADS, MH_THREAD_BYTES, MH_GET(header->thread_slots), mh_thread_slots()) ||
      !push_region(MH_WIRE_KIND_TIMELINE, MH_TIMELINE_BYTES, __atomic_load_n(&header->timeline_count, __ATOMIC_ACQUIRE),
                   mh_timeline()))
    return false;
  mh_calendar_look(mh_clock_now());
  while (!mh_wire_header(&mh_link.tables, header))
    if (!mh_link_send(&mh_link.tables)) return false;
  while (!mh_wire_commit(&mh_link.tables, progress.sequence + 1, last))
    if (!mh_link_send(&mh_link.tables)) return false;
  uint64_t acknowledged;
  if (!mh_link_send(&mh_link.tables) ||
      !mh_link_receive(MH_WIRE_ACK, (uint8_t *)&acknowledged, sizeof(acknowledged), 0))
    return false;
  return acknowledged == ++progress.sequence;
}

bool mh_difference_more(void) {
  return progress.resume != 0;
}

void mh_difference_forget(void) {
  for (uint32_t i = 0; i < MH_BLOCK_MAX_COUNT && record_marks[i]; i++) record_marks[i] = NULL;
  for (uint32_t i = 0; i < MH_TABLE_BLOCKS && stack_marks[i]; i++) stack_marks[i] = NULL;
  for (uint32_t i = 0; i < MH_TABLE_BLOCKS && module_marks[i]; i++) module_marks[i] = NULL;
}
