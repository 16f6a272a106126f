/* What the files of the proof of exactness share; library.c explains it. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "../../preload/unwind/entry.h"

struct mh_module;

#define FRAMES_MAX 4096

struct frame {
  uintptr_t pc;
  bool exact, lost;
};

/* ── report.c: what is counted and said ────────────────────────────────────────────────────────── */

/* In the order of the names in run.sh. */
struct counts {
  uint64_t captures, frames, deepest;
  uint64_t referenced;         /* captures compared with libunwind */
  uint64_t fallbacks;          /* stacks for which a rule did not suffice */
  uint64_t signals;            /* stacks with a signal frame */
  uint64_t cut;                /* stacks deeper than the limit */
  uint64_t lost;               /* captures without a stack */
  uint64_t cached_differs;     /* cached ≠ rules */
  uint64_t reference_differs;  /* rules ≠ reference, unexplained */
  uint64_t corrected;          /* libunwind had to be told about an interrupted instruction; see at_boundary() */
  uint64_t reference_failed;   /* libunwind did not find the entry */
  uint64_t shorter;            /* of reference_differs: the reference ended earlier, and was the same until then */
  uint64_t unstripped;         /* libunwind left the signature in a return address; see same_frame() */
  uint64_t unknown;            /* stacks whose outermost callers are lost */
};
extern struct counts *counts;
#define COUNT(what) __atomic_add_fetch(&counts->what, 1, __ATOMIC_RELAXED)

/* Makes the files of this process; again in the child of a fork. */
void report_open(void);
bool report_is_own(void);
void say(const char *format, ...);
void say_stack(const char *title, const struct frame *frames, unsigned count);

/* ── tables.c: modules, interned stacks and mappings, by the simplest thing that can be right ───── */

bool tables_make(void);

/* The loaded module with code at `pc`, NULL if there is none; and its name. */
const struct mh_module *module_find(uintptr_t pc);
const char *module_name(const struct mh_module *module);

/* The frames of an interned stack; returns their number. */
unsigned stack_frames(uint32_t stack, struct frame *frames, bool *cut);

/* Notes that [start, end) has been mapped or unmapped. */
void mappings_change(uintptr_t start, uintptr_t end, bool mapped);

/* ── reference.c: LLVM's libunwind, frame by frame ─────────────────────────────────────────────── */

/* The stack that begins at `entry`; returns the number of frames, 0 if libunwind does not find the entry. */
unsigned reference_walk(const struct mh_entry *entry, struct frame *frames, unsigned limit, bool *corrected);
