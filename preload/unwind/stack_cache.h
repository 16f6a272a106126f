/* The stack cache: how a thread knows most of its call stacks without walking them. One interface with two verbs:
 *
 *     a hook's entry ──▶ look up ──▶ the stack's id
 *                           │ not known
 *                           ▼
 *                        walk.c, from frame to frame outwards, and at each: look up the rest
 *                           │ known, or at the end of the stack
 *                           ▼
 *                        update ──▶ the stack's id, which the cache knows from now on
 *
 * ## What is cached, and why it is exact
 *
 * Between two allocations of a thread, most of its stack stays the same. The cached backtrace is the thread's last
 * walk, outermost frame first. With it are its witness words: the words of the stack that decided it. These are every
 * return address, and every saved frame pointer that some outer frame's CFA depends on.
 *
 *        the stack                      cached frames              witness words
 *     higher addresses            (pc, sp, fp, node)                (where, value)
 *   ┌──────────────────┐
 *   │ start's frame    │        0  start    sp₀     node 1 ─┐     0  no more: the word that ended the walk
 *   ├──────────────────┤                                    │
 *   │ return to start  │◀ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ┼ ─ ─ 1  must still be: into start
 *   │ main's frame     │        1  main     sp₁     node 2 ─┤
 *   ├──────────────────┤                                    │
 *   │ return to main   │◀ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ┼ ─ ─ 2  must still be: into main
 *   │ saved rbp        │◀ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ┼ ─ ─ 3  must still be: main's frame pointer, if main's
 *   │ parse's frame    │        2  parse    sp₂     node 3 ─┤         CFA (or an outer one) is computed from it
 *   ├──────────────────┤                                    │
 *   │ return to parse  │◀ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ┼ ─ ─ 4  …
 *   │ node's frame     │        3  node     sp₃     node 4 ─┘
 *   └──────────────────┘
 *     lower addresses
 *
 * A walk that is in a cached frame, with its pc, its sp and (where the way out depends on it) its fp, compares the
 * witness words from there on, from the inside outwards. If none has changed, the rest of the stack is the cached rest,
 * and so is its interned node. That follows by induction: the same unwind rule at the same pc with the same registers
 * reads the same words, and equal words give the same registers in the next frame. Nothing is guessed and nothing is
 * hashed. If one has changed, the walk goes on, and may meet the backtrace again outside of the changed word.
 *
 * ## Its parts
 *
 *     look up, at the entry     the backtrace itself, if it begins there
 *                               cached_tails.h: witness words that led from there into the backtrace not long ago
 *     look up, on the way       cached_backtrace.h: the backtrace's frames, and its witness words
 *     update                    suffix_cache.h: the frames of the steps, seen before on the same node
 *                               cached nodes: nodes that this thread used not long ago
 *
 * What each brings is measured by leaving it out (bench/stack-cache/); what brings less than 2 % everywhere is left
 * out. A new walk becomes the cached backtrace. One whose suffix is known leaves everything as it is, and the next
 * one looks no further inside than where this one met the backtrace (the stable depth): frames inside of that are not
 * likely to be met.
 *
 * ## What follows
 *
 *   - Only pc, sp and fp are followed. A rule that depends on more sends the whole stack to libunwind.
 *   - Rules are valid for one module generation, and so is what is cached.
 *   - Only frames on one stack are cached: those outside of the last switch (a signal on a stack of its own).
 *   - A stack deeper than the limit keeps its inner frames. Its nodes hang from the frame where it was cut, so such a
 *     backtrace is met only by stacks that are cut at that same frame.
 *   - A frame or node that could not be interned is not cached.
 */
#pragma once
#include "../base/sys.h"
#include "cached_backtrace.h"
#include "cached_tails.h"
#include "entry.h"
#include "stack_cache_data.h"

/* Most frames kept of a stack: the innermost ones. Set before the first walk, not changed afterwards. */
extern uint32_t mh_depth_limit;

/* Bytes of zeroed memory that a thread needs for its cache. It may be handed on to another thread as it is. */
size_t mh_stack_cache_bytes(void);

/* To be called when another thread takes the cache over. */
void mh_stack_cache_new_owner(struct mh_stack_cache *cache);

/* Forgets the backtrace. */
void mh_stack_cache_forget(struct mh_stack_cache *cache);

/* Forgets what is not of this thread and this module generation: to be called before a walk. */
void mh_stack_cache_renew(struct mh_stack_cache *cache, uintptr_t thread_pointer, uint32_t generation);
MH_INLINE void mh_stack_cache_begin(struct mh_stack_cache *cache, uintptr_t thread_pointer, uint32_t generation) {
  bool other = cache->generation != generation || cache->thread_stack.thread_pointer != thread_pointer;
  if (MH_UNLIKELY(other || !cache->limit)) mh_stack_cache_renew(cache, thread_pointer, generation);
}

/* Looks up the stack that starts at `entry`: the backtrace, or a tail and the rest of it. 0: it has to be walked. Both
 * were on the thread stack, so where the stack pointer is the same the words that are compared can be read. */
MH_INLINE uint32_t mh_stack_cache_lookup(struct mh_stack_cache *cache, const struct mh_entry *entry) {
  if (MH_UNLIKELY(cache->fast_generation != mh_stack_cache_generation())) return 0;
  const struct mh_cached_frame *inner = cache->inner;
  if (mh_cached_frame_is(inner, entry->pc, entry->sp, entry->fp) && cache->stack && mh_witnesses_hold(cache, inner))
    return cache->stack;
  if (MH_UNLIKELY(!mh_tails_pay(cache))) return 0;
  const struct mh_cached_tail *tail = mh_tail_find(cache, entry->pc, entry->sp, entry->fp);
  if (!tail) return 0;
  cache->miss_score = 0;
  return tail->stack;
}

/* On the way outwards the rest is looked up by mh_stack_cache_lookup_rest, in cached_backtrace.h. */

/* A walk that was taken: the cache's steps[count − 1 … 0], and outside of them the backtrace's outer frames. */
struct mh_walked {
  const struct mh_entry *entry;
  const struct mh_stack_range *range; /* of the stack that it ended on */
  uint32_t count;
  uint32_t first; /* of the steps, the first that may be cached; UINT32_MAX: none */
  uint32_t outer; /* 0: it went to its end */
  uintptr_t fp;   /* in the caller of the last step */
  bool cut;       /* that has callers */
  bool frame_pointers;
};

/* Puts a walk into the cache and returns its stack's id, 0 if it could not be kept. */
uint32_t mh_stack_cache_update(struct mh_stack_cache *cache, const struct mh_walked *walked);
