/* Cached stack tails: the ways taken not long ago from an innermost frame into the cached backtrace. Part of the stack
 * cache; stack_cache.h explains what is cached, and why comparing is enough.
 *
 * Programs alternate between a few places: the inner frames change with each allocation, while the backtrace further
 * out stays. A tail keeps, for an innermost frame (pc, sp), the witness words that led from there to a cached frame:
 *
 *     the stack              cached backtrace        tail
 *   ┌─────────────┐
 *   │ main        │             main
 *   │ parse       │             parse ◀──────────── joined: this frame, by number, pc, sp, node (and fp, if it matters)
 *   │ ─ ─ ─ ─ ─ ─ │
 *   │ name        │             number               witnesses of name, copy: must still hold their values
 *   │ copy        │             digits               → stack: main, parse, name, copy
 *   └─────────────┘
 *
 * A look-up at a tail's frame compares the tail's witnesses from the inside outwards. Then it looks whether the
 * backtrace still has the joined frame, and compares the witnesses from there on. If all hold, so does the stack, by
 * the same induction as for the backtrace itself. Nothing is stepped or interned, and the backtrace stays as it is.
 *
 * The predictor: programs repeat themselves. So each tail keeps which tail came next, the last time that the same tails
 * had come before it. The predicted tail is looked at first, and has been fetched by then. Other tails, which often
 * begin at the same frame, would have to be compared until a word differs. In a program that does not repeat itself,
 * predicting is mostly in vain. So it is done only while four of five predictions are right (the predictor score). A
 * prediction only decides where to look first: if a signal handler jumps out of it, a wrong one does no harm.
 *
 * Looking for a missing tail costs as much as a step or two. So a way becomes a tail when it is walked a second time
 * soon after the first. While most ways are not walked again soon (the miss score), no tails are looked for or kept.
 */
#pragma once
#include "../base/sys.h"
#include "cached_backtrace.h"
#include "entry.h"
#include "mutation.h"
#include "stack_cache_data.h"

/* Where the set of a tail from there begins, and its tag in it. */
struct mh_tail_key {
  uint32_t first;
  uint8_t tag;
};
MH_INLINE struct mh_tail_key mh_tail_key(uintptr_t pc, uintptr_t sp) {
  uint64_t hash = (pc + sp * 8) * 0x9e3779b97f4a7c15ull;
  return (struct mh_tail_key){.first = (uint32_t)(hash >> 61) * MH_TAIL_WAYS, .tag = (uint8_t)(hash >> 53)};
}
_Static_assert(MH_TAIL_SETS == 8, "three bits of the hash");

/* One bit for each way of a set whose tag is `tag`, by one comparison of vectors. */
MH_INLINE uint32_t mh_tail_same(const uint8_t tags[MH_TAIL_WAYS], uint8_t tag) {
  typedef uint8_t vector __attribute__((ext_vector_type(MH_TAIL_WAYS)));
  typedef bool bits __attribute__((ext_vector_type(MH_TAIL_WAYS)));
  vector all;
  __builtin_memcpy(&all, tags, sizeof all);
  bits equal = __builtin_convertvector(all == (vector)tag, bits);
  uint16_t same;
  __builtin_memcpy(&same, &equal, sizeof same);
  return same;
}
_Static_assert(MH_TAIL_WAYS == 16, "a bit each");

/* Whether the tail leads from there into the backtrace as it is now, and the backtrace's rest holds. */
MH_INLINE bool mh_tail_holds(const struct mh_stack_cache *cache, const struct mh_cached_tail *tail, uintptr_t pc,
                             uintptr_t sp, uintptr_t fp) {
  if (tail->pc != pc || tail->sp != sp || (tail->needs_fp && tail->fp != fp)) return false;
  size_t witness = tail->witnesses;
#pragma clang loop unroll_count(4)
  while (*(const mh_word *)(sp + tail->at[witness] * sizeof(mh_word)) == tail->value[witness]) witness--;
  const struct mh_cached_frame *joined = (const struct mh_cached_frame *)((const char *)cache->frames + tail->joined);
  if (witness || joined > cache->inner) return false;
  /* The same node is the same chain of program counters, so the same rules lead out of it, and need the same. */
  if (joined->sp != tail->joined_sp) return false;
  if (joined->node != tail->joined_node && MH_MUTATION != MUTATION_NO_TAIL_NODE) return false;
  if (joined->witnesses & MH_FRAME_NEEDS_FP && joined->fp != tail->joined_fp) return false;
  return mh_witnesses_hold(cache, joined);
}

/* The predictor score rises by 1 with each right prediction, and falls by MH_SCORE_LOSS with each wrong one. At 0
 * nothing is predicted for MH_SCORE_PAUSE tails, while the score is negative. */
#define MH_SCORE_MOST 256
#define MH_SCORE_TRIAL 128
#define MH_SCORE_LOSS 4
#define MH_SCORE_PAUSE 4096

/* Predicts what came after tail `number`, and has the processor fetch it. */
MH_INLINE void mh_predict(struct mh_stack_cache *cache, uint32_t number) {
  uint32_t before = (cache->recent_tails & 0xffffff) * 0x9e3779b1u >> 28;
  cache->recent_tails = cache->recent_tails << 8 | number;
  cache->prediction = &cache->tails[number].next[before];
  cache->predicted = &cache->tails[*cache->prediction];
  for (size_t line = 0; line < sizeof *cache->predicted; line += 64)
    __builtin_prefetch((const char *)cache->predicted + line);
}
_Static_assert(MH_TAIL_NEXT == 16, "four bits of the hash");
_Static_assert(MH_TAILS <= 256, "numbers are bytes");

static __attribute__((noinline)) void mh_predict_anew(struct mh_stack_cache *cache, uint32_t number) {
  cache->predictor_score = MH_SCORE_TRIAL;
  mh_predict(cache, number);
}

static inline void mh_predictor_miss(struct mh_stack_cache *cache) {
  int32_t score = cache->predictor_score;
  cache->predictor_score = score > MH_SCORE_LOSS ? score - MH_SCORE_LOSS : -MH_SCORE_PAUSE;
}

/* Tail `number` came, and not the predicted one. */
static __attribute__((noinline)) void mh_predictor_learn(struct mh_stack_cache *cache, uint32_t number) {
  mh_predictor_miss(cache);
  *cache->prediction = (uint8_t)number;
  mh_predict(cache, number);
}

/* The tail that leads from there into the backtrace. NULL if there is none. */
MH_INLINE const struct mh_cached_tail *mh_tail_find(struct mh_stack_cache *cache, uintptr_t pc, uintptr_t sp,
                                                    uintptr_t fp) {
  const struct mh_cached_tail *tail = cache->predicted;
  int32_t score = cache->predictor_score;
  if (score > 0 && mh_tail_holds(cache, tail, pc, sp, fp)) {
    cache->predictor_score = score < MH_SCORE_MOST ? score + 1 : score;
    mh_predict(cache, *cache->prediction);
    return tail;
  }
  struct mh_tail_key key = mh_tail_key(pc, sp);
  for (uint32_t same = mh_tail_same(&cache->tail_tags[key.first], key.tag); same; same &= same - 1) {
    uint32_t number = key.first + (uint32_t)__builtin_ctz(same);
    tail = &cache->tails[number];
    __asm__("" : "+r"(tail)); /* or its address is computed twice, in two ways */
    if (!mh_tail_holds(cache, tail, pc, sp, fp)) continue;
    if (MH_UNLIKELY(score > 0))
      mh_predictor_learn(cache, number);
    else if (MH_UNLIKELY(++cache->predictor_score == 0))
      mh_predict_anew(cache, number);
    return tail;
  }
  if (score > 0) mh_predictor_miss(cache);
  return NULL;
}

/* Within so many walks is soon. It is less than the number of tails: later the tail would have been replaced. */
#define MH_TAIL_SOON (MH_TAILS / 2)
/* The miss score: the number of walks of ways that did not come again soon, less those that did, since a tail was last
 * found. From the first number on, no tails are looked for. The second is the score's maximum. */
#define MH_MISSES_MOST 8
#define MH_MISSES_COUNTED 16

MH_INLINE bool mh_tails_pay(const struct mh_stack_cache *cache) {
  return MH_LIKELY(cache->miss_score < MH_MISSES_MOST);
}

/* Whether to keep a tail for a way that was walked again after so many walks. */
static inline bool mh_tail_wanted(struct mh_stack_cache *cache, uint32_t walks) {
  if (walks > MH_TAIL_SOON) {
    if (cache->miss_score < MH_MISSES_COUNTED) cache->miss_score++;
    return false;
  }
  if (cache->miss_score) cache->miss_score--;
  return mh_tails_pay(cache);
}

/* Keeps a tail from `entry` to the cached frame number `outer`, in place of another one, with the witnesses of the way
 * there, outermost first, MH_TAIL_WITNESSES at most. */
static inline void mh_tail_keep(struct mh_stack_cache *cache, const struct mh_entry *entry, uint32_t outer,
                                const struct mh_witness *witnesses, uint32_t count, bool needs_fp, uint32_t stack) {
  if (MH_MUTATION == MUTATION_NO_TAIL_WITNESS && count > 1) witnesses++, count--;
  if (!count) return;
  for (uint32_t i = 0; i < count; i++) {
    uintptr_t bytes = witnesses[i].at - entry->sp;
    /* A frame of half a megabyte is walked. */
    if (bytes % sizeof(mh_word) || bytes / sizeof(mh_word) > UINT16_MAX) return;
  }
  struct mh_tail_key key = mh_tail_key(entry->pc, entry->sp);
  uint32_t number = key.first + cache->tail_turn++ % MH_TAIL_WAYS;
  struct mh_cached_tail *tail = &cache->tails[number];
  tail->pc = 0; /* a signal handler may jump out of here */
  __atomic_signal_fence(__ATOMIC_SEQ_CST);
  for (uint32_t i = 0; i < count; i++) {
    tail->at[1 + i] = (uint16_t)((witnesses[i].at - entry->sp) / sizeof(mh_word));
    tail->value[1 + i] = witnesses[i].value;
  }
  /* The guard ends the comparison: where the outermost word was the same a moment ago, it is not its complement. */
  tail->at[0] = tail->at[1];
  tail->value[0] = ~tail->value[1];
  const struct mh_cached_frame *joined = &cache->frames[outer - 1];
  cache->tail_tags[number] = key.tag;
  tail->sp = entry->sp;
  tail->fp = entry->fp;
  tail->joined_sp = joined->sp;
  tail->joined_fp = joined->fp;
  tail->joined_node = joined->node;
  tail->joined = (outer - 1) * (uint32_t)sizeof *joined;
  tail->stack = stack;
  tail->witnesses = (uint8_t)count;
  tail->needs_fp = needs_fp;
  __atomic_signal_fence(__ATOMIC_SEQ_CST);
  tail->pc = entry->pc;
}
