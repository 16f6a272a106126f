// Filters: the options that choose among live allocations, for every command that has them.
//
// The age filters become bounds on the time of allocation (runtime/stores/ages.ts). All given filters apply together.

import { readFileSync } from "node:fs";
import type { MemoryKind, Query } from "../runtime/host/types.js";
import type { ReportOptions } from "../runtime/reports/report.js";
import { parseSuppressions } from "../runtime/reports/suppressions.js";
import { timeBounds } from "../runtime/stores/ages.js";
import type { Store } from "../runtime/stores/store.js";
import { UsageError, type Values } from "./arguments.js";
import { messages } from "./messages.js";
import { duration, integer, localTime, pattern, size, word } from "./values.js";

/** The warning if ages are requested and the store's time of now is not known. */
const NOT_FROM_NOW =
  "of another machine, or from before this one was started: ages count to when it was last written, not to now";

const KINDS = ["heap", "mmap", "all"] as const;

export const filterOptions = {
  "min-time-from-now": {
    type: "string",
    valueHint: "AGE",
    section: "Which allocations (all conditions apply)",
    description: "At least this old: 10s, 30min, 5h. What is live for longer than it should be is a leak.",
  },
  "max-time-from-now": { type: "string", valueHint: "AGE", description: "At most this old." },
  "min-time-from-start": {
    type: "string",
    valueHint: "AGE",
    description: "Allocated at least this long after the program's start. This hides what start-up allocates.",
  },
  "max-time-from-start": {
    type: "string",
    valueHint: "AGE",
    description: "Allocated at most this long after the program's start.",
  },
  "min-time": {
    type: "string",
    alias: "n",
    valueHint: "'YYYY-MM-DD HH:MM:SS'",
    description: "Allocated at this local time or later.",
  },
  "max-time": {
    type: "string",
    alias: "x",
    valueHint: "'YYYY-MM-DD HH:MM:SS'",
    description: "Allocated at this local time or earlier.",
  },
  "min-size": {
    type: "string",
    alias: "z",
    valueHint: "BYTES",
    description: "At least this large: 4096, 64KiB, 10MB.",
  },
  "max-size": { type: "string", valueHint: "BYTES", description: "At most this large." },
  module: {
    type: "string",
    valueHint: "REGEX",
    description: "Call stacks with a frame in a module (program or library) whose path matches.",
  },
  function: {
    type: "string",
    valueHint: "REGEX",
    description: "Call stacks with a frame in a function whose name matches.",
  },
  thread: { type: "string", valueHint: "TID", description: "Allocated by this thread (kernel thread id)." },
  kind: {
    type: "string",
    valueHint: KINDS.join("|"),
    description: "heap: malloc, operator new and their family. mmap: anonymous mappings. all: the default.",
  },
  suppressions: {
    type: "string",
    valueHint: "FILE",
    section: "What to leave out (the last line counts it)",
    description:
      "Leave out the call stacks that this file lists, in LeakSanitizer's format. In a line leak:PATTERN, PATTERN " +
      "matches any part of a frame's function, file or module; * is any text, ^ and $ are its ends.",
  },
  "no-default-suppressions": {
    type: "boolean",
    bare: true,
    description:
      "Show also what the C and C++ runtimes are known to allocate once: locales, time zones, stream buffers, the " +
      "loader's tables, memory of threads (also of threads that nobody joined), the emergency pool for exceptions.",
  },
} as const;

export interface Filters {
  /** The part of the query that the store answers. */
  query(store: Store): Omit<Query, "aggregate" | "sort" | "top" | "freedStacks">;
  /** The part that needs the stacks. */
  stacks: Pick<ReportOptions, "module" | "function" | "suppressions" | "knownSuppressed">;
}

/**
 * What the options say.
 * @throws UsageError for a value that cannot be read.
 */
export function filtersOf(args: Values<typeof filterOptions>): Filters {
  const given = <T>(name: keyof typeof filterOptions, parse: (option: string, text: string) => T): T | undefined => {
    const text = args[name];
    return text === undefined ? undefined : parse(name, String(text));
  };
  const kind = word("kind", args.kind ?? "all", KINDS);
  const ages = {
    minTimeFromNow: given("min-time-from-now", duration),
    maxTimeFromNow: given("max-time-from-now", duration),
    minTimeFromStart: given("min-time-from-start", duration),
    maxTimeFromStart: given("max-time-from-start", duration),
    minTime: given("min-time", localTime),
    maxTime: given("max-time", (option, text) => localTime(option, text, "later")),
  };
  const bounds = {
    minSize: given("min-size", size),
    maxSize: given("max-size", size),
    thread: given("thread", (name, text) => integer(name, text, 0, 2 ** 31 - 1)),
    kind: kind === "all" ? undefined : (kind satisfies MemoryKind),
  };
  return {
    query: (store) => {
      const fromNow = ages.minTimeFromNow ?? ages.maxTimeFromNow;
      if (fromNow !== undefined && !store.now().known) messages("memview").warn(`${store.path}: ${NOT_FROM_NOW}`);
      return { ...bounds, ...timeBounds(store, ages) };
    },
    stacks: {
      module: given("module", pattern),
      function: given("function", pattern),
      suppressions: given("suppressions", readSuppressions),
      knownSuppressed: !(args["no-default-suppressions"] ?? false),
    },
  };
}

/** The patterns of a suppressions file, named by an option. */
export function readSuppressions(option: string, path: string): RegExp[] {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    throw new UsageError(`--${option}: ${path} cannot be read (${(error as Error).message})`);
  }
  return parseSuppressions(text, path);
}
