/* Totals for every stack; see totals.h.
 *
 * Each stack's share of the peak is known without a pass over the stacks. Peaks are numbered, and a stack keeps the
 * number of the peak that its `peak_bytes` belongs to. A stack with an older number has not changed since before the
 * newest peak. So its live bytes at the peak are its live bytes now, and are noted just before they change.
 */
#include "totals.h"

#include "../store/store.h"
#include "../base/sys.h"

static void add64(uint64_t *target, uint64_t amount) {
  if (amount) __atomic_fetch_add(target, amount, __ATOMIC_RELAXED);
}

static void add(uint32_t id, struct mh_amount allocated, struct mh_amount freed, uint64_t temporaries) {
  struct mh_stack *stack = mh_stack(id);
  uint32_t newest = __atomic_load_n(&mh_header()->peak_number, __ATOMIC_RELAXED);
  uint32_t noted = __atomic_load_n(&stack->peak_number, __ATOMIC_RELAXED);
  if (noted != newest &&
      __atomic_compare_exchange_n(&stack->peak_number, &noted, newest, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
    uint64_t came = __atomic_load_n(&stack->allocated_bytes, __ATOMIC_RELAXED),
             went = __atomic_load_n(&stack->freed_bytes, __ATOMIC_RELAXED);
    /* More went than came where one thread has flushed its frees, and another one not yet its allocations. */
    __atomic_store_n(&stack->peak_bytes, came > went ? came - went : 0, __ATOMIC_RELAXED);
  }
  add64(&stack->allocations, allocated.count);
  add64(&stack->allocated_bytes, allocated.bytes);
  add64(&stack->frees, freed.count);
  add64(&stack->freed_bytes, freed.bytes);
  add64(&stack->temporaries, temporaries);
}

static void flush_delta(const struct mh_delta *delta) {
  if (!delta->stack) return;
  add(delta->stack, (struct mh_amount){delta->allocations, delta->allocated_bytes},
      (struct mh_amount){delta->frees, delta->freed_bytes}, delta->temporaries);
}

void mh_total_directly(uint32_t stack, struct mh_amount allocated, struct mh_amount freed, bool temporary) {
  if (stack) add(stack, allocated, freed, temporary ? freed.count : 0);
}

__attribute__((noinline)) void mh_delta_change(struct mh_totals *totals, struct mh_delta *delta, uint32_t stack) {
  uint32_t place = stack % MH_DELTAS;
  flush_delta(delta);
  *delta = (struct mh_delta){.stack = stack};
  totals->used[place / 64] |= (uint64_t)1 << place % 64;
}

void mh_totals_flush(struct mh_totals *totals) {
  for (uint32_t word = 0; word < MH_DELTAS / 64; word++) {
    for (uint64_t used = totals->used[word]; used; used &= used - 1) {
      struct mh_delta *delta = &totals->deltas[word * 64 + (uint32_t)__builtin_ctzll(used)];
      flush_delta(delta);
      delta->stack = 0;
    }
    totals->used[word] = 0;
  }
}

void mh_totals_peak(void) {
  __atomic_fetch_add(&mh_header()->peak_number, 1, __ATOMIC_RELAXED);
}
