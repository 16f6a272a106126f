/* Totals for every stack; see totals.h.
 *
 * The share of each stack in the peak costs no pass over the stacks. Peaks are numbered, and a stack remembers the
 * number of the peak that its `peak_bytes` belongs to. Nothing changed in a stack whose number is old since before
 * the newest peak; so its live bytes then are its live bytes now, and they are noted the moment before they change.
 */
#include "totals.h"

#include "sample.h"
#include "store.h"
#include "sys.h"

static void add64(uint64_t *target, uint64_t amount) {
  if (amount) __atomic_fetch_add(target, amount, __ATOMIC_RELAXED);
}

static void bring(const struct mh_delta *delta) {
  struct mh_stack *stack = mh_stack(delta->stack);
  uint32_t newest = __atomic_load_n(&mh_header()->peak_number, __ATOMIC_RELAXED);
  uint32_t noted = __atomic_load_n(&stack->peak_number, __ATOMIC_RELAXED);
  if (noted != newest &&
      __atomic_compare_exchange_n(&stack->peak_number, &noted, newest, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
    uint64_t live = __atomic_load_n(&stack->allocated_bytes, __ATOMIC_RELAXED) - __atomic_load_n(&stack->freed_bytes, __ATOMIC_RELAXED);
    __atomic_store_n(&stack->peak_bytes, live, __ATOMIC_RELAXED);
  }
  add64(&stack->allocations, delta->allocations);
  add64(&stack->allocated_bytes, delta->allocated_bytes);
  add64(&stack->frees, delta->frees);
  add64(&stack->freed_bytes, delta->freed_bytes);
  add64(&stack->temporaries, delta->temporaries);
}

static inline struct mh_delta *delta_of(struct mh_totals *totals, uint32_t stack) {
  uint32_t place = stack % MH_DELTAS;
  struct mh_delta *delta = &totals->deltas[place];
  if (MH_UNLIKELY(delta->stack != stack)) {
    if (delta->stack) bring(delta);
    *delta = (struct mh_delta){.stack = stack};
    totals->used[place / 64] |= (uint64_t)1 << place % 64;
  }
  return delta;
}

void mh_total_allocation(struct mh_totals *totals, uint32_t stack, struct mh_amount amount) {
  struct mh_delta *delta = delta_of(totals, stack);
  delta->allocations += amount.count;
  delta->allocated_bytes += amount.bytes;
}

void mh_total_free(struct mh_totals *totals, uint32_t stack, struct mh_amount amount, bool temporary) {
  struct mh_delta *delta = delta_of(totals, stack);
  delta->frees += amount.count;
  delta->freed_bytes += amount.bytes;
  if (temporary) delta->temporaries += amount.count;
}

void mh_totals_fold(struct mh_totals *totals) {
  for (uint32_t word = 0; word < MH_DELTAS / 64; word++) {
    for (uint64_t used = totals->used[word]; used; used &= used - 1) {
      struct mh_delta *delta = &totals->deltas[word * 64 + (uint32_t)__builtin_ctzll(used)];
      bring(delta);
      delta->stack = 0;
    }
    totals->used[word] = 0;
  }
}

void mh_totals_peak(void) {
  __atomic_fetch_add(&mh_header()->peak_number, 1, __ATOMIC_RELAXED);
}
