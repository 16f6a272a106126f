// memview without a subcommand: what is live in a store, filtered, sorted, grouped.
//
// Parses, asks the runtime, hands the answer to a report. The age filters become bounds on the time of
// allocation, relative to the process's start, as the store counts:
//
//   --min-time-from-start 1min     time ≥ 1min          --max-time-from-start     time ≤ …
//   --min-time-from-now 10s        time ≤ now − 10s     --max-time-from-now       time ≥ now − …
//   --min-time "2026-11-22 …"      time ≥ that          --max-time                time ≤ that
//
// All that are given hold together.

import { readFileSync } from "node:fs";
import process from "node:process";
import { isatty } from "node:tty";
import { GROUPINGS } from "../../runtime/groups.js";
import { report } from "../../runtime/report.js";
import { openStore, type Store } from "../../runtime/store.js";
import { parseSuppressions } from "../../runtime/suppressions.js";
import type { MemoryKind, Query } from "../../runtime/types.js";
import { defineCommand, UsageError } from "../arguments.js";
import { messages } from "../messages.js";
import { print } from "../output.js";
import { jsonReport } from "../reports/json.js";
import { styleFor } from "../reports/style.js";
import { SWITCHED_OFF, storageText, textReport } from "../reports/text.js";
import { formatOption, helpOption, storeOptions, storePath } from "../shared-options.js";
import { symbolizerOf } from "../symbolizer.js";
import { terminal } from "../terminal.js";
import { duration, integer, localTime, pattern, size, word } from "../values.js";

const KINDS = ["heap", "mmap", "all"] as const;
const ORDERS = ["time", "size", "address", "count", "allocations", "temporary", "peak"] as const;
const SORTS = ["sort-by-time", "sort-by-size", "sort-by-address", "sort"] as const;

const options = {
  ...storeOptions,
  "show-callstack": {
    type: "boolean",
    alias: "c",
    bare: true,
    section: "What to show",
    description: "The call stack under each line, innermost frame first. Text only: JSON always has it.",
  },
  aggregate: {
    type: "boolean",
    alias: "a",
    bare: true,
    description: "One line for each call stack with its total, instead of one for each allocation.",
  },
  by: {
    type: "string",
    valueHint: "WHAT",
    description:
      "One line for each stack (the same as -a), function, module, file, line or thread. All but thread are of the innermost frame, which asked for the memory.",
  },
  top: { type: "string", valueHint: "N", description: "Only the N largest in the chosen order." },
  ...formatOption,
  "get-storage-info": { type: "boolean", description: "How large the store may grow, and what is free of that." },
  "sort-by-time": {
    type: "boolean",
    alias: "t",
    replaces: SORTS,
    section: "Order: always ascending, so that a terminal shows the worst at the prompt",
    description: "Allocations by time. This is the default; call stacks (-a) come by number of allocations.",
  },
  "sort-by-size": {
    type: "boolean",
    alias: "s",
    replaces: SORTS,
    description: "By size; call stacks by their total size.",
  },
  "sort-by-address": {
    type: "boolean",
    alias: "p",
    replaces: SORTS,
    description: "Allocations by address.",
  },
  sort: {
    type: "string",
    valueHint: "ORDER",
    replaces: SORTS,
    description:
      "The same as a word: allocations by time, size or address; call stacks by count, size, or what the stack did all the time, freed allocations included: allocations (how many it made), temporary (of them, freed before the thread allocated again), peak (bytes it held when the program held most). Then each line shows that number too.",
  },
  "min-time-from-now": {
    type: "string",
    valueHint: "AGE",
    section: "Which allocations: all conditions hold together",
    description: "At least this old: 10s, 30min, 5h. What is still live after longer than it should be, leaks.",
  },
  "max-time-from-now": { type: "string", valueHint: "AGE", description: "At most this old." },
  "min-time-from-start": {
    type: "string",
    valueHint: "AGE",
    description: "Allocated at least this long after the program's start: hides what start-up allocates.",
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
    section: "Which not: counted in a last line",
    description:
      "Without the call stacks that this file lists, in LeakSanitizer's format: lines like leak:PATTERN, which fits any part of a frame's function, file or module; * is any text, ^ and $ its ends.",
  },
  "no-default-suppressions": {
    type: "boolean",
    bare: true,
    description:
      "With what the C and C++ runtimes are known to allocate once: locales, time zones, buffers of streams, the loader's tables, the emergency pool for exceptions.",
  },
  source: {
    type: "boolean",
    bare: true,
    section: "How it looks",
    description: "Three lines of source under each frame whose file is there; with call stacks unless -c0.",
  },
  bytes: {
    type: "boolean",
    bare: true,
    description: "Sizes in bytes on a terminal too. What goes to a file or a pipe always has them so.",
  },
  wide: {
    type: "boolean",
    bare: true,
    description:
      "Function names with all their template arguments, whole paths and whole lines on a terminal too. What goes to a file or a pipe always has them so.",
  },
  "no-demangle": {
    type: "boolean",
    bare: true,
    description: "Names of C++ and Rust functions as the compiler made them.",
  },
  "no-lock": {
    type: "boolean",
    bare: true,
    section: "Other",
    description:
      "Read each piece of a running program's store once, even if it changes meanwhile: faster on a busy program, may miss an allocation.",
  },
  ...helpOption,
} as const;

export const view = defineCommand({
  meta: {
    name: "memview",
    description: "shows what a program has allocated and not freed",
  },
  usage: ["[options] [-m [NAME] | [-f] PATH]"],
  args: options,
  closing: `
Flags with [=0|1] may stand alone (-a) or have a value glued on (-a0,
--aggregate=false), flags can be written together (-ac), and of an option given
twice the last one counts.

Examples:
  memview -ac app.mem
      the call stacks that hold memory, the most frequent last
  memview -acs --top 10 app.mem
      the ten that hold most, the worst last
  memview -ac --min-time-from-now 10min
      what has been live for ten minutes, from shared memory ShmMemHook
  memview -ac --min-time-from-start 1min app.mem
      without what start-up allocated
  memview -ac --sort temporary --top 5 app.mem
      where allocating could be saved
  memview --by file -s app.mem
      which source files ask for the memory
  memview -s -z 1MiB app.mem
      single allocations of a MiB and more
  memview -a --format json app.mem | jq .totals

Exit code: 0, or 2 when the arguments or the store are wrong.
`,

  async run({ args }) {
    const path = storePath(args);
    const format = word("format", args.format ?? "text", ["text", "json"]);
    const kind = word("kind", args.kind ?? "all", KINDS);
    const given = <T>(name: keyof typeof options, parse: (option: string, text: string) => T): T | undefined => {
      const text = args[name];
      return text === undefined ? undefined : parse(name, String(text));
    };
    const ages = {
      minFromNow: given("min-time-from-now", duration),
      maxFromNow: given("max-time-from-now", duration),
      minFromStart: given("min-time-from-start", duration),
      maxFromStart: given("max-time-from-start", duration),
      minWall: given("min-time", localTime),
      maxWall: given("max-time", localTime),
    };
    const filters = {
      top: given("top", (name, text) => integer(name, text, 1, 2 ** 32 - 1)),
      minSize: given("min-size", size),
      maxSize: given("max-size", size),
      thread: given("thread", (name, text) => integer(name, text, 0, 2 ** 31 - 1)),
      kind: kind === "all" ? undefined : (kind satisfies MemoryKind),
      noLock: args["no-lock"] ?? false,
    };
    const by = given("by", (name, text) => word(name, text, ["stack", ...GROUPINGS]));
    const stacks = {
      module: given("module", pattern),
      function: given("function", pattern),
      suppressions: given("suppressions", (_, file) => readSuppressions(file)),
      knownSuppressed: !(args["no-default-suppressions"] ?? false),
      mangled: args["no-demangle"] ?? false,
      by: by === "stack" ? undefined : by,
    };
    const aggregate = (args.aggregate ?? false) || by !== undefined;
    const sort = order(args, aggregate);
    if (stacks.by && sort !== "count" && sort !== "size") {
      throw new UsageError(`--sort: '${sort}' is an order of call stacks; by ${by}, write count or size`);
    }
    const source = args.source ?? false;
    const showStacks = args["show-callstack"] ?? source;
    const style = styleFor(
      isatty(1),
      process.env,
      { bytes: args.bytes ?? false, wide: args.wide ?? false },
      terminal(),
    );

    const store = await openStore(path);
    try {
      const about = store.info();
      if (args["get-storage-info"]) {
        print(storageText(about));
        return 0;
      }
      if (about.switchedOff) messages("memview").warn(SWITCHED_OFF);
      const symbolizer = symbolizerOf(store);
      const bounds = { ...filters, ...timeBounds(store, ages) };
      // Filters choose among live allocations; without any, the totals of stacks with nothing live count too.
      const { top: _, noLock: __, ...conditions } = bounds;
      const freedStacks = Object.values(conditions).every((condition) => condition === undefined);
      const query: Query = { aggregate, sort, freedStacks, ...bounds };
      const answer = await report(store, query, symbolizer, { stacks: showStacks || format === "json", ...stacks });
      print(format === "json" ? jsonReport(answer) : textReport(answer, { stacks: showStacks, source, style }));
      for (const note of symbolizer.notes) messages("memview").warn(note);
      return 0;
    } finally {
      store.close();
    }
  },
});

function readSuppressions(path: string): RegExp[] {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    throw new UsageError(`--suppressions: ${path} cannot be read (${(error as Error).message})`);
  }
  return parseSuppressions(text, path);
}

function order(
  args: {
    sort?: string | undefined;
    "sort-by-size"?: boolean | undefined;
    "sort-by-address"?: boolean | undefined;
  },
  aggregate: boolean,
): Query["sort"] {
  if (args.sort !== undefined) {
    const sort = word("sort", args.sort, ORDERS);
    const ofAllocations = ["time", "size", "address"];
    if (aggregate && sort !== "size" && ofAllocations.includes(sort)) {
      throw new UsageError(`--sort: '${sort}' is an order of single allocations; leave out -a, or write another one`);
    }
    if (!aggregate && !ofAllocations.includes(sort)) {
      throw new UsageError(`--sort: '${sort}' is an order of call stacks; write -a too`);
    }
    return sort;
  }
  if (args["sort-by-size"]) return "size";
  if (aggregate) return "count";
  return args["sort-by-address"] ? "address" : "time";
}

interface Ages {
  minFromNow: bigint | undefined;
  maxFromNow: bigint | undefined;
  minFromStart: bigint | undefined;
  maxFromStart: bigint | undefined;
  minWall: bigint | undefined;
  maxWall: bigint | undefined;
}

/** The narrowest bounds that satisfy all the age options, relative to the store's start. */
function timeBounds(store: Store, ages: Ages): Pick<Query, "minTime" | "maxTime"> {
  const start = store.wallTime(0n);
  const now = BigInt(Date.now()) * 1_000_000n - start;
  const ascending = (bounds: (bigint | undefined)[]) =>
    bounds.filter((bound) => bound !== undefined).sort((a, b) => (a < b ? -1 : 1));
  const lower = ascending([
    ages.minFromStart,
    ages.maxFromNow === undefined ? undefined : now - ages.maxFromNow,
    ages.minWall === undefined ? undefined : ages.minWall - start,
  ]);
  const upper = ascending([
    ages.maxFromStart,
    ages.minFromNow === undefined ? undefined : now - ages.minFromNow,
    ages.maxWall === undefined ? undefined : ages.maxWall - start,
  ]);
  return { minTime: lower.at(-1), maxTime: upper[0] };
}
