/* The remembered walk: how most stacks are captured without walking them.
 *
 * Between two allocations of a thread, most of its stack stays the same. Each thread keeps its last walk, outermost frame
 * first, and the words of the stack that decided it: every return address, and every saved frame pointer that some outer
 * frame's CFA depends on.
 *
 *        the stack                  frames remembered              slots remembered
 *     higher addresses            (pc, sp, fp, node)                (where, value)
 *   ┌──────────────────┐
 *   │ start's frame    │        0  start    sp₀     node 1 ─┐     0  no more: the word that ended the walk
 *   ├──────────────────┤                                    │
 *   │ return to start  │◀ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ┼ ─ ─ 1  must still be: into start
 *   │ main's frame     │        1  main     sp₁     node 2 ─┤
 *   ├──────────────────┤                                    │
 *   │ return to main   │◀ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ┼ ─ ─ 2  must still be: into main
 *   │ saved rbp        │◀ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ┼ ─ ─ 3  must still be: main's frame pointer, if main's
 *   │ parse's frame    │        2  parse    sp₂     node 3 ─┤         CFA (or an outer one) is computed from it
 *   ├──────────────────┤                                    │
 *   │ return to parse  │◀ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ┼ ─ ─ 4  …
 *   │ node's frame     │        3  node     sp₃     node 4 ─┘
 *   └──────────────────┘
 *     lower addresses
 *
 * A new walk begins at the innermost frame, with pc, sp and fp from the hook. While it meets no frame that is remembered,
 * it steps outwards by rules: look up the pc, compute the CFA, load the return address. As soon as it is in a frame with
 * the pc, the sp and (where the way out depends on it) the fp of a remembered frame, it stops stepping and compares the
 * remembered words from there on, from the inside outwards. If none has changed, the rest of the stack is the
 * remembered rest and so is its interned node, by induction: the same rule at the same pc with the same registers reads
 * the same words, and equal words give the same registers in the next frame. Nothing is guessed and nothing is hashed. If
 * one has changed, stepping goes on, and may meet the remembered walk again outside of the changed word.
 *
 * A walk that took a new way is the next to be remembered. One whose way is known (suffix_cache.h) leaves everything as it is, and the next one looks no
 * further inside than where this one met the remembered walk: frames inside of that are not likely to be met, and ways that begin at
 * one frame are fewer than ways that begin anywhere. Ways that come again soon need no walk at all (cached_tails.h).
 *
 * What follows from that:
 *   - Only pc, sp and fp are followed. A rule that depends on more sends the whole stack to libunwind.
 *   - A word is read only inside the range of the stack that is known to be readable (stack_range.h): a walk that goes astray on
 *     damaged frame information ends, it does not crash.
 *   - Rules are valid for one module generation, and so is what is remembered.
 *   - Only frames on one stack are remembered: those outside of the last switch (a signal on its own stack).
 *   - A stack deeper than the limit keeps its inner frames. Its nodes hang from the frame where it was cut, so
 *     such a stack is remembered only for stacks that are cut at that same frame.
 *   - A frame or node that could not be interned is not remembered.
 */
#include "stack_cache_data.h"

#include <string.h>

#include "stack_cache.h"
#include "capture_libunwind.h"
#include "../stacks/intern.h"
#include "../stacks/modules.h"
#include "mutation.h"
#include "outermost.h"
#include "suffix_cache.h"
#include "stack_cache_update.h"
#include "rule_table.h"
#include "cached_backtrace.h"
#include "step.h"

uint32_t mh_depth_limit = 256;

/* ── Memory ────────────────────────────────────────────────────────────────────────────────────── */

size_t mh_walk_bytes(void) {
  return sizeof(struct mh_walk) + mh_walk_slots(mh_depth_limit) * sizeof(struct mh_walk_slot) +
         mh_depth_limit * (sizeof(struct mh_walk_frame) + sizeof(struct mh_walk_step));
}

void mh_walk_start(void) {
  mh_stack_range_start();
  mh_outermost_start();
}

void mh_capture_dwarf_modules_changed(void) {
  mh_rule_table_generation(__atomic_load_n(&mh_generation, __ATOMIC_RELAXED));
}

static __attribute__((noinline)) void renew(struct mh_walk *walk, uintptr_t thread_pointer, uint32_t generation) {
  if (!walk->limit) {
    walk->frames = (struct mh_walk_frame *)(walk->slots + mh_walk_slots(mh_depth_limit));
    walk->steps = (struct mh_walk_step *)(walk->frames + mh_depth_limit);
    mh_slot_guard(&walk->guard);
    walk->limit = mh_depth_limit;
  }
  if (walk->own.thread_pointer != thread_pointer) walk->own = (struct mh_thread_stack){.thread_pointer = thread_pointer};
  mh_walk_forget(walk);
  memset(walk->detours, 0, sizeof walk->detours);
  mh_detour_expect_anew(walk, 0);
  /* After a fork the store, and with it every id, may be another one; the generation is, too. */
  if (walk->generation && walk->generation != generation) {
    memset(walk->known, 0, sizeof walk->known);
    memset(walk->paths, 0, sizeof walk->paths);
  }
  walk->generation = generation;
}

/* ── Stepping ──────────────────────────────────────────────────────────────────────────────────── */

/* Where a walk is: the registers in a frame. */
struct place {
  uintptr_t pc, sp, fp;
#if defined(__aarch64__)
  uintptr_t lr; /* only in a frame that a signal interrupted */
#endif
  bool exact;
};

enum stepped {
  STEPPED,
  ENDED,  /* this frame has no caller */
  LOST,   /* nobody knows whether it has, nor will the next walk that comes here */
  ASTRAY, /* the same, but another walk may know */
  FALLBACK,
};

/* Steps through the frame in which the kernel called a signal handler. */
static enum stepped step_signal(struct mh_walk *walk, struct mh_walk_step *step, struct place *place, struct mh_stack_range *range, bool *switched) {
  if (!mh_stack_range_word(range, step->sp + MH_SIGNAL_PC, &step->ra) || !mh_stack_range_word(range, step->sp + MH_SIGNAL_SP, &step->cfa) ||
      !mh_stack_range_word(range, step->sp + MH_SIGNAL_FP, &place->fp))
    return ASTRAY;
#if defined(__aarch64__)
  if (!mh_stack_range_word(range, step->sp + MH_SIGNAL_LR, &place->lr)) return ASTRAY;
#endif
  place->pc = step->ra;
  place->sp = step->cfa;
  place->exact = true;
  if (place->sp <= step->sp || place->sp >= range->high) {
    mh_stack_range_at(&walk->own, &walk->other, place->sp, range);
    *switched = true;
  }
  return place->pc ? STEPPED : LOST; /* a call of a null pointer */
}

/* Ends a walk whose CFA is not on the stack. That depends on nothing but the registers, unless the CFA was loaded. */
static enum stepped end_unread(struct mh_walk_step *step, bool frame_pointers) {
  bool plain = mh_rule_kind(step->rule) == MH_RULE_SP || mh_rule_kind(step->rule) == MH_RULE_FP;
  if (plain) step->flags |= MH_STEP_UNREAD;
  /* A frame pointer of 0 marks the outermost frame. */
  if (frame_pointers && !step->fp) return ENDED;
  return plain ? LOST : ASTRAY;
}

/* Steps from `place` to its caller, and notes how in `step`. Nothing on the stack is read outside of `range`. */
static __attribute__((noinline)) enum stepped step_out(struct mh_walk *walk, struct mh_walk_step *step, struct place *place,
                                                       struct mh_stack_range *range, bool frame_pointers, bool *switched) {
  uint64_t rule = step->rule;
  unsigned kind = mh_rule_kind(rule);
  uintptr_t cfa;
  if (kind == MH_RULE_SP || kind == MH_RULE_FP) {
    cfa = (kind == MH_RULE_FP ? place->fp : place->sp) + (uintptr_t)mh_rule_cfa(rule);
  } else if (kind == MH_RULE_FP_LOAD || kind == MH_RULE_SP_LOAD) {
    uintptr_t at = (kind == MH_RULE_FP_LOAD ? place->fp : place->sp) + (uintptr_t)mh_rule_near(rule);
    if (!mh_stack_range_word(range, at, &cfa)) return ASTRAY;
    cfa += (uintptr_t)mh_rule_far(rule);
  } else if (kind == MH_RULE_SIGNAL) {
    return step_signal(walk, step, place, range, switched);
  } else {
    return kind != MH_RULE_END ? FALLBACK : mh_rule_is_lost(rule) ? LOST : ENDED;
  }
  step->cfa = cfa;
  if (cfa <= place->sp && !(MH_CFA_MAY_STAY && cfa == place->sp && place->exact)) return end_unread(step, frame_pointers);
  if (MH_RA_IN_REGISTER(rule)) {
#if defined(__aarch64__)
    if (!place->exact) return ASTRAY;
    step->ra = place->lr;
#endif
  } else {
    if (!mh_stack_range_word(range, mh_ra_at(rule, cfa), &step->ra)) return end_unread(step, frame_pointers);
  }
  uintptr_t fp_at = mh_fp_at(rule, cfa, place->fp);
  if (fp_at && !mh_stack_range_word(range, fp_at, &place->fp)) return ASTRAY;
  place->sp = cfa;
  place->pc = mh_strip(step->ra);
  place->exact = false;
  return place->pc ? STEPPED : ENDED;
}

/* The same for nearly all frames, written so that the three registers stay in registers. False, with nothing done:
 * step_out has to look at it. */
MH_INLINE bool step_plainly(struct mh_walk_step *step, uint64_t rule, uintptr_t *pc, uintptr_t *sp, uintptr_t *fp, uintptr_t low, uintptr_t room) {
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

/* Whether a frame whose callers are lost has none of the program's. */
static __attribute__((noinline)) bool is_outermost(const struct mh_walk_step *step, bool frame_pointers) {
  bool in_runtime = frame_pointers ? mh_is_runtime(step->pc - 1) : (step->rule & MH_RULE_MASK) == MH_RULE_LOST_IN_RUNTIME;
  return in_runtime && mh_is_outermost(step->sp);
}

/* ── The walk ──────────────────────────────────────────────────────────────────────────────────── */

/* The stack pointer in the innermost of `outer` remembered frames. */
MH_INLINE uintptr_t sp_of(const struct mh_walk_frame *frames, uint32_t outer) {
  return outer ? frames[outer - 1].sp : UINTPTR_MAX;
}

/* The number of the innermost slot that has changed, from 1; 0: none has. */
MH_INLINE uint32_t first_changed(const struct mh_walk_slot *slots, uint32_t count) {
  return (uint32_t)(mh_changed_slot(slots + count) - (slots - 1));
}

/* The same for a range that cannot be read by loads alone. What cannot be read has changed. */
static __attribute__((noinline)) uint32_t first_changed_elsewhere(const struct mh_walk_slot *slots, uint32_t count, struct mh_stack_range *range) {
  uintptr_t word;
  if (MH_MUTATION == MUTATION_NO_OTHER_STACK) return 0;
  while (count && mh_stack_range_word(range, slots[count - 1].at, &word) && word == slots[count - 1].value) count--;
  return count;
}

/* Computes a rule and puts it in the table, unless it says "nobody knows" of a place that the module table does not know yet:
 * then the walk ends here this time. */
static __attribute__((noinline)) uint64_t new_rule(uintptr_t pc, bool exact, uint64_t key, bool *unknown) {
  uint64_t rule = mh_cfi_rule(pc, exact);
  if (rule == MH_RULE_LOST && mh_is_runtime(pc - !exact)) rule = MH_RULE_LOST_IN_RUNTIME;
  if (MH_MUTATION == MUTATION_DAMAGED_RULES && pc * 0x9e3779b97f4a7c15ull >> 60 == 0)
    rule = (pc * 0xff51afd7ed558ccdull >> 20 & MH_RULE_MASK & ~7ull) | (pc >> 4) % 6 | 1;
  *unknown = rule == MH_RULE_LOST && !mh_module_known(pc - !exact);
  if (!*unknown) mh_rule_insert(key, rule);
  return rule;
}

/* `frame_pointers`: by frame pointers alone, as if every rule said so. */
MH_INLINE uint32_t take(struct mh_thread *thread, struct mh_walk *walk, const struct mh_entry *entry, bool frame_pointers) {
  uint32_t generation = mh_walk_generation();
  uintptr_t thread_pointer = mh_thread_pointer();
  if (MH_UNLIKELY(walk->generation != generation || walk->own.thread_pointer != thread_pointer || !walk->limit))
    renew(walk, thread_pointer, generation);

  struct mh_stack_range range;
  mh_stack_range_at(&walk->own, &walk->other, entry->sp, &range);
  mh_stack_range_begin(&range, entry->sp);
  bool plain = walk->plain != 0 && !range.other;
  uintptr_t low = range.low, room = mh_stack_range_room(&range); /* words may be read from `low` and the `room` bytes behind it on */
  uintptr_t pc = entry->pc, sp = entry->sp, fp = entry->fp;
  struct place place = {.exact = false}; /* the same in memory, for step_out */
  const struct mh_walk_frame *frames = walk->frames;
  uint32_t limit = walk->limit;
  uint32_t count = 0;           /* steps taken */
  uint32_t first = 0;           /* the first of them on the stack that the walk is on now */
  uint32_t outer = walk->calm;  /* remembered frames that the walk may still meet */
  uintptr_t next_sp = sp_of(frames, outer);
  bool cut = false, astray = false;
  uint64_t hash = 0;

  for (;;) {
    if (sp >= next_sp) {
      while (outer && frames[outer - 1].sp < sp) outer--;
      if (outer && !place.exact && mh_walk_meets(&frames[outer - 1], pc, sp, fp) &&
          (walk->cut ? count + outer == limit : count + outer <= limit) && (MH_LIKELY(walk->top <= range.high) || range.other)) {
        uint32_t slots = mh_frame_slots(&frames[outer - 1]);
        uint32_t changed = MH_UNLIKELY(range.other != NULL) ? first_changed_elsewhere(walk->slots, slots, &range) : first_changed(walk->slots, slots);
        if (!changed) break;
        /* Of the frames inside of the change none can be the same. */
        while (outer && mh_frame_slots(&frames[outer - 1]) >= changed) outer--;
      }
      next_sp = sp_of(frames, outer);
    }
    if (MH_UNLIKELY(count == limit)) {
      cut = true;
      outer = 0;
      break;
    }

    struct mh_walk_step *step = &walk->steps[count++];
    step->sp = sp;
    step->pc = pc;
    step->fp = fp;
    step->flags = place.exact ? MH_STEP_EXACT : 0;
    uint64_t key = mh_frame_key(pc, place.exact, generation, frame_pointers);
    uint64_t rule = key ? mh_rule_find(key) : 0;
    if (MH_UNLIKELY(!rule)) rule = frame_pointers ? MH_RULE_FRAME_POINTERS : new_rule(pc, place.exact, key, &astray);
    step->rule = rule;
    hash = mh_path_hash(hash, mh_rule_frame(rule));
    /* The rule for frame pointers alone is known before it is loaded. */
    if (MH_LIKELY(!place.exact && step_plainly(step, frame_pointers ? MH_RULE_FRAME_POINTERS : rule, &pc, &sp, &fp, low, room))) continue;

    bool switched = false;
    place.pc = pc;
    place.sp = sp;
    place.fp = fp;
    enum stepped stepped = step_out(walk, step, &place, &range, frame_pointers, &switched);
    if (stepped == FALLBACK) return mh_capture_libunwind(thread, entry);
    pc = place.pc;
    sp = place.sp;
    fp = place.fp;
    low = range.low;
    room = mh_stack_range_room(&range);
    if (switched) first = count;
    if (stepped != STEPPED) {
      astray |= stepped == ASTRAY;
      mh_end_at(step, stepped != ENDED && !is_outermost(step, frame_pointers));
      outer = 0;
      break;
    }
  }

  if (count == 0 && outer == walk->depth && walk->stack) return walk->stack;
  uint32_t node = outer ? frames[outer - 1].node : 0, walks = ++walk->walks;
  struct mh_walk_path *path = NULL;
  if (MH_LIKELY(plain && outer && count && count <= MH_PATH_FRAMES && !first)) {
    path = mh_path_at(walk, hash, node);
    if (MH_LIKELY(mh_path_is(path, node, walk->steps, count))) {
      if (mh_detour_wanted(walk, walks - path->walked)) mh_remember_detour(walk, entry, outer, count, fp, path->stack);
      path->walked = walks;
      walk->calm = outer;
      return path->stack;
    }
  }
  struct mh_outer joined = {.slots = walk->slots, .node = node};
  walk->plain = 0;
  walk->stack = 0;
  walk->depth = walk->calm = outer;
  if (outer) {
    joined.slot_count = mh_frame_slots(&frames[outer - 1]);
    joined.hash = frames[outer - 1].hash;
    joined.need = frames[outer - 1].slots & MH_FRAME_NEED;
    joined.top = walk->top;
  } else {
    walk->cut = cut;
  }
  uint32_t stack = count ? mh_remember(walk, joined, count, astray ? UINT32_MAX : first, fp, walk->cut, frame_pointers)
                         : mh_intern_stack(joined.node, walk->cut, mh_stack_hash(joined.hash, walk->cut));
  bool whole = walk->depth == outer + count; /* all of it is remembered */
  if (whole) walk->stack = stack;
  if (!range.other && walk->depth && !walk->cut && walk->top <= range.high) {
    walk->inner = &frames[walk->depth - 1];
    walk->plain = generation;
  }
  if (path && walk->plain && whole && stack) mh_path_note(path, node, walk->steps, count, stack, walks);
  return stack;
}

uint32_t mh_walk_dwarf(struct mh_thread *thread, struct mh_walk *walk, const struct mh_entry *entry) {
  return take(thread, walk, entry, false);
}

uint32_t mh_walk_fp(struct mh_walk *walk, const struct mh_entry *entry) {
  return take(NULL, walk, entry, true);
}

#if defined(__aarch64__)
/* Bytes from the calling function's frame record to the end of its frame; 0 if that is not known yet. */
__attribute__((noinline)) uintptr_t mh_entry_gap(void) {
  uint64_t rule = mh_cfi_rule(mh_strip((uintptr_t)__builtin_return_address(0)), false);
  return mh_rule_kind(rule) == MH_RULE_FP ? (uintptr_t)mh_rule_cfa(rule) : 0;
}
#endif
