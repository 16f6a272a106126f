// memhook run --baseline: what is accepted, and whether a run leaves more.
//
// Everything that can be refused is refused before the tests run, which may take an hour.

import { writeFileSync } from "node:fs";
import { basename } from "node:path";
import { whyNotWritten } from "../runtime/host/errors.js";
import { kindOfFile } from "../runtime/host/filekind.js";
import type { Moment, Snapshot } from "../runtime/host/types.js";
import type { LeftStore } from "../runtime/programs/remains.js";
import { isRunner } from "../runtime/programs/runners.js";
import { diff } from "../runtime/snapshots/diff.js";
import type { KeptFiles } from "../runtime/symbols/debugfiles.js";
import { UsageError, type Values } from "./arguments.js";
import {
  acceptInto,
  givenOptions,
  type limitOptions,
  limitsOf,
  mayAccept,
  mayWriteMissing,
  mustHaveFolder,
  selectionOf,
  tellDiff,
  tellingOf,
  type tellingOptions,
  writeMissing,
} from "./checking.js";
import { messages } from "./messages.js";
import { tell } from "./output.js";
import { quoted } from "./quoted.js";
import { PLAIN } from "./reports/style.js";
import { snapshotAt, snapshotOfStores } from "./sides.js";
import { terminalStyle } from "./terminal.js";

type Arguments = Partial<Values<typeof limitOptions & typeof tellingOptions>> & {
  _: readonly string[];
  "mapped-file"?: string | undefined;
  update?: boolean | undefined;
  output?: string | undefined;
  runners?: boolean | undefined;
};

/** Options that decide what is compared; the command that accepts has them, too. */
const KEPT = [
  "mapped-file",
  "fail-on",
  "min-bytes",
  "min-count",
  "max-growth",
  "suppressions",
  "own",
  "ignore-module",
  "runners",
  "at",
];

export class Baseline {
  readonly #path: string;
  readonly #args: Arguments;
  /** null: there is none, or it is to be replaced. */
  readonly #accepted: Snapshot | null;

  private constructor(path: string, args: Arguments, accepted: Snapshot | null) {
    this.#path = path;
    this.#args = args;
    this.#accepted = accepted;
  }

  /** @throws UsageError, SnapshotError when the check could not be made. */
  static async open(path: string, args: Arguments): Promise<Baseline> {
    limitsOf(args);
    tellingOf(args);
    const select = selectionOf(args);
    if (args.output !== undefined) mustHaveFolder(args.output);
    const command = acceptCommand(path, args);
    if (args.update) mayAccept(path, command);
    else if (kindOfFile(path) === "absent") mayWriteMissing(path, command);
    else return new Baseline(path, args, select(await snapshotAt(path)));
    return new Baseline(path, args, null);
  }

  /** Compares what a run left live, or accepts it. Gives whether it is a regression. */
  async judge(left: readonly LeftStore[], keeper: KeptFiles, at: Moment): Promise<boolean> {
    const args = this.#args;
    const compared = args.runners ? left : withoutRunners(left);
    const now = await snapshotOfStores(
      compared.map((each) => each.path),
      undefined,
      keeper,
      at,
    );
    const accept = acceptCommand(this.#path, args);
    if (this.#accepted === null) {
      if (args.update) acceptInto(this.#path, now, accept);
      else writeMissing(this.#path, now, accept);
      return false;
    }
    const { output } = args;
    const write = (pieces: Iterable<string>) => {
      if (output === undefined) for (const piece of pieces) tell(piece);
      else writeTo(output, [...pieces].join(""));
    };
    const style = output === undefined ? terminalStyle(2) : PLAIN;
    const difference = diff(this.#accepted, selectionOf(args)(now));
    return tellDiff(difference, limitsOf(args), { ...tellingOf(args), accept, write, style }) !== 0;
  }
}

function acceptCommand(path: string, args: Arguments): string {
  const given = givenOptions(args, KEPT);
  return ["memhook run --baseline", quoted(path), ...given, "--update --", ...args._.map(quoted)].join(" ");
}

/** What was to be tested; all, where runners are all there is. */
function withoutRunners(left: readonly LeftStore[]): readonly LeftStore[] {
  const tested = left.filter(({ exe }) => !isRunner(exe));
  if (tested.length === 0) return left;
  const held = left.filter(({ exe, liveCount }) => isRunner(exe) && liveCount > 0);
  if (held.length > 0) {
    const names = [...new Set(held.map(({ exe }) => basename(exe)))].sort().join(", ");
    messages("memhook").info(`what ${names} held is left out (--runners compares it, too)`);
  }
  return tested;
}

function writeTo(path: string, text: string): void {
  try {
    writeFileSync(path, text);
  } catch (error) {
    throw new UsageError(`--output ${path}: cannot be written (${whyNotWritten(error)})`);
  }
}
