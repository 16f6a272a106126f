// From what was collected to the rows that the host reads.
//
// Stacks: every accumulator becomes an entry, with the key of the requested order in front. If the order needs the
// totals that the store keeps for each stack, they are read from a piece of the stacks array. Entries are then turned
// in place into rows, as the tables show.
//
//   stack row   0 stack id, 4 count, 8 bytes, 16 oldest, 24 newest       record row: a live record (asm/layout.ts)
//   more        0 total, 8 count, 16 bytes, 24 variance, 32 spread of the bytes
//
// What does not fit into a stack row is in a second table, `more`, for samples and for orders by a stored total: that
// total, and the estimates as doubles.

import {
  HEADER_PEAK_NUMBER,
  RECORD_ADDRESS,
  RECORD_KIND_SHIFT,
  RECORD_SIZE,
  RECORD_THREAD,
  RECORD_TIME,
  STACK_ALLOCATED_BYTES,
  STACK_ALLOCATIONS,
  STACK_BYTES,
  STACK_FREED_BYTES,
  STACK_PEAK_BYTES,
  STACK_PEAK_NUMBER,
  STACK_TEMPORARIES,
} from "../layout";
import {
  admit,
  ESTIMATE_BYTES,
  ESTIMATE_COUNT,
  ESTIMATE_SPREAD,
  ESTIMATE_VARIANCE,
  estimateOf,
  findSum,
  isSelected,
  nextPaged,
  SUM_BYTES,
  SUM_COUNT,
  SUM_NEWEST,
  SUM_OLDEST,
  sampleMean,
} from "./aggregate";
import { ENTRY_BYTES, entriesLength, KEY_0, KEY_1, KEY_2, offer, VALUE } from "./entries";
import { FAILED, tooMuch } from "./fault";
import { claim, HEADER, PIECE } from "./memory";
import { ENTRY_KIND_SHIFT, ORDER_SIZE, ORDER_TIME } from "./records";
import { sortEntries } from "./sort";

// Orders of stacks; the ones from ORDER_ALLOCATIONS on need the stacks array.
export const ORDER_COUNT: i32 = 0;
export const ORDER_BYTES: i32 = 1;
export const ORDER_ALLOCATIONS: i32 = 2;
export const ORDER_TEMPORARIES: i32 = 3;
export const ORDER_PEAK: i32 = 4;

export const ROW_STACK: i32 = 0;
export const ROW_COUNT: i32 = 4;
export const ROW_BYTES: i32 = 8;
export const ROW_OLDEST: i32 = 16;
export const ROW_NEWEST: i32 = 24;

export const MORE_TOTAL: i32 = 0;
export const MORE_COUNT: i32 = 8;
export const MORE_BYTES: i32 = 16;
export const MORE_VARIANCE: i32 = 24;
export const MORE_SPREAD: i32 = 32;
export const MORE_ENTRY: i32 = 40;

// Whole numbers below 2^53, exact in doubles, or estimates.
let chosenCount: f64 = 0;
let chosenBytes: f64 = 0;
let chosenVariance: f64 = 0;
let chosenSpread: f64 = 0;

/** Starts collecting stacks. */
export function beginStacks(): void {
  chosenCount = 0;
  chosenBytes = 0;
  chosenVariance = 0;
  chosenSpread = 0;
}

/** Allocations of the stacks collected. */
export function stacksMatched(): f64 {
  return nearest(chosenCount);
}

export function stacksBytes(): f64 {
  return nearest(chosenBytes);
}

/** The variance of the estimate that stacksBytes() is; 0 when nothing is estimated. */
export function stacksBytesVariance(): f64 {
  return chosenVariance;
}

/** The most that one of the records adds to the variance for each byte it stands for. */
export function stacksBytesSpread(): f64 {
  return chosenSpread;
}

/** Sum over `count` elements of the stacks array at PIECE of the 64-bit total at offset `field`. */
export function sumStacks(count: u32, field: u32): u64 {
  let sum: u64 = 0;
  for (let i: u32 = 0; i < count; i++) sum += load<u64>(PIECE + i * STACK_BYTES + field);
  return sum;
}

/**
 * Has stacks `first` … `end` − 1 in the answer whose total in this order is not zero, whether anything of them is live
 * or not. Their elements lie at PIECE. 0, or FAILED.
 */
export function admitStacks(first: u32, end: u32, order: i32): i32 {
  for (let stack = first; stack < end; stack++) {
    if (stackTotal(PIECE + (stack - first) * STACK_BYTES, order) && admit(stack)) return FAILED;
  }
  return 0;
}

/**
 * Offers those of the stacks `first` … `end` − 1 that are in the answer. Where the order needs them, the elements of
 * the stacks array from `first` on lie at PIECE. `selected`: only those that selectStacks() marked. 0, or FAILED.
 */
export function collectStacks(first: u32, end: u32, order: i32, selected: bool): i32 {
  for (let stack = nextPaged(first); stack < end; stack = nextPaged(stack + 1)) {
    const sum = findSum(stack);
    if (!sum || (selected && !isSelected(sum))) continue;
    let count = <u64>load<u32>(sum, SUM_COUNT);
    let bytes = load<u64>(sum, SUM_BYTES);
    if (sampleMean() > 0) {
      const estimate = estimateOf(sum);
      chosenCount += load<f64>(estimate, ESTIMATE_COUNT);
      chosenBytes += load<f64>(estimate, ESTIMATE_BYTES);
      chosenVariance += load<f64>(estimate, ESTIMATE_VARIANCE);
      chosenSpread = max(chosenSpread, load<f64>(estimate, ESTIMATE_SPREAD));
      count = <u64>nearest(load<f64>(estimate, ESTIMATE_COUNT));
      bytes = <u64>nearest(load<f64>(estimate, ESTIMATE_BYTES));
    } else {
      chosenCount += <f64>count;
      chosenBytes += <f64>bytes;
    }
    let status = 0;
    if (order == ORDER_COUNT) status = offer(count, bytes, stack, sum);
    else if (order == ORDER_BYTES) status = offer(bytes, count, stack, sum);
    else status = offer(stackTotal(PIECE + (stack - first) * STACK_BYTES, order), bytes, stack, sum);
    if (status) return FAILED;
  }
  return 0;
}

/** What a stack did all the time, by an order of stacks; its element of the stacks array lies at `element`. */
export function stackTotal(element: usize, order: i32): u64 {
  if (order == ORDER_ALLOCATIONS) return load<u64>(element, STACK_ALLOCATIONS);
  if (order == ORDER_TEMPORARIES) return load<u64>(element, STACK_TEMPORARIES);
  // A stack that did not change since the newest peak held then what it holds now. The header may have been read before
  // the newest peak: then the stack's number is ahead of it.
  const behind = <i32>(load<u32>(element, STACK_PEAK_NUMBER) - load<u32>(HEADER, HEADER_PEAK_NUMBER)) < 0;
  if (!behind) return load<u64>(element, STACK_PEAK_BYTES);
  const allocated = load<u64>(element, STACK_ALLOCATED_BYTES);
  const freed = load<u64>(element, STACK_FREED_BYTES);
  return allocated > freed ? allocated - freed : 0;
}

let more: usize = 0;

/** The table beside the rows, as long as they; only of a sample, and after an order by a stored total. */
export function stackMore(): usize {
  return more;
}

/** Sorts the collected stacks and turns them into rows. Their address, or 0 after leaving a fault. */
export function stackRows(order: i32): usize {
  const rows = sortEntries();
  if (!rows) return 0;
  more = 0;
  if (sampleMean() > 0 || order >= ORDER_ALLOCATIONS) {
    more = claim(max(entriesLength(), 1) * MORE_ENTRY);
    if (!more) {
      tooMuch("has more call stacks than can be listed");
      return 0;
    }
  }
  for (let i: u32 = 0; i < entriesLength(); i++) {
    const row = rows + i * ENTRY_BYTES;
    const stack = <u32>load<u64>(row, KEY_2);
    const sum = <usize>load<u64>(row, VALUE);
    if (more) putMore(more + i * MORE_ENTRY, sum, load<u64>(row, KEY_0));
    store<u32>(row, stack, ROW_STACK);
    store<u32>(row, load<u32>(sum, SUM_COUNT), ROW_COUNT);
    store<u64>(row, load<u64>(sum, SUM_BYTES), ROW_BYTES);
    store<u64>(row, load<u64>(sum, SUM_OLDEST), ROW_OLDEST);
    store<u64>(row, load<u64>(sum, SUM_NEWEST), ROW_NEWEST);
  }
  return rows;
}

function putMore(entry: usize, sum: usize, total: u64): void {
  store<u64>(entry, total, MORE_TOTAL);
  if (!(sampleMean() > 0)) return;
  const estimate = estimateOf(sum);
  store<f64>(entry, nearest(load<f64>(estimate, ESTIMATE_COUNT)), MORE_COUNT);
  store<f64>(entry, nearest(load<f64>(estimate, ESTIMATE_BYTES)), MORE_BYTES);
  store<f64>(entry, load<f64>(estimate, ESTIMATE_VARIANCE), MORE_VARIANCE);
  store<f64>(entry, load<f64>(estimate, ESTIMATE_SPREAD), MORE_SPREAD);
}

/** Sorts the collected records and turns them into records again. Their address, or 0 after leaving a fault. */
export function recordRows(order: i32): usize {
  const rows = sortEntries();
  if (!rows) return 0;
  for (let i: u32 = 0; i < entriesLength(); i++) {
    const row = rows + i * ENTRY_BYTES;
    const key0 = load<u64>(row, KEY_0);
    const key1 = load<u64>(row, KEY_1);
    const key2 = load<u64>(row, KEY_2);
    const value = load<u64>(row, VALUE);
    if (order == ORDER_TIME) putRecord(row, key1, key2, key0, value);
    else if (order == ORDER_SIZE) putRecord(row, key2, key0, key1, value);
    else putRecord(row, key0, key2, key1, value);
  }
  return rows;
}

function putRecord(row: usize, address: u64, size: u64, time: u64, value: u64): void {
  const kind = value >>> ENTRY_KIND_SHIFT;
  store<u64>(row, address, RECORD_ADDRESS);
  store<u64>(row, size | (kind << RECORD_KIND_SHIFT), RECORD_SIZE);
  store<u64>(row, time, RECORD_TIME);
  store<u64>(row, value & ~((<u64>3) << ENTRY_KIND_SHIFT), RECORD_THREAD);
}
