/* A call's origin; see origin.h. */
#include "origin.h"

#include <signal.h>

#include "cfi.h"
#include "../stacks/modules.h"
#include "stack_range.h"
#include "step.h"
#include "../store/store.h"
#include "../threads/thread.h"

#define NESTED_FRAMES 256 /* at most, between a hook and another one that is called inside of it */

static struct mh_origin behind; /* the libraries behind the hooks */

void mh_origin_start(const struct mh_origin *origin) {
  behind = *origin;
}

static const struct mh_module *libc(void) {
  return mh_module_at((uintptr_t)behind.libc);
}

static const struct mh_module *allocator(void) {
  return mh_module_at((uintptr_t)behind.allocator);
}

bool mh_libc_allocates(void) {
  const struct mh_module *module = libc();
  return module && module == allocator();
}

bool mh_allocator_is_silent(void) {
  return behind.glibc && mh_libc_allocates();
}

/* Whether the code at `pc` is the allocator's own, if the allocator is one that calls hooks. musl's memalign jumps to
 * aligned_alloc, so there the caller is the hook that called memalign. */
static bool allocator_calls(uintptr_t pc) {
  if (mh_allocator_is_silent()) return false;
  const struct mh_module *module = mh_module_at(pc - 1);
  return module && (module == allocator() || module == mh_module_at((uintptr_t)mh_handler_calls));
}

static bool on_alternate_stack(void) {
  stack_t alternate;
  if (mh_syscall(SYS_sigaltstack, 0, (long)&alternate, 0, 0, 0, 0) < 0) return false;
  return alternate.ss_flags & SS_ONSTACK || (mh_tls.disarms && alternate.ss_flags & SS_DISABLE);
}

struct place {
  uintptr_t pc, sp, fp;
};

/* Steps out of an ordinary frame, one that made a call. False: a rule does not suffice for that. */
static bool step_out(struct place *place, uint64_t rule, struct mh_stack_range *range) {
  unsigned kind = mh_rule_kind(rule);
  if (kind < MH_RULE_SP || kind > MH_RULE_FP_LOAD || MH_RA_IN_REGISTER(rule)) return false;
  uintptr_t cfa = mh_rule_from_fp(rule) ? place->fp : place->sp, ra;
  if (kind == MH_RULE_SP || kind == MH_RULE_FP) {
    cfa += (uintptr_t)mh_rule_cfa(rule);
  } else {
    if (!mh_stack_range_word(range, cfa + (uintptr_t)mh_rule_near(rule), &cfa)) return false;
    cfa += (uintptr_t)mh_rule_far(rule);
  }
  if (cfa <= place->sp || !mh_stack_range_word(range, mh_ra_at(rule, cfa), &ra)) return false;
  uintptr_t fp_at = mh_fp_at(rule, cfa, place->fp);
  if (fp_at && !mh_stack_range_word(range, fp_at, &place->fp)) return false;
  place->sp = cfa;
  place->pc = mh_strip(ra);
  return true;
}

/* The kernel puts a signal frame between a handler and the code that it interrupted. If the real function makes the
 * call, there is no signal frame between the call and the hook. A caller whose frames cannot be followed is taken for a
 * handler: its allocation is counted as dropped. */
bool mh_handler_calls(const struct mh_entry *entry) {
  if (allocator_calls(entry->pc)) return false;
  uintptr_t hook = mh_tls.guard & ~(uintptr_t)MH_GUARD_BITS;
  if (entry->sp > hook || on_alternate_stack()) return true;
  /* All frames up to the hook's are on this stack. */
  struct mh_stack_range range = {.low = entry->sp, .high = hook + 2 * sizeof(void *)};
  struct place place = {entry->pc, entry->sp, entry->fp};
  for (unsigned frames = 0; place.sp <= hook; frames++) {
    if (frames == NESTED_FRAMES || !step_out(&place, mh_cfi_rule(place.pc, false), &range)) return true;
  }
  return false;
}

bool mh_module_is_runtime(uint32_t module) {
  const void *const parts[] = {behind.libc, behind.threads, behind.loader};
  for (unsigned i = 0; i < sizeof parts / sizeof *parts; i++) {
    const struct mh_module *part = mh_module_at((uintptr_t)parts[i]);
    if (part && part->id == module) return true;
  }
  return false;
}

bool mh_allocator_maps(uint32_t stack) {
  const struct mh_module *own = allocator();
  if (!stack || !own || mh_libc_allocates()) return false;
  uint32_t node = mh_stack(stack)->node;
  if (mh_frame(mh_node(node)->frame)->module != own->id) return false;
  for (; node; node = mh_node(node)->parent) {
    uint32_t module = mh_frame(mh_node(node)->frame)->module;
    if (module != own->id && !mh_module_is_runtime(module)) return false;
  }
  return true;
}
