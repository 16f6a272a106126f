// From what was collected to the rows that the host reads.
//
// Stacks: every accumulator becomes an entry, with the key of the order asked for in front; the totals that the
// store keeps for each stack are read from a piece of the stacks array when the order needs them. Entries are then
// turned in place into rows, as the tables show.
//
//   stack row   0 stack id, 4 count, 8 bytes, 16 oldest, 24 newest       record row: a live record (asm/layout.ts)

import { findSum, nextPaged, SUM_BYTES, SUM_COUNT, SUM_NEWEST, SUM_OLDEST, SUM_SELECTED } from "./aggregate";
import { ENTRY_BYTES, entriesLength, KEY_0, KEY_1, KEY_2, offer, VALUE } from "./entries";
import { FAILED } from "./fault";
import {
  RECORD_ADDRESS,
  RECORD_KIND_SHIFT,
  RECORD_SIZE,
  RECORD_THREAD,
  RECORD_TIME,
  STACK_ALLOCATIONS,
  STACK_BYTES,
  STACK_PEAK_BYTES,
  STACK_TEMPORARIES,
} from "./layout";
import { PIECE } from "./memory";
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

let chosenCount: u64 = 0;
let chosenBytes: u64 = 0;

/** Starts collecting stacks. */
export function beginStacks(): void {
  chosenCount = 0;
  chosenBytes = 0;
}

/** Records of the stacks collected. */
export function stacksMatched(): f64 {
  return <f64>chosenCount;
}

export function stacksBytes(): f64 {
  return <f64>chosenBytes;
}

/**
 * Offers stacks `first` … `end` − 1 with matching records. Where the order needs them, the elements of the stacks
 * array from `first` on lie at PIECE. `selected`: only those that selectStacks() marked. 0, or FAILED.
 */
export function collectStacks(first: u32, end: u32, order: i32, selected: bool): i32 {
  for (let stack = nextPaged(first); stack < end; stack = nextPaged(stack + 1)) {
    const sum = findSum(stack);
    if (!sum || (selected && !load<u32>(sum, SUM_SELECTED))) continue;
    const count = <u64>load<u32>(sum, SUM_COUNT);
    const bytes = load<u64>(sum, SUM_BYTES);
    chosenCount += count;
    chosenBytes += bytes;
    let status = 0;
    if (order == ORDER_COUNT) status = offer(count, bytes, stack, sum);
    else if (order == ORDER_BYTES) status = offer(bytes, count, stack, sum);
    else status = offer(stackTotal(PIECE + (stack - first) * STACK_BYTES, order), bytes, stack, sum);
    if (status) return FAILED;
  }
  return 0;
}

function stackTotal(element: usize, order: i32): u64 {
  if (order == ORDER_ALLOCATIONS) return load<u64>(element, STACK_ALLOCATIONS);
  if (order == ORDER_TEMPORARIES) return load<u64>(element, STACK_TEMPORARIES);
  return load<u64>(element, STACK_PEAK_BYTES);
}

/** Sorts the collected stacks and turns them into rows. Their address, or 0 after leaving a fault. */
export function stackRows(): usize {
  const rows = sortEntries();
  if (!rows) return 0;
  for (let i: u32 = 0; i < entriesLength(); i++) {
    const row = rows + i * ENTRY_BYTES;
    const stack = <u32>load<u64>(row, KEY_2);
    const sum = <usize>load<u64>(row, VALUE);
    store<u32>(row, stack, ROW_STACK);
    store<u32>(row, load<u32>(sum, SUM_COUNT), ROW_COUNT);
    store<u64>(row, load<u64>(sum, SUM_BYTES), ROW_BYTES);
    store<u64>(row, load<u64>(sum, SUM_OLDEST), ROW_OLDEST);
    store<u64>(row, load<u64>(sum, SUM_NEWEST), ROW_NEWEST);
  }
  return rows;
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
