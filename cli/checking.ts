// Comparing with what was accepted: the common part of memview diff and memhook run --baseline.

import { existsSync } from "node:fs";
import { dirname } from "node:path";
import { kindOfFile } from "../runtime/host/filekind.js";
import type { Diff, Status } from "../runtime/snapshots/diff.js";
import { onlyOwn } from "../runtime/snapshots/ownframes.js";
import { type Snapshot, without } from "../runtime/snapshots/snapshot.js";
import { writeSnapshot } from "../runtime/snapshots/snapshotfile.js";
import { type Limits, regressions } from "../runtime/snapshots/verdict.js";
import { UsageError, type Values } from "./arguments.js";
import { readSuppressions } from "./filters.js";
import { messages } from "./messages.js";
import { print, tell } from "./output.js";
import { quoted } from "./quoted.js";
import { DIFF_FORMATS, type DiffFormat, diffReport, inGitHub } from "./reports/diff.js";
import type { Style } from "./reports/style.js";
import { terminalStyle } from "./terminal.js";
import { integer, pattern, size, word } from "./values.js";

/** The options that decide the verdict; memhook run --baseline has them too. */
export const limitOptions = {
  "fail-on": {
    type: "string",
    valueHint: "WHAT",
    section: "What is a regression",
    description:
      "new: a call stack that is not in the baseline. grown: one that holds more. any: every change. none: nothing. " +
      "The default is new,grown.",
  },
  "min-bytes": {
    type: "string",
    valueHint: "BYTES",
    description: "Count only call stacks that hold at least this much more: 4096, 64KiB, 10MB.",
  },
  "min-count": {
    type: "string",
    valueHint: "N",
    description: "Count only call stacks that hold at least this many more allocations.",
  },
  "max-growth": {
    type: "string",
    valueHint: "5%|4KiB",
    description: "Let each known call stack grow by this much: a share of what it held, or bytes.",
  },
  suppressions: {
    type: "string",
    valueHint: "FILE",
    description:
      "Leave out the call stacks that this file lists, in LeakSanitizer's format: lines leak:PATTERN (see memview " +
      "--help).",
  },
  own: {
    type: "boolean",
    description:
      "Only call stacks with a frame of your own code: not what an interpreter or a library does for itself, which " +
      "varies from run to run.",
  },
  "ignore-module": {
    type: "string",
    valueHint: "REGEX",
    description: "Leave out call stacks with a frame in a module whose file name matches.",
  },
} as const;

export const tellingOptions = {
  format: {
    type: "string",
    valueHint: DIFF_FORMATS.join("|"),
    section: "Output",
    description:
      "The format; text is the default. github: annotations for GitHub Actions. sarif and junit: for code scanning " +
      "and test reports.",
  },
  top: {
    type: "string",
    valueHint: "N",
    description: "Show the N regressions that hold most, with their frames; the default is 10.",
  },
} as const;

/** How a comparison is printed. */
export interface Telling {
  format: DiffFormat;
  /** Regressions with their frames. */
  top: number;
}

export function tellingOf(args: Partial<Values<typeof tellingOptions>>): Telling {
  return {
    format: word("format", args.format ?? "text", DIFF_FORMATS),
    top: integer("top", args.top ?? "10", 0, 2 ** 32 - 1),
  };
}

export interface Whither {
  /** The command that accepts the change. */
  accept: string;
  /** From the head to a third snapshot: only what grew again counts. */
  next?: Diff | undefined;
  /** The receiver of the report, and the style there; standard output by default. */
  write?: (pieces: Iterable<string>) => void;
  style?: Style;
}

/**
 * Prints a comparison, and gives GitHub Actions what it wants of it besides.
 * @returns the exit code.
 */
export function tellDiff(
  compared: Diff,
  limits: Limits,
  { format, top, accept, next, write = print, style = terminalStyle(1) }: Telling & Whither,
): number {
  const found = regressions(compared, limits, next);
  const answer = { diff: compared, regressions: found, accept };
  write(diffReport(format, answer, { top, style }));
  const { GITHUB_STEP_SUMMARY: summary } = process.env;
  if (summary) for (const line of inGitHub(answer, format, summary)) tell(line);
  return found.length > 0 ? 1 : 0;
}

/**
 * Whether a baseline can be accepted or made by `command`, said before anything is run.
 * @throws UsageError under CI, where nobody looks at what is accepted, and where there is no folder for it.
 */
export function mayAccept(path: string, command: string): void {
  if (inCi())
    throw new UsageError(`--update is refused where CI=true is set; run it yourself and commit the file: ${command}`);
  mustHaveFolder(path);
}

/** The same for a baseline that is missing. */
export function mayWriteMissing(path: string, command: string): void {
  if (inCi()) throw new UsageError(`${path}: there is no such file; make it and commit it: ${command}`);
  mustHaveFolder(path);
}

/** @throws UsageError where a file cannot be made because its folder is missing. */
export function mustHaveFolder(path: string): void {
  if (!existsSync(dirname(path))) throw new UsageError(`${path}: cannot be written (no such folder)`);
}

/** @throws UsageError where mayAccept() does. */
export function acceptInto(path: string, snapshot: Snapshot, command: string): void {
  mayAccept(path, command);
  const compressed = kindOfFile(path) === "compressed" || path.endsWith(".gz");
  writeSnapshot(path, snapshot, compressed);
  messages(programOf(command)).info(`${path}: ${stacksText(snapshot)} accepted`);
}

/** @throws UsageError where mayWriteMissing() does. `command` makes the file. */
export function writeMissing(path: string, snapshot: Snapshot, command: string): void {
  mayWriteMissing(path, command);
  writeSnapshot(path, snapshot, path.endsWith(".gz"));
  messages(programOf(command)).info(`${path}: was not there, ${stacksText(snapshot)} written; commit it`);
}

/** The options of these names that were given, as words of a command. */
export function givenOptions(args: Readonly<Record<string, unknown>>, names: readonly string[]): string[] {
  return names.flatMap((name) => {
    const value = args[name];
    if (typeof value === "string") return [`--${name}`, quoted(value)];
    return value === true ? [`--${name}`] : [];
  });
}

/** The program's name for messages: the first word of the command. */
function programOf(command: string): string {
  return command.split(" ")[0]!;
}

function stacksText({ stacks, bytes }: Snapshot): string {
  return `${stacks.length} call ${stacks.length === 1 ? "stack" : "stacks"} with ${bytes} bytes`;
}

function inCi(): boolean {
  return /^(true|1)$/i.test(process.env.CI ?? "");
}

export function limitsOf(args: Partial<Values<typeof limitOptions>>): Limits {
  const given = <T>(name: keyof typeof limitOptions, parse: (option: string, text: string) => T): T | undefined => {
    const text = args[name];
    return text === undefined ? undefined : parse(name, String(text));
  };
  return {
    failOn: given("fail-on", failOn) ?? new Set<Status>(["new", "grown"]),
    minBytes: given("min-bytes", size),
    minCount: given("min-count", (name, text) => integer(name, text, 0, 2 ** 32 - 1)),
    maxGrowth: given("max-growth", (name, text) => {
      const percent = /^(\d+(?:\.\d+)?)%$/.exec(text)?.[1];
      return percent === undefined ? { bytes: size(name, text) } : { percent: Number(percent) };
    }),
  };
}

function failOn(option: string, text: string): Set<Status> {
  const words = text.split(",").map((each) => word(option, each, ["new", "grown", "any", "none"]));
  if (words.length > 1 && words.some((each) => each === "any" || each === "none")) {
    throw new UsageError(`--${option}: '${text}': any and none stand alone`);
  }
  if (words[0] === "any") return new Set<Status>(["new", "grown", "shrunk", "fixed"]);
  return new Set(words.filter((each) => each !== "none") as Status[]);
}

/** Leaves out what the options name. */
export function selectionOf(args: Partial<Values<typeof limitOptions>>): (snapshot: Snapshot) => Snapshot {
  const patterns = args.suppressions === undefined ? [] : readSuppressions("suppressions", args.suppressions);
  const module = args["ignore-module"] === undefined ? undefined : pattern("ignore-module", args["ignore-module"]);
  const own = args.own ?? false;
  return (snapshot) => without(own ? onlyOwn(snapshot) : snapshot, patterns, module);
}
