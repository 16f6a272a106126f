/* Live records: one for each allocation that the program has not freed, in the store's records array. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "../unwind/capture.h"
#include "../threads/thread.h"

/* Records a block. A record that cannot be kept is counted as dropped. For mappings see mappings.h. */
void mh_record_custom_allocation(const void *block, uint64_t size, const struct mh_entry *entry);

/* Removes a block's record. Called before the block is freed: afterwards another thread may have its address. */
void mh_record_heap_free(const void *block);
void mh_record_custom_free(const void *block);

/* The hot path, for blocks of the heap. A hook that has called mh_begin ends with a jump to one of these. Each ends the
 * hook and goes on where the hook would go, so no register needs to be saved for the hook. The first returns the block;
 * the entry comes in registers. The second calls `then` with the block; or, where the block is no ordinary one, it does
 * nothing and calls `slow`. */
void *mh_record_and_leave(void *block, uint64_t size, uintptr_t pc, uintptr_t sp, uintptr_t fp);
void mh_forget_and_leave(void *block, void (*then)(void *), void (*slow)(void *));

/* Removes a block's record for a call that may move the block (realloc). Afterwards the record is put in again: for the
 * new block, or as it was if the call failed. */
struct mh_taken {
  uint32_t slot; /* 0: the block had no record */
  bool kept;     /* the slot is not free; see exiting.h */
  uint64_t size, time;
  uint32_t thread, stack;
};
struct mh_taken mh_record_take(const void *block);
void mh_record_restore(const void *block, const struct mh_taken *taken);
void mh_record_forget(const struct mh_taken *taken);
void mh_record_moved(const void *block, uint64_t size, const struct mh_taken *taken, const struct mh_entry *entry);

/* For a signal handler that interrupted a hook: forgets the record of a block it frees, without locks. */
void mh_record_free_nested(const void *block);
