/* Emptying a record. */
#pragma once
#include <stdbool.h>

#include "../base/sys.h"
#include "exiting.h"
#include "fork_log.h"
#include "removals.h"

/* Empties a record. A reader of the file sees the address become 0 before anything else changes: the slot may be reused
 * at once. True: it may not, because the record is kept (exiting.h). */
static inline bool mh_record_retire(uint32_t slot, struct mh_record *record) {
  uint32_t more = MH_GET(mh_removals);
  if (MH_UNLIKELY(more & MH_REMOVALS_FORK_LOG)) mh_fork_log_add(slot, record);
  __atomic_store_n(&record->address, 0, __ATOMIC_RELEASE);
  __atomic_thread_fence(__ATOMIC_RELEASE);
  return MH_UNLIKELY(more & MH_REMOVALS_EXITING) && mh_exiting_keep(record);
}
