// Sums by call stack: one accumulator of 32 bytes for each stack, in pages made when first needed.
//
//   PAGES[stack >> 12] ──▶ page of 4096 accumulators ──▶ [stack & 4095]
//
// So the memory depends on the stacks that have matching records, and never on a count in the file.
//
// For a store with a sample, an accumulator has 32 bytes more: what the records of the stack stand for. The first 32
// bytes still have the records' own values. If births are requested (births.ts), an accumulator has 320 bytes: what is
// written for a record is then in two cache lines of one system page.

import { FAILED, tooMuch } from "./fault";
import { claim, PAGES, STACKS_PER_PAGE_SHIFT } from "./memory";

export const SUM_BYTES: i32 = 0;
export const SUM_OLDEST: i32 = 8;
export const SUM_NEWEST: i32 = 16;
export const SUM_COUNT: i32 = 24;
export const SUM_FLAGS: i32 = 28;
/** Bytes of an accumulator alone. */
const SUM_BARE: u32 = 32;
/** With births, and with estimates behind them. */
const SUM_WITH_BIRTHS: u32 = 320;
const ESTIMATE_BEHIND: u32 = 288;

// SUM_FLAGS.
/** selectStacks() chose it. */
const SELECTED: u32 = 1;
/** It is in the answer even if none of its records matched. */
const ADMITTED: u32 = 2;

// Estimates of a stack, behind what else is in its accumulator; f64 each.
export const ESTIMATE_COUNT: i32 = 0;
export const ESTIMATE_BYTES: i32 = 8;
/** The variance of ESTIMATE_BYTES. */
export const ESTIMATE_VARIANCE: i32 = 16;
/** The most that one record adds to the variance for each byte it stands for. */
export const ESTIMATE_SPREAD: i32 = 24;

const PER_PAGE: i32 = 1 << STACKS_PER_PAGE_SHIFT;
const IN_PAGE: u32 = PER_PAGE - 1;

/** Pages in use are all below this one. */
let pagesEnd: u32 = 0;

/** Bytes of an accumulator now, and where in it the estimates are. */
let sumBytes: u32 = SUM_BARE;
let estimateAt: u32 = SUM_BARE;

let sampleBytes: f64 = 0;

/** Mean bytes between samples, 0 when every allocation is recorded. Forgets all sums when that changes. */
export function setSample(bytes: f64): void {
  if (bytes == sampleBytes) return;
  sampleBytes = bytes;
  beginLayout();
}

export function sampleMean(): f64 {
  return sampleBytes;
}

let withBirths: bool = false;

/** Whether the following sums have births, too. Forgets all sums when that changes. */
export function setBirths(wanted: bool): void {
  if (wanted == withBirths) return;
  withBirths = wanted;
  beginLayout();
}

function beginLayout(): void {
  estimateAt = withBirths ? ESTIMATE_BEHIND : SUM_BARE;
  sumBytes = withBirths ? SUM_WITH_BIRTHS : sampleBytes > 0 ? 2 * SUM_BARE : SUM_BARE;
  beginSums();
}

export function hasBirths(): bool {
  return withBirths;
}

/** Forgets all sums; the arena was emptied. */
export function beginSums(): void {
  memory.fill(PAGES, 0, pagesEnd << 2);
  pagesEnd = 0;
}

/** The accumulator of a stack, also of one that is not in the answer; 0 if its page was not needed so far. */
export function findPaged(stack: u32): usize {
  const page = load<u32>(PAGES + ((stack >>> STACKS_PER_PAGE_SHIFT) << 2));
  return page ? page + (stack & IN_PAGE) * sumBytes : 0;
}

/** The accumulator of a stack, made if need be; 0 after leaving a fault. `stack` is below 2^30. */
export function sumOf(stack: u32): usize {
  return findPaged(stack) || newPage(stack);
}

function newPage(stack: u32): usize {
  const index = stack >>> STACKS_PER_PAGE_SHIFT;
  const page = claim(PER_PAGE * sumBytes);
  if (!page) {
    tooMuch("has live allocations from more call stacks than fit in memory");
    return 0;
  }
  store<u32>(PAGES + (index << 2), page);
  if (index >= pagesEnd) pagesEnd = index + 1;
  return page + (stack & IN_PAGE) * sumBytes;
}

/** The estimates that belong to an accumulator; only of a sample. */
export function estimateOf(sum: usize): usize {
  return sum + estimateAt;
}

/** Has a stack in the answer even if none of its records match. 0, or FAILED. */
export function admit(stack: u32): i32 {
  const sum = sumOf(stack);
  if (!sum) return FAILED;
  store<u32>(sum, load<u32>(sum, SUM_FLAGS) | ADMITTED, SUM_FLAGS);
  return 0;
}

/** The accumulator of a stack, 0 if it is not in the answer. */
export function findSum(stack: u32): usize {
  const sum = findPaged(stack);
  return sum && load<u64>(sum, SUM_COUNT) ? sum : 0;
}

export function isSelected(sum: usize): bool {
  return (load<u32>(sum, SUM_FLAGS) & SELECTED) != 0;
}

/** The first stack from `stack` on that lies in a page, 2^32−1 if there is none. */
export function nextPaged(stack: u32): u32 {
  for (let index = stack >>> STACKS_PER_PAGE_SHIFT; index < pagesEnd; index++) {
    if (load<u32>(PAGES + (index << 2))) return max(stack, index << STACKS_PER_PAGE_SHIFT);
  }
  return u32.MAX_VALUE;
}

let idCount: u32 = 0;

/**
 * Lists the ids of all stacks in the answer, ascending; 0 after leaving a fault. The list has stackIdCount() entries.
 */
export function listStackIds(): usize {
  idCount = 0;
  for (let stack = nextPaged(0); stack != u32.MAX_VALUE; stack = nextPaged(stack + 1)) {
    if (findSum(stack)) idCount++;
  }
  const list = claim(idCount << 2);
  if (!list) {
    tooMuch("has live allocations from more call stacks than fit in memory");
    return 0;
  }
  let at = list;
  for (let stack = nextPaged(0); stack != u32.MAX_VALUE; stack = nextPaged(stack + 1)) {
    if (!findSum(stack)) continue;
    store<u32>(at, stack);
    at += 4;
  }
  return list;
}

export function stackIdCount(): u32 {
  return idCount;
}

/** Room for one byte for each listed stack; 0 after leaving a fault. */
export function claimMask(): usize {
  const mask = claim(idCount);
  if (!mask) tooMuch("has live allocations from more call stacks than fit in memory");
  return mask;
}

// What a mask has of stacks that are counted and left out, for one reason or another.
const LEFT_OUT: u8 = 2;
const REASONS: i32 = 2;

/** For each reason allocations and bytes, f64 each. */
const LEFT: usize = memory.data(32, 8);

/** Allocations of the stacks that the mask of the last selectStacks() left out with this byte, 2 or 3. */
export function suppressedCount(byte: i32): f64 {
  return nearest(load<f64>(LEFT + ((byte - LEFT_OUT) << 4)));
}

export function suppressedBytes(byte: i32): f64 {
  return nearest(load<f64>(LEFT + ((byte - LEFT_OUT) << 4), 8));
}

/** Marks the listed stacks whose byte in the mask is 1; counts those where it is 2 or 3. */
export function selectStacks(list: usize, mask: usize): void {
  memory.fill(LEFT, 0, REASONS << 4);
  for (let i: u32 = 0; i < idCount; i++) {
    const sum = findSum(load<u32>(list + (i << 2)));
    const flags = load<u32>(sum, SUM_FLAGS) & ~SELECTED;
    const byte = load<u8>(mask + i);
    store<u32>(sum, byte == 1 ? flags | SELECTED : flags, SUM_FLAGS);
    if (byte < LEFT_OUT || byte >= LEFT_OUT + <u8>REASONS) continue;
    const estimated = sampleBytes > 0;
    const left = LEFT + ((<usize>byte - LEFT_OUT) << 4);
    const count = estimated ? load<f64>(estimateOf(sum), ESTIMATE_COUNT) : <f64>load<u32>(sum, SUM_COUNT);
    const bytes = estimated ? load<f64>(estimateOf(sum), ESTIMATE_BYTES) : <f64>load<u64>(sum, SUM_BYTES);
    store<f64>(left, load<f64>(left) + count);
    store<f64>(left, load<f64>(left, 8) + bytes, 8);
  }
}
