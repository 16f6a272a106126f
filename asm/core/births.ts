// When the live blocks were born: for each stack, its records counted in 16 buckets of the process's life.
//
//   32 smallest and largest record      64 of each part: bytes, f64; records, u32      256 the stack's stored totals
//
// A leak is born evenly, a cache early, a working set just now (runtime/reports/growth.ts uses that). Counts are those
// of the records, also in a sample, because they decide how far the counts can be trusted. Bytes are what the records
// stand for.
//
// Births are in their stack's accumulator (aggregate.ts), and only when a query requests them.

import { STACK_ALLOCATED_BYTES, STACK_ALLOCATIONS, STACK_BYTES, STACK_FREED_BYTES, STACK_FREES } from "../layout";
import { findPaged } from "./aggregate";
import { PIECE } from "./memory";

export const BIRTH_BUCKETS: i32 = 16;
export const BIRTH_BYTES: i32 = 64;
export const BIRTH_COUNTS: i32 = 72;
export const BIRTH_STEP: i32 = 12;
export const BIRTH_SMALLEST: i32 = 32;
export const BIRTH_LARGEST: i32 = 40;
export const BIRTH_ALLOCATIONS: i32 = 256;
export const BIRTH_ALLOCATED_BYTES: i32 = 264;
export const BIRTH_FREES: i32 = 272;
export const BIRTH_FREED_BYTES: i32 = 280;

// A time's bucket is (time << left >> right) * factor >> 59, so that nothing is divided or rounded for each record. The
// shifts bring the span to between 2^30 and 2^31, and the product stays below 2^64.
const FRACTION: u64 = 59;
let last: u64 = 0;
let left: u64 = 0;
let right: u64 = 0;
let factor: u64 = 0;

/** Has the following records counted by their birth within a life of `span` nanoseconds. */
export function setLife(span: u64): void {
  const life = min(max(span, 1), (<u64>1) << 62);
  const bits = 64 - clz(life);
  left = bits < 31 ? 31 - bits : 0;
  right = bits > 31 ? bits - 31 : 0;
  const scaled = (life << left) >> right;
  factor = (((<u64>BIRTH_BUCKETS) << FRACTION) + scaled - 1) / scaled;
  last = life - 1;
}

/** Takes in a record of `size` bytes that stands for `bytes`. */
export function addBirth(sum: usize, size: u64, bytes: f64, time: u64): void {
  const bucket = <usize>((((min(time, last) << left) >> right) * factor) >> FRACTION);
  const at = sum + min(bucket, <usize>(BIRTH_BUCKETS - 1)) * BIRTH_STEP;
  store<f64>(at, load<f64>(at, BIRTH_BYTES) + bytes, BIRTH_BYTES);
  store<u32>(at, load<u32>(at, BIRTH_COUNTS) + 1, BIRTH_COUNTS);
  // Kept from the other end, so that 0 says that there is none yet.
  if (~size > load<u64>(sum, BIRTH_SMALLEST)) store<u64>(sum, ~size, BIRTH_SMALLEST);
  if (size > load<u64>(sum, BIRTH_LARGEST)) store<u64>(sum, size, BIRTH_LARGEST);
}

/** Notes the stored totals of the stacks `first` … `end` − 1 that have births; their elements lie at PIECE. */
export function takeTotals(first: u32, end: u32): i32 {
  for (let stack = first; stack < end; stack++) {
    const sum = findPaged(stack);
    if (!sum) continue;
    const element = PIECE + (stack - first) * STACK_BYTES;
    store<u64>(sum, load<u64>(element, STACK_ALLOCATIONS), BIRTH_ALLOCATIONS);
    store<u64>(sum, load<u64>(element, STACK_ALLOCATED_BYTES), BIRTH_ALLOCATED_BYTES);
    store<u64>(sum, load<u64>(element, STACK_FREES), BIRTH_FREES);
    store<u64>(sum, load<u64>(element, STACK_FREED_BYTES), BIRTH_FREED_BYTES);
  }
  return 0;
}
