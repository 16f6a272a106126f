/* What every hook's source file needs. */
#pragma once
#include "index.h"
#include "real.h"
#include "sample.h"
#include "start.h"
#include "sys.h"

/* A function that programs call instead of the real one. It keeps its frame: MH_ENTRY starts there. */
#define MH_HOOK __attribute__((visibility("default"), noinline))

/* Records what an allocation function returned, inside mh_enter and mh_leave. */
MH_INLINE void mh_hook_record(const void *block, uint64_t size, const struct mh_entry *entry) {
  if (!mh_sample_wants(size)) return;
  mh_begin();
  mh_record_heap_allocation(block, size, entry->pc, entry->sp, entry->fp);
  mh_finish();
}

/* Removes a block's record, before the real function gives the block back. */
MH_INLINE void mh_hook_forget(const void *block) {
  if (!mh_index_may_have(block)) return;
  if (MH_UNLIKELY(!mh_enter(MH_HOOK_WRAP))) {
    mh_nested_free(block);
    return;
  }
  mh_begin();
  mh_record_heap_free(block);
  mh_finish();
  mh_leave();
}
