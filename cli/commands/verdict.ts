// memview verdict: which of the user's own code requested the live memory, and which places grow.

import { defineCommand } from "../arguments.js";
import { VIEWING, variableEntries } from "../environment.js";
import { filterOptions, readSuppressions } from "../filters.js";
import {
  anyTimeOf,
  anyTimeOption,
  EXITS,
  formatOption,
  helpOption,
  placeOptions,
  skipOf,
  storeOptions,
  storePath,
} from "../shared-options.js";
import { verdictStyle } from "../terminal.js";
import { integer, word } from "../values.js";
import { printVerdict } from "../verdicts.js";

export const verdict = defineCommand({
  meta: { name: "verdict", description: "shows where your own code holds memory, and which places grow" },
  usage: ["[options] [-m [NAME] | [-f] PATH]"],
  about: [
    "One look at a store is enough, even after a crash. Each line is a place: the innermost function of your own " +
      "code that requested the memory. Libraries, and functions that only pass an allocation on, are skipped. A line " +
      "begins with a verdict, which depends on when, in the life of the process, the live blocks were allocated:",
    [
      ["grows steadily", "all the time, and little is freed: a leak"],
      ["grows by realloc", "one block that gets larger: a vector, an arena"],
      ["stopped growing", "for a long time, and then no more"],
      ["burst", "at once"],
      ["filled early", "in the first third, and then no more: a cache, tables"],
      ["recent only", "earlier allocations are freed: a working set"],
      ["few blocks", "too few to tell"],
    ],
    "The small bars show this: the births of the live allocations, from the process's start to now.",
  ],
  args: {
    ...storeOptions,
    all: { type: "boolean", section: "Options", description: "Show every place, not only those that matter most." },
    top: { type: "string", valueHint: "N", description: "Show the N places that matter most; the default is 10." },
    "show-callstack": {
      type: "boolean",
      alias: "c",
      bare: true,
      description: "Show under each place the call stack that holds most of it, with frames of libraries in one line.",
    },
    at: {
      ...anyTimeOption.at,
      description: `${anyTimeOption.at.description} exit is the default here.`,
    },
    ...formatOption,
    ...placeOptions,
    suppressions: filterOptions.suppressions,
    "no-default-suppressions": filterOptions["no-default-suppressions"],
    ...helpOption,
  },
  examples: [
    ["memview verdict app.mem", ""],
    ["memview verdict -c --top 3 app.mem", "with call stacks"],
    ["memview verdict --skip-frames '^pool_' app.mem", "skip your own allocator"],
    ["memview verdict --format json app.mem | jq '.findings[].place'", "for a script"],
  ],
  notes: { Environment: [variableEntries(VIEWING)] },
  exits: EXITS,
  async run({ args }) {
    const path = storePath(args);
    const format = word("format", args.format ?? "text", ["text", "json"]);
    const top = args.all ? Number.MAX_SAFE_INTEGER : integer("top", args.top ?? "10", 1, 2 ** 32 - 1);
    const suppressions = args.suppressions === undefined ? [] : readSuppressions("suppressions", args.suppressions);
    await printVerdict(path, {
      format,
      style: verdictStyle(1, args),
      ...anyTimeOf(args, "exit"),
      top,
      stacks: args["show-callstack"] ?? false,
      suppressions,
      knownSuppressed: !(args["no-default-suppressions"] ?? false),
      skip: skipOf(args),
    });
    return 0;
  },
});
