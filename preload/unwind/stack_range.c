/* Stack ranges; see stack_range.h. */
#include "stack_range.h"

#include <string.h>
#include <sys/auxv.h>

#include "../base/peek.h"
#include "../records/regions.h"

/* Most pages tested to find an own stack's end or its new depth: some milliseconds, once. */
#define MOST_OWN_PAGES (64u << 20 >> 12)
/* Most questions to the kernel in one walk on another stack. */
#define MOST_QUESTIONS 1024u
/* What an interrupted function may have kept below its stack pointer: the red zone. */
#define BELOW_SP 128

static uintptr_t main_stack_end;

void mh_stack_range_start(void) {
  main_stack_end = getauxval(AT_EXECFN) & ~(uintptr_t)7;
}

/* Whether all pages of [low, high) are readable. Tested from the top if `down`. */
static bool all_readable(uintptr_t low, uintptr_t high, bool down) {
  low &= ~(uintptr_t)(MH_PAGE - 1);
  if (high <= low || (high - low) / MH_PAGE > MOST_OWN_PAGES) return false;
  uintptr_t last = (high - 1) & ~(uintptr_t)(MH_PAGE - 1);
  for (uintptr_t offset = 0; offset <= last - low; offset += MH_PAGE)
    if (!mh_readable(down ? last - offset : low + offset)) return false;
  return true;
}

static bool find_own(struct mh_thread_stack *own, uintptr_t sp) {
  /* A thread that allocates only on coroutine stacks would try in vain each time: try more and more rarely. */
  if (own->failures & (own->failures - 1)) {
    own->failures++;
    return false;
  }
  uintptr_t ends[] = {own->thread_pointer, main_stack_end};
  for (unsigned i = 0; i < 2; i++) {
    if (sp >= ends[i] || !all_readable(sp, ends[i], false)) continue;
    own->low = sp & ~(uintptr_t)(MH_PAGE - 1);
    own->high = ends[i];
    own->failures = 0;
    return true;
  }
  own->failures++;
  return false;
}

void mh_stack_range_find(struct mh_thread_stack *own, struct mh_foreign_stack *other, uintptr_t sp, struct mh_stack_range *range) {
  bool found = false;
  if (!own->high)
    found = find_own(own, sp);
  else if (sp < own->low && all_readable(sp, own->low, true)) {
    own->low = sp & ~(uintptr_t)(MH_PAGE - 1);
    found = true;
  }
  if (found) {
    mh_stack_range_at(own, other, sp, range);
    return;
  }
  *range = (struct mh_stack_range){.low = sp - BELOW_SP, .high = sp - BELOW_SP, .other = other};
  other->copy_low = other->copy_high = 0;
}

void mh_stack_range_begin_foreign(struct mh_stack_range *range, uintptr_t sp) {
  struct mh_foreign_stack *other = range->other;
  uint32_t changes = __atomic_load_n(&mh_region_changes, __ATOMIC_ACQUIRE);
  if (other->region_changes != changes || sp < other->region_low || sp >= other->region_high) {
    other->in_region = mh_region_around(sp, &other->region_low, &other->region_high);
    other->region_changes = changes;
  }
  other->asked = 0;
  other->reach_before = other->reach;
  other->reach = 0;
  range->high = (sp | (MH_PAGE - 1)) + 1; /* the page is there, and stays while the walk lasts */
  range->most = other->in_region ? other->region_high : 0;
}

static bool may_ask(struct mh_foreign_stack *other) {
  return other->asked < MOST_QUESTIONS && ++other->asked;
}

/* Has the range reach up to the word at `address`. */
static bool extend(struct mh_stack_range *range, uintptr_t address) {
  while (range->high - address < sizeof(mh_word) || range->high <= address) {
    if (!may_ask(range->other) || !mh_readable(range->high)) return false;
    range->high += MH_PAGE;
  }
  return true;
}

static bool copied(const struct mh_foreign_stack *other, uintptr_t address) {
  return address >= other->copy_low && address < other->copy_high && other->copy_high - address >= sizeof(mh_word);
}

/* Has the copy begin at the page of `address`, which is `beyond` bytes behind the range. */
static bool copy(struct mh_foreign_stack *other, uintptr_t address, uintptr_t beyond) {
  if (!may_ask(other)) return false;
  size_t bytes = other->reach_before > beyond ? other->reach_before - beyond : 0;
  bytes = (bytes / MH_PAGE + 1) * MH_PAGE;
  if (bytes > sizeof other->copy) bytes = sizeof other->copy;
  other->copy_low = address & ~(uintptr_t)(MH_PAGE - 1);
  other->copy_high = other->copy_low + mh_peek_ahead(other->copy, other->copy_low, MH_PAGE, bytes);
  return copied(other, address);
}

bool mh_stack_range_beyond(struct mh_stack_range *range, uintptr_t address, uintptr_t *word) {
  struct mh_foreign_stack *other = range->other;
  if (address < range->low) return false;
  if (address < range->most && range->most - address >= sizeof *word) {
    if (!extend(range, address)) return false;
    *word = *(const mh_word *)address;
    return true;
  }
  uintptr_t beyond = address > range->high ? address - range->high : 0;
  if (!copied(other, address) && !copy(other, address, beyond)) return false;
  if (beyond > other->reach && beyond < sizeof other->copy) other->reach = (uint32_t)beyond;
  memcpy(word, other->copy + (address - other->copy_low), sizeof *word);
  return true;
}
