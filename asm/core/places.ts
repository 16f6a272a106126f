// Sums by place: what the stacks hold together that the host has found to have the same one.
//
//   spots.ts ──▶ host: a number for each stack ──▶ gather ──▶ sums of 320 bytes, the host's to read
//
// The births of a place lie behind its sums, as those of a stack do (births.ts).

import {
  ESTIMATE_BYTES,
  ESTIMATE_COUNT,
  ESTIMATE_SPREAD,
  ESTIMATE_VARIANCE,
  estimateOf,
  findSum,
  SUM_BYTES,
  SUM_COUNT,
  SUM_NEWEST,
  SUM_OLDEST,
  sampleMean,
} from "./aggregate";
import {
  BIRTH_ALLOCATED_BYTES,
  BIRTH_ALLOCATIONS,
  BIRTH_BUCKETS,
  BIRTH_BYTES,
  BIRTH_COUNTS,
  BIRTH_FREED_BYTES,
  BIRTH_FREES,
  BIRTH_LARGEST,
  BIRTH_SMALLEST,
  BIRTH_STEP,
} from "./births";
import { tooMuch } from "./fault";
import { claim } from "./memory";
import { spotCount, spotStacks } from "./spots";

export const PLACE_BYTES: i32 = 0;
export const PLACE_COUNT: i32 = 8;
export const PLACE_VARIANCE: i32 = 16;
export const PLACE_SPREAD: i32 = 24;
export const PLACE_OLDEST: i32 = 32;
export const PLACE_NEWEST: i32 = 40;
/** How many stacks have the place; which of them holds most, and how much. */
export const PLACE_STACKS: i32 = 48;
export const PLACE_LARGEST: i32 = 52;
const PLACE_LARGEST_BYTES: i32 = 56;
/** Births lie from here on as in a stack's accumulator. */
export const PLACE_BIRTHS: i32 = 32;
export const PLACE_ENTRY: i32 = 320;

let numbers: usize = 0;

/** Room for the number of each stack's place, u32 each; 0 after leaving a fault. */
export function claimPlaces(): usize {
  numbers = claim(spotCount() << 2);
  if (!numbers) tooMuch("has live allocations from more call stacks than fit in memory");
  return numbers;
}

/** Sums what the stacks of each place hold; the numbers that the host wrote are below `places`. 0: a fault. */
export function gather(places: u32): usize {
  const sums = claim(places * PLACE_ENTRY);
  if (!sums) {
    tooMuch("has live allocations from more places than fit in memory");
    return 0;
  }
  const ids = spotStacks();
  for (let i: u32 = 0; i < spotCount(); i++) {
    const place = load<u32>(numbers + (i << 2));
    if (place >= places) continue;
    const stack = load<u32>(ids + (i << 2));
    add(sums + place * PLACE_ENTRY, stack, findSum(stack));
  }
  return sums;
}

function add(to: usize, stack: u32, sum: usize): void {
  let count = <f64>load<u32>(sum, SUM_COUNT);
  let bytes = <f64>load<u64>(sum, SUM_BYTES);
  if (sampleMean() > 0) {
    const estimate = estimateOf(sum);
    count = load<f64>(estimate, ESTIMATE_COUNT);
    bytes = load<f64>(estimate, ESTIMATE_BYTES);
    addDouble(to + PLACE_VARIANCE, load<f64>(estimate, ESTIMATE_VARIANCE));
    store<f64>(to, max(load<f64>(to, PLACE_SPREAD), load<f64>(estimate, ESTIMATE_SPREAD)), PLACE_SPREAD);
  }
  addDouble(to + PLACE_BYTES, bytes);
  addDouble(to + PLACE_COUNT, count);
  const stacks = load<u32>(to, PLACE_STACKS);
  const oldest = load<u64>(sum, SUM_OLDEST);
  const newest = load<u64>(sum, SUM_NEWEST);
  if (!stacks || oldest < load<u64>(to, PLACE_OLDEST)) store<u64>(to, oldest, PLACE_OLDEST);
  if (newest > load<u64>(to, PLACE_NEWEST)) store<u64>(to, newest, PLACE_NEWEST);
  if (!stacks || bytes > load<f64>(to, PLACE_LARGEST_BYTES)) {
    store<u32>(to, stack, PLACE_LARGEST);
    store<f64>(to, bytes, PLACE_LARGEST_BYTES);
  }
  store<u32>(to, stacks + 1, PLACE_STACKS);
  addBirths(to + PLACE_BIRTHS, sum);
}

function addBirths(to: usize, from: usize): void {
  for (let i: usize = 0; i < <usize>BIRTH_BUCKETS * BIRTH_STEP; i += BIRTH_STEP) {
    addDouble(to + i + BIRTH_BYTES, load<f64>(from + i, BIRTH_BYTES));
    store<u32>(to + i, load<u32>(to + i, BIRTH_COUNTS) + load<u32>(from + i, BIRTH_COUNTS), BIRTH_COUNTS);
  }
  // The smallest is kept from the other end.
  store<u64>(to, max(load<u64>(to, BIRTH_SMALLEST), load<u64>(from, BIRTH_SMALLEST)), BIRTH_SMALLEST);
  store<u64>(to, max(load<u64>(to, BIRTH_LARGEST), load<u64>(from, BIRTH_LARGEST)), BIRTH_LARGEST);
  addWhole(to + BIRTH_ALLOCATIONS, load<u64>(from, BIRTH_ALLOCATIONS));
  addWhole(to + BIRTH_ALLOCATED_BYTES, load<u64>(from, BIRTH_ALLOCATED_BYTES));
  addWhole(to + BIRTH_FREES, load<u64>(from, BIRTH_FREES));
  addWhole(to + BIRTH_FREED_BYTES, load<u64>(from, BIRTH_FREED_BYTES));
}

function addDouble(to: usize, more: f64): void {
  store<f64>(to, load<f64>(to) + more);
}

function addWhole(to: usize, more: u64): void {
  store<u64>(to, load<u64>(to) + more);
}
