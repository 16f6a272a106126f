/* Remembering: what a walk leaves behind for the next ones. It interns the frames and nodes of its steps, adds them and the words that
 * decided it to the remembered walk, and notes detours. Part of walk.c, which explains what is remembered.
 */
#pragma once
#include "../base/debug.h"
#include "cached_tails.h"
#include "../stacks/intern.h"
#include "layout.h"
#include "mutation.h"
#include "rule_table.h"
#include "step.h"
#include "stack_cache_data.h"

#define MH_SLOTS_OF_A_FRAME 4

/* What the outer part of a walk asks of the frame inside of it. */
struct mh_outer {
  struct mh_walk_slot *slots;
  uintptr_t top; /* end of the highest slot */
  uint32_t slot_count, node, hash;
  bool need;    /* the way out depends on fp */
  bool need_lr; /* the way out depends on the link register */
};

MH_INLINE void mh_add_slot(struct mh_outer *outer, uintptr_t at, uintptr_t value) {
  outer->slots[outer->slot_count++] = (struct mh_walk_slot){.at = at, .value = value};
  if (at + sizeof(uintptr_t) > outer->top) outer->top = at + sizeof(uintptr_t);
}

/* Adds the words, MH_SLOTS_OF_A_FRAME at most, that led from `step` to its caller, whose frame pointer is `caller_fp`. */
MH_INLINE void mh_add_slots(struct mh_outer *outer, const struct mh_walk_step *step, uintptr_t caller_fp, uint32_t depth) {
  uint64_t rule = step->rule;
  unsigned kind = mh_rule_kind(rule);
  bool need = outer->need, need_lr = outer->need_lr;
  outer->need = mh_rule_from_fp(rule);
  outer->need_lr = false;
  if (kind == MH_RULE_END || step->flags & MH_STEP_UNREAD) return;
  if (kind == MH_RULE_SIGNAL) {
    mh_add_slot(outer, step->sp + MH_SIGNAL_SP, step->cfa);
    mh_add_slot(outer, step->sp + MH_SIGNAL_PC, step->ra);
    if (need) mh_add_slot(outer, step->sp + MH_SIGNAL_FP, caller_fp);
#if defined(__aarch64__)
    if (need_lr) mh_add_slot(outer, step->sp + MH_SIGNAL_LR, step[1].ra);
#endif
    (void)need_lr;
    return;
  }
  if (kind == MH_RULE_SP_LOAD || kind == MH_RULE_FP_LOAD)
    mh_add_slot(outer, (kind == MH_RULE_FP_LOAD ? step->fp : step->sp) + (uintptr_t)mh_rule_near(rule), step->cfa - (uintptr_t)mh_rule_far(rule));
  if (MH_RA_IN_REGISTER(rule))
    outer->need_lr = true;
  else if (!(MH_MUTATION == MUTATION_NO_END && !step->ra) && !(MH_MUTATION == MUTATION_NO_RETURN_ADDRESS && depth % 4 == 3))
    mh_add_slot(outer, mh_ra_at(rule, step->cfa), step->ra);
  uintptr_t fp_at = mh_fp_at(rule, step->cfa, step->fp);
  if (need && fp_at && MH_MUTATION != MUTATION_NO_SAVED_FP) mh_add_slot(outer, fp_at, caller_fp);
  if (need && mh_fp_from_fp(rule)) outer->need = true;
}

/* The key of a frame's rule; if `frame_pointers`, of the rule for frame pointers alone, which is in the table for its frame id. */
MH_INLINE uint64_t mh_frame_key(uintptr_t pc, bool exact, uint32_t generation, bool frame_pointers) {
  return mh_rule_key(pc, frame_pointers ? MH_USE_FRAME_POINTERS : exact ? MH_USE_EXACT : MH_USE_RETURN, generation);
}

/* Notes that the walk ended in this step, and whether its callers are lost. That is part of the frame, and the frame with its rule in the table is the one
 * for which the rule alone decides. */
static inline void mh_end_at(struct mh_walk_step *step, bool lost) {
  if (lost) step->flags |= MH_STEP_LOST;
  if (lost != mh_rule_is_lost(step->rule)) step->rule &= MH_RULE_MASK;
}

static __attribute__((noinline)) uint32_t mh_new_frame(const struct mh_walk_step *step, uint64_t key) {
  bool lost = step->flags & MH_STEP_LOST;
  uint32_t frame = mh_intern_frame(step->pc, (step->flags & MH_STEP_EXACT ? MH_FRAME_FLAG_EXACT : 0) | (lost ? MH_FRAME_FLAG_LOST : 0));
  if (frame && frame < MH_RULE_FRAME_LIMIT && lost == mh_rule_is_lost(step->rule))
    mh_rule_insert(key, (step->rule & MH_RULE_MASK) | (uint64_t)frame << MH_RULE_FRAME_SHIFT);
  return frame;
}

/* The frame of a step, interned; 0 if it could not be. */
MH_INLINE uint32_t mh_frame_of(const struct mh_walk_step *step, uint32_t generation, bool frame_pointers) {
  uint32_t frame = mh_rule_frame(step->rule);
  return MH_LIKELY(frame) ? frame : mh_new_frame(step, mh_frame_key(step->pc, step->flags & MH_STEP_EXACT, generation, frame_pointers));
}

static __attribute__((noinline)) struct mh_walk_known *mh_learn_node(struct mh_walk_known *known, uint32_t parent, uint32_t frame, uint32_t hash) {
  uint32_t node = mh_intern_node(parent, frame, hash);
  if (!node) return NULL;
  known->node = 0; /* a signal handler may jump out of here */
  __atomic_signal_fence(__ATOMIC_SEQ_CST);
  known->parent = parent;
  known->frame = frame;
  known->stack = 0;
  __atomic_signal_fence(__ATOMIC_SEQ_CST);
  known->node = node;
  return known;
}

MH_INLINE struct mh_walk_known *mh_known_at(struct mh_walk *walk, uint32_t hash) {
  return &walk->known[hash & (MH_WALK_KNOWN - 1)];
}

/* The node for `frame` called from `parent`: from the few that this thread knows, or interned. NULL if it could not be. */
MH_INLINE struct mh_walk_known *mh_node_of(struct mh_walk *walk, uint32_t parent, uint32_t frame, uint32_t hash) {
  struct mh_walk_known *known = mh_known_at(walk, hash);
  if (MH_LIKELY(known->parent == parent && known->frame == frame && known->node)) return known;
  return mh_learn_node(known, parent, frame, hash);
}

/* Notes the interned frames of new steps and the hashes of their nodes, and has fetched what is likely to be looked up. `hash`: of the node that they
 * hang from. False if a frame could not be interned. */
MH_INLINE bool mh_prepare(struct mh_walk *walk, uint32_t count, uint32_t hash, bool cut, bool frame_pointers) {
  for (uint32_t i = count; i-- > 0;) {
    struct mh_walk_step *step = &walk->steps[i];
    step->frame = mh_frame_of(step, walk->generation, frame_pointers);
    if (MH_UNLIKELY(!step->frame)) return false;
    step->hash = hash = mh_node_hash(hash, step->frame);
    const struct mh_walk_known *known = mh_known_at(walk, hash);
    if (known->frame == step->frame) continue;
    mh_intern_fetch_node(hash);
    if (i == 0) mh_intern_fetch_stack(mh_stack_hash(hash, cut));
  }
  return true;
}

/* Interns the new frames from the outside in and then the stack that they end, and remembers those from steps[first] on outwards. Each is remembered
 * whole before the next one is begun: a signal handler that jumps out of here leaves a shorter memory, not a wrong one. */
MH_INLINE uint32_t mh_remember(struct mh_walk *walk, struct mh_outer outer, uint32_t count, uint32_t first, uintptr_t caller_fp, bool cut, bool frame_pointers) {
  const struct mh_walk_step *steps = walk->steps;
  struct mh_walk_frame *frames = walk->frames;
  uint32_t depth = walk->depth, stack = 0;
  if (MH_UNLIKELY(!mh_prepare(walk, count, outer.hash, cut, frame_pointers))) return 0;
  size_t most_slots = mh_walk_slots(walk->limit) - MH_SLOTS_OF_A_FRAME;
  for (uint32_t i = count; i-- > 0;) {
    const struct mh_walk_step *step = &steps[i];
    struct mh_walk_known *known = mh_node_of(walk, outer.node, step->frame, step->hash);
    if (MH_UNLIKELY(!known)) return 0;
    outer.node = known->node;
    if (i == 0) {
      stack = cut ? 0 : known->stack;
      if (!stack) stack = mh_intern_stack(outer.node, cut, mh_stack_hash(step->hash, cut));
      if (!cut) known->stack = stack;
    }
    if (MH_UNLIKELY(i < first || outer.slot_count > most_slots)) {
      first = UINT32_MAX; /* nor anything inside of this */
      continue;
    }
    MH_ASSERT(depth < walk->limit);
    mh_add_slots(&outer, step, caller_fp, depth);
    MH_ASSERT(outer.slot_count <= mh_walk_slots(walk->limit));
    caller_fp = step->fp;
    frames[depth].sp = step->sp;
    frames[depth].pc = step->pc;
    frames[depth].fp = step->fp;
    frames[depth].node = outer.node;
    frames[depth].hash = step->hash;
    frames[depth].slots = outer.slot_count * (uint32_t)sizeof(struct mh_walk_slot) | (outer.need ? MH_FRAME_NEED : 0) |
                          (step->flags & MH_STEP_EXACT ? MH_FRAME_EXACT : 0);
    walk->top = outer.top;
    __atomic_signal_fence(__ATOMIC_RELEASE);
    walk->depth = ++depth;
  }
  walk->calm = depth;
  return stack;
}

/* Notes the way from `entry` to the remembered frame number `outer` as a detour, unless it depends on too many words. */
static __attribute__((noinline)) void mh_remember_detour(struct mh_walk *walk, const struct mh_entry *entry, uint32_t outer, uint32_t count,
                                                         uintptr_t caller_fp, uint32_t stack) {
  struct mh_walk_slot slots[MH_DETOUR_SLOTS + MH_SLOTS_OF_A_FRAME];
  struct mh_outer way = {.slots = slots, .need = walk->frames[outer - 1].slots & MH_FRAME_NEED};
  for (uint32_t i = count; i-- > 0;) {
    mh_add_slots(&way, &walk->steps[i], caller_fp, outer + count - 1 - i);
    if (way.slot_count > MH_DETOUR_SLOTS) return;
    caller_fp = walk->steps[i].fp;
  }
  mh_detour_note(walk, entry, outer, slots, way.slot_count, way.need, stack);
}
