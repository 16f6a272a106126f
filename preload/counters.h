/* Counting: allocations and frees, live totals, the peak, the timeline. */
#pragma once
#include <stdint.h>

#include "sample.h"
#include "thread.h"

/* Everything counted is an estimate when only a sample is recorded: `amount` is what the allocation stands for.
 *
 * `thread` may be NULL: then the shared slot counts, atomically. `time` is the relative time of the allocation. */
void mh_count_allocation(struct mh_thread *thread, uint32_t stack, struct mh_amount amount, uint64_t time);

/* `stack` made the allocation. `temporary`: by this thread, which made no other since. */
void mh_count_free(struct mh_thread *thread, uint32_t stack, struct mh_amount amount, bool temporary);

/* Folds what every thread has counted into peak and timeline (at the end of the process). */
void mh_count_fold_all(void);

/* Live allocations, by what this process's threads have counted. */
int64_t mh_count_live(void);

void mh_count_reset(void);
