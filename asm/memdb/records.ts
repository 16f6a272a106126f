// A session's records: which slots are filled and emptied, and what is therefore live. A record for which there is no
// room is counted.

import {
  BLOCK_BYTES,
  KIND_RECORDS,
  KIND_STACKS,
  MEMORY_CUSTOM,
  RECORD_ADDRESS,
  RECORD_BYTES,
  RECORD_FREED_IN_EXIT_SHIFT,
  RECORD_KIND_SHIFT,
  RECORD_SIZE,
  RECORD_STACK,
  RECORD_THREAD,
  RECORD_TIME,
  WIRE_ERROR_LENGTH,
  WIRE_ERROR_REFERENCE,
  WIRE_ERROR_VALUE,
  WIRE_RUN_BYTES,
  WIRE_RUN_COUNT,
  WIRE_RUN_FIRST,
} from "../layout";
import { sentOf } from "./elements";
import { capacity, count, element, reserve, setCount, touch, touchRange } from "./image";

// What a viewer accepts as well.
const BYTES_LIMIT: u64 = 1 << 53;
const RECORDS_IN_BLOCK: u32 = BLOCK_BYTES / RECORD_BYTES;
const FREED_IN_EXIT: u64 = (<u64>1) << RECORD_FREED_IN_EXIT_SHIFT;
const SIZE_MASK: u64 = ((<u64>1) << RECORD_KIND_SHIFT) - 1;

export let liveCount: u64 = 0;
export let liveBytes: u64 = 0;
export let received: u64 = 0;
export let dropped: u64 = 0;
export let droppedBytes: u64 = 0;

export function startRecords(): void {
  liveCount = liveBytes = received = dropped = droppedBytes = 0;
}

export function records(at: usize, end: usize): i32 {
  while (at < end) {
    if (end - at < <usize>WIRE_RUN_BYTES) return -WIRE_ERROR_LENGTH;
    let slot = load<u32>(at, WIRE_RUN_FIRST);
    const number = load<u32>(at, WIRE_RUN_COUNT);
    at += WIRE_RUN_BYTES;
    if (number == 0 || <u64>number * RECORD_BYTES > end - at) return -WIRE_ERROR_LENGTH;
    const stop = slot + number;
    if (slot == 0 || stop < slot) return -WIRE_ERROR_REFERENCE;
    received += number;
    const used = count(KIND_RECORDS);
    let room = stop;
    if (stop > used) {
      reserve(KIND_RECORDS, stop);
      room = min(stop, capacity(KIND_RECORDS));
      if (room > used) setCount(KIND_RECORDS, room);
    }
    while (slot < room) {
      // Up to the end of a block, and to where the slots begin that were never used.
      let until = min(room, (slot | (RECORDS_IN_BLOCK - 1)) + 1);
      if (slot < used) until = min(until, used);
      const bytes = (until - slot) * RECORD_BYTES;
      const to = element(KIND_RECORDS, slot, RECORD_BYTES);
      touchRange(to, bytes);
      const error = place(at, at + bytes, to, slot < used);
      if (error) return error;
      at += bytes;
      slot = until;
    }
    for (; slot < stop; slot++, at += RECORD_BYTES) {
      if (load<u64>(at, RECORD_ADDRESS)) drop(load<u64>(at, RECORD_SIZE) & SIZE_MASK);
    }
  }
  return 0;
}

// Records into neighbouring slots. The loop calls nothing: around a call WebAssembly engines keep nothing in registers.
// And it does not look at slots that were never used: reading memory that was never touched maps the kernel's page of
// zeros, and writing to it is a second page fault then.
function place(at: usize, end: usize, to: usize, used: bool): i32 {
  const stacks = sentOf(KIND_STACKS);
  const stored = count(KIND_STACKS);
  let live = liveCount;
  let bytes = liveBytes;
  let error = 0;
  for (; at < end; at += RECORD_BYTES, to += RECORD_BYTES) {
    if (used && load<u64>(to, RECORD_ADDRESS) != 0) {
      live--;
      bytes -= load<u64>(to, RECORD_SIZE) & SIZE_MASK;
      store<u64>(to, 0, RECORD_ADDRESS);
    }
    const address = load<u64>(at, RECORD_ADDRESS);
    let size = load<u64>(at, RECORD_SIZE);
    // Without an address there is nothing but a record that was kept of a block that was freed in exit.
    const kept = address == 0 ? FREED_IN_EXIT : 0;
    if (kept && !(size & kept)) continue;
    size ^= kept;
    const stack = load<u32>(at, RECORD_STACK);
    if (stack >= stacks) {
      error = -WIRE_ERROR_REFERENCE;
      break;
    }
    if (size >> RECORD_KIND_SHIFT > <u64>MEMORY_CUSTOM || (size & SIZE_MASK) >= BYTES_LIMIT - bytes) {
      error = -WIRE_ERROR_VALUE;
      break;
    }
    store<u64>(to, address, RECORD_ADDRESS);
    store<u64>(to, size | kept, RECORD_SIZE);
    store<u64>(to, load<u64>(at, RECORD_TIME), RECORD_TIME);
    store<u32>(to, load<u32>(at, RECORD_THREAD), RECORD_THREAD);
    store<u32>(to, stack < stored ? stack : 0, RECORD_STACK);
    if (kept) continue;
    live++;
    bytes += size & SIZE_MASK;
  }
  liveCount = live;
  liveBytes = bytes;
  return error;
}

// Empties a slot. Freeing a free one is no error: its record may have been dropped here.
function release(at: usize): void {
  if (load<u64>(at, RECORD_ADDRESS) == 0) return;
  liveCount--;
  liveBytes -= load<u64>(at, RECORD_SIZE) & SIZE_MASK;
  store<u64>(at, 0, RECORD_ADDRESS);
}

function drop(bytes: u64): void {
  dropped++;
  droppedBytes += bytes;
}

export function removed(at: usize, end: usize): i32 {
  const room = count(KIND_RECORDS);
  received += (end - at) / 4;
  for (; at < end; at += 4) {
    const slot = load<u32>(at);
    if (slot >= room) continue;
    const record = element(KIND_RECORDS, slot, RECORD_BYTES);
    release(record);
    touch(record);
  }
  return 0;
}
