// The user's own code in the call stacks of a snapshot.

import type { Snapshot, SnapshotFrame, SnapshotStack } from "../host/types.js";
import { whose } from "../reports/own.js";
import { isRuntimeName } from "../reports/suppressions.js";
import { mayBeWrapper } from "../reports/wrappers.js";
import { readableName, snapshotOf } from "./snapshot.js";

/** So many frames are read of a stack first: own code is mostly the innermost, and hardly ever further out. */
const FIRST = [1, 2, 6];

/**
 * A stack's place, as the verdict finds it: the innermost frame with a source that is the user's own, else the
 * innermost in no runtime, else the innermost. undefined of an unknown stack.
 */
export function ownFrame(row: Pick<SnapshotStack, "stack" | "innermost">): SnapshotFrame | undefined {
  const ownWithSource = (frame: SnapshotFrame) => frame.file !== null && isOwn(frame);
  for (const most of FIRST) {
    const found = row.innermost?.(most).find(ownWithSource);
    if (found) return found;
  }
  return (
    row.stack.find(ownWithSource) ??
    row.stack.find(isOwn) ??
    row.stack.find((frame) => !isRuntimeName(frame.module) && frame.module !== "") ??
    row.stack[0]
  );
}

/** The snapshot without the stacks that have no frame of the user's own code. */
export function onlyOwn({ stacks, suppressed, dropped, sample }: Snapshot): Snapshot {
  const kept = stacks.filter(({ stack }) => stack.some(isOwn));
  return snapshotOf(kept, suppressed, dropped, sample);
}

/** A snapshot has each of its frames once, in however many stacks it is. */
const judged = new WeakMap<SnapshotFrame, boolean>();

function isOwn(frame: SnapshotFrame): boolean {
  let own = judged.get(frame);
  if (own === undefined) {
    // Where a file says whose it is, a name is read only if it could be a wrapper's: demangling takes time.
    const name = frame.file === null || mayBeWrapper(frame.function ?? "") ? readableName(frame) : null;
    own = whose({ ...frame, function: name }) === "own";
    judged.set(frame, own);
  }
  return own;
}
