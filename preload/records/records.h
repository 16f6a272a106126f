/* Live records: one for each allocation that the program has not freed, in the store's records array. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "../unwind/capture.h"
#include "../threads/thread.h"

/* Records a block. Never fails for the caller: what cannot be kept is counted as dropped. For mappings see
 * mappings.h. */
void mh_record_custom_allocation(const void *block, uint64_t size, const struct mh_entry *entry);

/* Removes a block's record, before the block is given back: from then on its address may be another thread's. */
void mh_record_heap_free(const void *block);
void mh_record_custom_free(const void *block);

/* The same for the heap's, by far the most: the last that a hook does, which has called mh_begin. Both end the hook and
 * go on where it would go, so that nothing needs to be kept for it. The first returns the block; its entry comes in
 * registers. The second gives the block to `then`, or, with nothing done yet, to `slow` where the block is no
 * ordinary one. */
void *mh_record_and_leave(void *block, uint64_t size, uintptr_t pc, uintptr_t sp, uintptr_t fp);
void mh_forget_and_leave(void *block, void (*then)(void *), void (*slow)(void *));

/* Takes a block's record away for a call that may move the block (realloc), and afterwards puts it in again: for
 * the new block, or, when the call failed, as it was. */
struct mh_taken {
  uint32_t slot; /* 0: the block had no record */
  uint64_t size, time;
  uint32_t thread, stack;
};
struct mh_taken mh_record_take(const void *block);
void mh_record_restore(const void *block, const struct mh_taken *taken);
void mh_record_forget(const struct mh_taken *taken);
void mh_record_moved(const void *block, uint64_t size, const struct mh_taken *taken, const struct mh_entry *entry);

/* For a signal handler that interrupted a hook: forgets the record of a block it frees, without locks. */
void mh_record_free_nested(const void *block);
