// How the live memory of each call stack grows: looks at a running process's store again and again, and compares each
// look with the previous one.
//
// Stack ids stay the same while a store lives, so two looks are compared by id, and only the rows that are shown need
// names.

import { clock } from "../host/clock.js";
import type { Query, RawStackRow } from "../host/types.js";
import type { Store } from "./store.js";

/** The change of a stack between two looks; `bytes` and `count` are what it holds now. */
export interface Growth {
  stackId: number;
  bytes: number;
  count: number;
  moreBytes: number;
  moreCount: number;
}

/**
 * One look: sums over what the query matches, how they changed, and the stacks that changed, the largest growth last.
 */
export interface Look {
  /** Nanoseconds since 1970. */
  time: bigint;
  running: boolean;
  bytes: number;
  count: number;
  /** The change since the previous look; undefined in the first one. */
  growth?: { bytes: number; count: number; stacks: Growth[] };
}

/** Compares two answers; stacks whose live bytes and blocks did not change are left out. */
export function growth(before: readonly RawStackRow[], now: readonly RawStackRow[]): Growth[] {
  const old = new Map(before.map((row) => [row.stackId, row]));
  const rows = now.map(({ stackId, bytes, count }): Growth => {
    const was = old.get(stackId);
    old.delete(stackId);
    return { stackId, bytes, count, moreBytes: bytes - (was?.bytes ?? 0), moreCount: count - (was?.count ?? 0) };
  });
  for (const { stackId, bytes, count } of old.values()) {
    rows.push({ stackId, bytes: 0, count: 0, moreBytes: -bytes, moreCount: -count });
  }
  return rows
    .filter(({ moreBytes, moreCount }) => moreBytes !== 0 || moreCount !== 0)
    .sort((a, b) => a.moreBytes - b.moreBytes || a.moreCount - b.moreCount || a.stackId - b.stackId);
}

/**
 * Looks `looks` times, waiting in between; ends earlier when the process has ended, after a last look.
 * @throws StoreError when the store cannot be read.
 */
export async function* watch(
  store: Store,
  query: Omit<Query, "aggregate" | "sort" | "top">,
  looks: number,
  wait: () => Promise<void>,
  now: () => bigint = clock.wall,
): AsyncGenerator<Look> {
  let before: { bytes: number; count: number; rows: RawStackRow[] } | undefined;
  for (let look = 0; look < looks; look++) {
    if (look > 0) await wait();
    const { stacks: rows, matched } = await store.query({ ...query, aggregate: true, sort: "size" });
    const { bytes, count } = matched;
    const running = store.process.state === "running";
    const changed = before && {
      growth: { bytes: bytes - before.bytes, count: count - before.count, stacks: growth(before.rows, rows) },
    };
    yield { time: now(), running, bytes, count, ...changed };
    if (!running) return;
    before = { bytes, count, rows };
  }
}
