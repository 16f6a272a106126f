/* Totals for every stack: allocations, bytes, frees, temporaries, and the live bytes at the process's peak.
 *
 * A thread first counts in a small table of its own; what it counted goes to the stacks in the store when counters.c
 * folds, or when another stack needs the place. So a stack that many threads use costs none of them a shared cache line for each
 * call, and what a viewer sees is at most one fold behind.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#define MH_DELTAS 256

struct mh_amount; /* see sample.h */

struct mh_delta {
  uint32_t stack; /* 0: unused */
  uint64_t allocations, frees, temporaries, allocated_bytes, freed_bytes;
};



struct mh_totals {
  uint64_t used[MH_DELTAS / 64]; /* one bit for each delta that is not empty */
  struct mh_delta deltas[MH_DELTAS];
};

void mh_total_allocation(struct mh_totals *totals, uint32_t stack, struct mh_amount amount);
void mh_total_free(struct mh_totals *totals, uint32_t stack, struct mh_amount amount, bool temporary);

/* Brings everything counted in `totals` to the store. */
void mh_totals_fold(struct mh_totals *totals);

/* The process's live bytes reached a new peak: what each stack has live now is its share of it. */
void mh_totals_peak(void);
