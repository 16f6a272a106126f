// Which changes of a diff are regressions and make a check fail.

import { basename } from "node:path";
import type { SnapshotStack } from "../host/types.js";
import { type Change, type Diff, more, type Status } from "./diff.js";

/** What a check tolerates. */
export interface Limits {
  /** The changes that make it fail. */
  failOn: ReadonlySet<Status>;
  /** A new or grown stack counts from so many bytes more on, and from so many allocations more on. */
  minBytes?: number | undefined;
  minCount?: number | undefined;
  /** A known stack may grow by so much. */
  maxGrowth?: { bytes: number } | { percent: number } | undefined;
}

/**
 * The changes of a diff that are too much, the largest growth first.
 * @param next from the diff's head to a third snapshot: then only what grew again in it.
 */
export function regressions({ changes }: Diff, limits: Limits, next?: Diff): Change[] {
  const tooMuch = changes.filter((change) => limits.failOn.has(change.status) && exceeds(change, limits));
  if (next === undefined) return tooMuch;
  const again = new Set(
    next.changes
      .filter((change) => change.status === "grown" && exceeds(change, limits))
      .map(({ row, movedFrom }) => identity(movedFrom ?? row)),
  );
  return tooMuch.filter(({ row }) => again.has(identity(row)));
}

function exceeds(change: Change, { minBytes = 0, minCount = 0, maxGrowth }: Limits): boolean {
  const { bytes, count } = more(change);
  // Shrunk, fixed or unchanged: asked for by `failOn`, in any size.
  if (bytes < 0 || (bytes === 0 && count <= 0)) return true;
  if (bytes < minBytes || count < minCount) return false;
  if (change.status === "new" || maxGrowth === undefined) return true;
  return bytes > ("bytes" in maxGrowth ? maxGrowth.bytes : (change.base.bytes * maxGrowth.percent) / 100);
}

function identity({ program, stack }: SnapshotStack): string {
  const places = stack.map(({ module, function: name, file, line }) => [module, name, file && basename(file), line]);
  return JSON.stringify([program, places]);
}
