/* Walking a stack; see walk.h.
 *
 * A walk begins at the innermost frame, with pc, sp and fp from the hook. An unwind step leads from a frame to its
 * caller: look up the rule of the pc, compute the CFA, load the return address. At each frame on the way the stack
 * cache is asked whether it knows the rest.
 *
 * A word is read only inside of the readable stack range (stack_range.h). So with damaged frame information a walk may
 * end at a bad frame, but it does not crash.
 */
#include "walk.h"

#include "../stacks/modules.h"
#include "capture_libunwind.h"
#include "cfi.h"
#include "mutation.h"
#include "outermost.h"
#include "rule_table.h"
#include "stack_cache.h"
#include "step.h"

void mh_walk_start(void) {
  mh_stack_range_start();
  mh_outermost_start();
}

void mh_capture_dwarf_modules_changed(void) {
  mh_rule_table_generation(__atomic_load_n(&mh_generation, __ATOMIC_RELAXED));
}

/* ── Unwind steps ──────────────────────────────────────────────────────────────────────────────── */

/* Where a walk is: the registers in a frame. */
struct place {
  uintptr_t pc, sp, fp;
#if defined(__aarch64__)
  uintptr_t lr; /* only in a frame that a signal interrupted */
#endif
  bool exact;
};

enum step_result {
  STEPPED,
  ENDED,     /* this frame has no caller */
  LOST,      /* whether it has a caller is unknown, for every walk that comes here */
  BAD_FRAME, /* the same, but another walk may find it */
  FALLBACK,
};

/* Steps through the frame in which the kernel called a signal handler. */
static enum step_result step_signal(struct mh_stack_cache *cache, struct mh_unwind_step *step, struct place *place,
                                    struct mh_stack_range *range, bool *switched) {
  if (!mh_stack_range_word(range, step->sp + MH_SIGNAL_PC, &step->ra) ||
      !mh_stack_range_word(range, step->sp + MH_SIGNAL_SP, &step->cfa) ||
      !mh_stack_range_word(range, step->sp + MH_SIGNAL_FP, &place->fp))
    return BAD_FRAME;
#if defined(__aarch64__)
  if (!mh_stack_range_word(range, step->sp + MH_SIGNAL_LR, &place->lr)) return BAD_FRAME;
#endif
  place->pc = step->ra;
  place->sp = step->cfa;
  place->exact = true;
  if (place->sp <= step->sp || place->sp >= range->high) {
    mh_stack_range_at(&cache->thread_stack, &cache->foreign_stack, place->sp, range);
    *switched = true;
  }
  return place->pc ? STEPPED : LOST; /* a call of a null pointer */
}

/* Ends a walk whose CFA is not on the stack. That depends on the registers alone, unless the CFA was loaded. */
static enum step_result end_unread(struct mh_unwind_step *step, bool frame_pointers) {
  bool loaded = mh_rule_kind(step->rule) != MH_RULE_SP && mh_rule_kind(step->rule) != MH_RULE_FP;
  if (!loaded) step->flags |= MH_STEP_UNREAD;
  /* A frame pointer of 0 marks the outermost frame. */
  if (frame_pointers && !step->fp) return ENDED;
  return loaded ? BAD_FRAME : LOST;
}

/* Steps from `place` to its caller, and notes how in `step`. Nothing on the stack is read outside of `range`. */
static __attribute__((noinline)) enum step_result step_slow(struct mh_stack_cache *cache, struct mh_unwind_step *step,
                                                            struct place *place, struct mh_stack_range *range,
                                                            bool frame_pointers, bool *switched) {
  uint64_t rule = step->rule;
  unsigned kind = mh_rule_kind(rule);
  uintptr_t cfa;
  if (kind == MH_RULE_SP || kind == MH_RULE_FP) {
    cfa = (kind == MH_RULE_FP ? place->fp : place->sp) + (uintptr_t)mh_rule_cfa(rule);
  } else if (kind == MH_RULE_FP_LOAD || kind == MH_RULE_SP_LOAD) {
    uintptr_t at = (kind == MH_RULE_FP_LOAD ? place->fp : place->sp) + (uintptr_t)mh_rule_near(rule);
    if (!mh_stack_range_word(range, at, &cfa)) return BAD_FRAME;
    cfa += (uintptr_t)mh_rule_far(rule);
  } else if (kind == MH_RULE_SIGNAL) {
    return step_signal(cache, step, place, range, switched);
  } else {
    return kind != MH_RULE_END ? FALLBACK : mh_rule_is_lost(rule) ? LOST : ENDED;
  }
  step->cfa = cfa;
  if (cfa <= place->sp && !(MH_CFA_MAY_STAY && cfa == place->sp && place->exact))
    return end_unread(step, frame_pointers);
  if (MH_RA_IN_REGISTER(rule)) {
#if defined(__aarch64__)
    if (!place->exact) return BAD_FRAME;
    step->ra = place->lr;
#endif
  } else {
    if (!mh_stack_range_word(range, mh_ra_at(rule, cfa), &step->ra)) return end_unread(step, frame_pointers);
  }
  uintptr_t fp_at = mh_fp_at(rule, cfa, place->fp);
  if (fp_at && !mh_stack_range_word(range, fp_at, &place->fp)) return BAD_FRAME;
  place->sp = cfa;
  place->pc = mh_strip(step->ra);
  place->exact = false;
  return place->pc ? STEPPED : ENDED;
}

/* The fast path, for nearly all frames. It is written so that pc, sp and fp stay in registers. False: it did nothing,
 * and step_slow must make the step. */
MH_INLINE bool step_fast(struct mh_unwind_step *step, uint64_t rule, uintptr_t *pc, uintptr_t *sp, uintptr_t *fp,
                         uintptr_t low, uintptr_t room) {
  unsigned kind = mh_rule_kind(rule);
  if (MH_UNLIKELY(kind > MH_RULE_FP || MH_RA_IN_REGISTER(rule))) return false;
  uintptr_t cfa = (kind == MH_RULE_FP ? *fp : *sp) + (uintptr_t)mh_rule_cfa(rule);
  uintptr_t ra_at = mh_ra_at(rule, cfa), fp_at = mh_fp_at(rule, cfa, *fp);
  if (MH_UNLIKELY(cfa <= *sp || ra_at - low >= room)) return false;
  uintptr_t ra = *(const mh_word *)ra_at, caller = mh_strip(ra);
  if (MH_UNLIKELY(!caller)) return false;
  if (fp_at) {
    if (MH_UNLIKELY(fp_at - low >= room)) return false;
    *fp = *(const mh_word *)fp_at;
  }
  step->cfa = cfa;
  step->ra = ra;
  *sp = cfa;
  *pc = caller;
  return true;
}

/* Whether no frame of the program is outside of a frame whose callers are lost. */
static __attribute__((noinline)) bool is_outermost(const struct mh_unwind_step *step, bool frame_pointers) {
  bool in_runtime =
      frame_pointers ? mh_is_runtime(step->pc - 1) : (step->rule & MH_RULE_MASK) == MH_RULE_LOST_IN_RUNTIME;
  return in_runtime && mh_is_outermost(step->sp);
}

/* ── The walk ──────────────────────────────────────────────────────────────────────────────────── */

/* Computes a rule and inserts it into the table. A rule of a place that is in no known module, and whose callers are
 * lost, is not inserted: then only this walk ends here. */
static __attribute__((noinline)) uint64_t new_rule(uintptr_t pc, bool exact, uint64_t key, bool *unknown) {
  uint64_t rule = mh_cfi_rule(pc, exact);
  if (rule == MH_RULE_LOST && mh_is_runtime(pc - !exact)) rule = MH_RULE_LOST_IN_RUNTIME;
  if (MH_MUTATION == MUTATION_DAMAGED_RULES && pc * 0x9e3779b97f4a7c15ull >> 60 == 0)
    rule = (pc * 0xff51afd7ed558ccdull >> 20 & MH_RULE_MASK & ~7ull) | (pc >> 4) % 6 | 1;
  *unknown = rule == MH_RULE_LOST && !mh_module_known(pc - !exact);
  if (!*unknown) mh_rule_insert(key, rule);
  return rule;
}

/* Notes that the walk ended in this step, and whether its callers are lost. That is a part of the frame. The frame id
 * in the table is the one for which the rule alone decides it. */
static void end_at(struct mh_unwind_step *step, bool lost) {
  if (lost) step->flags |= MH_STEP_LOST;
  if (lost != mh_rule_is_lost(step->rule)) step->rule &= MH_RULE_MASK;
}

/* `frame_pointers`: in frame-pointer mode, as if every rule said so. */
MH_INLINE uint32_t take(struct mh_thread *thread, struct mh_stack_cache *cache, const struct mh_entry *entry,
                        bool frame_pointers) {
  uint32_t generation = mh_stack_cache_generation();
  mh_stack_cache_begin(cache, mh_thread_pointer(), generation);
  struct mh_stack_range range;
  mh_stack_range_at(&cache->thread_stack, &cache->foreign_stack, entry->sp, &range);
  mh_stack_range_begin(&range, entry->sp);
  uintptr_t low = range.low, room = mh_stack_range_room(&range); /* of words that may be read */
  uintptr_t pc = entry->pc, sp = entry->sp, fp = entry->fp;
  struct place place = {.exact = false}; /* the same in memory, for step_slow */
  struct mh_walked walked = {.entry = entry, .range = &range, .frame_pointers = frame_pointers};
  uint32_t count = 0, limit = cache->limit; /* steps taken, and most of them */
  bool bad_frame = false;
  struct mh_meeting meeting;
  mh_meeting_set(&meeting, cache, cache->stable_depth);

  for (;;) {
    if (sp >= meeting.below &&
        mh_stack_cache_lookup_rest(cache, &meeting, pc, sp, fp, place.exact, count, &range)) {
      walked.outer = meeting.outer;
      break;
    }
    if (MH_UNLIKELY(count == limit)) {
      walked.cut = true;
      break;
    }

    struct mh_unwind_step *step = &cache->steps[count++];
    step->sp = sp;
    step->pc = pc;
    step->fp = fp;
    step->flags = place.exact ? MH_STEP_EXACT : 0;
    uint64_t key = mh_frame_key(pc, place.exact, generation, frame_pointers);
    uint64_t rule = key ? mh_rule_find(key) : 0;
    if (MH_UNLIKELY(!rule)) rule = frame_pointers ? MH_RULE_FRAME_POINTERS : new_rule(pc, place.exact, key, &bad_frame);
    step->rule = rule;
    /* In frame-pointer mode the rule is a constant: the step need not wait for the load from the table. */
    if (frame_pointers) rule = MH_RULE_FRAME_POINTERS;
    if (MH_LIKELY(!place.exact && step_fast(step, rule, &pc, &sp, &fp, low, room))) continue;

    bool switched = false;
    place.pc = pc;
    place.sp = sp;
    place.fp = fp;
    enum step_result result = step_slow(cache, step, &place, &range, frame_pointers, &switched);
    if (result == FALLBACK) return mh_capture_libunwind(thread, entry);
    pc = place.pc;
    sp = place.sp;
    fp = place.fp;
    low = range.low;
    room = mh_stack_range_room(&range);
    if (switched) walked.first = count;
    if (result != STEPPED) {
      bad_frame |= result == BAD_FRAME;
      end_at(step, result != ENDED && !is_outermost(step, frame_pointers));
      break;
    }
  }
  walked.count = count;
  walked.fp = fp;
  if (MH_UNLIKELY(bad_frame)) walked.first = UINT32_MAX;
  return mh_stack_cache_update(cache, &walked);
}

uint32_t mh_walk_dwarf(struct mh_thread *thread, struct mh_stack_cache *cache, const struct mh_entry *entry) {
  return take(thread, cache, entry, false);
}

uint32_t mh_walk_fp(struct mh_stack_cache *cache, const struct mh_entry *entry) {
  return take(NULL, cache, entry, true);
}

#if defined(__aarch64__)
/* Bytes from the calling function's frame record to the end of its frame; 0 if that is not known yet. */
__attribute__((noinline)) uintptr_t mh_entry_gap(void) {
  uint64_t rule = mh_cfi_rule(mh_strip((uintptr_t)__builtin_return_address(0)), false);
  return mh_rule_kind(rule) == MH_RULE_FP ? (uintptr_t)mh_rule_cfa(rule) : 0;
}
#endif
