// The rows of an answer while they are collected. An entry has 32 bytes: three 64-bit keys in the order of their
// weight, and 64 bits of payload. Either all rows are kept, up to a limit, or the N largest, in a heap whose root is
// the smallest of them, so that the memory depends on N and not on the store.
//
// The entries are the last thing in the arena, so they grow in place.

import { tooMuch } from "./fault";
import { claim } from "./memory";

export const KEY_0: i32 = 0;
export const KEY_1: i32 = 8;
export const KEY_2: i32 = 16;
export const VALUE: i32 = 24;
export const ENTRY_SHIFT: i32 = 5;
export const ENTRY_BYTES: i32 = 1 << ENTRY_SHIFT;

/** Rows that an answer can have: more take gigabytes as objects of the host, and nobody reads them. */
export const ENTRIES_LIMIT: i32 = 4194304;
const STEP: u32 = 32768;

let entries: usize = 0;
let capacity: u32 = 0;
let length: u32 = 0;
let top: u32 = 0;

/** Starts an empty answer that keeps the `largest` largest entries. */
export function beginEntries(largest: u32): void {
  entries = 0;
  capacity = 0;
  length = 0;
  top = largest;
}

export function entriesStart(): usize {
  return entries;
}

export function entriesLength(): u32 {
  return length;
}

/** Whether entry a comes before entry b. */
export function before(a: usize, b: usize): bool {
  const a0 = load<u64>(a, KEY_0);
  const b0 = load<u64>(b, KEY_0);
  if (a0 != b0) return a0 < b0;
  const a1 = load<u64>(a, KEY_1);
  const b1 = load<u64>(b, KEY_1);
  if (a1 != b1) return a1 < b1;
  return load<u64>(a, KEY_2) < load<u64>(b, KEY_2);
}

export function move(to: usize, from: usize): void {
  put(to, load<u64>(from, KEY_0), load<u64>(from, KEY_1), load<u64>(from, KEY_2), load<u64>(from, VALUE));
}

/** Offers an entry to the answer. 0, or FAILED when there are too many. */
export function offer(key0: u64, key1: u64, key2: u64, value: u64): i32 {
  if (length < top) {
    const status = append(key0, key1, key2, value);
    if (!status && length == top) makeHeap();
    return status;
  }
  if (!top) return 0;
  const root = entries;
  const root0 = load<u64>(root, KEY_0);
  if (key0 < root0) return 0;
  if (key0 == root0) {
    const root1 = load<u64>(root, KEY_1);
    if (key1 < root1 || (key1 == root1 && key2 <= load<u64>(root, KEY_2))) return 0;
  }
  put(root, key0, key1, key2, value);
  sink(0);
  return 0;
}

function append(key0: u64, key1: u64, key2: u64, value: u64): i32 {
  if (length == capacity) {
    if (length >= <u32>ENTRIES_LIMIT) {
      return tooMuch("has more matching rows than can be listed; the most is", ENTRIES_LIMIT);
    }
    const more = claim(STEP << ENTRY_SHIFT);
    if (!more) return tooMuch("has more matching rows than fit in memory");
    if (!entries) entries = more;
    assert(more == entries + (capacity << ENTRY_SHIFT));
    capacity += STEP;
  }
  put(entries + (length << ENTRY_SHIFT), key0, key1, key2, value);
  length++;
  return 0;
}

function put(entry: usize, key0: u64, key1: u64, key2: u64, value: u64): void {
  store<u64>(entry, key0, KEY_0);
  store<u64>(entry, key1, KEY_1);
  store<u64>(entry, key2, KEY_2);
  store<u64>(entry, value, VALUE);
}

function makeHeap(): void {
  for (let i = length >>> 1; i > 0; i--) sink(i - 1);
}

/** Moves entry i down the heap to where both entries below it are larger. */
function sink(place: u32): void {
  let i = place;
  const start = entries;
  const at = start + (i << ENTRY_SHIFT);
  const key0 = load<u64>(at, KEY_0);
  const key1 = load<u64>(at, KEY_1);
  const key2 = load<u64>(at, KEY_2);
  const value = load<u64>(at, VALUE);
  for (;;) {
    let child: u32 = 2 * i + 1;
    if (child >= length) break;
    let below = start + (child << ENTRY_SHIFT);
    if (child + 1 < length && before(below + ENTRY_BYTES, below)) {
      child++;
      below += ENTRY_BYTES;
    }
    const below0 = load<u64>(below, KEY_0);
    if (below0 > key0) break;
    if (below0 == key0) {
      const below1 = load<u64>(below, KEY_1);
      if (below1 > key1 || (below1 == key1 && load<u64>(below, KEY_2) >= key2)) break;
    }
    move(start + (i << ENTRY_SHIFT), below);
    i = child;
  }
  put(start + (i << ENTRY_SHIFT), key0, key1, key2, value);
}
