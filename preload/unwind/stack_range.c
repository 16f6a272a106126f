/* Stack ranges; see stack_range.h. */
#include "stack_range.h"

#include <string.h>
#include <sys/auxv.h>

#include "../base/peek.h"
#include "../index/intervals.h"

/* Most pages tested to find a thread stack's end or its new depth: some milliseconds, once. */
#define MOST_THREAD_PAGES (64u << 20 >> 12)
/* Most calls of the kernel in one walk on a foreign stack. */
#define MOST_QUESTIONS 1024u
/* The red zone: what an interrupted function may keep below its stack pointer. */
#define BELOW_SP 128

static uintptr_t main_stack_end;

void mh_stack_range_start(void) {
  main_stack_end = getauxval(AT_EXECFN) & ~(uintptr_t)7;
}

/* Whether all pages of [low, high) are readable. Tested from the top if `down`. */
static bool all_readable(uintptr_t low, uintptr_t high, bool down) {
  low &= ~(uintptr_t)(MH_PAGE - 1);
  if (high <= low || (high - low) / MH_PAGE > MOST_THREAD_PAGES) return false;
  uintptr_t last = (high - 1) & ~(uintptr_t)(MH_PAGE - 1);
  for (uintptr_t offset = 0; offset <= last - low; offset += MH_PAGE)
    if (!mh_readable(down ? last - offset : low + offset)) return false;
  return true;
}

static bool find_thread_stack(struct mh_thread_stack *thread, uintptr_t sp) {
  /* A thread that allocates only on coroutine stacks would try in vain each time. So it tries more and more rarely. */
  if (thread->failures & (thread->failures - 1)) {
    thread->failures++;
    return false;
  }
  uintptr_t ends[] = {thread->thread_pointer, main_stack_end};
  for (unsigned i = 0; i < 2; i++) {
    if (sp >= ends[i] || !all_readable(sp, ends[i], false)) continue;
    thread->low = sp & ~(uintptr_t)(MH_PAGE - 1);
    thread->high = ends[i];
    thread->failures = 0;
    return true;
  }
  thread->failures++;
  return false;
}

void mh_stack_range_find(struct mh_thread_stack *thread, struct mh_foreign_stack *foreign, uintptr_t sp,
                         struct mh_stack_range *range) {
  bool found = false;
  if (!thread->high)
    found = find_thread_stack(thread, sp);
  else if (sp < thread->low && all_readable(sp, thread->low, true)) {
    thread->low = sp & ~(uintptr_t)(MH_PAGE - 1);
    found = true;
  }
  if (found) {
    mh_stack_range_at(thread, foreign, sp, range);
    return;
  }
  *range = (struct mh_stack_range){.low = sp - BELOW_SP, .high = sp - BELOW_SP, .foreign = foreign};
  foreign->copy_low = foreign->copy_high = 0;
}

void mh_stack_range_begin_foreign(struct mh_stack_range *range, uintptr_t sp) {
  struct mh_foreign_stack *foreign = range->foreign;
  uint32_t changes = __atomic_load_n(&mh_intervals_changes, __ATOMIC_ACQUIRE);
  if (foreign->mapping_changes != changes || sp < foreign->mapping_low || sp >= foreign->mapping_high) {
    foreign->in_mapping = mh_intervals_around(sp, &foreign->mapping_low, &foreign->mapping_high);
    foreign->mapping_changes = changes;
  }
  foreign->asked = 0;
  foreign->reach_before = foreign->reach;
  foreign->reach = 0;
  range->high = (sp | (MH_PAGE - 1)) + 1; /* the page is there, and stays while the walk lasts */
  range->most = foreign->in_mapping ? foreign->mapping_high : 0;
}

static bool may_ask(struct mh_foreign_stack *foreign) {
  return foreign->asked < MOST_QUESTIONS && ++foreign->asked;
}

/* Extends the range up to the word at `address`. */
static bool extend(struct mh_stack_range *range, uintptr_t address) {
  while (range->high - address < sizeof(mh_word) || range->high <= address) {
    if (!may_ask(range->foreign) || !mh_readable(range->high)) return false;
    range->high += MH_PAGE;
  }
  return true;
}

static bool copied(const struct mh_foreign_stack *foreign, uintptr_t address) {
  return address >= foreign->copy_low && address < foreign->copy_high &&
         foreign->copy_high - address >= sizeof(mh_word);
}

/* Copies memory from the page of `address` on, which is `beyond` bytes behind the range. */
static bool copy(struct mh_foreign_stack *foreign, uintptr_t address, uintptr_t beyond) {
  if (!may_ask(foreign)) return false;
  size_t bytes = foreign->reach_before > beyond ? foreign->reach_before - beyond : 0;
  bytes = (bytes / MH_PAGE + 1) * MH_PAGE;
  if (bytes > sizeof foreign->copy) bytes = sizeof foreign->copy;
  foreign->copy_low = address & ~(uintptr_t)(MH_PAGE - 1);
  foreign->copy_high = foreign->copy_low + mh_peek_ahead(foreign->copy, foreign->copy_low, MH_PAGE, bytes);
  return copied(foreign, address);
}

bool mh_stack_range_beyond(struct mh_stack_range *range, uintptr_t address, uintptr_t *word) {
  struct mh_foreign_stack *foreign = range->foreign;
  if (address < range->low) return false;
  if (address < range->most && range->most - address >= sizeof *word) {
    if (!extend(range, address)) return false;
    *word = *(const mh_word *)address;
    return true;
  }
  uintptr_t beyond = address > range->high ? address - range->high : 0;
  if (!copied(foreign, address) && !copy(foreign, address, beyond)) return false;
  if (beyond > foreign->reach && beyond < sizeof foreign->copy) foreign->reach = (uint32_t)beyond;
  memcpy(word, foreign->copy + (address - foreign->copy_low), sizeof *word);
  return true;
}
