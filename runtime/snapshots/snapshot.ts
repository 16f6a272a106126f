// Snapshots: what is live, in a form that can be compared with another build, run or machine.
//
//   store, store, … ──▶ takeSnapshot() ──▶ Snapshot ──▶ snapshotfile.ts (a text file) · diff.ts
//
// A frame has a name instead of an address, a file without the folder it was built in, and a line. A stack has only the
// program's name instead of a process. Nothing has a time. So the same program gives the same snapshot from run to run,
// and equal stacks of several processes are one.

import { basename, posix } from "node:path";
import type { Amount, Frame, Query, Snapshot, SnapshotFrame, SnapshotStack } from "../host/types.js";
import { type ReportOptions, report } from "../reports/report.js";
import { isListed, isRuntimeName } from "../reports/suppressions.js";
import { cutOf, isTooDeep } from "../stores/cut.js";
import type { Store } from "../stores/store.js";
import { demangle } from "../symbols/demangle.js";
import type { Names } from "../symbols/symbolize.js";
import { byText } from "./snapshotrow.js";

export type { Amount, Snapshot, SnapshotFrame, SnapshotStack } from "../host/types.js";

/** A stack whose text is still to be made. */
export type UntoldStack = Omit<SnapshotStack, "text"> & { readonly text?: string };

/**
 * Which allocations of a store to take, and which stacks: all but what the C and C++ runtimes keep, if nothing is said.
 */
export interface SnapshotOptions {
  query?: (store: Store) => Omit<Query, "aggregate" | "sort" | "top" | "freedStacks">;
  stacks?: Pick<ReportOptions, "module" | "function" | "suppressions" | "knownSuppressed">;
}

/**
 * The snapshot of several stores together.
 * @param symbolizerOf the symbolizer for each.
 * @throws StoreError when one cannot be read.
 */
export async function takeSnapshot(
  stores: readonly Store[],
  symbolizerOf: (store: Store) => Names,
  { query = () => ({}), stacks = {} }: SnapshotOptions = {},
): Promise<Snapshot> {
  const rows: UntoldStack[] = [];
  const suppressed = { count: 0, bytes: 0 };
  let dropped = 0;
  let sample = 0;
  for (const store of stores) {
    const symbolizer = symbolizerOf(store);
    const answer = await report(store, { ...query(store), aggregate: true, sort: "count" }, symbolizer, {
      stacks: true,
      knownSuppressed: true,
      ...stacks,
    });
    const program = basename(store.process.exe);
    const frames = new Map<Frame, SnapshotFrame>();
    for (const { count, bytes, stack, cut, lost } of answer.stacks ?? []) {
      const portable = stack.map((frame) => {
        let known = frames.get(frame);
        if (known === undefined) {
          known = portableFrame(frame, symbolizer);
          frames.set(frame, known);
        }
        return known;
      });
      rows.push({ program, count, bytes, cut, ...(lost && { lost }), stack: withoutStart(portable) });
    }
    suppressed.count += answer.suppressed?.count ?? 0;
    suppressed.bytes += answer.suppressed?.bytes ?? 0;
    dropped += answer.totals.dropped;
    sample = Math.max(sample, answer.sample?.bytes ?? 0);
  }
  return snapshotOf(rows, suppressed, dropped, sample);
}

/**
 * A stack without the frames that called main or a thread's function: they are the C library's, and whether they have
 * names depends on which debug files a machine has.
 */
export function withoutStart(stack: readonly SnapshotFrame[]): readonly SnapshotFrame[] {
  let end = stack.length;
  while (end > 1 && (isRuntimeName(stack[end - 1]!.module) || stack[end - 1]!.function === "_start")) end--;
  return end === stack.length ? stack : stack.slice(0, end);
}

function portableFrame({ module, offset, symbol, file, line }: Frame, symbolizer: Names): SnapshotFrame {
  const name = symbol ?? (module === "" ? null : `+${offset}`);
  return {
    module: basename(module),
    function: name,
    file: file === null ? null : portableFile(file, symbolizer.buildFolder(file)),
    line: file === null ? null : line,
  };
}

/** A source file as another checkout would call it. `folder` is where its unit was compiled. */
export function portableFile(file: string, folder: string | undefined): string {
  const upwards = /^(\.\.\/)+/;
  if (!file.startsWith("/")) return posix.normalize(file).replace(upwards, "");
  const first = (path: string) => path.split("/")[1];
  // What shares nothing with the build, or is installed, is in the same place elsewhere.
  if (!folder?.startsWith("/") || first(folder) !== first(file)) return file;
  if (/^\/(usr|lib\w*)\//.test(file) && !/^\/usr\/src\//.test(folder)) return file;
  return posix.relative(folder, file).replace(upwards, "");
}

/** Puts rows in order and adds up those of one program and stack. Rows that have a text already keep it. */
export function snapshotOf(
  rows: Iterable<UntoldStack>,
  suppressed: Amount = { count: 0, bytes: 0 },
  dropped = 0,
  sample = 0,
): Snapshot {
  const texts = new Map<SnapshotFrame, string>();
  const merged = new Map<string, SnapshotStack>();
  let count = 0;
  let bytes = 0;
  for (const row of rows) {
    const text = row.text ?? stackText(row.stack, texts);
    const key = `${row.program}\0${text}\0${isTooDeep(row)}`;
    const known = merged.get(key);
    if (known !== undefined) {
      known.count += row.count;
      known.bytes += row.bytes;
      if (row.lost) Object.assign(known, cutOf(false, true));
    } else if (row.text !== undefined) merged.set(key, row as SnapshotStack);
    else merged.set(key, { ...row, text });
    count += row.count;
    bytes += row.bytes;
  }
  const stacks = [...merged.values()].sort(byText);
  return { stacks, count, bytes, suppressed, dropped, sample };
}

/** The snapshot without the stacks that one of the patterns fits, or with a frame in such a module. */
export function without(snapshot: Snapshot, patterns: readonly RegExp[], module: RegExp | undefined): Snapshot {
  if (patterns.length === 0 && module === undefined) return snapshot;
  const { stacks, suppressed, dropped, sample } = snapshot;
  const left = { ...suppressed };
  const kept = stacks.filter(({ stack, count, bytes }) => {
    const readable = () => stack.map((frame) => ({ ...frame, function: readableName(frame), symbol: frame.function }));
    const listed = (module && stack.some((frame) => module.test(frame.module))) || isListed(readable(), patterns);
    if (listed) {
      left.count += count;
      left.bytes += bytes;
    }
    return !listed;
  });
  return snapshotOf(kept, left, dropped, sample);
}

/** A frame's function as people write it; null where its name is not known. */
export function readableName({ function: name }: SnapshotFrame): string | null {
  return name === null || name.startsWith("+") ? null : demangle(name);
}

/** Frames as a snapshot file has them. `texts` keeps those of frames that come again. */
function stackText(stack: readonly SnapshotFrame[], texts: Map<SnapshotFrame, string>): string {
  const parts = stack.map((frame) => {
    let text = texts.get(frame);
    if (text === undefined) {
      const { module, function: name, file, line } = frame;
      // "],[" stands between frames alone, so that a reader can split there; and no character is beyond U+FFFF, so that
      // texts have the same order as their bytes.
      text = JSON.stringify([module, name, file, line])
        .replaceAll("],[", "]\\u002c[")
        .replace(/[\ud800-\udfff]/g, (half) => `\\u${half.charCodeAt(0).toString(16)}`);
      texts.set(frame, text);
    }
    return text;
  });
  return `[${parts.join(",")}]`;
}
