/* Spans: which memory around a stack pointer may be read while a stack is walked, and how.
 *
 * A thread's own stack ends at its thread pointer (the C libraries put the thread block on top of the stack), the main
 * thread's at the strings that the kernel put on top of it. That all pages between the stack pointer and that end are
 * there is tested once, page by page, with a system call that answers where a load would crash; as the stack
 * pointer goes deeper, the new pages are tested. After that the span is known, and a walk in it costs two comparisons a
 * word. Neither the loader nor the thread library is asked: they take locks.
 *
 * Of any other stack (alternate signal stacks, coroutines) nobody says where it ends. A walk that damaged frame information leads
 * beyond its end gets among memory that another thread may unmap at any instant, also between a test and a load. So only the page that the
 * program runs on is read by loads, and all further words in copies that the kernel makes (peek.h), anew in each walk.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sys.h"

typedef uintptr_t mh_word __attribute__((may_alias, aligned(1)));

/* What a thread knows about its own stack. All zero at first. */
struct mh_own_stack {
  uintptr_t thread_pointer; /* whose stack it is */
  uintptr_t low, high;      /* tested, the thread's own; both 0: not found yet */
  uint32_t failures;
};

/* A part of another stack, as it was a moment ago. */
struct mh_stack_copy {
  uintptr_t low, high;
  uint32_t made;         /* copies, in this walk */
  uint32_t reach;        /* bytes beyond the span that this walk has asked for */
  uint32_t reach_before; /* and the walk before it: this one is likely to need as much */
  uint8_t bytes[32768];
};

/* Memory that may be read in this walk. */
struct mh_span {
  uintptr_t low, high;        /* by loads */
  struct mh_stack_copy *copy; /* for what is above; NULL: nothing is, it is the thread's own stack */
};

/* Called once, before the first walk. */
void mh_span_start(void);

/* The span around `sp` if that is not in what is known of the own stack. */
void mh_span_find(struct mh_own_stack *own, struct mh_stack_copy *copy, uintptr_t sp, struct mh_span *span);

static inline void mh_span_at(struct mh_own_stack *own, struct mh_stack_copy *copy, uintptr_t sp, struct mh_span *span) {
  if (MH_LIKELY(sp >= own->low && sp < own->high))
    *span = (struct mh_span){.low = own->low, .high = own->high};
  else
    mh_span_find(own, copy, sp, span);
}

/* Begins a walk in `span`, where the program is running, at `sp`: so that page is there, and stays while the walk lasts. */
static inline void mh_span_begin(struct mh_span *span, uintptr_t sp) {
  if (MH_LIKELY(!span->copy)) return;
  span->high = (sp | 4095) + 1;
  span->copy->made = 0;
  span->copy->reach_before = span->copy->reach;
  span->copy->reach = 0;
}

/* How many bytes of it a word may begin at. */
static inline uintptr_t mh_span_room(const struct mh_span *span) {
  uintptr_t bytes = span->high - span->low;
  return bytes < sizeof(mh_word) ? 0 : bytes - (sizeof(mh_word) - 1);
}

/* The word at `address`, which is outside of `span` and may be on that other stack. */
bool mh_span_beyond(const struct mh_span *span, uintptr_t address, uintptr_t *word);

/* The word at `address`, if it may be read. */
static inline bool mh_span_word(const struct mh_span *span, uintptr_t address, uintptr_t *word) {
  if (MH_UNLIKELY(address - span->low >= mh_span_room(span))) return span->copy && mh_span_beyond(span, address, word);
  *word = *(const mh_word *)address;
  return true;
}
