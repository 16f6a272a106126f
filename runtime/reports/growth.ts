// How a place came to hold what is live there, from one look at a store: by when its live blocks were born.
//
//   births, early to late      what was freed
//   ▅▅▅▅▅▅▅▅▅▅▅▅▅▅▅▅          little, or nothing      growing      a leak
//   ██▂▁                       nothing                 filled       a cache, tables
//   ▅▅▅▅▅▅▅▅                   nothing                 stopped      it grew, and then no more
//          █                   nothing                 burst
//                 ▁▂▄█         most of it              recent       a working set
//
// A block that grows by realloc has only one birth, a recent one. Then the totals of everything allocated there decide.
// A vector that doubles has allocated two or three times what it holds. An arena that grows by steps has a block twice
// as large as the mean of all earlier ones, and the whole program grew with it.
//
// Every decision uses numbers of records, also in a sample, so that few records decide little.

import type { Births } from "../host/types.js";
import type { TimelineEntry } from "../stores/storeinfo.js";

export const KINDS = ["growing", "reallocated", "stopped", "burst", "filled", "recent", "few"] as const;
export type BirthKind = (typeof KINDS)[number];

/** Kinds of what may grow without end. */
export function isGrowing(kind: BirthKind | "peak"): boolean {
  return kind === "growing" || kind === "reallocated";
}

/** What else is known about the process. */
export interface Life {
  /** Nanoseconds. */
  span: number;
  timeline: readonly TimelineEntry[];
  liveBytes: number;
  peakBytes: number;
}

/** Fewer records than this say nothing by their births. */
const FEW = 4;
/** If this many records should have been born since, and were not, the growth is certainly over. */
const MISSED = 5;
/** A fill that is over by this part of the life was early. */
const EARLY = 6;
/** A burst is no longer than this. */
const SHORT = 2;

export function kindOf({ counts, ...births }: Births, life: Life): BirthKind {
  const n = sum(counts);
  const frees = births.frees / Math.max(births.allocations, births.frees + n, 1);
  const buckets = counts.length;
  const first = counts.findIndex((count) => count > 0);
  const last = counts.findLastIndex((count) => count > 0);
  if (isReallocated({ counts, ...births }, n, life)) return "reallocated";
  if (n < FEW) return last < EARLY ? "filled" : frees >= 0.5 && last >= buckets - SHORT ? "recent" : "few";
  const width = last - first + 1;
  const silent = buckets - 1 - last;
  const over = silent >= 2 && (silent * n) / width >= MISSED;
  if (over) {
    if (width <= SHORT && first >= SHORT) return "burst";
    const half = share(counts, first, first + Math.ceil(width / 2));
    if (last < EARLY || (half >= 0.8 && share(counts, 0, EARLY) >= 0.9)) return "filled";
    return half >= 0.9 ? "burst" : "stopped";
  }
  // All but the last: there is what is just in use, whatever else happens.
  const old = counts.slice(0, -1);
  const rest = sum(old);
  if (width <= SHORT && frees < 0.5) return "burst";
  if (rest < FEW) return frees >= 0.2 ? "recent" : "burst";
  const start = old.findIndex((count) => count > 0);
  // The youngest that stay are as old as what is freed gets: since then births are even, and before there are none.
  const missed = (start * rest) / (old.length - start);
  if (start > 1 && missed >= MISSED && frees >= (0.8 * start) / buckets) return "recent";
  if (goesOn(old.slice(start), frees)) return "growing";
  if (frees >= 0.1 && share(counts, 0, EARLY) < 0.5) return "recent";
  return share(counts, 0, EARLY) >= 0.5 ? "filled" : "burst";
}

/** Bytes of growth in a minute, over the time in which it grew. */
export function rateOf({ counts, bytes }: Pick<Births, "counts" | "bytes">, { span }: Life): number {
  const first = Math.max(
    0,
    counts.findIndex((count) => count > 0),
  );
  const minutes = (span * (counts.length - first)) / counts.length / 60e9;
  return minutes > 0 ? sum(bytes) / minutes : 0;
}

/**
 * Whether births go on as they began, as far as so few can tell. What is freed now and then leaves a working set that
 * decays towards the past; what is not freed at all may well come faster and faster.
 */
function goesOn(counts: readonly number[], frees: number): boolean {
  const third = counts.length / 3;
  const part = (i: number) => sum(counts.slice(Math.round(i * third), Math.round((i + 1) * third)));
  const [early, middle, late] = [part(0), part(1), part(2)];
  if (frees >= 0.1 && late > 3 * early && late - early > 3 * Math.sqrt(late + early)) return false;
  const fair = (FAIR * (early + middle + late)) / 3;
  const enough = middle >= fair && late >= fair;
  // Beside what a start leaves, a trickle that does not dry up.
  return enough || (middle >= FEW && late >= FEW && late >= middle / 2);
}

/** A third of the life with at least this share of its expected births is like the others. */
const FAIR = 0.4;

function isReallocated({ bytes, allocations, allocatedBytes, frees }: Births, n: number, life: Life): boolean {
  if (n === 0 || n > 2 || allocations < 4 || frees < 0.6 * allocations) return false;
  const live = sum(bytes);
  if (allocatedBytes <= 3.2 * live) return true;
  // As estimates they are of other blocks than those that were recorded.
  const ratio = live / n / (allocatedBytes / allocations);
  return allocations >= 8 && ratio > 1.7 && ratio < 2.2 && grewAlong(live, life);
}

/**
 * Whether the whole process grew along with something that has now so many bytes. An entry of the timeline may be of
 * the moment in which the block was gone from one place and not yet at another: that says nothing, if the process
 * never held more than now.
 */
function grewAlong(bytes: number, { timeline, span, liveBytes, peakBytes }: Life): boolean {
  if (timeline.length < 8) return false;
  const at = (part: number) => timeline.findLast(({ time }) => Number(time) <= part * span)?.liveBytes ?? 0;
  const highest = liveBytes >= 0.95 * peakBytes;
  return [0.25, 0.5, 0.75].map(at).every((level, i) => {
    const expected = bytes * (0.75 - 0.25 * i);
    const grown = liveBytes - level;
    const absent = grown > 0.9 * bytes && grown < 1.1 * bytes;
    return (grown > 0.5 * expected && grown < 2 * expected) || (highest && absent);
  });
}

function share(counts: readonly number[], from: number, to: number): number {
  return sum(counts.slice(from, to)) / sum(counts);
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}

/** Births of several stacks together. */
export function addBirths(to: Births | undefined, more: Births): Births {
  if (to === undefined) return more;
  return {
    counts: to.counts.map((count, i) => count + more.counts[i]!),
    bytes: to.bytes.map((count, i) => count + more.bytes[i]!),
    smallest: Math.min(to.smallest, more.smallest),
    largest: Math.max(to.largest, more.largest),
    allocations: to.allocations + more.allocations,
    allocatedBytes: to.allocatedBytes + more.allocatedBytes,
    frees: to.frees + more.frees,
    freedBytes: to.freedBytes + more.freedBytes,
  };
}
