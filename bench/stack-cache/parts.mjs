// The parts of the stack cache, each with the edits that leave it out: [file, place, what is there instead].
//
// An edit leaves the rest as exact as it was: what one part does not know another does, or it is walked.

const PREDICTED = "int32_t score = cache->predictor_score;\n  if (score > 0 && mh_tail_holds";
const AT_ENTRY = "cache->stack && mh_witnesses_hold(cache, inner)";

/** @type {Record<string, [file: string, from: string, to: string][]>} */
export const PARTS = {
  // Without it no other part finds anything: each stack is walked to its end.
  backtrace: [
    ["walk.c", "mh_meeting_set(&meeting, cache, cache->stable_depth);", "mh_meeting_set(&meeting, cache, 0);"],
    ["stack_cache.h", AT_ENTRY, "false"],
  ],
  "backtrace, at the entry": [["stack_cache.h", AT_ENTRY, "false"]],
  "cached tails": [
    ["cached_tails.h", "return MH_LIKELY(cache->miss_score < MH_MISSES_MOST);", "(void)cache; return false;"],
    ["stack_cache.c", "if (mh_tail_wanted(cache, walks - suffix->walked)) keep_tail", "if (0) keep_tail"],
  ],
  predictor: [
    ["cached_tails.h", PREDICTED, "const int32_t score = 0;\n  if (score > 0 && mh_tail_holds"],
    [
      "cached_tails.h",
      "else if (MH_UNLIKELY(++cache->predictor_score == 0))\n      mh_predict_anew(cache, number);",
      "",
    ],
  ],
  "predictor score": [
    [
      "cached_tails.h",
      "cache->predictor_score = score > MH_SCORE_LOSS ? score - MH_SCORE_LOSS : -MH_SCORE_PAUSE;",
      "(void)score;",
    ],
    ["cached_tails.h", "cache->predictor_score = score < MH_SCORE_MOST ? score + 1 : score;", ""],
  ],
  "miss score": [
    ["cached_tails.h", "return MH_LIKELY(cache->miss_score < MH_MISSES_MOST);", "(void)cache; return true;"],
    ["cached_tails.h", "if (cache->miss_score < MH_MISSES_COUNTED) cache->miss_score++;", ""],
    ["cached_tails.h", "if (cache->miss_score) cache->miss_score--;", ""],
    ["stack_cache.h", "  cache->miss_score = 0;\n", ""],
  ],
  // A tail is then kept as before: of a way that comes again soon.
  "suffix cache": [
    [
      "stack_cache.c",
      "suffix->walked = walks;\n      cache->stable_depth = outer;\n      return suffix->stack;",
      "suffix->walked = walks;\n      suffix = NULL;",
    ],
  ],
  "stable depth": [
    [
      "walk.c",
      "mh_meeting_set(&meeting, cache, cache->stable_depth);",
      "mh_meeting_set(&meeting, cache, cache->depth);",
    ],
  ],
  "cached nodes": [
    [
      "stack_cache.c",
      "  if (MH_LIKELY(cached->parent == parent && cached->frame == frame && cached->node)) return cached;\n",
      "",
    ],
    ["stack_cache.c", "    if (node_at(cache, hash)->frame == step->frame) continue;\n", ""],
  ],
  "stacks of cached nodes": [["stack_cache.c", "if (!cached->stack) cached->stack =", "cached->stack ="]],
  "fetching nodes ahead": [
    [
      "stack_cache.c",
      "    mh_intern_fetch_node(hash);\n    if (i == 0) mh_intern_fetch_stack(mh_stack_hash(hash, cut));\n",
      "    (void)cut;\n",
    ],
  ],
  nothing: [],
};
