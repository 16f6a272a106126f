/* The log of records that a process removes while a child of fork may still want them. A child knows which blocks were
 * live at the fork. But it copies their records from the parent's file only later (clone.c). By then the records are
 * gone whose blocks the parent has freed meanwhile.
 *
 * A child says when it no longer wants the log: it has begun, executes another program, or ends. A killed child is
 * found to be gone. A child that neither begins nor ends is given up after as many frees as the log has entries. Then
 * frees are as fast as before the fork.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "../store/store.h"

/* Notes a record that is about to be removed, if somebody wants it (retire.h). */
void mh_fork_log_add(uint32_t slot, const struct mh_record *record);

/* Before a fork; and after it, in the parent and in the child. `made`: false if it is known to have failed. */
void mh_fork_log_prepare(void);
void mh_fork_log_in_parent(bool made);
void mh_fork_log_forked(void);

/* In a child that has not begun: the time of the fork, 0 if it is unknown; and the records removed since. */
uint64_t mh_fork_log_time(void);
void mh_fork_log_replay(void (*visit)(uint32_t slot, const struct mh_record *record));

/* The same: it no longer wants the log, because it ends or executes another program; it wants it again, because that
 * failed. */
void mh_fork_log_renounce(void);
void mh_fork_log_want(void);

/* The same: it has begun, and no longer wants the log. */
void mh_fork_log_forget(void);
