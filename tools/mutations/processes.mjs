// Mutations of children, by fork, clone and exec: see tools/mutations.mjs.

/** @type {import("../mutations.mjs").Mutation[]} */
export const PROCESSES = [
  [
    "raw clone is noticed by the wiped page",
    "alive.c",
    "if (mh_madvise(page, 4096, MADV_WIPEONFORK) < 0)",
    "if (0)",
    "processes",
    "children by clone",
  ],
  [
    "children inherit (forks.c)",
    "clone.c",
    "bool mh_clone_store(void) {",
    "bool mh_clone_store(void) {\n  return false;",
    "processes",
    "MEMHOOK_CHILDREN=follow",
  ],
  [
    "children inherit (prefork.c)",
    "clone.c",
    "bool mh_clone_store(void) {",
    "bool mh_clone_store(void) {\n  return false;",
    "processes",
    "prefork.c",
  ],
  [
    "what the parent freed since the fork is in a log",
    "clone.c",
    "  mh_fork_log_replay(put_back);",
    "",
    "processes",
    "daemon.c",
  ],
  [
    "newer records are not the child's",
    "clone.c",
    "if (record->time > (thread->tid ? thread->newest : newest_of_all)) return false;",
    "",
    "processes",
    "children by fork",
  ],
  [
    "no flush changes what a child counts",
    "counters.c",
    "  thread->flushed_live_count = thread->live_count;",
    "  __atomic_fetch_add(&shared_live_count, thread->live_count, __ATOMIC_RELAXED);\n" +
      "  for (int i = 0; i < 200; i++) mh_syscall(SYS_sched_yield, 0, 0, 0, 0, 0, 0);\n" +
      "  thread->flushed_live_count = thread->live_count = 0;",
    "processes",
    "children by fork",
  ],
  [
    "_exit notes the end",
    "hooks_exit.c",
    "  if (own_process()) note(status);\n  end(mh_real._exit",
    "  end(mh_real._exit",
    "processes",
    "the end by _exit",
  ],
  [
    "exit notes its status",
    "start.c",
    "if (on_exit_function) on_exit_function(note_exit, NULL);",
    "",
    "processes",
    "the end by exit:",
  ],
];
