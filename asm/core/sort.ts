// Sorts the collected entries, ascending: runs of 16 by insertion, then merges from one half of the memory to the other
// and back. It is never worse than n log n, sequential in memory, and fast where entries are already in order, as
// records by time nearly are.

import { before, ENTRY_BYTES, ENTRY_SHIFT, entriesLength, entriesStart, move } from "./entries";
import { tooMuch } from "./fault";
import { claim } from "./memory";

const RUN: u32 = 16;
/** A place for the entry that is being moved. */
const SPARE: usize = memory.data(32, 16);

/** Returns where the sorted entries lie, or 0 after leaving a fault; with no entries any address. */
export function sortEntries(): usize {
  const length = entriesLength();
  let from = entriesStart();
  if (length < 2) return from ? from : 1;
  for (let start: u32 = 0; start < length; start += RUN) insertionSort(from, start, min(start + RUN, length));
  if (length <= RUN) return from;
  let to = claim(length << ENTRY_SHIFT);
  if (!to) {
    tooMuch("has more matching rows than can be sorted in memory");
    return 0;
  }
  for (let width = RUN; width < length; width <<= 1) {
    for (let start: u32 = 0; start < length; start += width << 1) {
      merge(from, to, start, min(start + width, length), min(start + (width << 1), length));
    }
    const swap = from;
    from = to;
    to = swap;
  }
  return from;
}

function insertionSort(start: usize, first: u32, end: u32): void {
  for (let i = first + 1; i < end; i++) {
    let at = start + (i << ENTRY_SHIFT);
    if (!before(at, at - ENTRY_BYTES)) continue;
    move(SPARE, at);
    const lowest = start + (first << ENTRY_SHIFT);
    while (at > lowest && before(SPARE, at - ENTRY_BYTES)) {
      move(at, at - ENTRY_BYTES);
      at -= ENTRY_BYTES;
    }
    move(at, SPARE);
  }
}

function merge(from: usize, to: usize, start: u32, middle: u32, end: u32): void {
  let left = from + (start << ENTRY_SHIFT);
  const leftEnd = from + (middle << ENTRY_SHIFT);
  let right = leftEnd;
  const rightEnd = from + (end << ENTRY_SHIFT);
  let out = to + (start << ENTRY_SHIFT);
  if (left == leftEnd || right == rightEnd || !before(right, right - ENTRY_BYTES)) {
    memory.copy(out, left, rightEnd - left);
    return;
  }
  while (left < leftEnd && right < rightEnd) {
    if (before(right, left)) {
      move(out, right);
      right += ENTRY_BYTES;
    } else {
      move(out, left);
      left += ENTRY_BYTES;
    }
    out += ENTRY_BYTES;
  }
  memory.copy(out, left, leftEnd - left);
  out += leftEnd - left;
  memory.copy(out, right, rightEnd - right);
}
