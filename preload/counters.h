/* Counting: allocations and frees, live totals, the peak, the timeline. */
#pragma once
#include <stdint.h>

#include "thread.h"

/* `thread` may be NULL: then the shared slot counts, atomically. `time` is the relative time of the allocation. */
void mh_count_allocation(struct mh_thread *thread, uint32_t stack, uint64_t bytes, uint64_t time);

/* `stack` made the allocation. `temporary`: by this thread, which made no other since. */
void mh_count_free(struct mh_thread *thread, uint32_t stack, uint64_t bytes, bool temporary);

/* Folds what every thread has counted into peak and timeline (at the end of the process). */
void mh_count_fold_all(void);

void mh_count_reset(void);
