/* The remembered walk: a thread's last call stack, and what must still be true for it to be the next one. walk.c
 * explains it. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "capture.h"
#include "stack_range.h"

struct mh_thread;

/* A word of the stack that decided how the walk went on. */
struct mh_walk_slot {
  uintptr_t at;
  uintptr_t value;
};

/* A frame of the last walk. */
struct mh_walk_frame {
  uintptr_t sp, pc, fp; /* registers in this frame */
  uint32_t node, hash;  /* interned: this frame and all outside of it; see intern.h for its hash */
  uint32_t slots;       /* words that this frame and all outside of it depend on, slots[0 … n − 1]: their bytes, and flags */
};
enum {
  MH_FRAME_NEED = 1,  /* the way out depends on fp */
  MH_FRAME_EXACT = 2, /* pc is an interrupted instruction, not a return address */
  MH_FRAME_BITS = 15,
};
_Static_assert(sizeof(struct mh_walk_slot) == MH_FRAME_BITS + 1, "below them there is room for the flags");
static inline uint32_t mh_frame_slots(const struct mh_walk_frame *frame) {
  return frame->slots / sizeof(struct mh_walk_slot);
}

/* A frame of the walk being taken. */
struct mh_walk_step {
  uintptr_t sp, pc, fp;
  uintptr_t cfa; /* sp of the caller */
  uintptr_t ra;  /* as found on the stack: pc of the caller, perhaps signed */
  uint64_t rule;
  uint32_t flags;
  uint32_t frame, hash; /* interned, and the hash of its node: only in what is being remembered; see stack_cache_update.h */
};
enum {
  MH_STEP_EXACT = 1,  /* pc is an interrupted instruction, not a return address */
  MH_STEP_UNREAD = 2, /* the CFA is outside of the stack: the walk ended here */
  MH_STEP_LOST = 4,   /* it ended here, and nobody knows whether there are callers */
};

/* A node that this thread used not long ago, so that finding it again touches no memory of other threads. */
struct mh_walk_known {
  uint32_t parent, frame, node; /* node 0: free */
  uint32_t stack;               /* whose innermost frame it is, not cut; 0 if not known */
};
#define MH_WALK_KNOWN 1024

/* A way from a remembered frame to an innermost one, by its frames; suffix_cache.h explains it. */
#define MH_PATH_FRAMES 12
struct mh_walk_path {
  uint32_t node;                   /* interned: the remembered frame and all outside of it; 0: free */
  uint32_t stack;                  /* interned: all of it */
  uint32_t walked;                 /* number of the last walk that took it */
  uint32_t count;                  /* frames */
  uint32_t frames[MH_PATH_FRAMES]; /* interned, innermost first */
};
#define MH_PATHS 512

/* A way from an innermost frame to a remembered one; cached_tails.h explains it. Three cache lines: threads have few, but look at them often. */
#define MH_DETOUR_SLOTS 11
#define MH_DETOUR_NEXT 16
struct mh_walk_detour {
  uintptr_t pc, sp, fp;           /* the innermost frame; pc 0: free */
  uintptr_t joined_sp, joined_fp; /* the remembered frame that it led to, as it was */
  uint32_t joined_node;
  uint32_t joined;                /* bytes from frames[0] to that frame */
  uint32_t stack;                 /* interned: all of it */
  uint8_t slots;                  /* words of the way, outermost first, numbered from 1; number 0 is a guard */
  bool need_fp;                   /* the way depends on fp */
  uint16_t at[1 + MH_DETOUR_SLOTS]; /* where each is, in words from sp */
  uintptr_t value[1 + MH_DETOUR_SLOTS];
  uint8_t next[MH_DETOUR_NEXT];   /* numbers of the detours to expect after this one, by what had come before it */
} __attribute__((aligned(64)));
_Static_assert(sizeof(struct mh_walk_detour) == 192, "three cache lines");
#define MH_DETOUR_SETS 8
#define MH_DETOUR_WAYS 16
#define MH_DETOURS (MH_DETOUR_SETS * MH_DETOUR_WAYS)

struct mh_walk {
  struct mh_thread_stack own;
  uint32_t limit;      /* most frames; 0 before the first use */
  uint32_t generation; /* module generation of what is remembered */
  uint32_t plain;      /* the same where all of that is on the thread's own stack, and begins at the stack's end; else 0 */
  uint32_t depth;      /* frames remembered, outermost first */
  uint32_t calm;       /* of them, the outermost: those that every walk since has met */
  uint32_t walks;      /* taken; wraps round */
  uint32_t doubt;      /* whether to look for detours; this and the next four: see cached_tails.h */
  int32_t trust;       /* whether to expect one */
  uint32_t lately;     /* numbers of the last four taken, a byte each, the last one lowest */
  uint8_t *expects;    /* where the number of the next one is kept */
  struct mh_walk_detour *expected; /* that one */
  uint32_t stack;      /* interned: all of them; 0 if not known */
  uintptr_t top;       /* end of the highest remembered slot */
  bool cut;            /* the outermost remembered frame has callers */
  struct mh_walk_frame *frames;
  const struct mh_walk_frame *inner; /* the innermost one, while plain */
  struct mh_walk_step *steps;
  struct mh_walk_known known[MH_WALK_KNOWN]; /* by the node's hash */
  struct mh_walk_path paths[MH_PATHS] __attribute__((aligned(64))); /* by hash of node and frames */
  uint32_t detour_turn;                      /* which way of a set is replaced next */
  uint8_t detour_tags[MH_DETOURS] __attribute__((aligned(16))); /* of the hash of pc and sp */
  struct mh_walk_detour detours[MH_DETOURS]; /* by hash of pc and sp, set after set */
  struct mh_foreign_stack other;
  struct mh_walk_slot guard; /* in front of the slots; see cached_backtrace.h */
  struct mh_walk_slot slots[];
};

/* Forgets the last walk. */
static inline void mh_walk_forget(struct mh_walk *walk) {
  walk->depth = walk->calm = walk->stack = 0;
  walk->plain = 0;
}

/* Most frames kept of a stack: the innermost ones. Set before the first walk, not changed afterwards. */
extern uint32_t mh_depth_limit;

/* Most slots that are remembered of so many frames. */
static inline size_t mh_walk_slots(uint32_t frames) {
  return 2 * (size_t)frames + 64; /* few frames have three */
}

/* Bytes of zeroed memory that a thread needs for its struct mh_walk; it may be handed on to another thread as it is. */
size_t mh_walk_bytes(void);

/* Called once, before the first walk. */
void mh_walk_start(void);

/* To be called when another thread takes `walk` over. */
static inline void mh_walk_new_owner(struct mh_walk *walk) {
  walk->plain = 0;
  walk->own = (struct mh_thread_stack){.thread_pointer = walk->own.thread_pointer}; /* even at the same place it may be another stack */
}

/* Each walks the stack at `entry`, which is not known to be the same again (stack_cache.h), and returns its id, 0 if it could not be kept.
 * `walk` is the calling thread's. One thread uses either the one or the other. */
uint32_t mh_walk_dwarf(struct mh_thread *thread, struct mh_walk *walk, const struct mh_entry *entry);
uint32_t mh_walk_fp(struct mh_walk *walk, const struct mh_entry *entry);

/* To be called after every change of mh_generation. */
void mh_capture_dwarf_modules_changed(void);
