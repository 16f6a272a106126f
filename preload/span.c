#include "span.h"

#include <errno.h>
#include <sys/auxv.h>

#include "sys.h"

/* Stacks may have larger pages; no stack has smaller ones. */
#define PAGE 4096u
/* Most pages tested to find an own stack's end or its new depth: some milliseconds, once. */
#define MOST_OWN_PAGES (64u << 20 >> 12)
/* Most pages tested in one walk on another stack. */
#define MOST_FOREIGN_PAGES 1024u

static uintptr_t main_stack_end;

void mh_span_start(void) {
  main_stack_end = getauxval(AT_EXECFN) & ~(uintptr_t)7;
}

/* The kernel reads the set before it looks at the (invalid) operation: EFAULT if there is nothing, else EINVAL.
 * Every process may make this call, it never blocks, and it changes nothing. */
bool mh_readable(uintptr_t address) {
  uintptr_t page = address & ~(uintptr_t)(PAGE - 1);
  /* Page 0 would be taken for no set at all. */
  return page && mh_syscall(SYS_rt_sigprocmask, -1, (long)page, 0, 8, 0, 0) == -EINVAL;
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

void mh_span_find(struct mh_own_stack *own, uintptr_t sp, struct mh_span *span) {
  bool found = false;
  if (!own->high)
    found = find_own(own, sp);
  else if (sp < own->low && all_readable(sp, own->low, true)) {
    own->low = sp & ~(uintptr_t)(PAGE - 1);
    found = true;
  }
  uintptr_t page = sp & ~(uintptr_t)(PAGE - 1);
  if (found)
    *span = (struct mh_span){.low = own->low, .high = own->high, .own = true};
  else
    *span = (struct mh_span){.low = page, .high = mh_readable(page) ? page + PAGE : page, .pages = 1};
}

bool mh_span_extend(struct mh_span *span, uintptr_t end) {
  while (span->high < end) {
    if (span->high == span->low || span->pages == MOST_FOREIGN_PAGES || !mh_readable(span->high)) return false;
    span->pages++;
    span->high += PAGE;
  }
  return true;
}
