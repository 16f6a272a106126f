/* Updating the stack cache with a walk that was taken; see stack_cache.h.
 *
 * What the walk found new is interned from the outside in: frames, nodes, and the stack that they end. The new frames
 * then become part of the cached backtrace, with their witness words; or the walk's suffix is known, and the backtrace
 * stays as it is.
 */
#include "stack_cache.h"

#include <string.h>

#include "../base/debug.h"
#include "../stacks/intern.h"
#include "layout.h"
#include "rule_table.h"
#include "step.h"
#include "suffix_cache.h"

uint32_t mh_depth_limit = 256;

/* ── Memory ────────────────────────────────────────────────────────────────────────────────────── */

size_t mh_stack_cache_bytes(void) {
  return sizeof(struct mh_stack_cache) + mh_witness_capacity(mh_depth_limit) * sizeof(struct mh_witness) +
         mh_depth_limit * (sizeof(struct mh_cached_frame) + sizeof(struct mh_unwind_step));
}

void mh_stack_cache_forget(struct mh_stack_cache *cache) {
  cache->depth = cache->stable_depth = cache->stack = 0;
  cache->fast_generation = 0;
}

void mh_stack_cache_new_owner(struct mh_stack_cache *cache) {
  cache->fast_generation = 0;
  /* Even at the same place it may be another stack. */
  cache->thread_stack = (struct mh_thread_stack){.thread_pointer = cache->thread_stack.thread_pointer};
}

void mh_stack_cache_renew(struct mh_stack_cache *cache, uintptr_t thread_pointer, uint32_t generation) {
  if (!cache->limit) {
    cache->frames = (struct mh_cached_frame *)(cache->witnesses + mh_witness_capacity(mh_depth_limit));
    cache->steps = (struct mh_unwind_step *)(cache->frames + mh_depth_limit);
    mh_witness_guard(&cache->guard);
    cache->limit = mh_depth_limit;
  }
  if (cache->thread_stack.thread_pointer != thread_pointer)
    cache->thread_stack = (struct mh_thread_stack){.thread_pointer = thread_pointer};
  mh_stack_cache_forget(cache);
  memset(cache->tails, 0, sizeof cache->tails);
  mh_predict_anew(cache, 0);
  /* After a fork the store, and with it every id, may be another one; the generation is, too. */
  if (cache->generation && cache->generation != generation) {
    memset(cache->nodes, 0, sizeof cache->nodes);
    memset(cache->suffixes, 0, sizeof cache->suffixes);
  }
  cache->generation = generation;
}

/* ── Witness words ─────────────────────────────────────────────────────────────────────────────── */

#define WITNESSES_OF_A_FRAME 4

/* What the callers of a frame need from it, and where its witnesses go. */
struct callers {
  struct mh_witness *witnesses;
  uintptr_t top; /* end of the highest witness */
  uint32_t count, node, hash;
  bool needs_fp; /* the way out depends on fp */
  bool needs_lr; /* the way out depends on the link register */
};

MH_INLINE void add_witness(struct callers *callers, uintptr_t at, uintptr_t value) {
  callers->witnesses[callers->count++] = (struct mh_witness){.at = at, .value = value};
  if (at + sizeof(uintptr_t) > callers->top) callers->top = at + sizeof(uintptr_t);
}

/* Adds the words, WITNESSES_OF_A_FRAME at most, that led from `step` to its caller, whose frame pointer is `caller_fp`.
 * `depth`: of the frame. */
MH_INLINE void add_witnesses(struct callers *callers, const struct mh_unwind_step *step, uintptr_t caller_fp,
                             uint32_t depth) {
  uint64_t rule = step->rule;
  unsigned kind = mh_rule_kind(rule);
  bool needs_fp = callers->needs_fp, needs_lr = callers->needs_lr;
  callers->needs_fp = mh_rule_from_fp(rule);
  callers->needs_lr = false;
  if (kind == MH_RULE_END || step->flags & MH_STEP_UNREAD) return;
  if (kind == MH_RULE_SIGNAL) {
    add_witness(callers, step->sp + MH_SIGNAL_SP, step->cfa);
    add_witness(callers, step->sp + MH_SIGNAL_PC, step->ra);
    if (needs_fp) add_witness(callers, step->sp + MH_SIGNAL_FP, caller_fp);
#if defined(__aarch64__)
    if (needs_lr) add_witness(callers, step->sp + MH_SIGNAL_LR, step[1].ra);
#endif
    (void)needs_lr;
    return;
  }
  if (kind == MH_RULE_SP_LOAD || kind == MH_RULE_FP_LOAD) {
    uintptr_t at = (kind == MH_RULE_FP_LOAD ? step->fp : step->sp) + (uintptr_t)mh_rule_near(rule);
    add_witness(callers, at, step->cfa - (uintptr_t)mh_rule_far(rule));
  }
  if (MH_RA_IN_REGISTER(rule))
    callers->needs_lr = true;
  else if (!(MH_MUTATION == MUTATION_NO_END && !step->ra) &&
           !(MH_MUTATION == MUTATION_NO_RETURN_ADDRESS && depth % 4 == 3))
    add_witness(callers, mh_ra_at(rule, step->cfa), step->ra);
  uintptr_t fp_at = mh_fp_at(rule, step->cfa, step->fp);
  if (needs_fp && fp_at && MH_MUTATION != MUTATION_NO_SAVED_FP) add_witness(callers, fp_at, caller_fp);
  if (needs_fp && mh_fp_from_fp(rule)) callers->needs_fp = true;
}

/* ── Interning ─────────────────────────────────────────────────────────────────────────────────── */

static __attribute__((noinline)) uint32_t new_frame(const struct mh_unwind_step *step, uint64_t key) {
  bool lost = step->flags & MH_STEP_LOST;
  uint32_t flags = (step->flags & MH_STEP_EXACT ? MH_FRAME_FLAG_EXACT : 0) | (lost ? MH_FRAME_FLAG_LOST : 0);
  uint32_t frame = mh_intern_frame(step->pc, flags);
  if (frame && frame < MH_RULE_FRAME_LIMIT && lost == mh_rule_is_lost(step->rule))
    mh_rule_insert(key, (step->rule & MH_RULE_MASK) | (uint64_t)frame << MH_RULE_FRAME_SHIFT);
  return frame;
}

/* The frame of a step, interned; 0 if it could not be. */
MH_INLINE uint32_t frame_of(const struct mh_unwind_step *step, uint32_t generation, bool frame_pointers) {
  uint32_t frame = mh_rule_frame(step->rule);
  if (MH_LIKELY(frame)) return frame;
  return new_frame(step, mh_frame_key(step->pc, step->flags & MH_STEP_EXACT, generation, frame_pointers));
}

static __attribute__((noinline)) struct mh_cached_node *new_node(struct mh_cached_node *place, uint32_t parent,
                                                                 uint32_t frame, uint32_t hash) {
  uint32_t node = mh_intern_node(parent, frame, hash);
  if (!node) return NULL;
  place->node = 0; /* a signal handler may jump out of here */
  __atomic_signal_fence(__ATOMIC_SEQ_CST);
  place->parent = parent;
  place->frame = frame;
  place->stack = 0;
  __atomic_signal_fence(__ATOMIC_SEQ_CST);
  place->node = node;
  return place;
}

MH_INLINE struct mh_cached_node *node_at(struct mh_stack_cache *cache, uint32_t hash) {
  return &cache->nodes[hash & (MH_CACHED_NODES - 1)];
}

/* The node for `frame` called from `parent`: cached, or interned. NULL if it could not be. */
MH_INLINE struct mh_cached_node *node_of(struct mh_stack_cache *cache, uint32_t parent, uint32_t frame, uint32_t hash) {
  struct mh_cached_node *cached = node_at(cache, hash);
  if (MH_LIKELY(cached->parent == parent && cached->frame == frame && cached->node)) return cached;
  return new_node(cached, parent, frame, hash);
}

/* Notes the interned frames of new steps and the hashes of their nodes, and prefetches what is likely to be looked up.
 * `hash`: of the node to which they are added. False: a frame could not be interned. */
MH_INLINE bool intern_frames(struct mh_stack_cache *cache, const struct mh_walked *walked, uint32_t hash, bool cut) {
  for (uint32_t i = walked->count; i-- > 0;) {
    struct mh_unwind_step *step = &cache->steps[i];
    step->frame = frame_of(step, cache->generation, walked->frame_pointers);
    if (MH_UNLIKELY(!step->frame)) return false;
    if (MH_LIKELY(step->frame != MH_FRAME_HIDDEN)) hash = mh_node_hash(hash, step->frame);
    step->hash = hash;
    if (node_at(cache, hash)->frame == step->frame) continue;
    mh_intern_fetch_node(hash);
    if (i == 0) mh_intern_fetch_stack(mh_stack_hash(hash, cut));
  }
  return true;
}

/* The stack that ends in a node. */
MH_INLINE uint32_t stack_of(struct mh_cached_node *cached, uint32_t hash, bool cut) {
  if (cut) return mh_intern_stack(cached->node, cut, mh_stack_hash(hash, cut));
  if (!cached->stack) cached->stack = mh_intern_stack(cached->node, cut, mh_stack_hash(hash, cut));
  return cached->stack;
}

/* The first of the new steps whose words need not be compared, and none further out: memhook's own below main. As long
 * as main returns there it is the same, because main is called once. */
MH_INLINE uint32_t fixed_frames(const struct mh_stack_cache *cache, const struct mh_walked *walked) {
  uint32_t i = walked->count;
  while (i && cache->steps[i - 1].frame != MH_FRAME_HIDDEN) i--;
  return i ? i - 1 : walked->count;
}

/* ── Updating ──────────────────────────────────────────────────────────────────────────────────── */

/* Interns the new frames from the outside in and then the stack that they end, and adds those from steps[first] on
 * outwards to the cached backtrace. Each is there whole before the next one is begun: a signal handler that jumps out
 * of here leaves a shorter backtrace, not a wrong one. */
MH_INLINE uint32_t add_frames(struct mh_stack_cache *cache, struct callers callers, const struct mh_walked *walked) {
  bool cut = cache->cut;
  if (MH_UNLIKELY(!intern_frames(cache, walked, callers.hash, cut))) return 0;
  struct mh_cached_frame *frames = cache->frames;
  uintptr_t caller_fp = walked->fp;
  uint32_t depth = cache->depth, first = walked->first, stack = 0, fixed = fixed_frames(cache, walked);
  struct mh_cached_node *node = NULL;
  size_t most = mh_witness_capacity(cache->limit) - WITNESSES_OF_A_FRAME;
  for (uint32_t i = walked->count; i-- > 0;) {
    const struct mh_unwind_step *step = &cache->steps[i];
    if (MH_LIKELY(step->frame != MH_FRAME_HIDDEN)) {
      node = node_of(cache, callers.node, step->frame, step->hash);
      if (MH_UNLIKELY(!node)) return 0;
      callers.node = node->node;
    }
    if (i == 0 && node) stack = stack_of(node, step->hash, cut);
    if (MH_UNLIKELY(i < first || callers.count > most)) {
      first = UINT32_MAX; /* nor anything inside of this */
      continue;
    }
    MH_ASSERT(depth < cache->limit);
    if (MH_LIKELY(i < fixed)) add_witnesses(&callers, step, caller_fp, depth);
    MH_ASSERT(callers.count <= mh_witness_capacity(cache->limit));
    caller_fp = step->fp;
    frames[depth].sp = step->sp;
    frames[depth].pc = step->pc;
    frames[depth].fp = step->fp;
    frames[depth].node = callers.node;
    frames[depth].hash = step->hash;
    frames[depth].witnesses = callers.count * (uint32_t)sizeof(struct mh_witness) |
                              (callers.needs_fp ? MH_FRAME_NEEDS_FP : 0) |
                              (step->flags & MH_STEP_EXACT ? MH_FRAME_EXACT : 0);
    cache->top = callers.top;
    __atomic_signal_fence(__ATOMIC_RELEASE);
    cache->depth = ++depth;
  }
  cache->stable_depth = depth;
  return stack;
}

/* Keeps the way that was walked as a tail, unless it depends on too many words. */
static __attribute__((noinline)) void keep_tail(struct mh_stack_cache *cache, const struct mh_walked *walked,
                                                uint32_t stack) {
  struct mh_witness witnesses[MH_TAIL_WITNESSES + WITNESSES_OF_A_FRAME];
  const struct mh_cached_frame *joined = &cache->frames[walked->outer - 1];
  struct callers way = {.witnesses = witnesses, .needs_fp = joined->witnesses & MH_FRAME_NEEDS_FP};
  uintptr_t caller_fp = walked->fp;
  for (uint32_t i = walked->count; i-- > 0;) {
    add_witnesses(&way, &cache->steps[i], caller_fp, walked->outer + walked->count - 1 - i);
    if (way.count > MH_TAIL_WITNESSES) return;
    caller_fp = cache->steps[i].fp;
  }
  mh_tail_keep(cache, walked->entry, walked->outer, witnesses, way.count, way.needs_fp, stack);
}

uint32_t mh_stack_cache_update(struct mh_stack_cache *cache, const struct mh_walked *walked) {
  uint32_t outer = walked->outer, count = walked->count;
  if (count == 0 && outer == cache->depth && cache->stack) return cache->stack;
  const struct mh_cached_frame *joined = outer ? &cache->frames[outer - 1] : NULL;
  const struct mh_stack_range *range = walked->range;
  uint32_t node = joined ? joined->node : 0, walks = ++cache->walks;
  struct mh_cached_suffix *suffix = NULL;
  if (MH_LIKELY(cache->fast_generation && !range->foreign && joined && count && count <= MH_SUFFIX_FRAMES &&
                !walked->first)) {
    suffix = mh_suffix_at(cache, node, count);
    if (MH_LIKELY(mh_suffix_is(suffix, node, cache->steps, count))) {
      if (mh_tail_wanted(cache, walks - suffix->walked)) keep_tail(cache, walked, suffix->stack);
      suffix->walked = walks;
      cache->stable_depth = outer;
      return suffix->stack;
    }
  }
  struct callers callers = {.witnesses = cache->witnesses, .node = node};
  cache->fast_generation = 0;
  cache->stack = 0;
  cache->depth = cache->stable_depth = outer;
  if (joined) {
    callers.count = mh_frame_witnesses(joined);
    callers.hash = joined->hash;
    callers.needs_fp = joined->witnesses & MH_FRAME_NEEDS_FP;
    callers.top = cache->top;
  } else {
    cache->cut = walked->cut;
  }
  uint32_t stack = count ? add_frames(cache, callers, walked)
                         : mh_intern_stack(node, cache->cut, mh_stack_hash(callers.hash, cache->cut));
  bool whole = cache->depth == outer + count; /* all of it is cached */
  if (whole) cache->stack = stack;
  if (!range->foreign && cache->depth && !cache->cut && cache->top <= range->high) {
    cache->inner = &cache->frames[cache->depth - 1];
    cache->fast_generation = cache->generation;
  }
  if (suffix && cache->fast_generation && whole && stack)
    mh_suffix_keep(suffix, node, cache->steps, count, stack, walks);
  return stack;
}
