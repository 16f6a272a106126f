// memview without a subcommand: what is live in a store, filtered, sorted, grouped. It parses, queries the runtime, and
// passes the answer to a report.

import type { Query } from "../../runtime/host/types.js";
import { GROUPINGS } from "../../runtime/reports/groups.js";
import { report } from "../../runtime/reports/report.js";
import { openStore } from "../../runtime/stores/store.js";
import { symbolizerOf } from "../../runtime/symbols/names.js";
import { defineCommand, UsageError } from "../arguments.js";
import { VIEWING, variableEntries } from "../environment.js";
import { filterOptions, filtersOf } from "../filters.js";
import { messages } from "../messages.js";
import { print } from "../output.js";
import { tellRelatives } from "../relatives.js";
import { jsonReport } from "../reports/json.js";
import { SWITCHED_OFF, storageText, textReport } from "../reports/text.js";
import {
  atOption,
  EXITS,
  formatOption,
  helpOption,
  lookOptions,
  momentOf,
  skipOf,
  skipOption,
  storeOptions,
  storePath,
} from "../shared-options.js";
import { terminalStyle } from "../terminal.js";
import { integer, word } from "../values.js";
import { briefVerdict } from "../verdicts.js";

const ORDERS = ["time", "size", "address", "count", "allocations", "temporary", "peak"] as const;
const SORTS = ["sort-by-time", "sort-by-size", "sort-by-address", "sort"] as const;

const options = {
  ...storeOptions,
  "show-callstack": {
    type: "boolean",
    alias: "c",
    bare: true,
    section: "What to show",
    description: "Show the call stack under each line, innermost frame first. JSON always has it.",
  },
  aggregate: {
    type: "boolean",
    alias: "a",
    bare: true,
    description: "Show one line for each call stack with its total, instead of one for each allocation.",
  },
  by: {
    type: "string",
    valueHint: "WHAT",
    description:
      "Show one line for each stack (the same as -a), function, module, file, line, place or thread. place is the " +
      "innermost function of your own code, past libraries and allocators. function, module, file and line " +
      "are those of the innermost frame, which requested the memory.",
  },
  top: {
    type: "string",
    valueHint: "N",
    description: "Show only the last N in the chosen order, which are the largest.",
  },
  ...formatOption,
  "get-storage-info": {
    type: "boolean",
    description: "Show how large the store may grow, and how much of that is free.",
  },
  "sort-by-time": {
    type: "boolean",
    alias: "t",
    replaces: SORTS,
    section: "Order (ascending, so that the largest is next to the prompt)",
    description:
      "Order allocations by time. This is the default; for call stacks (-a) it is the number of allocations.",
  },
  "sort-by-size": {
    type: "boolean",
    alias: "s",
    replaces: SORTS,
    description: "Order by size; call stacks by their total size.",
  },
  "sort-by-address": {
    type: "boolean",
    alias: "p",
    replaces: SORTS,
    description: "Order allocations by address.",
  },
  sort: {
    type: "string",
    valueHint: "ORDER",
    replaces: SORTS,
    description:
      "The order as a word. Allocations: time, size or address. Call stacks: count, size, or a total since the " +
      "start that includes freed allocations: allocations (how many the stack made), temporary (how many of these " +
      "were freed before the thread allocated again), peak (bytes that the stack held when the program held most). " +
      "With such a total, each line shows that number too.",
  },
  at: { ...atOption.at, section: "When" },
  ...filterOptions,
  ...skipOption,
  source: {
    type: "boolean",
    bare: true,
    section: "Appearance",
    description: "Show three lines of source under each frame whose file exists. Implies -c, unless -c0 is given.",
  },
  ...lookOptions,
  "no-demangle": {
    type: "boolean",
    bare: true,
    description: "Show mangled names of C++ and Rust functions.",
  },
  "no-lock": {
    type: "boolean",
    bare: true,
    section: "Other",
    description:
      "Read each piece of a running program's store only once, even if it changes meanwhile. This is faster on a " +
      "busy program, but may miss an allocation.",
  },
  ...helpOption,
} as const;

export const view = defineCommand({
  meta: {
    name: "memview",
    description: "shows what a program has allocated and not freed",
  },
  usage: ["[options] [-m [NAME] | [-f] PATH]"],
  about: [
    "PATH is a store: the file that MEMHOOK_FILE named. The program may be running, finished or killed. It is not " +
      "stopped.",
    "A flag with [=0|1] may stand alone (-a) or with a value (-a0, --aggregate=false). Flags can be combined (-ac). " +
      "If an option is given twice, the last one counts.",
  ],
  args: options,
  examples: [
    ["memview -ac app.mem", "the call stacks that hold memory, the most allocations last"],
    ["memview -acs --top 10 app.mem", "the ten that hold most, the largest last"],
    ["memview -ac --min-time-from-now 10min", "what has been live for ten minutes, from shared memory ShmMemHook"],
    ["memview -ac --min-time-from-start 1min app.mem", "without what start-up allocated"],
    ["memview -ac --sort temporary --top 5 app.mem", "where allocations could be avoided"],
    ["memview --by file -s app.mem", "which source files request the memory"],
    ["memview -s -z 1MiB app.mem", "single allocations of a MiB and more"],
    ["memview -a --format json app.mem | jq .totals", "for a script"],
  ],
  notes: { Environment: [variableEntries(VIEWING)] },
  exits: EXITS,

  async run({ args }) {
    const path = storePath(args);
    const format = word("format", args.format ?? "text", ["text", "json"]);
    const given = <T>(name: keyof typeof options, parse: (option: string, text: string) => T): T | undefined => {
      const text = args[name];
      return text === undefined ? undefined : parse(name, String(text));
    };
    const filters = filtersOf(args);
    const top = given("top", (name, text) => integer(name, text, 1, 2 ** 32 - 1));
    const by = given("by", (name, text) => word(name, text, ["stack", ...GROUPINGS]));
    const stacks = {
      ...filters.stacks,
      mangled: args["no-demangle"] ?? false,
      by: by === "stack" ? undefined : by,
      // The variable is asked for where it matters: Deno refuses it without a flag.
      skip: by === "place" || args["skip-frames"] !== undefined ? skipOf(args) : undefined,
    };
    const aggregate = (args.aggregate ?? false) || by !== undefined;
    const sort = order(args, aggregate);
    if (stacks.by && sort !== "count" && sort !== "size") {
      throw new UsageError(`--sort: '${sort}' is an order of call stacks; by ${by}, write count or size`);
    }
    const source = args.source ?? false;
    const showStacks = args["show-callstack"] ?? source;
    const style = terminalStyle(1, args);

    const store = await openStore(path, momentOf(args, "end"));
    try {
      const about = store.info();
      if (args["get-storage-info"]) {
        print(storageText(about));
        return 0;
      }
      if (about.switchedOff) messages("memview").warn(SWITCHED_OFF);
      const symbolizer = symbolizerOf(store);
      // Filters choose among live allocations; without any, the totals of stacks with nothing live count too.
      const conditions = filters.query(store);
      const freedStacks = Object.values(conditions).every((condition) => condition === undefined);
      const noLock = args["no-lock"] ?? false;
      const query: Query = { aggregate, sort, freedStacks, top, noLock, ...conditions };
      const answer = await report(store, query, symbolizer, { stacks: showStacks || format === "json", ...stacks });
      print(
        format === "json"
          ? jsonReport(answer)
          : textReport(answer, { stacks: showStacks, source, style, now: store.now() }),
      );
      // At the prompt, and about the whole store: with filters it would answer what was not asked.
      const { module, function: name, suppressions, knownSuppressed } = filters.stacks;
      if (format === "text" && style.head && freedStacks && !module && !name) {
        const options = { suppressions, knownSuppressed, skip: skipOf(args) };
        print(["\n", ...(await briefVerdict(store, symbolizer, style, options))]);
      }
      for (const note of symbolizer.notes) messages("memview").warn(note);
      await tellRelatives(store);
      return 0;
    } finally {
      store.close();
    }
  },
});

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
