/* Totals for every stack: allocations, bytes, frees, temporaries, and the live bytes at the process's peak.
 *
 * A thread first counts in a small table of its own, a delta for each stack. The deltas are added to the stacks in the
 * store when the thread flushes (counters.h), or when another stack needs the place. So a stack that many threads use
 * costs no shared cache line for each call, and what a viewer sees is at most one flush behind.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#define MH_DELTAS 256

/* What an allocation counts as: itself, or while sampling the allocations that it stands for. */
struct mh_amount {
  uint64_t count, bytes;
};

struct mh_delta {
  uint32_t stack; /* 0: unused */
  uint32_t allocations, frees, temporaries;
  uint64_t allocated_bytes, freed_bytes;
};
/* A larger count goes to the store directly. So 32 bits suffice from flush to flush. */
#define MH_DELTA_MOST_COUNT (1u << 20)

struct mh_totals {
  uint64_t used[MH_DELTAS / 64]; /* one bit for each delta that is not empty */
  struct mh_delta deltas[MH_DELTAS] __attribute__((aligned(32)));
};

/* Flushes `delta` to the store, and gives its place to `stack`. */
void mh_delta_change(struct mh_totals *totals, struct mh_delta *delta, uint32_t stack);

/* Counts what a delta cannot hold. */
void mh_total_directly(uint32_t stack, struct mh_amount allocated, struct mh_amount freed, bool temporary);

static inline struct mh_delta *mh_delta_of(struct mh_totals *totals, uint32_t stack) {
  struct mh_delta *delta = &totals->deltas[stack % MH_DELTAS];
  if (__builtin_expect(delta->stack != stack, 0)) mh_delta_change(totals, delta, stack);
  return delta;
}

/* `stack` 0 is a stack that could not be kept: it is not counted. */
static inline void mh_total_allocation(struct mh_totals *totals, uint32_t stack, struct mh_amount amount) {
  if (__builtin_expect(amount.count > MH_DELTA_MOST_COUNT, 0)) {
    mh_total_directly(stack, amount, (struct mh_amount){0}, false);
    return;
  }
  struct mh_delta *delta = mh_delta_of(totals, stack);
  delta->allocations += (uint32_t)amount.count;
  delta->allocated_bytes += amount.bytes;
}

static inline void mh_total_free(struct mh_totals *totals, uint32_t stack, struct mh_amount amount, bool temporary) {
  if (__builtin_expect(amount.count > MH_DELTA_MOST_COUNT, 0)) {
    mh_total_directly(stack, (struct mh_amount){0}, amount, temporary);
    return;
  }
  struct mh_delta *delta = mh_delta_of(totals, stack);
  delta->frees += (uint32_t)amount.count;
  delta->freed_bytes += amount.bytes;
  delta->temporaries += temporary ? (uint32_t)amount.count : 0;
}

/* Flushes all deltas of `totals` to the store. */
void mh_totals_flush(struct mh_totals *totals);

/* The process's live bytes reached a new peak: what each stack has live now is its share of it. */
void mh_totals_peak(void);
