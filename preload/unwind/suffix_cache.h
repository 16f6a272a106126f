/* The suffix cache: which stacks end in which frames. Part of the stack cache.
 *
 * A walk that has met the cached backtrace knows the node of the frame where it met it. Of each of its own steps it
 * knows the interned frame, which came with the unwind rule. These few numbers are the stack: the same node and the
 * same frames make the same stack, wherever its words lie. If they were met before, nothing needs to be interned, and
 * the cached backtrace stays as it is:
 *
 *     cached backtrace     steps              suffix
 *     main                                    node of parse, then the frames of name and copy
 *     parse ◀───────────── name ◀─ copy       → stack: main, parse, name, copy
 *     number
 *     digits
 *
 * A suffix also tells how long ago it was walked: whether a cached tail (cached_tails.h) would have saved the walk.
 */
#pragma once
#include "mutation.h"
#include "stack_cache_data.h"
#include "unwind_rule.h"

MH_INLINE uint64_t mh_suffix_hash(uint64_t hash, uint32_t number) {
  return (hash << 7 | hash >> 57) + number;
}

/* Where the suffix is kept that leads from the cached frame with `node` through steps[count − 1 … 0]. */
MH_INLINE struct mh_cached_suffix *mh_suffix_at(struct mh_stack_cache *cache, uint32_t node, uint32_t count) {
  _Static_assert(MH_SUFFIXES == 512, "nine bits of the hash");
  uint64_t hash = 0;
  for (uint32_t i = 0; i < count; i++) hash = mh_suffix_hash(hash, mh_rule_frame(cache->steps[i].rule));
  return &cache->suffixes[mh_suffix_hash(hash, node) * 0x9e3779b97f4a7c15ull >> 55];
}

/* Whether it is that suffix. */
MH_INLINE bool mh_suffix_is(const struct mh_cached_suffix *suffix, uint32_t node, const struct mh_unwind_step *steps,
                            uint32_t count) {
  if (suffix->node != node || suffix->count != count) return false;
  uint32_t same = 0;
  while (same < count && suffix->frames[same] == mh_rule_frame(steps[same].rule)) same++;
  return same == count || MH_MUTATION == MUTATION_NO_SUFFIX_FRAME;
}

/* Keeps a suffix and its stack, unless the rule of a step does not carry its frame yet. */
static inline void mh_suffix_keep(struct mh_cached_suffix *suffix, uint32_t node, const struct mh_unwind_step *steps,
                                  uint32_t count, uint32_t stack, uint32_t walked) {
  suffix->node = 0; /* a signal handler may jump out of here */
  __atomic_signal_fence(__ATOMIC_SEQ_CST);
  for (uint32_t i = 0; i < count; i++)
    if (!(suffix->frames[i] = mh_rule_frame(steps[i].rule))) return;
  suffix->count = count;
  suffix->stack = stack;
  suffix->walked = walked;
  __atomic_signal_fence(__ATOMIC_SEQ_CST);
  suffix->node = node;
}
