/* The readable stack range: which memory around a stack pointer may be read while a stack is walked, and how.
 *
 * A thread stack is the one that a thread was made with. It ends at the thread pointer, because the C libraries put the
 * thread block on top of the stack. The main thread's ends at the strings that the kernel put on top of it. Whether all
 * pages between the stack pointer and that end are readable is tested once, page by page, by a system call that returns
 * an error where a load would crash. When the stack pointer goes deeper, the new pages are tested. After that the range
 * is known, and a walk in it costs two comparisons for each word. Neither the loader nor the thread library is asked:
 * they take locks.
 *
 * Any other stack is foreign: alternate signal stacks, coroutines. It may be gone in the next walk. If the program
 * mapped it (index/intervals.h), it ends with that mapping at the latest, and its pages are tested again in each walk:
 * some may be protected. Of other foreign stacks the end is unknown. Damaged frame information may lead a walk beyond
 * it, into memory that another thread may unmap at any instant, also between a test and a load. So only the page that
 * the program runs on is read by loads. All further words are copied by the kernel (peek.h), which takes several times
 * as long.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../base/sys.h"

typedef uintptr_t mh_word __attribute__((may_alias, aligned(1)));

/* What is known of a thread stack. All zero at first. */
struct mh_thread_stack {
  uintptr_t thread_pointer; /* whose stack it is */
  uintptr_t low, high;      /* tested; both 0: not found yet */
  uint32_t failures;
};

/* What is known of the foreign stack that a thread runs on. All zero at first. */
struct mh_foreign_stack {
  uintptr_t mapping_low, mapping_high; /* the mapping around it, or the gap between two, as looked up */
  bool in_mapping;
  uint32_t mapping_changes;            /* when that was */
  uint32_t asked;                      /* how often the kernel was asked in this walk */
  uint32_t reach;                      /* bytes beyond the range that this walk has wanted */
  uint32_t reach_before;               /* and the walk before it: this one is likely to want as many */
  uintptr_t copy_low, copy_high;       /* a part of it, as it was a moment ago */
  uint8_t copy[32768];
};

/* Memory that may be read in this walk. */
struct mh_stack_range {
  uintptr_t low, high;              /* by loads */
  uintptr_t most;                   /* `high` may grow to this, page by page */
  struct mh_foreign_stack *foreign; /* NULL: it is the thread stack */
};

/* Called once, before the first walk. */
void mh_stack_range_start(void);

/* Finds the range around `sp`, if `sp` is not in the known part of the thread stack. */
void mh_stack_range_find(struct mh_thread_stack *thread, struct mh_foreign_stack *foreign, uintptr_t sp,
                         struct mh_stack_range *range);

static inline void mh_stack_range_at(struct mh_thread_stack *thread, struct mh_foreign_stack *foreign, uintptr_t sp,
                                     struct mh_stack_range *range) {
  if (MH_LIKELY(sp >= thread->low && sp < thread->high))
    *range = (struct mh_stack_range){.low = thread->low, .high = thread->high};
  else
    mh_stack_range_find(thread, foreign, sp, range);
}

/* Begins a walk in `range`, of a foreign stack, where the program is running, at `sp`. */
void mh_stack_range_begin_foreign(struct mh_stack_range *range, uintptr_t sp);

static inline void mh_stack_range_begin(struct mh_stack_range *range, uintptr_t sp) {
  if (MH_UNLIKELY(range->foreign != NULL)) mh_stack_range_begin_foreign(range, sp);
}

/* The number of addresses at which a word may begin. */
static inline uintptr_t mh_stack_range_room(const struct mh_stack_range *range) {
  uintptr_t bytes = range->high - range->low;
  return bytes < sizeof(mh_word) ? 0 : bytes - (sizeof(mh_word) - 1);
}

/* Reads the word at `address`, which is outside of `range` and may be on the foreign stack. */
bool mh_stack_range_beyond(struct mh_stack_range *range, uintptr_t address, uintptr_t *word);

/* Reads the word at `address`, if that is readable. */
static inline bool mh_stack_range_word(struct mh_stack_range *range, uintptr_t address, uintptr_t *word) {
  if (MH_UNLIKELY(address - range->low >= mh_stack_range_room(range)))
    return range->foreign && mh_stack_range_beyond(range, address, word);
  *word = *(const mh_word *)address;
  return true;
}
