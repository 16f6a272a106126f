// Sorted, disjoint ranges of addresses.

import type { Range } from "./helper.js";

/** The part of `ranges` that is in none of `without`. Neither needs to be sorted. */
export function subtract(ranges: readonly Range[], without: readonly Range[]): Range[] {
  const holes = [...without].sort((a, b) => a.start - b.start);
  const rest: Range[] = [];
  for (const { start, end } of [...ranges].sort((a, b) => a.start - b.start)) {
    let from = start;
    for (let i = firstBehind(holes, start); i < holes.length && holes[i]!.start < end; i++) {
      const hole = holes[i]!;
      if (hole.start > from) rest.push({ start: from, end: hole.start });
      from = Math.max(from, hole.end);
    }
    if (from < end) rest.push({ start: from, end });
  }
  return rest;
}

/**
 * The first of ranges in order that ends behind an address. Those that overlap may be asked for too early, never too
 * late.
 */
function firstBehind(ranges: readonly Range[], address: number): number {
  let [low, high] = [0, ranges.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (ranges[middle]!.end <= address) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The one of ranges, in order and apart, that an address lies in. */
export function containing<T extends Range>(ranges: readonly T[], address: number): T | undefined {
  const found = ranges[firstBehind(ranges, address)];
  return found && found.start <= address ? found : undefined;
}

/** The intersection. */
export function intersect(one: Range, other: Range): Range[] {
  const [start, end] = [Math.max(one.start, other.start), Math.min(one.end, other.end)];
  return start < end ? [{ start, end }] : [];
}
