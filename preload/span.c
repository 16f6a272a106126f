#include "span.h"

#include <string.h>
#include <sys/auxv.h>

#include "peek.h"

/* Stacks may have larger pages; no stack has smaller ones. */
#define PAGE 4096u
/* Most pages tested to find an own stack's end or its new depth: some milliseconds, once. */
#define MOST_OWN_PAGES (64u << 20 >> 12)
/* Most copies in one walk on other stacks. */
#define MOST_COPIES 256u
/* What an interrupted function may have kept below its stack pointer: the red zone. */
#define BELOW_SP 128

static uintptr_t main_stack_end;

void mh_span_start(void) {
  main_stack_end = getauxval(AT_EXECFN) & ~(uintptr_t)7;
}

/* Whether all pages of [low, high) are readable. Tested from the top if `down`. */
static bool all_readable(uintptr_t low, uintptr_t high, bool down) {
  low &= ~(uintptr_t)(PAGE - 1);
  if (high <= low || (high - low) / PAGE > MOST_OWN_PAGES) return false;
  uintptr_t last = (high - 1) & ~(uintptr_t)(PAGE - 1);
  for (uintptr_t offset = 0; offset <= last - low; offset += PAGE)
    if (!mh_readable(down ? last - offset : low + offset)) return false;
  return true;
}

static bool find_own(struct mh_own_stack *own, uintptr_t sp) {
  /* A thread that allocates only on coroutine stacks would try in vain each time: try more and more rarely. */
  if (own->failures & (own->failures - 1)) {
    own->failures++;
    return false;
  }
  uintptr_t ends[] = {own->thread_pointer, main_stack_end};
  for (unsigned i = 0; i < 2; i++) {
    if (sp >= ends[i] || !all_readable(sp, ends[i], false)) continue;
    own->low = sp & ~(uintptr_t)(PAGE - 1);
    own->high = ends[i];
    own->failures = 0;
    return true;
  }
  own->failures++;
  return false;
}

void mh_span_find(struct mh_own_stack *own, struct mh_stack_copy *copy, uintptr_t sp, struct mh_span *span) {
  bool found = false;
  if (!own->high)
    found = find_own(own, sp);
  else if (sp < own->low && all_readable(sp, own->low, true)) {
    own->low = sp & ~(uintptr_t)(PAGE - 1);
    found = true;
  }
  if (found) {
    mh_span_at(own, copy, sp, span);
    return;
  }
  *span = (struct mh_span){.low = sp - BELOW_SP, .high = sp - BELOW_SP, .copy = copy};
  copy->low = copy->high = 0;
}

static bool has(const struct mh_stack_copy *copy, uintptr_t address) {
  return address >= copy->low && address < copy->high && copy->high - address >= sizeof(mh_word);
}

/* Has the copy begin at the page of `address`, which is `beyond` bytes behind the span. */
static void make(struct mh_stack_copy *copy, uintptr_t address, uintptr_t beyond) {
  size_t bytes = copy->reach_before > beyond ? copy->reach_before - beyond : 0;
  bytes = (bytes / PAGE + 1) * PAGE;
  if (bytes > sizeof copy->bytes) bytes = sizeof copy->bytes;
  copy->made++;
  copy->low = address & ~(uintptr_t)(PAGE - 1);
  copy->high = copy->low + mh_peek_ahead(copy->bytes, copy->low, PAGE, bytes);
}

bool mh_span_beyond(const struct mh_span *span, uintptr_t address, uintptr_t *word) {
  struct mh_stack_copy *copy = span->copy;
  if (address < span->low) return false;
  uintptr_t beyond = address > span->high ? address - span->high : 0;
  if (!has(copy, address)) {
    if (copy->made == MOST_COPIES) return false;
    make(copy, address, beyond);
    if (!has(copy, address)) return false;
  }
  if (beyond > copy->reach && beyond < sizeof copy->bytes) copy->reach = (uint32_t)beyond;
  memcpy(word, copy->bytes + (address - copy->low), sizeof *word);
  return true;
}
