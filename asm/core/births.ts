// When what is live was born: for each stack, its records counted into 16 buckets of the process's life.
//
//   0 counts, 16 × u32      64 bytes, 16 × f64      192 smallest and largest record      208 the stack's stored totals
//
// A leak is born evenly, a cache early, a working set just now (runtime/reports/growth.ts reads that). Counts are
// those of the records, also in a sample: how far they can be trusted depends on them. Bytes are what the records
// stand for.
//
// Births lie in the page of their stack's accumulator, behind what else is there, and only when a query asks for them.

import { STACK_ALLOCATED_BYTES, STACK_ALLOCATIONS, STACK_BYTES, STACK_FREED_BYTES, STACK_FREES } from "../layout";
import { birthsOf, findPaged } from "./aggregate";
import { PIECE } from "./memory";

export const BIRTH_BUCKETS: i32 = 16;
export const BIRTH_COUNTS: i32 = 0;
export const BIRTH_BYTES: i32 = 64;
export const BIRTH_SMALLEST: i32 = 192;
export const BIRTH_LARGEST: i32 = 200;
export const BIRTH_ALLOCATIONS: i32 = 208;
export const BIRTH_ALLOCATED_BYTES: i32 = 216;
export const BIRTH_FREES: i32 = 224;
export const BIRTH_FREED_BYTES: i32 = 232;

/** Buckets for each nanosecond. */
let rate: f64 = 0;

/** Has the following records counted by their birth within a life of `span` nanoseconds. */
export function setLife(span: f64): void {
  rate = <f64>BIRTH_BUCKETS / max(span, 1);
}

/** Takes in a record of `size` bytes that stands for `bytes`. */
export function addBirth(sum: usize, stack: u32, size: u64, bytes: f64, time: u64): void {
  const birth = birthsOf(sum, stack);
  const bucket = <usize>min(<f64>time * rate, <f64>(BIRTH_BUCKETS - 1));
  const count = birth + (bucket << 2);
  store<u32>(count, load<u32>(count) + 1);
  const held = birth + (bucket << 3);
  store<f64>(held, load<f64>(held, BIRTH_BYTES) + bytes, BIRTH_BYTES);
  // Kept from the other end, so that 0 says that there is none yet.
  if (~size > load<u64>(birth, BIRTH_SMALLEST)) store<u64>(birth, ~size, BIRTH_SMALLEST);
  if (size > load<u64>(birth, BIRTH_LARGEST)) store<u64>(birth, size, BIRTH_LARGEST);
}

/** Notes the stored totals of the stacks `first` … `end` − 1 that have births; their elements lie at PIECE. */
export function takeTotals(first: u32, end: u32): i32 {
  for (let stack = first; stack < end; stack++) {
    const sum = findPaged(stack);
    if (!sum) continue;
    const birth = birthsOf(sum, stack);
    const element = PIECE + (stack - first) * STACK_BYTES;
    store<u64>(birth, load<u64>(element, STACK_ALLOCATIONS), BIRTH_ALLOCATIONS);
    store<u64>(birth, load<u64>(element, STACK_ALLOCATED_BYTES), BIRTH_ALLOCATED_BYTES);
    store<u64>(birth, load<u64>(element, STACK_FREES), BIRTH_FREES);
    store<u64>(birth, load<u64>(element, STACK_FREED_BYTES), BIRTH_FREED_BYTES);
  }
  return 0;
}

/** Where the births of a stack are that has a row. */
export function birthsAt(stack: u32): usize {
  const sum = findPaged(stack);
  return sum ? birthsOf(sum, stack) : 0;
}
