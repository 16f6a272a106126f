/* Spans: which memory around a stack pointer may be read while a stack is walked.
 *
 * A thread's own stack ends at its thread pointer (the C libraries put the thread block on top of the stack), the main
 * thread's at the strings that the kernel put on top of it. That all pages between the stack pointer and that end are
 * there is tested once, page by page, with a system call that answers where a load would crash; as the stack
 * pointer goes deeper, the new pages are tested. After that the span is known, and a walk in it costs two comparisons a
 * word. Neither the loader nor the thread library is asked: they take locks.
 *
 * Any other stack (alternate signal stacks, coroutines) may be unmapped before the next walk, so its pages are tested in
 * each walk anew.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a thread knows about its own stack. All zero at first. */
struct mh_own_stack {
  uintptr_t thread_pointer; /* whose stack it is */
  uintptr_t low, high;      /* tested, the thread's own; both 0: not found yet */
  uint32_t failures;
};

/* Memory that may be read in this walk. */
struct mh_span {
  uintptr_t low, high;
  bool own;
  uint32_t pages; /* tested in this walk */
};

/* Called once, before the first walk. */
void mh_span_start(void);

/* Whether the byte at `address` can be read, without reading it. */
bool mh_readable(uintptr_t address);

/* The span around `sp` if that is not in what is known of the own stack. */
void mh_span_find(struct mh_own_stack *own, uintptr_t sp, struct mh_span *span);

/* Tries to make `span`, which is not the own stack's, reach up to `end`. */
bool mh_span_extend(struct mh_span *span, uintptr_t end);

/* Whether everything from the start of `span` up to `end` may be read. */
static inline bool mh_span_reaches(struct mh_span *span, uintptr_t end) {
  return __builtin_expect(end <= span->high, 1) || (!span->own && mh_span_extend(span, end));
}

static inline void mh_span_at(struct mh_own_stack *own, uintptr_t sp, struct mh_span *span) {
  if (__builtin_expect(sp >= own->low && sp < own->high, 1))
    *span = (struct mh_span){.low = own->low, .high = own->high, .own = true};
  else
    mh_span_find(own, sp, span);
}

/* How many bytes of it a word may begin at. */
static inline uintptr_t mh_span_room(const struct mh_span *span) {
  uintptr_t bytes = span->high - span->low;
  return bytes < sizeof(uintptr_t) ? 0 : bytes - (sizeof(uintptr_t) - 1);
}

/* Whether the word at `address` may be read. */
static inline bool mh_span_has(struct mh_span *span, uintptr_t address) {
  if (__builtin_expect(address >= span->low && address < span->high && span->high - address >= sizeof(uintptr_t), 1)) return true;
  return !span->own && address >= span->low && address < UINTPTR_MAX - 64 && mh_span_extend(span, address + sizeof(uintptr_t));
}
