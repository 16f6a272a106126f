// Every environment variable that memhook reads: for --help, the manual and README. The library itself is C and reads
// its own in preload/base/settings.c; test/docs/definition.test.ts compares the names.

import type { Entry } from "./arguments.js";

export interface Variable {
  /** Several if they are one setting. */
  names: readonly string[];
  /** Form of the value. */
  value: string;
  meaning: string;
  /** The default. */
  fallback: string;
}

/** What the library in the program reads, once, at its start. */
export const SETTINGS: readonly Variable[] = [
  {
    names: ["MEMHOOK_FILE"],
    value: "PATH",
    meaning:
      "The store's file. %p in its name is the process id, %e the program's name. A relative path starts in the " +
      "folder where the first process started. If another living process or an ancestor uses the file, the store is " +
      "stem.PID.ext beside it, or stem.PID.2.ext and so on.",
    fallback: "unset",
  },
  {
    names: ["MEMHOOK_SHM_NAME"],
    value: "NAME",
    meaning: "The store in named shared memory, a file in /dev/shm, when MEMHOOK_FILE is not set.",
    fallback: "ShmMemHook",
  },
  {
    names: ["MEMHOOK_SIZE_GB", "MEMHOOK_SIZE_MB", "MEMHOOK_SIZE_KB", "MEMHOOK_SIZE"],
    value: "N",
    meaning:
      "The largest size of the store; the first variable that is set counts. A full store drops new allocations and " +
      "counts them, and every output says so.",
    fallback: "8 GiB; 1 GiB in 32-bit programs",
  },
  {
    names: ["MEMHOOK_SAMPLE"],
    value: "BYTES",
    meaning:
      "Record a sample: one allocation in so many bytes on average (512KiB). This is cheaper; reports are then " +
      "estimates.",
    fallback: "every allocation",
  },
  {
    names: ["MEMHOOK_DEPTH"],
    value: "N",
    meaning: "The most frames of a call stack, 1 to 4096. Deeper stacks keep the inner frames and are marked as cut.",
    fallback: "256",
  },
  {
    names: ["MEMHOOK_UNWIND"],
    value: "dwarf|fp|libunwind",
    meaning:
      "How call stacks are walked. dwarf: by call frame information, exact. fp: by frame pointers, for programs " +
      "built with them. libunwind: by libunwind, the slow reference.",
    fallback: "dwarf",
  },
  {
    names: ["MEMHOOK_CHILDREN"],
    value: "follow|fresh|off",
    meaning:
      "What children made by fork record. follow: they start with what was live at the fork. fresh: they start with " +
      "nothing. off: they record nothing.",
    fallback: "follow",
  },
  {
    names: ["MEMHOOK_LOG"],
    value: "FILE|stderr",
    meaning: "Where the library writes its messages.",
    fallback: "nowhere",
  },
  {
    names: ["MEMHOOK_NET_HOST"],
    value: "HOST",
    meaning:
      "Send to memdb on this host: a name, IPv4 and IPv6 addresses separated by commas, or unix:/path. Takes " +
      "precedence over MEMHOOK_FILE.",
    fallback: "unset",
  },
  { names: ["MEMHOOK_NET_PORT"], value: "PORT", meaning: "memdb's port.", fallback: "20015" },
  {
    names: ["MEMHOOK_NET_TOKEN_FILE"],
    value: "FILE",
    meaning: "The file with the token that memdb asks for (memdb --token-file). The token is proved, never sent.",
    fallback: "unset",
  },
  {
    names: ["MEMHOOK_CACHE_FLUSH_INTERVAL"],
    value: "TIME",
    meaning:
      "How long a record may wait before it is sent: 500ms, 10s, 30min, 5h. An allocation that is freed sooner is " +
      "never sent.",
    fallback: "2s",
  },
  {
    names: ["MEMHOOK_CACHE_FLUSH_MAX_ITEMS"],
    value: "N",
    meaning: "The most records in one flush.",
    fallback: "no limit",
  },
];

/** Where to find debug information, and how the terminal looks: for commands that show call stacks. */
export const VIEWING: readonly Variable[] = [
  {
    names: ["DEBUGINFOD_URLS"],
    value: "URL…",
    meaning:
      "Servers that are asked, by build id, for debug information that is not in /usr/lib/debug. file:///folder " +
      "stands for /folder/buildid/ID/debuginfo.",
    fallback: "no server is asked",
  },
  { names: ["DEBUGINFOD_TIMEOUT"], value: "SECONDS", meaning: "The longest time for one file.", fallback: "30" },
  {
    names: ["DEBUGINFOD_CACHE_PATH"],
    value: "FOLDER",
    meaning: "Where fetched files are kept, shared with gdb and others.",
    fallback: "debuginfod_client in XDG_CACHE_HOME or ~/.cache",
  },
  {
    names: ["MEMHOOK_SKIP_FRAMES"],
    value: "REGEX",
    meaning:
      "Functions, files or modules that match do not count as your own code, like libraries and known allocators. " +
      "The same as --skip-frames.",
    fallback: "unset",
  },
  { names: ["NO_COLOR"], value: "1", meaning: "No colours on a terminal.", fallback: "colours, unless TERM is dumb" },
];

/** For commands that compare with a baseline. */
export const CHECKING: readonly Variable[] = [
  {
    names: ["CI"],
    value: "true",
    meaning: "Baselines are only read: a missing one is an error, and so is --update.",
    fallback: "unset",
  },
  {
    names: ["GITHUB_STEP_SUMMARY"],
    value: "FILE",
    meaning: "Comparisons write a table to this file and annotations to standard error, for GitHub Actions to show.",
    fallback: "unset",
  },
];

/** For --help and the manual: the variable's form, meaning and default. */
export function variableEntries(variables: readonly Variable[]): Entry[] {
  return variables.map(({ names, value, meaning, fallback }) => [
    names.map((name) => `${name}=${value}`).join(", "),
    fallback === "unset" ? meaning : `${meaning} Default: ${fallback}.`,
  ]);
}
