// How stacks grow over a long run, from three or more looks at it: which leak steadily, which fill a cache, which come
// and go.
//
//     bytes                     growing            levelled (a cache)      bursty              flat
//       ▲                            •              • • • •                   •
//       │                        •                •                       •       •          • • • • •
//       │                    •                  •                       •   •   •
//       └──────────▶ time
//
// Slope: the median of the slopes of all pairs of looks (Theil and Sen), which one outlier does not change. Confidence:
// how unlikely it is that so many pairs ascend by chance (Mann and Kendall, one-sided; exact without ties, conservative
// with them). kindOf() says what decides between the kinds.

import type { Snapshot, SnapshotStack } from "../host/types.js";
import { isTooDeep } from "../stores/cut.js";

export const KINDS = ["growing", "levelled", "bursty", "shrinking", "flat"] as const;
export type GrowthKind = (typeof KINDS)[number];

/** A snapshot of the run, and when it was taken: milliseconds, from anywhere. */
export interface Look {
  time: number;
  snapshot: Snapshot;
}

export interface StackGrowth {
  kind: GrowthKind;
  row: SnapshotStack;
  /** At each look. */
  bytes: number[];
  counts: number[];
  /** Bytes an hour. */
  slope: number;
  /** From 0 to 1: that there is a trend upwards at all. */
  confidence: number;
}

/**
 * Every stack of the looks, what grows fastest first.
 * @param looks at least 3, in the order of their times, no two at the same.
 */
export function growthOf(looks: readonly Look[]): StackGrowth[] {
  const stacks = new Map<string, { row: SnapshotStack; bytes: number[]; counts: number[] }>();
  for (const [i, { snapshot }] of looks.entries()) {
    for (const row of snapshot.stacks) {
      const key = `${row.program}\0${isTooDeep(row)}\0${row.text}`;
      let known = stacks.get(key);
      if (known === undefined) {
        known = { row, bytes: looks.map(() => 0), counts: looks.map(() => 0) };
        stacks.set(key, known);
      }
      known.bytes[i] = row.bytes;
      known.counts[i] = row.count;
    }
  }
  const hours = looks.map(({ time }) => time / 3_600_000);
  const grown = [...stacks.values()].map((stack): StackGrowth => {
    const confidence = ascending(stack.bytes);
    return { kind: kindOf(stack.bytes, confidence), ...stack, slope: slope(hours, stack.bytes), confidence };
  });
  const rank = (kind: GrowthKind) => KINDS.indexOf(kind);
  return grown.sort((a, b) => rank(a.kind) - rank(b.kind) || b.slope - a.slope || b.bytes.at(-1)! - a.bytes.at(-1)!);
}

/** Less than this part of the largest is no change. */
const NO_CHANGE = 0.05;
/** What grew by less than this part of its growth in the last third, has levelled. */
const LEVELLED = 0.1;
/** What grew by more than this part of its growth at once, did so in a burst. */
const AT_ONCE = 0.6;
/** Three looks in ascending order reach 0.83. */
const CONFIDENT = 0.8;

/** Which kind a series is. */
export function kindOf(values: readonly number[], confidence: number): GrowthKind {
  const largest = Math.max(...values);
  const range = largest - Math.min(...values);
  if (range <= NO_CHANGE * largest) return "flat";
  const growth = values.at(-1)! - values[0]!;
  if (growth < 0)
    return -growth > AT_ONCE * range && ascending(values.toReversed()) >= CONFIDENT ? "shrinking" : "bursty";
  if (growth <= NO_CHANGE * range) return "bursty";
  const twoThirds = Math.floor((2 * (values.length - 1)) / 3);
  if (Math.abs(values.at(-1)! - values[twoThirds]!) <= LEVELLED * growth) return "levelled";
  const steps = values.slice(1).map((value, i) => value - values[i]!);
  if (confidence < CONFIDENT || (steps.length > 2 && Math.max(...steps) > AT_ONCE * growth)) return "bursty";
  return "growing";
}

/** The median of the slopes between all pairs. */
export function slope(at: readonly number[], values: readonly number[]): number {
  const slopes: number[] = [];
  for (let j = 1; j < values.length; j++) {
    for (let i = 0; i < j; i++) slopes.push((values[j]! - values[i]!) / (at[j]! - at[i]!));
  }
  slopes.sort((a, b) => a - b);
  const middle = slopes.length >> 1;
  return slopes.length % 2 === 1 ? slopes[middle]! : (slopes[middle - 1]! + slopes[middle]!) / 2;
}

/** One minus the chance that a random order is at least as ascending. */
export function ascending(values: readonly number[]): number {
  let score = 0;
  for (let j = 1; j < values.length; j++) for (let i = 0; i < j; i++) score += Math.sign(values[j]! - values[i]!);
  const pairs = (values.length * (values.length - 1)) / 2;
  // Of the orders of n different values, a part has k pairs in descending order: of one value more, each place that it
  // can go to adds from none to all.
  let parts = [1];
  for (let n = 2; n <= values.length; n++) {
    const next = new Array<number>(parts.length + n - 1).fill(0);
    for (const [k, part] of parts.entries()) for (let more = 0; more < n; more++) next[k + more]! += part / n;
    parts = next;
  }
  // score = pairs − 2 × descending, so at least this score is at most so many of them.
  const most = Math.ceil((pairs - score) / 2);
  if (most >= pairs) return 0;
  const chance = parts.slice(0, most + 1).reduce((sum, part) => sum + part, 0);
  return 1 - chance;
}
