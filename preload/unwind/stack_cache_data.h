/* What a thread's stack cache is made of. stack_cache.h explains it. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "stack_range.h"

/* ── The cached backtrace ──────────────────────────────────────────────────────────────────────── */

/* A word of the stack that decided how the walk went on. */
struct mh_witness {
  uintptr_t at;
  uintptr_t value;
};

/* A frame of the cached backtrace. */
struct mh_cached_frame {
  uintptr_t sp, pc, fp; /* registers in this frame */
  uint32_t node, hash;  /* interned: this frame and all outside of it; see intern.h for its hash */
  uint32_t witnesses;   /* that it and all outside of it depend on, witnesses[0 … n − 1]: their bytes, and flags */
};
enum {
  MH_FRAME_NEEDS_FP = 1, /* the way out depends on fp */
  MH_FRAME_EXACT = 2,    /* pc is an interrupted instruction, not a return address */
  MH_FRAME_BITS = 15,
};
_Static_assert(sizeof(struct mh_witness) == MH_FRAME_BITS + 1, "below them there is room for the flags");
static inline uint32_t mh_frame_witnesses(const struct mh_cached_frame *frame) {
  return frame->witnesses / sizeof(struct mh_witness);
}

/* ── The walk being taken ──────────────────────────────────────────────────────────────────────── */

/* A frame of it. */
struct mh_unwind_step {
  uintptr_t sp, pc, fp;
  uintptr_t cfa; /* sp of the caller */
  uintptr_t ra;  /* as found on the stack: pc of the caller, perhaps signed */
  uint64_t rule;
  uint32_t flags;
  uint32_t frame, hash; /* interned, and the hash of its node: while the cache is updated */
};
enum {
  MH_STEP_EXACT = 1,  /* pc is an interrupted instruction, not a return address */
  MH_STEP_UNREAD = 2, /* the CFA is outside of the stack: the walk ended here */
  MH_STEP_LOST = 4,   /* it ended here, and nobody knows whether there are callers */
};

/* ── The tables ────────────────────────────────────────────────────────────────────────────────── */

/* A node that this thread used not long ago, so that finding it again touches no memory of other threads. */
struct mh_cached_node {
  uint32_t parent, frame, node; /* node 0: free */
  uint32_t stack;               /* whose innermost frame it is, not cut; 0 if not known */
};
#define MH_CACHED_NODES 1024

/* The frames from an innermost one to the cached backtrace; suffix_cache.h explains it. */
#define MH_SUFFIX_FRAMES 12
struct mh_cached_suffix {
  uint32_t node;                     /* interned: the cached frame and all outside of it; 0: free */
  uint32_t stack;                    /* interned: all of it */
  uint32_t walked;                   /* number of the last walk that took it */
  uint32_t count;                    /* frames */
  uint32_t frames[MH_SUFFIX_FRAMES]; /* interned, innermost first */
};
#define MH_SUFFIXES 512

/* The witness words from an innermost frame to the cached backtrace; cached_tails.h explains it. Three cache lines:
 * threads have few, but look at them often. */
#define MH_TAIL_WITNESSES 11
#define MH_TAIL_NEXT 16
struct mh_cached_tail {
  uintptr_t pc, sp, fp;               /* the innermost frame; pc 0: free */
  uintptr_t joined_sp, joined_fp;     /* the cached frame that it led to, as it was */
  uint32_t joined_node;
  uint32_t joined;                    /* bytes from frames[0] to that frame */
  uint32_t stack;                     /* interned: all of it */
  uint8_t witnesses;                  /* how many, outermost first, numbered from 1; number 0 is a guard */
  bool needs_fp;                      /* the way depends on fp */
  uint16_t at[1 + MH_TAIL_WITNESSES]; /* where each is, in words from sp */
  uintptr_t value[1 + MH_TAIL_WITNESSES];
  uint8_t next[MH_TAIL_NEXT];         /* numbers of the tails that came after this one, by what had come before it */
} __attribute__((aligned(64)));
_Static_assert(sizeof(struct mh_cached_tail) == 192, "three cache lines");
#define MH_TAIL_SETS 8
#define MH_TAIL_WAYS 16
#define MH_TAILS (MH_TAIL_SETS * MH_TAIL_WAYS)

struct mh_stack_cache {
  struct mh_thread_stack thread_stack;
  uint32_t limit;           /* most frames; 0 before the first use */
  uint32_t generation;      /* module generation of what is cached */
  uint32_t fast_generation; /* the same where all of the backtrace is on the thread stack, from its end on; else 0 */
  uint32_t depth;           /* frames of the backtrace, outermost first */
  uint32_t stable_depth;    /* of them, the outermost: those that every walk since has met */
  uint32_t walks;           /* taken; wraps round */
  uint32_t miss_score;      /* whether to look for tails; this and the next four: see cached_tails.h */
  int32_t predictor_score;  /* whether to predict one */
  uint32_t recent_tails;    /* numbers of the last four found, a byte each, the last one lowest */
  uint8_t *prediction;      /* where the number of the next one is kept */
  struct mh_cached_tail *predicted; /* that one */
  uint32_t stack;                   /* interned: the backtrace; 0 if not known */
  uintptr_t top;                    /* end of the highest witness word */
  bool cut;                         /* the outermost frame of the backtrace has callers */
  struct mh_cached_frame *frames;
  const struct mh_cached_frame *inner; /* the innermost one, while fast_generation is not 0 */
  struct mh_unwind_step *steps;
  struct mh_cached_node nodes[MH_CACHED_NODES];                               /* by the node's hash */
  struct mh_cached_suffix suffixes[MH_SUFFIXES] __attribute__((aligned(64))); /* by hash of node and frames */
  uint32_t tail_turn;                                       /* which way of a set is replaced next */
  uint8_t tail_tags[MH_TAILS] __attribute__((aligned(16))); /* of the hash of pc and sp */
  struct mh_cached_tail tails[MH_TAILS];                    /* by hash of pc and sp, set after set */
  struct mh_foreign_stack foreign_stack;
  struct mh_witness guard; /* in front of the witnesses; see cached_backtrace.h */
  struct mh_witness witnesses[];
};

/* Most witness words that are cached of so many frames. */
static inline size_t mh_witness_capacity(uint32_t frames) {
  return 2 * (size_t)frames + 64; /* few frames have three */
}
