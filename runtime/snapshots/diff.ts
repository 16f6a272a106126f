// What changed between two snapshots: which call stacks are new, grown, shrunk, fixed or unchanged. pairing.ts decides
// which stacks are the same.
//
//   in both, by which one holds more ─▶ grown, shrunk or unchanged
//   in head only                     ─▶ new
//   in base only                     ─▶ fixed
//
// The comparison is symmetric: diff(B, A) says grown where diff(A, B) says shrunk, and new where it says fixed.

import type { Amount, Snapshot, SnapshotStack } from "../host/types.js";
import { type Pair, pairsOf } from "./pairing.js";

export const STATUSES = ["new", "grown", "shrunk", "fixed", "unchanged"] as const;
export type Status = (typeof STATUSES)[number];

export interface Change {
  status: Status;
  /** Program and stack as in head; of a fixed one as in base. */
  row: SnapshotStack;
  /** Only where lines moved: the same as in base. */
  movedFrom?: SnapshotStack;
  /** Of a new or fixed one: others of the same functions that hold as much. One of them may be it instead. */
  or?: readonly SnapshotStack[];
  /** 0 and 0 of a new one. */
  base: Amount;
  /** 0 and 0 of a fixed one. */
  head: Amount;
}

export interface Diff {
  /** Every stack of either, the largest growth in bytes first. */
  changes: Change[];
  /** Sums over all stacks. */
  base: Amount;
  head: Amount;
  /** Whether amounts are estimates from a sample. */
  estimated: boolean;
  /** Allocations that were not recorded. */
  dropped: number;
}

const NOTHING: Amount = { count: 0, bytes: 0 };

/** Compares two snapshots, call stack by call stack; neither addresses, folders nor moved lines make a difference. */
export function diff(base: Snapshot, head: Snapshot): Diff {
  const changes = pairsOf(base.stacks, head.stacks).map(changeOf);
  // Sorting keeps the order of equals: they come in the order of the snapshots.
  changes.sort((a, b) => growth(b, "bytes") - growth(a, "bytes") || growth(b, "count") - growth(a, "count"));
  return {
    changes,
    base: { count: base.count, bytes: base.bytes },
    head: { count: head.count, bytes: head.bytes },
    estimated: base.sample > 0 || head.sample > 0,
    dropped: base.dropped + head.dropped,
  };
}

/** By how much a stack grew; negative where it shrank. */
export function more(change: Pick<Change, "base" | "head">): Amount {
  return { count: growth(change, "count"), bytes: growth(change, "bytes") };
}

const growth = ({ base, head }: Pick<Change, "base" | "head">, of: keyof Amount) => head[of] - base[of];

function changeOf({ was, is, moved, or }: Pair): Change {
  const { row } = (is ?? was)!;
  const base = was ? { count: was.count, bytes: was.bytes } : NOTHING;
  const head = is ? { count: is.count, bytes: is.bytes } : NOTHING;
  const grown = head.bytes - base.bytes || head.count - base.count;
  const status = !was ? "new" : !is ? "fixed" : grown > 0 ? "grown" : grown < 0 ? "shrunk" : "unchanged";
  return { status, row, ...(moved ? { movedFrom: was!.row } : {}), ...(or ? { or } : {}), base, head };
}
