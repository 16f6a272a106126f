/* Calls of the library, in the order in which the hooks make them. */
#include <stdlib.h>

#include "../../preload/hooks/enter.h"
#include "../../preload/records/records.h"
#include "races.h"

__attribute__((noinline)) void record(void *block, uint64_t size, bool custom, unsigned depth) {
  if (depth % 8) {
    /* Two calls, two return addresses. */
    if (depth & 8)
      record(block, size, custom, depth - 1);
    else
      record(block, size, custom, (depth >> 1) - (depth >> 1 & 7) + depth % 8 - 1);
    __asm__ volatile("" ::: "memory");
    return;
  }
  mh_enter(MH_HOOK_HEAP);
  struct mh_entry entry = MH_ENTRY();
  mh_begin();
  if (!custom) {
    mh_record_and_leave(block, size, entry.pc, entry.sp, entry.fp);
    return;
  }
  mh_record_custom_allocation(block, size, &entry);
  mh_finish();
  mh_leave();
}

struct block allocate(uint64_t size, unsigned depth) {
  struct block block = {malloc(size), size};
  record(block.start, size, false, depth);
  return block;
}

/* The slow path, for a block that is no ordinary one. */
static void free_slow(void *block) {
  mh_record_heap_free(block);
  mh_finish();
  mh_leave();
  free(block);
}

void give_back(struct block block) {
  mh_enter(MH_HOOK_WRAP);
  mh_begin();
  mh_forget_and_leave(block.start, free, free_slow);
}

__attribute__((noinline)) struct block resize(struct block block, uint64_t size) {
  mh_enter(MH_HOOK_HEAP);
  struct mh_entry entry = MH_ENTRY();
  mh_begin();
  struct mh_taken taken = mh_record_take(block.start);
  mh_finish();
  if (!taken.slot) fault("a block of %lu bytes has no record", block.size);
  if (taken.size != block.size) fault("a record of %lu bytes for a block of %lu", taken.size, block.size);
  if (size % 7 == 0) {
    mh_record_restore(block.start, &taken);
  } else {
    block = (struct block){realloc(block.start, size), size};
    mh_begin();
    mh_record_moved(block.start, size, &taken, &entry);
    mh_finish();
  }
  mh_leave();
  return block;
}

/* As in a signal handler that interrupts memhook's own bookkeeping. */
void give_back_nested(struct block block) {
  mh_enter(MH_HOOK_HEAP);
  mh_begin();
  mh_record_free_nested(block.start);
  mh_finish();
  mh_leave();
  free(block.start);
}

void give_back_custom(struct block block) {
  mh_enter(MH_HOOK_HEAP);
  mh_begin();
  mh_record_custom_free(block.start);
  mh_finish();
  mh_leave();
  free(block.start);
}

/* As mh_hook_forget, whose header cannot be included: it declares functions differently from libc's headers. */
void forget(const void *block) {
  mh_enter(MH_HOOK_WRAP);
  mh_begin();
  mh_record_heap_free(block);
  mh_finish();
  mh_leave();
}
