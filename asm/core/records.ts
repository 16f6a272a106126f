// Live records: reading a piece that the process may be changing, filters, and where the records go.
//
//   PIECE ──(settle with SECOND)──▶ scan ──▶ sums of all live records
//                                     └─▶ filters ──▶ sums by stack, or entries of a list
//
// The host reads a block of records at a time to PIECE. For a running process it reads every piece twice or more, the
// later times to SECOND: a record that is the same in two reads was live between them (asm/FORMAT.md, "Order of
// writes"). OPEN has one byte for each record of the piece, which is 1 where that is not certain.
//
// In a sample, each record counts as the allocations and bytes that it stands for (asm/FORMAT.md, "Samples"), in
// doubles. The pass over the records is compiled twice, for whole stores and for samples, so that the first uses only
// integers. The usual question, the sums of all records of a whole store, has its own loop.

import {
  MEMORY_CUSTOM,
  MEMORY_MMAP,
  RECORD_ADDRESS,
  RECORD_BYTES,
  RECORD_FREED_IN_EXIT_SHIFT,
  RECORD_KIND_SHIFT,
  RECORD_SIZE,
  RECORD_STACK,
  RECORD_THREAD,
  RECORD_TIME,
} from "../layout";
import {
  ESTIMATE_BYTES,
  ESTIMATE_COUNT,
  ESTIMATE_SPREAD,
  ESTIMATE_VARIANCE,
  estimateOf,
  findPaged,
  findSum,
  hasBirths,
  isSelected,
  SUM_BYTES,
  SUM_COUNT,
  SUM_NEWEST,
  SUM_OLDEST,
  sampleMean,
  sumOf,
} from "./aggregate";
import { addBirth } from "./births";
import { offer } from "./entries";
import { damaged, FAILED } from "./fault";
import { OPEN, PIECE, RECORDS_PER_BLOCK, SECOND } from "./memory";

// What a scan does with a record that passes the filters.
export const COLLECT_NOTHING: i32 = 0;
export const COLLECT_SUMS: i32 = 1;
export const COLLECT_ENTRIES: i32 = 2;

// Orders of a list of records.
export const ORDER_TIME: i32 = 0;
export const ORDER_SIZE: i32 = 1;
export const ORDER_ADDRESS: i32 = 2;

/** In the word with size and kind: the record is kept of a block that was freed while the process was exiting. */
const FREED_IN_EXIT: u64 = (<u64>1) << RECORD_FREED_IN_EXIT_SHIFT;
const SIZE_MASK: u64 = (1 << RECORD_KIND_SHIFT) - 1;
/** The word with size and kind is below this in every record. */
const KINDS_END: u64 = (<u64>(MEMORY_CUSTOM + 1)) << RECORD_KIND_SHIFT;
/** Where an entry has the kind of memory: at the top of the stack's index, which is below 2^30. */
export const ENTRY_KIND_SHIFT: i32 = 62;
/** The host counts bytes in doubles, which are exact below this: 8 PiB, more than a process can have. */
const BYTES_LIMIT: u64 = 1 << 53;

let minSize: u64 = 0;
let maxSize: u64 = u64.MAX_VALUE;
let minTime: u64 = 0;
let maxTime: u64 = u64.MAX_VALUE;
let onlyThread: i64 = -1;
let onlyKind: i32 = -1;
/** Not 0: what is asked for is what was live then, when the process began to exit. */
let exitTime: u64 = 0;
/** Whether a record may not pass the filters. */
let filtering: bool = false;

let collect: i32 = COLLECT_NOTHING;
let order: i32 = ORDER_TIME;
let selecting: bool = false;

let live: u64 = 0;
let liveSum: u64 = 0;
let newest: u64 = 0;
// Of these, what was freed while the process exited.
let freed: f64 = 0;
let freedSum: f64 = 0;
let matched: u64 = 0;
let matchedSum: u64 = 0;

// The same as estimates, of a sample.
let liveEstimate: f64 = 0;
let liveSumEstimate: f64 = 0;
let matchedEstimate: f64 = 0;
let matchedSumEstimate: f64 = 0;
let matchedVariance: f64 = 0;
let matchedSpread: f64 = 0;

/** Filters of the following scans, bounds inclusive; −1 for any thread or any kind of memory. */
export function setFilter(sizeMin: u64, sizeMax: u64, timeMin: u64, timeMax: u64, thread: i64, kind: i32): void {
  minSize = sizeMin;
  maxSize = sizeMax;
  minTime = timeMin;
  maxTime = timeMax;
  onlyThread = thread;
  onlyKind = kind;
  filtering = (sizeMin | timeMin) != 0 || (sizeMax & timeMax) != u64.MAX_VALUE || thread >= 0 || kind >= 0;
}

/** The following scans are of what was live at `time`, when the process began to exit; 0: of what is live now. */
export function setExit(time: u64): void {
  exitTime = time;
}

/** Starts a pass over all records. `selected`: only those of stacks that selectStacks() marked. */
export function beginScan(collectWhat: i32, listOrder: i32, selected: bool): void {
  collect = collectWhat;
  order = listOrder;
  selecting = selected;
  live = 0;
  liveSum = 0;
  newest = 0;
  freed = 0;
  freedSum = 0;
  matched = 0;
  matchedSum = 0;
  liveEstimate = 0;
  liveSumEstimate = 0;
  matchedEstimate = 0;
  matchedSumEstimate = 0;
  matchedVariance = 0;
  matchedSpread = 0;
}

export function liveCount(): f64 {
  return sampleMean() > 0 ? nearest(liveEstimate) : <f64>live;
}

export function liveBytes(): f64 {
  return sampleMean() > 0 ? nearest(liveSumEstimate) : <f64>liveSum;
}

/** Of what was live when the process began to exit, so much was freed while it did. */
export function freedCount(): f64 {
  return nearest(freed);
}

export function freedBytes(): f64 {
  return nearest(freedSum);
}

/** Relative time of the newest live record, 0 if there is none. */
export function newestTime(): u64 {
  return newest;
}

export function matchedCount(): f64 {
  return sampleMean() > 0 ? nearest(matchedEstimate) : <f64>matched;
}

export function matchedBytes(): f64 {
  return sampleMean() > 0 ? nearest(matchedSumEstimate) : <f64>matchedSum;
}

/** The variance of the estimate that matchedBytes() is; 0 when nothing is estimated. */
export function matchedBytesVariance(): f64 {
  return matchedVariance;
}

/** The most that one of the records adds to the variance for each byte it stands for. */
export function matchedBytesSpread(): f64 {
  return matchedSpread;
}

/** Says of all records of the coming piece whether they may be in the middle of a change. */
export function setOpen(open: bool): void {
  memory.fill(OPEN, open ? 1 : 0, RECORDS_PER_BLOCK);
}

/** Compares PIECE with a later read in SECOND, takes over what changed, returns how many records are still open. */
export function settle(count: u32): u32 {
  assert(count <= <u32>RECORDS_PER_BLOCK);
  let open: u32 = 0;
  for (let i: u32 = 0; i < count; i++) {
    if (!load<u8>(OPEN + i)) continue;
    const a = PIECE + i * RECORD_BYTES;
    const b = SECOND + i * RECORD_BYTES;
    const address = load<u64>(b, RECORD_ADDRESS);
    const size = load<u64>(b, RECORD_SIZE);
    const time = load<u64>(b, RECORD_TIME);
    const rest = load<u64>(b, RECORD_THREAD);
    const same =
      load<u64>(a, RECORD_ADDRESS) == address &&
      load<u64>(a, RECORD_SIZE) == size &&
      load<u64>(a, RECORD_TIME) == time &&
      load<u64>(a, RECORD_THREAD) == rest;
    // A slot that is free in the later read holds nothing to be mixed up.
    if (same || !address) {
      store<u8>(OPEN + i, 0);
      if (same) continue;
    } else {
      open++;
    }
    store<u64>(a, address, RECORD_ADDRESS);
    store<u64>(a, size, RECORD_SIZE);
    store<u64>(a, time, RECORD_TIME);
    store<u64>(a, rest, RECORD_THREAD);
  }
  return open;
}

/** Takes in `count` records at PIECE, in the store from `first` on; stacks below `stacks` exist. 0, or FAILED. */
export function scan(first: u32, count: u32, stacks: u32): i32 {
  assert(count <= <u32>RECORDS_PER_BLOCK);
  if (sampleMean() > 0) return pass<f64>(first, 0, count, stacks);
  if (collect != COLLECT_SUMS || filtering || exitTime) return pass<u64>(first, 0, count, stacks);
  return hasBirths() ? scanBirths(first, count, stacks) : scanSums<u64>(first, count, stacks);
}

/**
 * Exported so that the compiler keeps it apart: with the loops with and without births in one function, engines take a
 * quarter longer for either.
 */
export function scanBirths(first: u32, count: u32, stacks: u32): i32 {
  return scanSums<f64>(first, count, stacks);
}

function scanSums<T>(first: u32, count: u32, stacks: u32): i32 {
  for (let i: u32 = 0; i < count; i++) {
    i = sumUp<T>(i, count, stacks);
    if (i < count && pass<u64>(first, i, i + 1, stacks)) return FAILED;
  }
  return 0;
}

/**
 * The usual scan: takes in records of the piece until one is the first in its page of sums, or makes no sense;
 * returns which. That one is left to pass(). So nothing here is called and everything stays in registers, which
 * makes it twice as fast. A floating T: with births.
 */
function sumUp<T>(from: u32, count: u32, stacks: u32): u32 {
  let records: u64 = 0;
  let bytes: u64 = liveSum;
  let last: u64 = newest;
  let i = from;
  for (let record = PIECE + from * RECORD_BYTES; i < count; i++, record += RECORD_BYTES) {
    if (!load<u64>(record, RECORD_ADDRESS)) continue;
    const sizeAndKind = load<u64>(record, RECORD_SIZE);
    const size = sizeAndKind & SIZE_MASK;
    const stack = load<u32>(record, RECORD_STACK);
    if (sizeAndKind >= KINDS_END || stack >= stacks || bytes + size >= BYTES_LIMIT) break;
    const sum = findPaged(stack);
    if (!sum) break;
    const time = load<u64>(record, RECORD_TIME);
    add(sum, size, time);
    // Signed, which is an instruction: sizes are below 2^53.
    if (isFloat<T>()) addBirth(sum, size, <f64>(<i64>size), time);
    if (time > last) last = time;
    bytes += size;
    records++;
  }
  live += records;
  matched += records;
  matchedSum += bytes - liveSum;
  liveSum = bytes;
  newest = last;
  return i;
}

/** Any scan, of the records of the piece from `from` to before `end`; T says in what it counts. */
function pass<T>(first: u32, from: u32, end: u32, stacks: u32): i32 {
  const sizeMin = minSize;
  const sizeMax = maxSize;
  const timeMin = minTime;
  const timeMax = maxTime;
  const thread = onlyThread;
  const kind = onlyKind;
  const what = collect;
  const exit = exitTime;
  for (let i = from; i < end; i++) {
    const record = PIECE + i * RECORD_BYTES;
    const address = load<u64>(record, RECORD_ADDRESS);
    let sizeAndKind = load<u64>(record, RECORD_SIZE);
    if (!address) {
      if (!exit || !(sizeAndKind & FREED_IN_EXIT)) continue;
      sizeAndKind ^= FREED_IN_EXIT;
    }
    const time = load<u64>(record, RECORD_TIME);
    if (exit && time > exit) continue;
    const size = sizeAndKind & SIZE_MASK;
    const memoryKind = <i32>(sizeAndKind >>> RECORD_KIND_SHIFT);
    const stack = load<u32>(record, RECORD_STACK);
    if (memoryKind > MEMORY_CUSTOM || (stack >= stacks && stack) || size >= BYTES_LIMIT) {
      // In the middle of a change: it is not there yet, or not any more.
      if (load<u8>(OPEN + i)) continue;
      return damaged("there can be no allocation as in record", first + i);
    }
    let weight: f64 = 1;
    let bytes: f64 = 0;
    if (isFloat<T>()) {
      weight = weightOf(size, memoryKind);
      bytes = weight * <f64>size;
      liveEstimate += weight;
      liveSumEstimate += bytes;
      if (!(max(liveEstimate, liveSumEstimate) < <f64>BYTES_LIMIT)) return tooLarge(first + i);
    } else {
      live++;
      liveSum += size;
      if (liveSum >= BYTES_LIMIT) return tooLarge(first + i);
    }
    if (!address) {
      freed += weight;
      freedSum += isFloat<T>() ? bytes : <f64>size;
    }
    if (time > newest) newest = time;

    if (size < sizeMin || size > sizeMax || time < timeMin || time > timeMax) continue;
    if (kind >= 0 && memoryKind != kind) continue;
    if (thread >= 0 && load<u32>(record, RECORD_THREAD) != <u32>thread) continue;
    if (what == COLLECT_SUMS) {
      const sum = sumOf(stack);
      if (!sum) return FAILED;
      add(sum, size, time);
      if (isFloat<T>()) addEstimate(estimateOf(sum), weight, bytes);
      if (hasBirths()) addBirth(sum, size, isFloat<T>() ? bytes : <f64>size, time);
    } else if (what == COLLECT_ENTRIES) {
      if (selecting && !isStackSelected(stack)) continue;
      if (list(address, size, memoryKind, time, load<u64>(record, RECORD_THREAD))) return FAILED;
    }
    if (isFloat<T>()) {
      matchedEstimate += weight;
      matchedSumEstimate += bytes;
      matchedVariance += bytes * spreadOf(weight, bytes);
      matchedSpread = max(matchedSpread, spreadOf(weight, bytes));
    } else {
      matched++;
      matchedSum += size;
    }
  }
  return 0;
}

function tooLarge(record: u32): i32 {
  return damaged("larger than any memory is what is live with record", record);
}

/** How many allocations a record of a sample stands for. */
function weightOf(size: u64, kind: i32): f64 {
  if (kind == MEMORY_MMAP) return 1;
  return -1 / Math.expm1(-(<f64>max(size, 1)) / sampleMean());
}

/**
 * What a record of a sample adds to the variance for each byte it stands for: s(1 − p)/p, with the weight 1/p and the
 * bytes s/p. All in all that is s²(1 − p)/p².
 */
function spreadOf(weight: f64, bytes: f64): f64 {
  return bytes * (1 - 1 / weight);
}

function addEstimate(estimate: usize, weight: f64, bytes: f64): void {
  store<f64>(estimate, load<f64>(estimate, ESTIMATE_COUNT) + weight, ESTIMATE_COUNT);
  store<f64>(estimate, load<f64>(estimate, ESTIMATE_BYTES) + bytes, ESTIMATE_BYTES);
  const spread = spreadOf(weight, bytes);
  store<f64>(estimate, load<f64>(estimate, ESTIMATE_VARIANCE) + bytes * spread, ESTIMATE_VARIANCE);
  store<f64>(estimate, max(load<f64>(estimate, ESTIMATE_SPREAD), spread), ESTIMATE_SPREAD);
}

function add(sum: usize, size: u64, time: u64): void {
  const count = load<u32>(sum, SUM_COUNT);
  if (!count || time < load<u64>(sum, SUM_OLDEST)) store<u64>(sum, time, SUM_OLDEST);
  if (time > load<u64>(sum, SUM_NEWEST)) store<u64>(sum, time, SUM_NEWEST);
  store<u64>(sum, load<u64>(sum, SUM_BYTES) + size, SUM_BYTES);
  store<u32>(sum, count + 1, SUM_COUNT);
}

function isStackSelected(stack: u32): bool {
  const sum = findSum(stack);
  return sum != 0 && isSelected(sum);
}

/** A record as an entry: its words in the order of the keys; the kind in the two bits that no stack's index needs. */
function list(address: u64, size: u64, kind: i32, time: u64, threadAndStack: u64): i32 {
  const value = threadAndStack | ((<u64>kind) << ENTRY_KIND_SHIFT);
  if (order == ORDER_TIME) return offer(time, address, size, value);
  if (order == ORDER_SIZE) return offer(size, time, address, value);
  return offer(address, time, size, value);
}
