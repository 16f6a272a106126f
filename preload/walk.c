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
 * it steps outwards by rows: look up the pc, compute the CFA, load the return address. As soon as it is in a frame with
 * the pc, the sp and (where the way out depends on it) the fp of a remembered frame, it stops stepping and compares the
 * remembered words from there on, from the inside outwards. If none has changed, the rest of the stack is the
 * remembered rest and so is its interned node, by induction: the same row at the same pc with the same registers reads
 * the same words, and equal words give the same registers in the next frame. Nothing is guessed and nothing is hashed. If
 * one has changed, stepping goes on, and may meet the remembered walk again outside of the changed word.
 *
 * What follows from that:
 *   - Only pc, sp and fp are followed. A row that depends on more sends the whole stack to libunwind.
 *   - A word is read only inside the span of the stack that is known to be readable (span.h): a walk that goes astray on
 *     damaged frame information ends, it does not crash.
 *   - Rows are valid for one module generation, and so is what is remembered.
 *   - Only frames on one stack are remembered: those outside of the last switch (a signal on its own stack).
 *   - A stack deeper than the limit keeps its inner frames. Its nodes hang from the frame where it was cut, so
 *     such a stack is remembered only for stacks that are cut at that same frame.
 *   - A frame or node that could not be interned is not remembered.
 */
#include "walk.h"

#include <string.h>

#include "again.h"
#include "capture_libunwind.h"
#include "debug.h"
#include "intern.h"
#include "modules.h"
#include "mutation.h"
#include "rows.h"
#include "step.h"

uint32_t mh_depth_limit = 256;

#define INLINE static inline __attribute__((always_inline))

INLINE uintptr_t load(uintptr_t address) {
  return *(const mh_word *)address;
}

/* ── Memory ────────────────────────────────────────────────────────────────────────────────────── */

static size_t slot_count(uint32_t limit) {
  return 2 * (size_t)limit + 64; /* few frames have three */
}

size_t mh_walk_bytes(void) {
  return sizeof(struct mh_walk) + (1 + slot_count(mh_depth_limit)) * sizeof(struct mh_walk_slot) +
         mh_depth_limit * (sizeof(struct mh_walk_frame) + sizeof(struct mh_walk_step));
}

void mh_walk_start(void) {
  mh_span_start();
}

void mh_capture_dwarf_modules_changed(void) {
  mh_rows_generation(__atomic_load_n(&mh_generation, __ATOMIC_RELAXED));
}

static __attribute__((noinline)) void renew(struct mh_walk *walk, uintptr_t thread_pointer, uint32_t generation) {
  if (!walk->limit) {
    walk->frames = (struct mh_walk_frame *)(walk + 1);
    walk->slots = (struct mh_walk_slot *)(walk->frames + mh_depth_limit) + 1;
    mh_slot_guard(walk->slots - 1);
    walk->steps = (struct mh_walk_step *)(walk->slots + slot_count(mh_depth_limit));
    walk->limit = mh_depth_limit;
  }
  if (walk->own.thread_pointer != thread_pointer) walk->own = (struct mh_own_stack){.thread_pointer = thread_pointer};
  mh_walk_forget(walk);
  memset(walk->detours, 0, sizeof walk->detours);
  /* After a fork the store, and with it every id, may be another one; the generation is, too. */
  if (walk->generation && walk->generation != generation) memset(walk->known, 0, sizeof walk->known);
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

enum stepped { STEPPED, ENDED, ASTRAY, FALLBACK };

/* Steps through the frame in which the kernel called a signal handler. */
static enum stepped step_signal(struct mh_walk *walk, struct mh_walk_step *step, struct place *place, struct mh_span *span, bool *switched) {
  uintptr_t highest = MH_SIGNAL_PC > MH_SIGNAL_SP ? MH_SIGNAL_PC : MH_SIGNAL_SP;
  if (!mh_span_has(span, step->sp) || !mh_span_has(span, step->sp + highest)) return ASTRAY;
  place->pc = step->ra = load(step->sp + MH_SIGNAL_PC);
  place->sp = step->cfa = load(step->sp + MH_SIGNAL_SP);
  place->fp = load(step->sp + MH_SIGNAL_FP);
#if defined(__aarch64__)
  place->lr = load(step->sp + MH_SIGNAL_LR);
#endif
  place->exact = true;
  if (place->sp <= step->sp || place->sp >= span->high) {
    mh_span_at(&walk->own, place->sp, span);
    *switched = true;
  }
  return place->pc ? STEPPED : ENDED;
}

/* Ends a walk whose CFA is not on the stack. That depends on nothing but the registers, unless the CFA was loaded. */
static enum stepped end_unread(struct mh_walk_step *step) {
  bool plain = mh_row_kind(step->row) == MH_ROW_SP || mh_row_kind(step->row) == MH_ROW_FP;
  if (plain) step->flags |= MH_STEP_UNREAD;
  return plain ? ENDED : ASTRAY;
}

/* Steps from `place` to its caller, and notes how in `step`. Nothing on the stack is read outside of `span`. */
static __attribute__((noinline)) enum stepped step_out(struct mh_walk *walk, struct mh_walk_step *step, struct place *place,
                                                       struct mh_span *span, bool *switched) {
  uint64_t row = step->row;
  unsigned kind = mh_row_kind(row);
  uintptr_t cfa;
  if (kind == MH_ROW_SP || kind == MH_ROW_FP) {
    cfa = (kind == MH_ROW_FP ? place->fp : place->sp) + (uintptr_t)mh_row_cfa(row);
  } else if (kind == MH_ROW_FP_LOAD || kind == MH_ROW_SP_LOAD) {
    uintptr_t at = (kind == MH_ROW_FP_LOAD ? place->fp : place->sp) + (uintptr_t)mh_row_near(row);
    if (!mh_span_has(span, at)) return ASTRAY;
    cfa = load(at) + (uintptr_t)mh_row_far(row);
  } else if (kind == MH_ROW_SIGNAL) {
    return step_signal(walk, step, place, span, switched);
  } else {
    return kind == MH_ROW_END ? ENDED : FALLBACK;
  }
  step->cfa = cfa;
  if (cfa <= place->sp && !(MH_CFA_MAY_STAY && cfa == place->sp && place->exact)) return end_unread(step);
  if (MH_RA_IN_REGISTER(row)) {
#if defined(__aarch64__)
    if (!place->exact) return ASTRAY;
    step->ra = place->lr;
#endif
  } else {
    uintptr_t ra_at = mh_ra_at(row, cfa);
    if (!mh_span_has(span, ra_at)) return end_unread(step);
    step->ra = load(ra_at);
  }
  uintptr_t fp_at = mh_fp_at(row, cfa, place->fp);
  if (fp_at) {
    if (!mh_span_has(span, fp_at)) return ASTRAY;
    place->fp = load(fp_at);
  }
  place->sp = cfa;
  place->pc = mh_strip(step->ra);
  place->exact = false;
  return place->pc ? STEPPED : ENDED;
}

/* The same for nearly all frames, written so that the three registers stay in registers. False, with nothing done:
 * step_out has to look at it. */
INLINE bool step_plainly(struct mh_walk_step *step, uint64_t row, uintptr_t *pc, uintptr_t *sp, uintptr_t *fp, uintptr_t low, uintptr_t room) {
  unsigned kind = mh_row_kind(row);
  if (MH_UNLIKELY(kind > MH_ROW_FP || MH_RA_IN_REGISTER(row))) return false;
  uintptr_t cfa = (kind == MH_ROW_FP ? *fp : *sp) + (uintptr_t)mh_row_cfa(row);
  uintptr_t ra_at = mh_ra_at(row, cfa), fp_at = mh_fp_at(row, cfa, *fp);
  if (MH_UNLIKELY(cfa <= *sp || ra_at - low >= room)) return false;
  uintptr_t ra = load(ra_at), caller = mh_strip(ra);
  if (MH_UNLIKELY(!caller)) return false;
  if (fp_at) {
    if (MH_UNLIKELY(fp_at - low >= room)) return false;
    *fp = load(fp_at);
  }
  step->cfa = cfa;
  step->ra = ra;
  *sp = cfa;
  *pc = caller;
  return true;
}

/* ── Remembering ───────────────────────────────────────────────────────────────────────────────── */

/* What the outer part of a walk asks of the frame inside of it. */
struct outer {
  struct mh_walk_slot *slots;
  uintptr_t top; /* end of the highest slot */
  uint32_t slot_count, node;
  bool need;    /* the way out depends on fp */
  bool need_lr; /* the way out depends on the link register */
};

INLINE void add_slot(struct outer *outer, uintptr_t at, uintptr_t value) {
  outer->slots[outer->slot_count++] = (struct mh_walk_slot){.at = at, .value = value};
  if (at + sizeof(uintptr_t) > outer->top) outer->top = at + sizeof(uintptr_t);
}

/* Adds the words that led from `step` to its caller, whose frame pointer is `caller_fp`. */
INLINE void add_slots(struct outer *outer, const struct mh_walk_step *step, uintptr_t caller_fp, uint32_t depth) {
  uint64_t row = step->row;
  unsigned kind = mh_row_kind(row);
  bool need = outer->need, need_lr = outer->need_lr;
  outer->need = mh_row_from_fp(row);
  outer->need_lr = false;
  if (kind == MH_ROW_END || step->flags & MH_STEP_UNREAD) return;
  if (kind == MH_ROW_SIGNAL) {
    add_slot(outer, step->sp + MH_SIGNAL_SP, step->cfa);
    add_slot(outer, step->sp + MH_SIGNAL_PC, step->ra);
    if (need) add_slot(outer, step->sp + MH_SIGNAL_FP, caller_fp);
#if defined(__aarch64__)
    if (need_lr) add_slot(outer, step->sp + MH_SIGNAL_LR, step[1].ra);
#endif
    (void)need_lr;
    return;
  }
  if (kind == MH_ROW_SP_LOAD || kind == MH_ROW_FP_LOAD)
    add_slot(outer, (kind == MH_ROW_FP_LOAD ? step->fp : step->sp) + (uintptr_t)mh_row_near(row), step->cfa - (uintptr_t)mh_row_far(row));
  if (MH_RA_IN_REGISTER(row))
    outer->need_lr = true;
  else if (!(MH_MUTATION == MUTATION_NO_END && !step->ra) && !(MH_MUTATION == MUTATION_NO_RETURN_ADDRESS && depth % 4 == 3))
    add_slot(outer, mh_ra_at(row, step->cfa), step->ra);
  uintptr_t fp_at = mh_fp_at(row, step->cfa, step->fp);
  if (need && fp_at && MH_MUTATION != MUTATION_NO_SAVED_FP) add_slot(outer, fp_at, caller_fp);
  if (need && mh_fp_from_fp(row)) outer->need = true;
}

static __attribute__((noinline)) uint32_t new_frame(const struct mh_walk_step *step, uint64_t key) {
  uint32_t frame = mh_intern_frame(step->pc, step->flags & MH_STEP_EXACT);
  if (frame && frame < MH_ROW_FRAME_LIMIT) mh_row_insert(key, (step->row & MH_ROW_MASK) | (uint64_t)frame << MH_ROW_FRAME_SHIFT);
  return frame;
}

/* The frame of a step, interned; 0 if it could not be. */
INLINE uint32_t frame_of(const struct mh_walk_step *step, uint32_t generation, bool chain) {
  uint64_t key = mh_row_key(step->pc, chain ? MH_USE_CHAIN : step->flags & MH_STEP_EXACT ? MH_USE_EXACT : MH_USE_RETURN, generation);
  uint32_t frame = mh_row_frame(chain && key ? mh_row_find(key) : step->row);
  return MH_LIKELY(frame) ? frame : new_frame(step, key);
}

static __attribute__((noinline)) struct mh_walk_known *learn_node(struct mh_walk_known *known, uint32_t parent, uint32_t frame) {
  uint32_t node = mh_intern_node(parent, frame);
  if (!node) return NULL;
  *known = (struct mh_walk_known){.parent = parent, .frame = frame, .node = node};
  return known;
}

/* The node for `frame` called from `parent`: from the few that this thread knows, or interned. NULL if it could not be. */
INLINE struct mh_walk_known *node_of(struct mh_walk *walk, uint32_t parent, uint32_t frame) {
  uint64_t hash = ((uint64_t)parent << 32 | frame) * 0x9e3779b97f4a7c15ull;
  struct mh_walk_known *known = &walk->known[hash >> 32 & (MH_WALK_KNOWN - 1)];
  if (MH_LIKELY(known->parent == parent && known->frame == frame && known->node)) return known;
  return learn_node(known, parent, frame);
}

/* Interns the new frames from the outside in and then the stack that they end, and remembers those from steps[first] on outwards. Each is remembered
 * whole before the next one is begun: a signal handler that jumps out of here leaves a shorter memory, not a wrong one. */
INLINE uint32_t remember(struct mh_walk *walk, struct outer outer, uint32_t count, uint32_t first, uintptr_t caller_fp, bool cut, bool chain) {
  const struct mh_walk_step *steps = walk->steps;
  struct mh_walk_frame *frames = walk->frames;
  uint32_t depth = walk->depth, generation = walk->generation, stack = 0;
  size_t most_slots = slot_count(walk->limit) - 4;
  for (uint32_t i = count; i-- > 0;) {
    const struct mh_walk_step *step = &steps[i];
    uint32_t frame = frame_of(step, generation, chain);
    if (MH_UNLIKELY(!frame)) return 0;
    struct mh_walk_known *known = node_of(walk, outer.node, frame);
    if (MH_UNLIKELY(!known)) return 0;
    outer.node = known->node;
    if (i == 0) {
      stack = cut ? 0 : known->stack;
      if (!stack) stack = mh_intern_stack(outer.node, cut);
      if (!cut) known->stack = stack;
    }
    if (MH_UNLIKELY(i < first || outer.slot_count > most_slots)) {
      first = UINT32_MAX; /* nor anything inside of this */
      continue;
    }
    MH_ASSERT(depth < walk->limit);
    add_slots(&outer, step, caller_fp, depth);
    MH_ASSERT(outer.slot_count <= slot_count(walk->limit));
    caller_fp = step->fp;
    frames[depth].sp = step->sp;
    frames[depth].pc = step->pc;
    frames[depth].fp = step->fp;
    frames[depth].node = outer.node;
    frames[depth].slots = outer.slot_count << 2 | (outer.need ? MH_FRAME_NEED : 0) | (step->flags & MH_STEP_EXACT ? MH_FRAME_EXACT : 0);
    walk->top = outer.top;
    __atomic_signal_fence(__ATOMIC_RELEASE);
    walk->depth = ++depth;
  }
  return stack;
}

/* ── The walk ──────────────────────────────────────────────────────────────────────────────────── */

/* The stack pointer in the innermost of `outer` remembered frames. */
INLINE uintptr_t sp_of(const struct mh_walk_frame *frames, uint32_t outer) {
  return outer ? frames[outer - 1].sp : UINTPTR_MAX;
}

/* Computes a row and puts it in the table, unless it says "nobody knows" of a place that the module table does not know yet:
 * then the walk ends here this time. */
static __attribute__((noinline)) uint64_t new_row(uintptr_t pc, bool exact, uint64_t key, bool *unknown) {
  uint64_t row = mh_cfi_row(pc, exact);
  if (MH_MUTATION == MUTATION_DAMAGED_ROWS && pc * 0x9e3779b97f4a7c15ull >> 60 == 0)
    row = (pc * 0xff51afd7ed558ccdull >> 20 & MH_ROW_MASK & ~7ull) | (pc >> 4) % 6 | 1;
  *unknown = row == MH_ROW_END && !mh_module_known(pc - !exact);
  if (!*unknown) mh_row_insert(key, row);
  return row;
}

/* `chain`: by frame pointers alone, as if every row said so. */
INLINE uint32_t take(struct mh_thread *thread, struct mh_walk *walk, const struct mh_entry *entry, bool chain) {
  uint32_t generation = mh_walk_generation();
  uintptr_t thread_pointer = mh_thread_pointer();
  if (MH_UNLIKELY(walk->generation != generation || walk->own.thread_pointer != thread_pointer || !walk->limit))
    renew(walk, thread_pointer, generation);

  struct mh_span span;
  mh_span_at(&walk->own, entry->sp, &span);
  bool plain = walk->plain && span.own;
  uintptr_t low = span.low, room = mh_span_room(&span); /* words may be read from `low` and the `room` bytes behind it on */
  uintptr_t pc = entry->pc, sp = entry->sp, fp = entry->fp;
  struct place place = {.exact = false}; /* the same in memory, for step_out */
  const struct mh_walk_frame *frames = walk->frames;
  uint32_t limit = walk->limit;
  uint32_t count = 0;           /* steps taken */
  uint32_t first = 0;           /* the first of them on the stack that the walk is on now */
  uint32_t outer = walk->depth; /* remembered frames that the walk may still meet */
  uintptr_t next_sp = sp_of(frames, outer);
  bool cut = false, astray = false;

  for (;;) {
    if (sp >= next_sp) {
      while (outer && frames[outer - 1].sp < sp) outer--;
      if (outer && !place.exact && mh_walk_meets(&frames[outer - 1], pc, sp, fp) &&
          (walk->cut ? count + outer == limit : count + outer <= limit) && mh_span_reaches(&span, walk->top)) {
        uint32_t changed = mh_first_changed(walk->slots, frames[outer - 1].slots >> 2);
        if (!changed) break;
        /* Of the frames inside of the change none can be the same. */
        while (outer && frames[outer - 1].slots >> 2 >= changed) outer--;
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
    uint64_t row = MH_ROW_CHAIN;
    if (!chain) {
      uint64_t key = mh_row_key(pc, place.exact ? MH_USE_EXACT : MH_USE_RETURN, generation);
      row = key ? mh_row_find(key) : 0;
      if (MH_UNLIKELY(!row)) row = new_row(pc, place.exact, key, &astray);
    }
    step->row = row;
    if (MH_LIKELY(!place.exact && step_plainly(step, row, &pc, &sp, &fp, low, room))) continue;

    bool switched = false;
    place.pc = pc;
    place.sp = sp;
    place.fp = fp;
    enum stepped stepped = step_out(walk, step, &place, &span, &switched);
    if (stepped == FALLBACK) return mh_capture_libunwind(thread, entry);
    pc = place.pc;
    sp = place.sp;
    fp = place.fp;
    low = span.low;
    room = mh_span_room(&span);
    if (switched) first = count;
    if (stepped != STEPPED) {
      astray |= stepped == ASTRAY;
      outer = 0;
      break;
    }
  }

  if (count == 0 && outer == walk->depth && walk->stack) return walk->stack;
  struct outer joined = {.slots = walk->slots};
  walk->plain = false;
  walk->stack = 0;
  walk->depth = outer;
  if (outer) {
    uint32_t slots = frames[outer - 1].slots;
    joined.node = frames[outer - 1].node;
    joined.slot_count = slots >> 2;
    joined.need = slots & MH_FRAME_NEED;
    joined.top = walk->top;
  } else {
    walk->cut = cut;
  }
  uint32_t stack = count ? remember(walk, joined, count, astray ? UINT32_MAX : first, fp, walk->cut, chain)
                         : mh_intern_stack(joined.node, walk->cut);
  bool whole = walk->depth == outer + count; /* all of it is remembered */
  if (whole) walk->stack = stack;
  walk->plain = span.own && walk->depth && !walk->cut && walk->top <= span.high;
  if (plain && walk->plain && whole && stack && outer && count && !first) mh_detour_note(walk, entry, outer, stack);
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
  uint64_t row = mh_cfi_row(mh_strip((uintptr_t)__builtin_return_address(0)), false);
  return mh_row_kind(row) == MH_ROW_FP ? (uintptr_t)mh_row_cfa(row) : 0;
}
#endif
