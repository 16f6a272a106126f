/* The log of records that a process removes while a child of fork may still want them: what was live at the fork is
 * known in the child, but it copies the records later from the file (clone.c), where those are gone that its parent has
 * freed meanwhile.
 *
 * A child says so when it wants the log no more: it has begun, executes another program, or ends. One that was killed
 * is found to be gone, and one that neither begins nor ends is not waited for any longer after as many frees as the log
 * has entries. Then frees are as fast as before the fork.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "../store/store.h"
#include "../base/sys.h"

/* NULL while nobody wants it. */
struct mh_fork_log;
extern struct mh_fork_log *mh_fork_log;

/* Notes a record that is about to be removed. */
void mh_fork_log_add(uint32_t slot, const struct mh_record *record);

/* Empties a record, whichever way its block went. Whoever reads the file sees the address gone before anything else
 * changes: the slot may be taken anew at once. */
static inline void mh_record_retire(uint32_t slot, struct mh_record *record) {
  if (MH_UNLIKELY(MH_GET(mh_fork_log) != NULL)) mh_fork_log_add(slot, record);
  __atomic_store_n(&record->address, 0, __ATOMIC_RELEASE);
  __atomic_thread_fence(__ATOMIC_RELEASE);
}

/* Before a fork; and after it, in the parent and in the child. `made`: false if it is known to have failed. */
void mh_fork_log_prepare(void);
void mh_fork_log_in_parent(bool made);
void mh_fork_log_forked(void);

/* In a child that has not begun. The time of the fork, 0 if nobody saw it; and what was removed since. */
uint64_t mh_fork_log_time(void);
void mh_fork_log_replay(void (*visit)(uint32_t slot, const struct mh_record *record));

/* The same: it will not want the log, as it ends or executes another program; and it may again, as that failed. */
void mh_fork_log_renounce(void);
void mh_fork_log_want(void);

/* The same: it has begun. */
void mh_fork_log_forget(void);
