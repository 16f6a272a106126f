// Mutations of operators, plugins, other preloads and mappings: see tools/mutations.mjs.

/** @type {import("../mutations.mjs").Mutation[]} */
export const CONTROL = [
  [
    "delete removes the record",
    "hooks_new.c",
    "  MH_HOOK void symbol parameters {                                                     \\\n" +
      "    if (IS_DIRECT(symbol))                                                             \\\n" +
      "      mh_own_free(block); ",
    "  MH_HOOK void symbol parameters {                                                     \\\n" +
      "    if (IS_DIRECT(symbol))                                                             \\\n" +
      "      mh_real.free(block); ",
    "control",
    "exceptions.cc with",
  ],
  [
    "free removes the record",
    "hooks_malloc.c",
    "    mh_forget_and_leave(block, mh_pass.free, free_slow);",
    "    mh_finish(), mh_leave(), mh_pass.free(block);",
    "control",
    "own_new.cc with",
  ],
  [
    "nothing calls malloc while memhook starts",
    "clock.c",
    "void mh_clock_find(void) {",
    "void mh_clock_find(void) {\n  void *volatile block = __builtin_malloc(1);\n  __builtin_free(block);",
    "control",
    "own_malloc.c with",
  ],
  [
    "code of no file is of no module",
    "modules.c",
    "if (!same) module = of_file ? identify(&mapping, changed) : NULL;",
    "if (of_file && !same) module = identify(&mapping, changed);",
    "control",
    "generated.c with",
  ],
  [
    "a stack is cut at the limit",
    "walk.c",
    "if (MH_UNLIKELY(count == limit)) {",
    "if (MH_UNLIKELY(count == limit + 200000)) {",
    "control",
    "coroutines.c with",
  ],
  [
    "a stack is cut at the limit, on split stacks",
    "walk.c",
    "if (MH_UNLIKELY(count == limit)) {",
    "if (MH_UNLIKELY(count == limit + 200000)) {",
    "control",
    "deep.c",
  ],
  [
    "a stack begins where the hook returns to",
    "entry.h",
    "+ 2 * sizeof(void *)",
    "+ 3 * sizeof(void *)",
    "control",
    "tailcalls.c with",
  ],
  [
    "dlopen ends what was known (generated.c)",
    "modules.c",
    "  __atomic_fetch_add(&mh_generation, 1, __ATOMIC_ACQ_REL);\n" +
      "  void (*advanced)(void) = __atomic_load_n(&mh_modules_advanced, __ATOMIC_ACQUIRE);\n" +
      "  if (advanced) advanced();",
    "",
    "control",
    "generated.c with a library",
  ],
  [
    "dlclose looks at what is loaded (dlmopen.c)",
    "hooks_dl.c",
    "    mh_modules_refresh();",
    "",
    "control",
    "dlmopen.c",
  ],
  [
    "dlclose looks at what is loaded (reloading.c)",
    "hooks_dl.c",
    "    mh_modules_refresh();",
    "",
    "control",
    "1,000 loads",
  ],
  [
    "the functions behind the hooks are the next ones",
    "real.c",
    "dlsym(RTLD_NEXT, #name)",
    "dlsym(RTLD_DEFAULT, #name)",
    "control",
    "another preload",
  ],
  [
    "other allocators' small blocks share a granule",
    "index.h",
    "  if (MH_UNLIKELY(address & mh_index.off_grid || size - mh_index.least >= mh_index.room || slot > " +
      "mh_index.slots))\n    return false;\n" +
      "  uint32_t *entry = mh_shadow_entry(address);\n" +
      "  if (MH_UNLIKELY(!entry || __atomic_load_n(entry, __ATOMIC_RELAXED))) return false;",
    "  if (address % 8 || size >= MH_INDEX_LARGE_BYTES || slot > mh_index.slots) return false;\n" +
      "  uint32_t *entry = mh_shadow_entry(address);\n" +
      "  if (MH_UNLIKELY(!entry || __atomic_load_n(entry, __ATOMIC_RELAXED))) return false;\n" +
      "  mh_syscall(SYS_sched_yield, 0, 0, 0, 0, 0, 0);",
    "control",
    "libjemalloc",
  ],
  [
    "a coroutine's stack is read beyond its first page",
    "stack_range.c",
    "if (address < range->low) return false;",
    "if (address < range->low || address) return false;",
    "control",
    "MEMHOOK_UNWIND=libunwind",
  ],
];
