// Live allocations grouped by something coarser than their call stack: by the function, module, file or line of the
// innermost frame, which requested the memory; by place (the innermost function of the user's own); or by thread.
//
// core.wasm makes the sums by stack, so only as many rows as there are stacks are added up here. Threads are no
// property of a stack, so they are counted over the single allocations.

import type { Frame, RawAllocation } from "../host/types.js";
import { margin } from "../stores/sample.js";

export const GROUPINGS = ["function", "module", "file", "line", "place", "thread"] as const;
export type Grouping = (typeof GROUPINGS)[number];

export interface Group {
  /** What the allocations have in common; a thread's id as a number. */
  name: string | number;
  bytes: number;
  /** ± of `bytes`, only when it is an estimate. */
  margin?: number;
  count: number;
  /** Relative times of the oldest and the newest. */
  oldest: bigint;
  newest: bigint;
}

type Sums = Omit<Group, "name">;

/** Adds up rows by a name; ascending by count or size. `top`: only the N largest. */
export function groupRows<Row extends Sums>(
  rows: readonly Row[],
  nameOf: (row: Row) => string,
  sort: "count" | "size",
  top: number | undefined,
): Group[] {
  const groups = new Map<string, Group>();
  for (const row of rows) {
    if (row.count === 0) continue;
    const name = nameOf(row);
    const group = groups.get(name);
    if (group === undefined) groups.set(name, { name, ...sumsOf(row) });
    else add(group, row);
  }
  return largest([...groups.values()], sort, top);
}

/** The same for single allocations by thread. `sampleBytes`: mean bytes between samples, 0 when there are all. */
export function groupThreads(
  rows: readonly RawAllocation[],
  sampleBytes: number,
  sort: "count" | "size",
  top: number | undefined,
): Group[] {
  const groups = new Map<number, Group & { variance: number; spread: number }>();
  for (const { thread, size, kind, time } of rows) {
    const weight = sampleBytes === 0 || kind === "mmap" ? 1 : -1 / Math.expm1(-Math.max(size, 1) / sampleBytes);
    let group = groups.get(thread);
    if (group === undefined) {
      group = { name: thread, bytes: 0, count: 0, oldest: time, newest: time, variance: 0, spread: 0 };
      groups.set(thread, group);
    }
    add(group, { bytes: weight * size, count: weight, oldest: time, newest: time });
    const spread = weight * size * (1 - 1 / weight);
    group.variance += weight * size * spread;
    group.spread = Math.max(group.spread, spread);
  }
  const rounded = [...groups.values()].map(({ variance, spread, ...group }): Group => {
    if (sampleBytes === 0) return group;
    return {
      ...group,
      bytes: Math.round(group.bytes),
      count: Math.round(group.count),
      margin: margin(variance, spread),
    };
  });
  return largest(rounded, sort, top);
}

function sumsOf({ bytes, margin, count, oldest, newest }: Sums): Sums {
  return { bytes, ...(margin === undefined ? {} : { margin }), count, oldest, newest };
}

function add(group: Sums, row: Sums): void {
  group.bytes += row.bytes;
  group.count += row.count;
  if (row.oldest < group.oldest) group.oldest = row.oldest;
  if (row.newest > group.newest) group.newest = row.newest;
  // Estimates of different stacks are independent: their variances add up.
  if (row.margin !== undefined) group.margin = Math.ceil(Math.hypot(group.margin ?? 0, row.margin));
}

function largest(groups: Group[], sort: "count" | "size", top: number | undefined): Group[] {
  const [first, second] = sort === "size" ? (["bytes", "count"] as const) : (["count", "bytes"] as const);
  groups.sort((a, b) => a[first] - b[first] || a[second] - b[second] || (a.name < b.name ? -1 : 1));
  return top === undefined ? groups : groups.slice(-top);
}

/**
 * What the allocations of a stack have in common, from its innermost frame;
 * where that is not known, what is known of it.
 */
export function groupName(frame: Frame | undefined, by: Exclude<Grouping, "thread" | "place">): string {
  if (frame === undefined) return "(unknown stack)";
  const place = frame.module === "" ? frame.address : `${frame.module}+${frame.offset}`;
  switch (by) {
    case "function":
      return frame.function ?? place;
    case "module":
      return frame.module === "" ? "(no module)" : frame.module;
    case "file":
      return frame.file ?? (frame.module === "" ? "(no module)" : frame.module);
    case "line":
      return frame.file === null || frame.line === null ? place : `${frame.file}:${frame.line}`;
  }
}

/** "on_event at src/events.c:9", "on_event at /srv/app": a place as the name of a group. */
export function placeName(frame: Frame | null): string {
  if (frame === null) return "(unknown stack)";
  const { function: name, file, line, module } = frame;
  if (name === null) return groupName(frame, "line");
  return `${name} at ${file === null || line === null ? module || frame.address : `${file}:${line}`}`;
}
