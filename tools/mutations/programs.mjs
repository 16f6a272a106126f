// Mutations of what the hooks record: see tools/mutations.mjs.

/** @type {import("../mutations.mjs").Mutation[]} */
export const PROGRAMS = [
  [
    "an image before exec is no living owner",
    "claim.c",
    "if (is_of_another_boot(header) || is_own(header)) return false;",
    "if (is_of_another_boot(header)) return false;",
    "programs",
    "images.c",
  ],
  [
    "realloc takes the record away at all",
    "hooks_malloc.c",
    "  if (old) taken = mh_hook_take(old);\n",
    "",
    "programs",
    "threads.c with",
  ],
  ["a hook lowers the guard", "guard.h", "  mh_tls.guard = 0;", "", "programs", "signals.c with"],
  [
    "allocation starts memhook, not its constructor",
    "enter.h",
    "RELAXED)) || mh_start()) return true;",
    "RELAXED))) return true;",
    "programs",
    "lifecycle.c with",
  ],
  [
    "operators new are recorded",
    "hooks_new.c",
    "if (MH_LIKELY(block != NULL)) MH_RETURN_RECORDED(block, size); ",
    "if (MH_LIKELY(block != NULL)) return mh_leave(), block; ",
    "programs",
    "lifecycle_cxx.cc with",
  ],
  [
    "an operator new that throws lowers the guard",
    "hooks_new.c",
    "if (actions & 2) mh_leave();",
    "(void)actions;",
    "programs",
    "operators.cc with",
  ],
  [
    "errno stays",
    "records.c",
    '  __asm__("" : "+r"(block));',
    "  extern int *__errno_location(void);\n  *__errno_location() = 5;",
    "programs",
    "functions.c with",
  ],
  [
    "munmap removes the mapping",
    "hooks_mmap.c",
    "  struct mh_split taken;\n  split(start, size, &taken);",
    "  struct mh_split taken;\n  taken.count = 0;",
    "programs",
    "mmap.c with",
  ],
];
