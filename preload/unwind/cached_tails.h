/* Detours: ways taken not long ago from an innermost frame into the remembered walk. Part of walk.c, which explains what is
 * remembered and why comparing it is enough.
 *
 * Programs go to and fro between a few places: the inner frames change with each allocation, while the walk further out
 * stays. A detour keeps, for an innermost frame (pc, sp), the words that led from there to a remembered frame:
 *
 *     the stack              remembered walk         detour
 *   ┌─────────────┐
 *   │ main        │             main
 *   │ parse       │             parse ◀──────────── joined: this frame, by number, pc, sp, node (and fp, if it matters)
 *   │ ─ ─ ─ ─ ─ ─ │
 *   │ name        │             number               slots of name, copy: must still hold their values
 *   │ copy        │             digits               → stack: main, parse, name, copy
 *   └─────────────┘
 *
 * A capture that starts at a detour's frame compares the detour's words from the inside outwards, looks whether the remembered walk
 * still has that frame, and compares the remembered words from there on. If all are the same, so is the stack, by the same
 * induction as for the walk itself. Nothing is stepped or interned, and the remembered walk stays as it is.
 *
 * Programs repeat themselves, so each detour remembers which one came next, the last time that the same ones had come before it. That one is
 * looked at first, already fetched; so it is known where the others, which often begin at the same frame, would have to be compared until a
 * word differs. In a program that does not repeat itself most of that is in vain, so it is done only while four of five come as expected. What is
 * expected decides where to look first and nothing else: a signal handler that jumps out while it is noted may leave it wrong.
 *
 * Looking for a detour that is not there costs as much as a step or two. So a way becomes a detour when it is walked a second time soon
 * after the first, and while the walks show that most ways do not come again soon, no detour is looked for or noted.
 */
#pragma once
#include "mutation.h"
#include "cached_backtrace.h"
#include "../base/sys.h"
#include "stack_cache_data.h"

typedef uintptr_t mh_word __attribute__((may_alias, aligned(1)));

/* Where the set of a detour from there begins, and its tag in it. */
struct mh_detour_key {
  uint32_t first;
  uint8_t tag;
};
MH_INLINE struct mh_detour_key mh_detour_key(uintptr_t pc, uintptr_t sp) {
  uint64_t hash = (pc + sp * 8) * 0x9e3779b97f4a7c15ull;
  return (struct mh_detour_key){.first = (uint32_t)(hash >> 61) * MH_DETOUR_WAYS, .tag = (uint8_t)(hash >> 53)};
}
_Static_assert(MH_DETOUR_SETS == 8, "three bits of the hash");

/* One bit for each way of a set whose tag is `tag`, by one comparison of vectors. */
MH_INLINE uint32_t mh_detour_same(const uint8_t tags[MH_DETOUR_WAYS], uint8_t tag) {
  typedef uint8_t vector __attribute__((ext_vector_type(MH_DETOUR_WAYS)));
  typedef bool bits __attribute__((ext_vector_type(MH_DETOUR_WAYS)));
  vector all;
  __builtin_memcpy(&all, tags, sizeof all);
  bits equal = __builtin_convertvector(all == (vector)tag, bits);
  uint16_t same;
  __builtin_memcpy(&same, &equal, sizeof same);
  return same;
}
_Static_assert(MH_DETOUR_WAYS == 16, "a bit each");

/* Whether the detour leads from there into the remembered walk as it is now, and that goes on as it did. */
MH_INLINE bool mh_detour_leads(const struct mh_walk *walk, const struct mh_walk_detour *detour, uintptr_t pc, uintptr_t sp, uintptr_t fp) {
  if (detour->pc != pc || detour->sp != sp || (detour->need_fp && detour->fp != fp)) return false;
  size_t slot = detour->slots;
#pragma clang loop unroll_count(4)
  while (*(const mh_word *)(sp + detour->at[slot] * sizeof(mh_word)) == detour->value[slot]) slot--;
  const struct mh_walk_frame *joined = (const struct mh_walk_frame *)((const char *)walk->frames + detour->joined);
  if (slot || joined > walk->inner) return false;
  /* The same node is the same chain of program counters, so the same rules lead out of it, and need the same. */
  if (joined->sp != detour->joined_sp || (joined->node != detour->joined_node && MH_MUTATION != MUTATION_NO_DETOUR_NODE)) return false;
  return (!(joined->slots & MH_FRAME_NEED) || joined->fp == detour->joined_fp) && mh_same_from(walk, joined);
}

/* Trust is won by 1 with each detour that comes as expected, and lost by MH_TRUST_LOSS with what comes instead. When none is left nothing is expected
 * for MH_TRUST_PAUSE detours, while it is negative. */
#define MH_TRUST_MOST 256
#define MH_TRUST_TRIAL 128
#define MH_TRUST_LOSS 4
#define MH_TRUST_PAUSE 4096

/* Expects what came after detour `number`, and has the processor fetch it. */
MH_INLINE void mh_detour_expect(struct mh_walk *walk, uint32_t number) {
  uint32_t before = (walk->lately & 0xffffff) * 0x9e3779b1u >> 28;
  walk->lately = walk->lately << 8 | number;
  walk->expects = &walk->detours[number].next[before];
  walk->expected = &walk->detours[*walk->expects];
  for (size_t line = 0; line < sizeof *walk->expected; line += 64) __builtin_prefetch((const char *)walk->expected + line);
}
_Static_assert(MH_DETOUR_NEXT == 16, "four bits of the hash");
_Static_assert(MH_DETOURS <= 256, "numbers are bytes");

static __attribute__((noinline)) void mh_detour_expect_anew(struct mh_walk *walk, uint32_t number) {
  walk->trust = MH_TRUST_TRIAL;
  mh_detour_expect(walk, number);
}

static inline void mh_detour_distrust(struct mh_walk *walk) {
  walk->trust = walk->trust > MH_TRUST_LOSS ? walk->trust - MH_TRUST_LOSS : -MH_TRUST_PAUSE;
}

/* Detour `number` came and not the expected one. */
static __attribute__((noinline)) void mh_detour_learn(struct mh_walk *walk, uint32_t number) {
  mh_detour_distrust(walk);
  *walk->expects = (uint8_t)number;
  mh_detour_expect(walk, number);
}

/* The detour that leads from there to the end of the remembered walk. NULL if there is none. */
MH_INLINE const struct mh_walk_detour *mh_detour_find(struct mh_walk *walk, uintptr_t pc, uintptr_t sp, uintptr_t fp) {
  const struct mh_walk_detour *detour = walk->expected;
  int32_t trust = walk->trust;
  if (trust > 0 && mh_detour_leads(walk, detour, pc, sp, fp)) {
    walk->trust = trust < MH_TRUST_MOST ? trust + 1 : trust;
    mh_detour_expect(walk, *walk->expects);
    return detour;
  }
  struct mh_detour_key key = mh_detour_key(pc, sp);
  for (uint32_t same = mh_detour_same(&walk->detour_tags[key.first], key.tag); same; same &= same - 1) {
    uint32_t number = key.first + (uint32_t)__builtin_ctz(same);
    detour = &walk->detours[number];
    __asm__("" : "+r"(detour)); /* or its address is computed twice, in two ways */
    if (!mh_detour_leads(walk, detour, pc, sp, fp)) continue;
    if (MH_UNLIKELY(trust > 0))
      mh_detour_learn(walk, number);
    else if (MH_UNLIKELY(++walk->trust == 0))
      mh_detour_expect_anew(walk, number);
    return detour;
  }
  if (trust > 0) mh_detour_distrust(walk);
  return NULL;
}

/* How many walks later is soon: less than there are detours, as what comes again later would no longer be there. */
#define MH_DETOUR_SOON (MH_DETOURS / 2)
/* Walks of ways that did not come again soon, less those that did, since a detour was found: from how many on none is looked for, and how
 * many are counted. */
#define MH_DOUBT 8
#define MH_DOUBT_MOST 16

MH_INLINE bool mh_detours_pay(const struct mh_walk *walk) {
  return MH_LIKELY(walk->doubt < MH_DOUBT);
}

/* Whether to note a detour for a way that was walked again after so many walks. */
static inline bool mh_detour_wanted(struct mh_walk *walk, uint32_t walks) {
  if (walks > MH_DETOUR_SOON) {
    if (walk->doubt < MH_DOUBT_MOST) walk->doubt++;
    return false;
  }
  if (walk->doubt) walk->doubt--;
  return mh_detours_pay(walk);
}

/* Notes a detour from `entry` to the remembered frame number `outer`, in place of another one, with the words that the way there depends on,
 * outermost first, MH_DETOUR_SLOTS at most. */
static inline void mh_detour_note(struct mh_walk *walk, const struct mh_entry *entry, uint32_t outer, const struct mh_walk_slot *slots,
                                  uint32_t count, bool need_fp, uint32_t stack) {
  if (MH_MUTATION == MUTATION_NO_DETOUR_SLOT && count > 1) slots++, count--;
  if (!count) return;
  for (uint32_t i = 0; i < count; i++) {
    uintptr_t bytes = slots[i].at - entry->sp;
    if (bytes % sizeof(mh_word) || bytes / sizeof(mh_word) > UINT16_MAX) return; /* a frame of half a megabyte: it is walked */
  }
  struct mh_detour_key key = mh_detour_key(entry->pc, entry->sp);
  uint32_t number = key.first + walk->detour_turn++ % MH_DETOUR_WAYS;
  struct mh_walk_detour *detour = &walk->detours[number];
  detour->pc = 0; /* a signal handler may jump out of here */
  __atomic_signal_fence(__ATOMIC_SEQ_CST);
  for (uint32_t i = 0; i < count; i++) {
    detour->at[1 + i] = (uint16_t)((slots[i].at - entry->sp) / sizeof(mh_word));
    detour->value[1 + i] = slots[i].value;
  }
  /* The guard ends the comparison: where the outermost word was the same a moment ago, it is not its complement. */
  detour->at[0] = detour->at[1];
  detour->value[0] = ~detour->value[1];
  const struct mh_walk_frame *joined = &walk->frames[outer - 1];
  walk->detour_tags[number] = key.tag;
  detour->sp = entry->sp;
  detour->fp = entry->fp;
  detour->joined_sp = joined->sp;
  detour->joined_fp = joined->fp;
  detour->joined_node = joined->node;
  detour->joined = (outer - 1) * (uint32_t)sizeof *joined;
  detour->stack = stack;
  detour->slots = (uint8_t)count;
  detour->need_fp = need_fp;
  __atomic_signal_fence(__ATOMIC_SEQ_CST);
  detour->pc = entry->pc;
}
