// memview without a subcommand: what is live in a store, filtered, sorted, grouped. Parses, asks the runtime, hands the
// answer to a report.

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
import { jsonReport } from "../reports/json.js";
import { SWITCHED_OFF, storageText, textReport } from "../reports/text.js";
import {
  EXITS,
  formatOption,
  helpOption,
  lookOptions,
  skipOf,
  skipOption,
  storeOptions,
  storePath,
} from "../shared-options.js";
import { terminalStyle } from "../terminal.js";
import { integer, word } from "../values.js";

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
      "One line for each stack (the same as -a), function, module, file, line, place or thread. place is the " +
      "innermost function of your own code, past libraries and allocators; the others but thread are of the " +
      "innermost frame, which asked for the memory.",
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
      "The same as a word: allocations by time, size or address; call stacks by count, size, or what the stack " +
      "did all the time, freed allocations included: allocations (how many it made), temporary (of them, freed " +
      "before the thread allocated again), peak (bytes it held when the program held most). Then each line shows " +
      "that number too.",
  },
  ...filterOptions,
  source: {
    type: "boolean",
    bare: true,
    section: "How it looks",
    description: "Three lines of source under each frame whose file is there; with call stacks unless -c0.",
  },
  ...skipOption,
  ...lookOptions,
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
      "Read each piece of a running program's store once, even if it changes meanwhile: faster on a busy " +
      "program, may miss an allocation.",
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
    "PATH is a store: the file that MEMHOOK_FILE named. The program may be running, finished or killed; it is " +
      "not stopped.",
    "Flags with [=0|1] may stand alone (-a) or have a value glued on (-a0, --aggregate=false), flags can be " +
      "written together (-ac), and of an option given twice the last one counts.",
  ],
  args: options,
  examples: [
    ["memview -ac app.mem", "the call stacks that hold memory, the most frequent last"],
    ["memview -acs --top 10 app.mem", "the ten that hold most, the worst last"],
    ["memview -ac --min-time-from-now 10min", "what has been live for ten minutes, from shared memory ShmMemHook"],
    ["memview -ac --min-time-from-start 1min app.mem", "without what start-up allocated"],
    ["memview -ac --sort temporary --top 5 app.mem", "where allocating could be saved"],
    ["memview --by file -s app.mem", "which source files ask for the memory"],
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

    const store = await openStore(path);
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
      for (const note of symbolizer.notes) messages("memview").warn(note);
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
