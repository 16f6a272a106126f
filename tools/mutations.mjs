// Takes one protection of the library out at a time and runs the test that
// stands for it, which must fail: a test that cannot fail proves nothing.
//
//   node tools/mutations.mjs            all
//   node tools/mutations.mjs fork jump  those with one of the words in their line
//
// Each mutation replaces one place in preload/ (in a copy under build/mutations), builds the library from it and runs
// one test with it. Prints a line for each; exit code 1 when one was not noticed, or its place is gone. For the night,
// not for CI: a minute for every few.

import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { arch } from "node:os";
import { basename, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";

/** Suites that are not hazards-NAME. */
const SUITES = { programs: "programs", family: "store-family", path: "store-path", users: "two-users" };

/**
 * What is taken out; the file; the place; what is there instead; the suite and
 * the test, of which the name's beginning is enough.
 */
const MUTATIONS = [
  [
    "raw clone is noticed by the wiped page",
    "start.c",
    "if (mh_madvise(page, 4096, MADV_WIPEONFORK) < 0)",
    "if (0)",
    "processes",
    "children by clone",
  ],
  [
    "children inherit (forks.c)",
    "inherit.c",
    "bool mh_inherit(void) {",
    "bool mh_inherit(void) {\n  return false;",
    "processes",
    "MEMHOOK_CHILDREN=follow",
  ],
  [
    "children inherit (prefork.c)",
    "inherit.c",
    "bool mh_inherit(void) {",
    "bool mh_inherit(void) {\n  return false;",
    "processes",
    "prefork.c",
  ],
  [
    "a change of the mappings that was jumped out of is mended",
    "regions.c",
    "  return taken != MH_LOCK_REFUSED;",
    "  return taken == MH_LOCK_TAKEN;",
    "threads",
    "signal_storm.c jump",
  ],
  [
    "a change of the overflow table that was jumped out of is mended",
    "overflow.c",
    "  return taken != MH_LOCK_REFUSED;",
    "  return taken == MH_LOCK_TAKEN;",
    "threads",
    "signal_storm.c jump",
  ],
  [
    "the lock of a thread that has ended is taken over",
    "lock.c",
    "  return holder && mh_tgkill(mh_getpid(), (int)holder, 0) == -ESRCH;",
    "  return false;",
    "threads",
    "signal_storm.c leave",
  ],
  [
    "what the parent freed since the fork is in a log",
    "inherit.c",
    "    mh_fork_log_replay(put_back);",
    "",
    "processes",
    "daemon.c",
  ],
  [
    "newer records are not the child's",
    "inherit.c",
    "if (record->time > (thread->tid ? thread->newest : newest_of_all)) return false;",
    "",
    "processes",
    "children by fork",
  ],
  [
    "no fold changes what a child counts",
    "counters.c",
    "  thread->folded_live_count = thread->live_count;",
    "  __atomic_fetch_add(&shared_live_count, thread->live_count, __ATOMIC_RELAXED);\n" +
      "  for (int i = 0; i < 200; i++) mh_syscall(SYS_sched_yield, 0, 0, 0, 0, 0, 0);\n" +
      "  thread->folded_live_count = thread->live_count = 0;",
    "processes",
    "children by fork",
  ],
  ["a living owner keeps its path", "claim.c", "owner_lives(fd, &header) || ", "", "path", "a living owner"],
  ["a child of fork replaces nothing", "claim.c", "!mh_process.forked && ", "", "family", "k:"],
  ["a process goes on with the store that it has", "claim.c", " && !has_own_behind(number);", ";", "family", "kae:"],
  [
    "an ancestor lived when this process was made",
    "family.c",
    "if (end_is_known(dead) && was_there(dead, mh_process.pid, mh_process.start)) return true;",
    "",
    "family",
    "fe:",
  ],
  [
    "an ancestor lived when a watched one above was made",
    "family.c",
    "if (was_there(dead, pid, stat.start) && is_watched(pid)) return true;",
    "",
    "family",
    "fan:",
  ],
  [
    "the order within a tick is that of process ids",
    "family.c",
    "return pid <= newest && newest - pid < PIDS_IN_A_TICK;",
    "return true;",
    "family",
    "the next run replaces",
  ],
  [
    "a session of an ancestor's time",
    "family.c",
    "if (!end_is_known(dead) || !newest) return false;",
    "return false;",
    "family",
    "ftfe:",
  ],
  [
    "a main thread that ended is no dead process",
    "process.c",
    " && stat->threads <= 1",
    "",
    "path",
    "a process whose main thread",
  ],
  [
    "another user's file is not used",
    "claim.c",
    "if (!made && opened.st_uid != mh_geteuid()) return TAKEN;",
    "",
    "users",
    "somebody else has put an empty file",
  ],
  [
    "a file that others can open is not used",
    "claim.c",
    "made || is_private(&opened)",
    "true",
    "users",
    "an empty file of one's own",
  ],
  [
    "a log of another user is not written",
    "log.c",
    "if (fd < 0 || is_safe(fd)) return fd;",
    "return fd;",
    "users",
    "somebody else has put an empty file that everybody may write to where the log",
  ],
  [
    "exec hands on an absolute path",
    "hooks_exec.c",
    "int place_ = relative_entry(environment, &count_);",
    "int place_ = -1; count_ = 0;",
    "family",
    "ce:",
  ],
  [
    "_exit notes the end",
    "hooks_exit.c",
    "  if (own_process()) note(status);\n  /* Another",
    "  /* Another",
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
  [
    "an image before exec is no living owner",
    "claim.c",
    "if (is_of_another_boot(header) || is_own(header)) return false;",
    "if (is_of_another_boot(header)) return false;",
    "programs",
    "images.c",
  ],
  [
    "a state is its thread's while that lives",
    "thread.c",
    "mh_tgkill((int)mh_process.pid, (int)state->tid, 0) == -ESRCH",
    "true",
    "threads",
    "crowd.c",
  ],
  [
    "no cancellation point in a hook",
    "sys.h",
    "return mh_syscall(SYS_pwrite64, fd, (long)buffer, (long)bytes, (long)offset, 0, 0);",
    'extern long libc_pwrite(int, const void *, size_t, long) __asm__("pwrite");\n' +
      "  return libc_pwrite(fd, buffer, bytes, (long)offset);",
    "threads",
    "cancel.c",
  ],
  [
    "a handler in a hook finds it busy",
    "guard.h",
    "if (MH_UNLIKELY(tls->guard) && !mh_guard_is_stale(frame)) return false;",
    "",
    "threads",
    "signal_storm.c return",
  ],
  [
    "a handler on an alternate stack above is no caller",
    "start.c",
    " || alternate.ss_flags & SS_ONSTACK",
    "",
    "threads",
    "signal_storm.c above",
  ],
  [
    "nor on one that disarms itself",
    "start.c",
    "  if (mh_tls.disarms && alternate.ss_flags & SS_DISABLE) return false;\n",
    "",
    "threads",
    "signal_storm.c disarm",
  ],
  [
    "what a handler allocates in a hook is counted",
    "guard.h",
    "  if (dropped) mh_store_drop(size);",
    "  (void)dropped, (void)size;",
    "threads",
    "signal_storm.c malloc",
  ],
  [
    "a hook that was jumped out of is known",
    "start.c",
    "if (frame < (mh_tls.guard & ~(uintptr_t)MH_GUARD_BITS)) return false;",
    "if (frame) return false;",
    "threads",
    "signal_storm.c jump",
  ],
  [
    "hooks have unwind tables",
    "records.c",
    "void *mh_record_and_leave(void *block,",
    "__attribute__((nouwtable)) void *mh_record_and_leave(void *block,",
    "threads",
    "profiler.c",
  ],
  [
    "realloc takes the record away first",
    "hooks_malloc.c",
    "  if (old) taken = mh_hook_take(old);\n  void *block = mh_real.realloc(old, size);",
    "  void *block = mh_real.realloc(old, size);\n  mh_syscall(SYS_sched_yield, 0, 0, 0, 0, 0, 0);\n" +
      "  if (old) taken = mh_hook_take(old);",
    "threads",
    "a realloc race",
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
    "guard.h",
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
    "munmap takes the region away",
    "hooks_mmap.c",
    "  struct mh_cut taken;\n  cut(start, size, &taken);",
    "  struct mh_cut taken;\n  taken.count = 0;",
    "programs",
    "mmap.c with",
  ],
  [
    "delete removes the record",
    "hooks_new.c",
    "  MH_HOOK void symbol parameters {                                                              \\\n" +
      "    if (IS_DIRECT(symbol))                                                                      \\\n" +
      "      mh_own_free(block); ",
    "  MH_HOOK void symbol parameters {                                                              \\\n" +
      "    if (IS_DIRECT(symbol))                                                                      \\\n" +
      "      mh_real.free(block); ",
    "control",
    "exceptions.cc with",
  ],
  [
    "free removes the record",
    "hooks_malloc.c",
    "    mh_forget_and_leave(block, mh_pass.free, free_otherwise);",
    "    mh_finish(), mh_leave(), mh_pass.free(block);",
    "control",
    "own_new.cc with",
  ],
  [
    "nothing calls malloc while memhook starts",
    "start.c",
    "  mh_clock_find();\n  mh_process_identify(false);",
    "  mh_clock_find();\n  void *volatile block = malloc(1);\n  free(block);\n  mh_process_identify(false);",
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
    "capture.h",
    "+ 2 * sizeof(void *)",
    "+ 3 * sizeof(void *)",
    "control",
    "tailcalls.c with",
  ],
  [
    "dlopen ends what was known (generated.c)",
    "hooks_dl.c",
    "  __atomic_fetch_add(&mh_generation, 1, __ATOMIC_ACQ_REL);\n  mh_capture_modules_changed();",
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
      "mh_index.slots)) return false;\n" +
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
    "growth stays below RLIMIT_FSIZE",
    "store.c",
    "if (limit.rlim_cur != RLIM_INFINITY && offset + bytes > limit.rlim_cur)\n    return false;",
    "",
    "limits",
    "limited.c fsize",
  ],
  [
    "a descriptor is looked at before it is used",
    "store.c",
    "if (file.fd >= 0 && mh_fstat(file.fd, &now) == 0 && now.st_ino == file.inode && now.st_dev == file.device)",
    "(void)now;\n  if (file.fd >= 0)",
    "limits",
    "descriptors.c reuse",
  ],
  [
    "the store's descriptor is a high one",
    "claim.c",
    "    if (high >= 0) {",
    "    if (high >= 0 && high < 0) {",
    "limits",
    "descriptors.c low",
  ],
  [
    "a coroutine's stack is read beyond its first page",
    "stack_range.c",
    "if (address < span->low) return false;",
    "if (address < span->low || address) return false;",
    "control",
    "MEMHOOK_UNWIND=libunwind",
  ],
  [
    "the file system is asked before a page is touched",
    "store.c",
    "if (fd >= 0 && !ask_for_bytes(fd, offset, bytes)) return false;",
    "if (fd >= 0 && offset == UINT64_MAX && !ask_for_bytes(fd, offset, bytes)) return false;",
    "limits",
    "a full file system",
  ],
];

MUTATIONS.push(
  [
    "a sandbox that was there before is known",
    "seccomp.c",
    "    mh_syscall_forbidden = beyond_loader;\n    return true;",
    "    return false;",
    "limits",
    "filtered.c loader",
  ],
  [
    "the sender's thread does not end where that kills",
    "sender.c",
    "while (mh_syscall_forbidden && ",
    "while (mh_syscall_forbidden && !leave[0] && ",
    "limits",
    "sandboxed.c threads, with memdb",
  ],
  [
    "filters are asked before a call of ours",
    "seccomp.c",
    "mh_syscall_forbidden = forbidden;",
    "mh_syscall_forbidden = NULL;",
    "limits",
    "sandboxed.c",
  ],
);

const root = fileURLToPath(new URL("..", import.meta.url));
const folder = join(root, "build/mutations");
const machine = arch() === "arm64" ? "aarch64" : "x86_64";
const zig = process.env.ZIG ?? join(root, ".zig/zig");
const cache = join(root, ".zig/cache");
const env = { ...process.env, ZIG_GLOBAL_CACHE_DIR: cache, ZIG_LOCAL_CACHE_DIR: cache };
delete env.NODE_TEST_CONTEXT;

/** Builds the mutated library; the path, or why not. */
function build([, file, from, to]) {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  cpSync(join(root, "preload"), join(folder, "preload"), { recursive: true, preserveTimestamps: true });
  // Files have names of their own, whatever room they are in.
  const sources = readdirSync(join(folder, "preload"), { recursive: true, encoding: "utf8" });
  const path = join(folder, "preload", sources.find((name) => basename(name) === file) ?? file);
  const text = readFileSync(path, "utf8");
  if (text.split(from).length !== 2) return { why: `its place is not in ${file}, or more than once` };
  writeFileSync(
    path,
    text.replace(from, () => to),
  );
  const library = join(folder, "libmemhook.so");
  const built = spawnSync(
    zig,
    // As in build.sh, without link-time optimization, so that what is unchanged need not be compiled again.
    [
      ...[
        "cc",
        "-target",
        `${machine}-linux-gnu.2.17`,
        "-std=gnu11",
        "-O2",
        "-g0",
        "-fPIC",
        "-shared",
        "-fvisibility=hidden",
      ],
      ...["-ftls-model=initial-exec", "-fno-omit-frame-pointer", "-fno-builtin-malloc", "-w", "-Wl,-z,now"],
      ...[`-Wl,--version-script=${join(root, "build/libmemhook.map")}`, `-I${join(root, "build")}`, "-o", library],
      ...sources.filter((name) => name.endsWith(".c")).map((name) => `preload/${name}`),
      "-lunwind",
    ],
    { cwd: folder, env, encoding: "utf8" },
  );
  return built.status === 0 ? { library } : { why: `it does not compile: ${built.stderr.trim().split("\n")[0]}` };
}

/** Whether the test fails with this library. It must not pass for another reason: that there is no such test. */
function notices(library, suite, name) {
  const path = SUITES[suite] ?? `hazards-${suite}`;
  const pattern = name.replace(/[.*+?^${}()|[\]\\/]/g, "\\$&");
  const run = spawnSync(
    process.execPath,
    ["--test", "--test-reporter=tap", `--test-name-pattern=^${pattern}`, `dist/test/e2e/${path}.test.js`],
    { cwd: root, env: { ...env, MEMHOOK_TEST_LIBRARY: library }, encoding: "utf8", timeout: 240_000 },
  );
  if (run.error) return "it hung";
  const failed = [...run.stdout.matchAll(/^ *not ok \d+ - (.*)$/gm)].length;
  return failed > 0 ? `${failed} failed` : undefined;
}

let missed = 0;
const words = process.argv.slice(2);
for (const mutation of MUTATIONS.filter(
  (candidate) => !words.length || words.some((word) => candidate.join(" ").includes(word)),
)) {
  const [what, , , , suite, name] = mutation;
  const { library, why } = build(mutation);
  const noticed = library && notices(library, suite, name);
  if (!noticed) missed++;
  const answer = noticed ? "noticed" : "MISSED ";
  const columns = [answer, what.padEnd(52), `${suite}: ${name}`.padEnd(36), why ?? noticed ?? ""];
  console.log(columns.join("  "));
}
process.exitCode = missed ? 1 : 0;
