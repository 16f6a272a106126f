// Reading debug sections that are only partly in memory.
//
//   section   ├────────────────────────────────────────────────────────────────┤ WINDOW_SIZE
//   window              ├──────────────────────────┤
//                  WINDOW_BASE              + WINDOW_LENGTH
//
// A read outside of its window ends the operation like an error, but says which piece is missing. The host loads the
// piece and starts the operation anew. So code that parses never waits and never knows about files. Errors are sticky:
// after the first one every read returns 0 and nothing moves, and a loop checks `failed` in its condition.

import {
  BROKEN,
  DONE,
  MISSING,
  MISSING_BYTES,
  MISSING_KIND,
  MISSING_OFFSET,
  OUT_OF_MEMORY,
  SECTION_KINDS,
  WINDOW_ADDRESS,
  WINDOW_BASE,
  WINDOW_BYTES,
  WINDOW_LENGTH,
  WINDOW_SIZE,
} from "./layout";
import { record } from "./memory";

const windows = memory.data(WINDOW_BYTES * SECTION_KINDS);

export function windowsAddress(): usize {
  return windows;
}

/** DONE, MISSING, BROKEN or OUT_OF_MEMORY. */
export let failed: u32 = DONE;

// The cursor: where it is and must stop, in memory; the offset in its section
// of address 0; and where it may go at most.
let position: usize = 0;
let limit: usize = 0;
let origin: u64 = 0;
let lastOffset: u64 = 0;
let section: u32 = 0;

// Steps left before an operation is given up: what a file can make us do must be in proportion to its size.
let budget: i64 = 0;
const BUDGET: i64 = 1 << 26;
const BUDGET_PER_BYTE: i64 = 64;

/** Starts an operation that looks at so many bytes. */
export function begin(bytes: u64 = 0): void {
  failed = DONE;
  budget = BUDGET + <i64>bytes * BUDGET_PER_BYTE;
}

export function spend(steps: u32): void {
  budget -= steps;
  if (budget < 0) fail();
}

/** What was read cannot be. */
export function fail(): void {
  stop(BROKEN);
}

export function failForMemory(): void {
  stop(OUT_OF_MEMORY);
}

function stop(why: u32): void {
  if (failed == DONE) failed = why;
  limit = position;
}

function window(kind: u32): usize {
  return windows + kind * WINDOW_BYTES;
}

export function sectionSize(kind: u32): u64 {
  return load<u64>(window(kind), WINDOW_SIZE);
}

/** Puts the cursor at an offset of a section; reads beyond `end` (at most the section's size) are errors. */
export function seek(kind: u32, offset: u64, end: u64): void {
  const w = window(kind);
  const size = load<u64>(w, WINDOW_SIZE);
  section = kind;
  lastOffset = min(end, size);
  const base = load<u64>(w, WINDOW_BASE);
  const address = <usize>load<u32>(w, WINDOW_ADDRESS);
  const length = <u64>load<u32>(w, WINDOW_LENGTH);
  origin = base - address;
  if (failed != DONE) return;
  if (offset > lastOffset) return fail();
  if (offset < base || offset >= base + length) {
    position = limit = 0;
    // Nothing to load at the very end; whoever reads on there fails.
    origin = offset;
    if (offset < lastOffset) missing(offset, 1);
    return;
  }
  position = address + <usize>(offset - base);
  limit = address + <usize>min(length, lastOffset - base);
}

function missing(offset: u64, bytes: u32): void {
  if (failed != DONE) return;
  store<u64>(record, offset, MISSING_OFFSET);
  store<u32>(record, section, MISSING_KIND);
  store<u32>(record, bytes, MISSING_BYTES);
  stop(MISSING);
}

/** The cursor's offset in its section. */
export function tell(): u64 {
  return origin + position;
}

export function atEnd(): bool {
  return tell() >= lastOffset || failed != DONE;
}

/** Bytes between the cursor and the end that seek() was given. */
export function remaining(): u64 {
  return failed != DONE ? 0 : lastOffset - tell();
}

/** Whether that many bytes are there to be read; an error if not. */
function has(bytes: usize): bool {
  return limit - position >= bytes || short(bytes);
}

function short(bytes: usize): bool {
  if (failed != DONE) return false;
  const offset = tell();
  if (<u64>bytes > lastOffset - offset) fail();
  else missing(offset, <u32>bytes);
  return false;
}

export function skip(bytes: u64): void {
  if (<u64>(limit - position) >= bytes) {
    position += <usize>bytes;
  } else if (failed == DONE) {
    if (bytes > lastOffset - tell()) fail();
    else seek(section, tell() + bytes, lastOffset);
  }
}

export function u8At(): u32 {
  if (!has(1)) return 0;
  return load<u8>(position++);
}

export function u16At(): u32 {
  if (!has(2)) return 0;
  position += 2;
  return load<u16>(position - 2);
}

export function u24At(): u32 {
  if (!has(3)) return 0;
  position += 3;
  return <u32>load<u16>(position - 3) | ((<u32>load<u8>(position - 1)) << 16);
}

export function u32At(): u32 {
  if (!has(4)) return 0;
  position += 4;
  return load<u32>(position - 4);
}

export function u64At(): u64 {
  if (!has(8)) return 0;
  position += 8;
  return load<u64>(position - 8);
}

/** An offset or address of 4 or 8 bytes. */
export function wordAt(bytes: u32): u64 {
  return bytes == 8 ? u64At() : <u64>u32At();
}

export function uleb(): u64 {
  if (limit > position) {
    const byte = load<u8>(position);
    if (byte < 0x80) {
      position++;
      return byte;
    }
  }
  let value: u64 = 0;
  let shift: u64 = 0;
  while (has(1)) {
    const byte = load<u8>(position++);
    if (shift < 64) value |= (<u64>(byte & 0x7f)) << shift;
    shift += 7;
    if (byte < 0x80) return value;
  }
  return 0;
}

export function sleb(): i64 {
  let value: i64 = 0;
  let shift: i64 = 0;
  while (has(1)) {
    const byte = load<u8>(position++);
    if (shift < 64) value |= (<i64>(byte & 0x7f)) << shift;
    shift += 7;
    if (byte < 0x80) {
      if (shift < 64 && byte & 0x40) value |= (<i64>-1) << shift;
      return value;
    }
  }
  return 0;
}

/** Moves behind the next NUL. */
export function skipString(): void {
  while (has(1)) {
    if (load<u8>(position++) == 0) return;
  }
}
