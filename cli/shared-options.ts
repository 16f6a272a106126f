// Options and exit codes that several commands share, so that they have the same names and meanings everywhere.

import type { Moment } from "../runtime/host/types.js";
import { sharedMemoryPath } from "../runtime/stores/storenames.js";
import { type Entry, UsageError } from "./arguments.js";
import { pattern, word } from "./values.js";

/** The library's default name for shared memory. */
const DEFAULT_NAME = "ShmMemHook";

/** Which store: -m NAME, -f PATH or just PATH. */
export const storeOptions = {
  "shared-memory": {
    type: "string",
    alias: "m",
    bare: DEFAULT_NAME,
    valueHint: "NAME",
    section: "Which store",
    description: `The store in named shared memory; ${DEFAULT_NAME} without NAME, and when no store is given.`,
  },
  "mapped-file": {
    type: "string",
    alias: "f",
    valueHint: "PATH",
    section: "Which store",
    description: "The store in this file. PATH alone means the same.",
  },
  path: { type: "positional", required: false, description: "The store's file" },
} as const;

/** The file that these three options name. */
export function storePath(args: {
  "shared-memory"?: string | undefined;
  "mapped-file"?: string | undefined;
  path?: string | undefined;
}): string {
  const { "shared-memory": name, "mapped-file": file, path } = args;
  if (file !== undefined && path !== undefined) {
    throw new UsageError(`two stores: -f ${file} and ${path}; name one`);
  }
  const chosen = file ?? path;
  if (name !== undefined && chosen !== undefined) {
    throw new UsageError(`two stores: shared memory ${name} (-m) and file ${chosen}; name one`);
  }
  if (chosen === "") throw new UsageError("-f needs a path, not an empty one");
  return chosen ?? sharedMemoryPath(name ?? DEFAULT_NAME);
}

export const formatOption = {
  format: { type: "string", valueHint: "text|json", description: "The format; text is the default." },
} as const;

export const lookOptions = {
  bytes: {
    type: "boolean",
    bare: true,
    section: "Appearance",
    description: "Show sizes in bytes on a terminal too, as files and pipes always have them.",
  },
  wide: {
    type: "boolean",
    bare: true,
    description:
      "Show function names with all their template arguments. On a terminal, also show whole paths and whole lines, " +
      "as files and pipes always have them.",
  },
} as const;

/** When: now and at the end, or when a process began to exit. */
export const atOption = {
  at: {
    type: "string",
    valueHint: "exit|end",
    description:
      "What was live when the program began to exit, or what its exit handlers, destructors and runtime left at " +
      "the end. The same where it still runs, or ended without exiting.",
  },
} as const;

/** The same, or when the process held most: for verdicts. */
export const anyTimeOption = {
  at: {
    type: "string",
    valueHint: "exit|end|peak",
    description:
      "What was live when the program began to exit, what its exit handlers, destructors and runtime left at the " +
      "end, or what it held when it held most. exit and end are the same where it still runs, or ended otherwise.",
  },
} as const;

/** Of the peak only the sums of each call stack are known, and the store is read as at the end. */
export function anyTimeOf(args: { at?: string | undefined }, otherwise: Moment): { at: Moment; atPeak: boolean } {
  const time = word("at", args.at ?? otherwise, ["exit", "end", "peak"]);
  return { at: time === "peak" ? "end" : time, atPeak: time === "peak" };
}

export function momentOf(args: { at?: string | undefined }, otherwise: Moment): Moment {
  return word("at", args.at ?? otherwise, ["exit", "end"]);
}

/** Which frames are the user's own. */
export const skipOption = {
  "skip-frames": {
    type: "string",
    valueHint: "REGEX",
    section: "Your own code",
    description:
      "Functions, files or modules that match do not count as your own code: an allocator, a framework. " +
      "MEMHOOK_SKIP_FRAMES does the same for all commands.",
  },
} as const;

export const placeOptions = {
  ...skipOption,
  wide: {
    type: "boolean",
    bare: true,
    description: "Show whole names, whole paths, and every frame of a call stack.",
  },
} as const;

/** The regular expression of the option or the variable. */
export function skipOf(args: { "skip-frames"?: string | undefined }): RegExp | undefined {
  const given = args["skip-frames"];
  if (given !== undefined) return pattern("skip-frames", given);
  const { MEMHOOK_SKIP_FRAMES: variable } = process.env;
  if (!variable) return undefined;
  try {
    return new RegExp(variable);
  } catch {
    throw new UsageError(`MEMHOOK_SKIP_FRAMES: '${variable}' is not a regular expression of JavaScript`);
  }
}

export const helpOption = {
  help: { type: "boolean", alias: "h", section: "Other", description: "Show this help." },
} as const;

export const WRONG: Entry = [
  "2",
  "an argument, a file or a connection is wrong; one line on standard error says what to do",
];

/** For a command that checks nothing. */
export const EXITS: readonly Entry[] = [["0", "fine"], WRONG];

/** What the exit codes of all programs have in common. */
export const EXIT_CODES: readonly Entry[] = [
  ["0", "fine"],
  ["1", "the requested check failed: a leak, a regression"],
  WRONG,
];
