/* Paths: ways that this thread walked from a remembered frame to an innermost one, and the stacks that they end. Part of walk.c, which
 * explains what is remembered.
 *
 * A walk that has met a remembered frame knows that frame's node, and of each of its own steps the interned frame, which came with the
 * rule. These few numbers are the stack: the same node and the same frames make the same stack, wherever its words lie. So if they
 * were met before, nothing needs to be interned, and the remembered walk can stay as it is:
 *
 *     remembered walk      steps              path
 *     main                                    node of parse, then the frames of name and copy
 *     parse ◀───────────── name ◀─ copy       → stack: main, parse, name, copy
 *     number
 *     digits
 *
 * A path also tells how long ago its way was walked: whether a detour (cached_tails.h) would have saved the walk.
 */
#pragma once
#include "mutation.h"
#include "unwind_rule.h"
#include "stack_cache_data.h"

/* The hash of a way: of its frames, each added as it is met. */
MH_INLINE uint64_t mh_path_hash(uint64_t hash, uint32_t frame) {
  return (hash << 7 | hash >> 57) + frame;
}

/* Where a way from the remembered frame with `node` is kept. */
MH_INLINE struct mh_walk_path *mh_path_at(struct mh_walk *walk, uint64_t hash, uint32_t node) {
  _Static_assert(MH_PATHS == 512, "nine bits of the hash");
  return &walk->paths[mh_path_hash(hash, node) * 0x9e3779b97f4a7c15ull >> 55];
}

/* Whether it is the way that leads from the remembered frame with `node` through steps[count − 1 … 0]. */
MH_INLINE bool mh_path_is(const struct mh_walk_path *path, uint32_t node, const struct mh_walk_step *steps, uint32_t count) {
  if (path->node != node || path->count != count) return false;
  uint32_t same = 0;
  while (same < count && path->frames[same] == mh_rule_frame(steps[same].rule)) same++;
  return same == count || MH_MUTATION == MUTATION_NO_PATH_FRAME;
}

/* Keeps a way and its stack, unless the rule of a step does not carry its frame yet. */
static inline void mh_path_note(struct mh_walk_path *path, uint32_t node, const struct mh_walk_step *steps, uint32_t count, uint32_t stack,
                                uint32_t walked) {
  path->node = 0; /* a signal handler may jump out of here */
  __atomic_signal_fence(__ATOMIC_SEQ_CST);
  for (uint32_t i = 0; i < count; i++)
    if (!(path->frames[i] = mh_rule_frame(steps[i].rule))) return;
  path->count = count;
  path->stack = stack;
  path->walked = walked;
  __atomic_signal_fence(__ATOMIC_SEQ_CST);
  path->node = node;
}
