/* The checks, when all threads have ended: everything is counted, exactly. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* With its static variables and functions in reach: the global free list. */
#include "../../preload/records/slots.c"

#include "../../preload/index/index.h"
#include "races.h"

/* The number of owners of each slot, and what is live. */
static uint8_t *owned;
static uint64_t live_count, live_bytes;

static void expect(uint64_t key, uint64_t address, uint64_t size, unsigned kind) {
  uint32_t slot = kind == MH_MEMORY_MMAP ? (uint32_t)key : mh_index_peek(key);
  live_count++;
  live_bytes += size;
  if (!slot) {
    fault("no record for 0x%lx", address);
    return;
  }
  const struct mh_record *found = mh_record(slot);
  if (owned[slot]++) fault("slot %u has two owners", slot);
  if (found->address != address || mh_record_size(found) != size || found->size >> MH_RECORD_KIND_SHIFT != kind)
    fault("slot %u is of 0x%lx, %lu bytes, not of 0x%lx, %lu bytes", slot, found->address, mh_record_size(found),
        address, size);
}

/* The records of mappings must cover each mapped page once, in whatever pieces. */
static void expect_mappings(const struct worker *me) {
  uint64_t seen[64] = {0};
  uint32_t count = mh_header()->arrays[MH_KIND_RECORDS].count;
  for (uint32_t slot = 1; slot < count; slot++) {
    const struct mh_record *found = mh_record(slot);
    uint64_t size = mh_record_size(found);
    if (!found->address || found->size >> MH_RECORD_KIND_SHIFT != MH_MEMORY_MMAP ||
        found->address < mapping_of(me, 0) || found->address >= mapping_of(me, 64 * 64))
      continue;
    expect(slot, found->address, size, MH_MEMORY_MMAP);
    for (uint64_t page = (found->address - mapping_of(me, 0)) / 4096, end = page + size / 4096; page < end; page++) {
      if (seen[page / 64] >> page % 64 & 1) fault("page %lu is in two mappings", page);
      seen[page / 64] |= 1ull << page % 64;
    }
  }
  if (memcmp(seen, me->mappings, sizeof seen) != 0) fault("mappings of thread %u", me->number);
}

static void count_free_slots(struct mh_thread *thread) {
  for (uint32_t i = 0; i < thread->free_count; i++)
    if (owned[thread->free_slots[MH_FETCHED + i]]++)
      fault("slot %u is free twice, or not free", thread->free_slots[MH_FETCHED + i]);
  for (uint32_t slot = thread->run_next; slot < thread->run_end; slot++)
    if (owned[slot]++) fault("slot %u is in a run and elsewhere", slot);
  for (uint32_t i = 0; i < thread->freed_count; i++)
    if (owned[thread->freed[i].slot]++)
      fault("slot %u waits to be given back, and is elsewhere", thread->freed[i].slot);
}

void check_records(void) {
  uint32_t count = mh_header()->arrays[MH_KIND_RECORDS].count;
  owned = calloc(count, 1);
  for (unsigned i = 0; i < THREADS; i++) {
    struct worker *me = &workers[i];
    for (unsigned k = 0; k < BLOCKS; k++) {
      if (me->blocks[k].start)
        expect((uintptr_t)me->blocks[k].start, (uintptr_t)me->blocks[k].start, me->blocks[k].size, MH_MEMORY_HEAP);
      if (me->customs[k].start)
        expect((uintptr_t)me->customs[k].start | MH_OVERFLOW_CUSTOM, (uintptr_t)me->customs[k].start,
               me->customs[k].size, MH_MEMORY_CUSTOM);
    }
    for (unsigned k = 0; k < CELLS / THREADS; k++)
      if (me->cells[k])
        expect((uintptr_t)&cells[k * THREADS + i], (uintptr_t)&cells[k * THREADS + i], 8, MH_MEMORY_HEAP);
    expect_mappings(me);
  }
  for (unsigned i = 0; i < MAILBOXES; i++)
    if (mailboxes[i])
      expect((uintptr_t)mailboxes[i]->start, (uintptr_t)mailboxes[i]->start, mailboxes[i]->size, MH_MEMORY_HEAP);
  for (uint32_t slot = 1; slot < count; slot++)
    if (mh_record(slot)->address && !owned[slot]) fault("slot %u is live, of nobody", slot);

  mh_thread_each(count_free_slots);
  uint32_t batch[BATCH_SLOTS];
  for (batch[0] = (uint32_t)free_list; batch[0]; batch[0] = mh_record(batch[0])->stack) {
    unpack_batch(batch);
    for (unsigned i = 0; i < BATCH_SLOTS; i++)
      if (owned[batch[i]]++) fault("slot %u is in a batch and elsewhere", batch[i]);
  }
  uint32_t lost = 0;
  for (uint32_t slot = 1; slot < count; slot++) lost += !owned[slot];
  if (lost) fault("%u slots of %u are neither live nor free", lost, count);
}

void check_counts(void) {
  mh_count_flush_all();
  const struct mh_thread_slot *slots = mh_thread_slots();
  uint64_t made = 0, freed = 0, made_bytes = 0, freed_bytes = 0;
  for (uint32_t i = 0; i < mh_header()->thread_slots; i++) {
    made += slots[i].allocations;
    freed += slots[i].frees;
    made_bytes += slots[i].allocated_bytes;
    freed_bytes += slots[i].freed_bytes;
  }
  if (made - freed != live_count) fault("threads counted %lu live, not %lu", made - freed, live_count);
  if (made_bytes - freed_bytes != live_bytes)
    fault("threads counted %lu bytes live, not %lu", made_bytes - freed_bytes, live_bytes);
  if ((uint64_t)mh_count_live() != live_count)
    fault("%ld are live by the threads' counts, not %lu", mh_count_live(), live_count);

  uint32_t count = mh_header()->arrays[MH_KIND_STACKS].count;
  struct mh_amount *live = calloc(count, sizeof *live);
  for (uint32_t slot = 1; slot < mh_header()->arrays[MH_KIND_RECORDS].count; slot++) {
    const struct mh_record *found = mh_record(slot);
    if (!found->address) continue;
    live[found->stack].count++;
    live[found->stack].bytes += mh_record_size(found);
  }
  if (live[0].count) fault("%lu records without a stack", live[0].count);
  for (uint32_t id = 1; id < count; id++) {
    const struct mh_stack *stack = mh_stack(id);
    if (stack->allocations - stack->frees != live[id].count
        || stack->allocated_bytes - stack->freed_bytes != live[id].bytes)
      fault("stack %u counted %lu live, %lu bytes, not %lu and %lu", id, stack->allocations - stack->frees,
            stack->allocated_bytes - stack->freed_bytes, live[id].count, live[id].bytes);
  }
  printf("%lu allocations, %lu live with %lu bytes in %u stacks, %u threads' states\n", made, live_count, live_bytes,
         count - 1, mh_header()->thread_slots - 1);
}

static int by_bytes(const void *a, const void *b) {
  return memcmp(a, b, 16);
}

/* Whether two of the elements, 16 bytes of each, are the same. */
static void check_once(const char *what, uint64_t (*elements)[2], uint32_t count) {
  qsort(elements, count, sizeof *elements, by_bytes);
  for (uint32_t i = 1; i < count; i++)
    if (memcmp(elements[i - 1], elements[i], sizeof *elements) == 0) fault("a %s is there twice", what);
}

void check_interned(void) {
  const struct mh_array *arrays = mh_header()->arrays;
  uint32_t frames = arrays[MH_KIND_FRAMES].count, nodes = arrays[MH_KIND_NODES].count,
      stacks = arrays[MH_KIND_STACKS].count;
  uint64_t(*elements)[2] = calloc(frames + nodes + stacks, sizeof *elements);
  for (uint32_t id = 1; id < frames; id++)
    memcpy(elements[id - 1], &(uint64_t[2]){mh_frame(id)->offset,
        (uint64_t)mh_frame(id)->module << 32 | mh_frame(id)->flags}, 16);
  check_once("frame", elements, frames - 1);
  for (uint32_t id = 1; id < nodes; id++) {
    if (mh_node(id)->parent >= id) fault("node %u comes before its parent %u", id, mh_node(id)->parent);
    if (!mh_node(id)->frame || mh_node(id)->frame >= frames) fault("node %u has no frame", id);
    memcpy(elements[id - 1], &(uint64_t[2]){mh_node(id)->parent, mh_node(id)->frame}, 16);
  }
  check_once("node", elements, nodes - 1);
  for (uint32_t id = 1; id < stacks; id++) {
    if (!mh_stack(id)->node || mh_stack(id)->node >= nodes) fault("stack %u has no node", id);
    memcpy(elements[id - 1], &(uint64_t[2]){mh_stack(id)->node, mh_stack(id)->flags}, 16);
  }
  check_once("stack", elements, stacks - 1);
  printf("%u frames, %u nodes, %u modules\n", frames - 1, nodes - 1, arrays[MH_KIND_MODULES].count - 1);
}
