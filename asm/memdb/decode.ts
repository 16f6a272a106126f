// The wire's decoder: takes a session's frames from WIRE_PROCESS on and applies them to the image. It
// believes nothing: every length, order and reference is checked before it is used, so that the worst
// a sender can do is to end its own connection or to fill its own store with nonsense.

import {
  BLOCK_BYTES,
  END_EXEC,
  FILE_BYTES,
  FRAME_BYTES,
  FRAME_MODULE,
  HEADER_BLOCK_BYTES,
  HEADER_BLOCK_COUNT,
  HEADER_BYTES,
  HEADER_COMMAND_LENGTH,
  HEADER_DEPTH_LIMIT,
  HEADER_DROPPED,
  HEADER_DROPPED_BYTES,
  HEADER_END_KIND,
  HEADER_END_TIME,
  HEADER_EXE_LENGTH,
  HEADER_HEADER_BYTES,
  HEADER_MAGIC,
  HEADER_POINTER_BYTES,
  HEADER_SAMPLE_BYTES,
  HEADER_SIZE_LIMIT,
  HEADER_THREAD_SLOTS,
  HEADER_TIMELINE_COUNT,
  HEADER_VERSION_MAJOR,
  HEADER_WRITER,
  KIND_COUNT,
  KIND_FRAMES,
  KIND_MODULES,
  KIND_NODES,
  KIND_RECORDS,
  KIND_STACKS,
  KIND_STRINGS,
  MEMORY_CUSTOM,
  MODULE_BUILD_ID_LENGTH,
  MODULE_BUILD_ID_OFFSET,
  MODULE_BYTES,
  MODULE_END,
  MODULE_FLAG_FILE,
  MODULE_FLAGS,
  MODULE_PATH_LENGTH,
  MODULE_PATH_OFFSET,
  MODULE_START,
  NODE_BYTES,
  NODE_FRAME,
  NODE_PARENT,
  PROCESS_BYTES,
  PROCESS_OFFSET,
  RECORD_ADDRESS,
  RECORD_BYTES,
  RECORD_KIND_SHIFT,
  RECORD_SIZE,
  RECORD_STACK,
  RECORD_THREAD,
  RECORD_TIME,
  STACK_BYTES,
  STACK_NODE,
  STORE_MAGIC_HIGH,
  STORE_MAGIC_LOW,
  STORE_VERSION_MAJOR,
  THREAD_BYTES,
  THREADS_MAX_COUNT,
  THREADS_OFFSET,
  TIMELINE_BYTES,
  TIMELINE_MAX_COUNT,
  TIMELINE_OFFSET,
  WIRE_COMMIT,
  WIRE_COMMIT_BYTES,
  WIRE_COMMIT_FLAGS,
  WIRE_COMMIT_SEQUENCE,
  WIRE_ELEMENTS,
  WIRE_ELEMENTS_COUNT,
  WIRE_ELEMENTS_DATA,
  WIRE_ELEMENTS_FIRST,
  WIRE_ELEMENTS_KIND,
  WIRE_ERROR_IDENTITY,
  WIRE_ERROR_LENGTH,
  WIRE_ERROR_ORDER,
  WIRE_ERROR_REFERENCE,
  WIRE_ERROR_TYPE,
  WIRE_ERROR_VALUE,
  WIRE_ERROR_VERSION,
  WIRE_FRAME_BYTES,
  WIRE_FRAME_LENGTH,
  WIRE_FRAME_TYPE,
  WIRE_HEADER,
  WIRE_HEADER_BYTES,
  WIRE_KIND_THREADS,
  WIRE_KIND_TIMELINE,
  WIRE_PAYLOAD_MAX,
  WIRE_PROCESS,
  WIRE_RECORDS,
  WIRE_REMOVED,
  WIRE_RUN_BYTES,
  WIRE_RUN_COUNT,
  WIRE_RUN_FIRST,
  WRITER_MEMDB,
} from "../layout";
import {
  capacity,
  change,
  count,
  element,
  IMAGE,
  INPUT,
  INPUT_BYTES,
  put,
  reserve,
  setCount,
  touch,
  touchRange,
} from "./image";

// What a viewer accepts as well.
const BYTES_LIMIT: u64 = 1 << 53;
const DEPTH_MAX: u32 = 65536;
// The most that the library takes; far larger ones would make estimates larger than any memory.
const SAMPLE_MAX: u64 = 1 << 30;
const RECORDS_IN_BLOCK: u32 = BLOCK_BYTES / RECORD_BYTES;
const SIZE_MASK: u64 = ((<u64>1) << RECORD_KIND_SHIFT) - 1;
// Everything between these does not change while a process lives.
const IDENTITY_BEGIN: usize = HEADER_POINTER_BYTES;
const IDENTITY_END: usize = HEADER_END_TIME;

let filled: usize = 0;
let limitBytes: f64 = 0;
let started: bool = false;
let ended: bool = false;
export let frameType: u32 = 0;
export let sequence: u64 = 0;

// Elements the sender has sent, by kind: what it may refer to. More than is stored once the image is full; from then on
// the tables stay as they are, and what would refer to missing elements refers to the unknown one.
const sent: usize = memory.data(KIND_COUNT * 4, 4);
export let full: bool = false;

export let liveCount: u64 = 0;
export let liveBytes: u64 = 0;
export let received: u64 = 0;
let dropped: u64 = 0;
let droppedBytes: u64 = 0;

export function start(bytes: f64): void {
  limitBytes = bytes;
  filled = 0;
  started = ended = full = false;
  sequence = liveCount = liveBytes = received = dropped = droppedBytes = 0;
  for (let kind: u32 = KIND_RECORDS; kind < <u32>KIND_COUNT; kind++) store<u32>(sent + kind * 4, 1);
}

export function isLast(): bool {
  return ended;
}

/** Where the next bytes of the stream belong, and how many fit. */
export function inputAt(): usize {
  return INPUT + filled;
}

export function inputRoom(): usize {
  return INPUT_BYTES - filled;
}

/**
 * Applies the frames that are complete now that `bytes` more are there. Returns 0
 * when it needs more, WIRE_COMMIT behind a commit (call again with 0: more frames
 * may be waiting), or a negated WIRE_ERROR_, after which the session is over.
 */
export function feed(bytes: usize): i32 {
  filled += bytes;
  const end = INPUT + filled;
  let at = INPUT;
  let result = 0;
  while (result == 0 && end - at >= <usize>WIRE_FRAME_BYTES) {
    const length = load<u32>(at, WIRE_FRAME_LENGTH);
    frameType = load<u32>(at, WIRE_FRAME_TYPE);
    if (length > <u32>WIRE_PAYLOAD_MAX || (length & 7) != 0) return -WIRE_ERROR_LENGTH;
    if (end - at < <usize>WIRE_FRAME_BYTES + length) break;
    result = apply(frameType, at + WIRE_FRAME_BYTES, length);
    at += WIRE_FRAME_BYTES + length;
  }
  filled = end - at;
  if (at != INPUT) memory.copy(INPUT, at, filled);
  return result;
}

function apply(type: u32, at: usize, length: u32): i32 {
  if (ended || started == (type == WIRE_PROCESS)) return -WIRE_ERROR_ORDER;
  change();
  if (type == WIRE_RECORDS) return records(at, at + length);
  if (type == WIRE_REMOVED) return removed(at, at + length);
  if (type == WIRE_ELEMENTS) return elements(at, length);
  if (type == WIRE_HEADER) return header(at, length);
  if (type == WIRE_COMMIT) return commit(at, length);
  if (type == WIRE_PROCESS) return process(at, length);
  return -WIRE_ERROR_TYPE;
}

// ── The process ──────────────────────────────────────────────────────────────────────────────────

function process(at: usize, length: u32): i32 {
  if (length < <u32>WIRE_HEADER_BYTES) return -WIRE_ERROR_LENGTH;
  const bytes = <u64>load<u32>(at, HEADER_EXE_LENGTH) + load<u32>(at, HEADER_COMMAND_LENGTH);
  if (bytes > <u64>PROCESS_BYTES || ((WIRE_HEADER_BYTES + bytes + 7) & ~7) != length) return -WIRE_ERROR_LENGTH;
  const error = takeHeader(at);
  if (error) return error;
  memory.copy(IMAGE + PROCESS_OFFSET, at + WIRE_HEADER_BYTES, <usize>bytes);
  touchRange(IMAGE + PROCESS_OFFSET, <usize>bytes + 1);
  started = true;
  return 0;
}

function header(at: usize, length: u32): i32 {
  if (length != WIRE_HEADER_BYTES) return -WIRE_ERROR_LENGTH;
  if (
    memory.compare(at + IDENTITY_BEGIN, IMAGE + IDENTITY_BEGIN, IDENTITY_END - IDENTITY_BEGIN) != 0 ||
    load<u64>(at, HEADER_EXE_LENGTH) != load<u64>(IMAGE, HEADER_EXE_LENGTH)
  ) {
    return -WIRE_ERROR_IDENTITY;
  }
  return takeHeader(at);
}

// The sender's header, but for what only the writer of the file can know.
function takeHeader(at: usize): i32 {
  if (load<u16>(at, HEADER_VERSION_MAJOR) != STORE_VERSION_MAJOR) return -WIRE_ERROR_VERSION;
  if (
    load<u32>(at, HEADER_TIMELINE_COUNT) > <u32>TIMELINE_MAX_COUNT ||
    load<u32>(at, HEADER_THREAD_SLOTS) > <u32>THREADS_MAX_COUNT
  ) {
    return -WIRE_ERROR_REFERENCE;
  }
  const pointer = load<u32>(at, HEADER_POINTER_BYTES);
  if (
    (pointer != 4 && pointer != 8) ||
    load<u32>(at, HEADER_END_KIND) > <u32>END_EXEC ||
    load<u32>(at, HEADER_DEPTH_LIMIT) > DEPTH_MAX ||
    load<u64>(at, HEADER_SAMPLE_BYTES) > SAMPLE_MAX
  ) {
    return -WIRE_ERROR_VALUE;
  }
  const blocks = load<u32>(IMAGE, HEADER_BLOCK_COUNT);
  memory.copy(IMAGE, at, WIRE_HEADER_BYTES);
  store<u32>(IMAGE, STORE_MAGIC_LOW, HEADER_MAGIC);
  store<u32>(IMAGE, STORE_MAGIC_HIGH, HEADER_MAGIC + 4);
  store<u32>(IMAGE, HEADER_BYTES, HEADER_HEADER_BYTES);
  store<u32>(IMAGE, BLOCK_BYTES, HEADER_BLOCK_BYTES);
  store<u32>(IMAGE, WRITER_MEMDB, HEADER_WRITER);
  store<u32>(IMAGE, blocks, HEADER_BLOCK_COUNT);
  store<u64>(IMAGE, <u64>limitBytes, HEADER_SIZE_LIMIT);
  store<u64>(IMAGE, load<u64>(IMAGE, HEADER_DROPPED) + dropped, HEADER_DROPPED);
  store<u64>(IMAGE, load<u64>(IMAGE, HEADER_DROPPED_BYTES) + droppedBytes, HEADER_DROPPED_BYTES);
  return 0;
}

function commit(at: usize, length: u32): i32 {
  if (length != WIRE_COMMIT_BYTES) return -WIRE_ERROR_LENGTH;
  if (load<u64>(at, WIRE_COMMIT_SEQUENCE) != sequence + 1) return -WIRE_ERROR_ORDER;
  sequence++;
  ended = (load<u32>(at, WIRE_COMMIT_FLAGS) & 1) != 0;
  return WIRE_COMMIT;
}

// ── Definitions, totals, threads, timeline ───────────────────────────────────────────────────────

function sentOf(kind: u32): u32 {
  return load<u32>(sent + kind * 4);
}

function elements(at: usize, length: u32): i32 {
  if (length < <u32>WIRE_ELEMENTS_DATA) return -WIRE_ERROR_LENGTH;
  const kind = load<u32>(at, WIRE_ELEMENTS_KIND);
  const first = load<u32>(at, WIRE_ELEMENTS_FIRST);
  const number = load<u32>(at, WIRE_ELEMENTS_COUNT);
  const data = at + WIRE_ELEMENTS_DATA;
  let bytes: u32;
  if (kind == WIRE_KIND_THREADS) bytes = THREAD_BYTES;
  else if (kind == WIRE_KIND_TIMELINE) bytes = TIMELINE_BYTES;
  else if (kind == KIND_STACKS) bytes = STACK_BYTES;
  else if (kind == KIND_NODES) bytes = NODE_BYTES;
  else if (kind == KIND_FRAMES) bytes = FRAME_BYTES;
  else if (kind == KIND_MODULES) bytes = MODULE_BYTES;
  else if (kind == KIND_STRINGS) bytes = 1;
  else return -WIRE_ERROR_REFERENCE;
  if (number == 0 || ((WIRE_ELEMENTS_DATA + <u64>number * bytes + 7) & ~7) != length) return -WIRE_ERROR_LENGTH;
  // Cannot overflow: the length bounds `number`, and this bounds `first`.
  if (kind == WIRE_KIND_THREADS) return region(THREADS_OFFSET, THREADS_MAX_COUNT, bytes, first, number, data);
  if (kind == WIRE_KIND_TIMELINE) return region(TIMELINE_OFFSET, TIMELINE_MAX_COUNT, bytes, first, number, data);

  const known = sentOf(kind);
  const again = kind == KIND_STACKS || kind == KIND_MODULES;
  if (first > known || (!again && first != known) || (first == 0 && kind != KIND_STACKS)) return -WIRE_ERROR_ORDER;
  if (first + number < first) return -WIRE_ERROR_REFERENCE;
  if (!references(kind, first, number, data)) return -WIRE_ERROR_REFERENCE;
  const end = first + number;
  if (end > known) store<u32>(sent + kind * 4, end);
  if (!full && !reserve(kind, end)) full = true;
  if (!full) {
    put(kind, first, number, data);
    setCount(kind, max(count(kind), end));
  } else if (first < count(kind)) {
    put(kind, first, min(end, count(kind)) - first, data);
  }
  return 0;
}

function region(offset: usize, most: u32, bytes: u32, first: u32, number: u32, data: usize): i32 {
  if (first >= most || number > most - first) return -WIRE_ERROR_REFERENCE;
  const at = IMAGE + offset + first * bytes;
  memory.copy(at, data, number * bytes);
  touchRange(at, number * bytes);
  return 0;
}

// What an element may refer to: what was sent; for an element that is in the image, what is in the image as well.
function bound(kind: u32, stored: bool): u32 {
  return stored ? count(kind) : sentOf(kind);
}

function references(kind: u32, first: u32, number: u32, data: usize): bool {
  const storedEnd = full ? count(kind) : u32.MAX_VALUE;
  for (let i: u32 = 0; i < number; i++) {
    const index = first + i;
    const stored = index < storedEnd;
    if (kind == KIND_NODES) {
      const at = data + i * NODE_BYTES;
      if (load<u32>(at, NODE_PARENT) >= index || load<u32>(at, NODE_FRAME) >= bound(KIND_FRAMES, stored)) return false;
    } else if (kind == KIND_FRAMES) {
      if (load<u32>(data + i * FRAME_BYTES, FRAME_MODULE) >= bound(KIND_MODULES, stored)) return false;
    } else if (kind == KIND_STACKS) {
      const node = load<u32>(data + i * STACK_BYTES, STACK_NODE);
      if (node >= bound(KIND_NODES, stored) || (index == 0 && node != 0)) return false;
    } else if (kind == KIND_MODULES) {
      const at = data + i * MODULE_BYTES;
      if (load<u64>(at, MODULE_START) > load<u64>(at, MODULE_END)) return false;
      const strings = bound(KIND_STRINGS, stored);
      if (!text(load<u32>(at, MODULE_PATH_OFFSET), load<u32>(at, MODULE_PATH_LENGTH), strings)) return false;
      const buildId = load<u32>(at, MODULE_BUILD_ID_LENGTH);
      const file: u32 = load<u32>(at, MODULE_FLAGS) & MODULE_FLAG_FILE ? FILE_BYTES : 0;
      if (buildId > u32.MAX_VALUE - file || !text(load<u32>(at, MODULE_BUILD_ID_OFFSET), buildId + file, strings))
        return false;
    }
  }
  return true;
}

function text(offset: u32, length: u32, strings: u32): bool {
  if (length == 0) return true;
  const block: u32 = BLOCK_BYTES;
  return length <= block && offset < strings && length <= strings - offset && (offset % block) + length <= block;
}

// ── Records ──────────────────────────────────────────────────────────────────────────────────────

function records(at: usize, end: usize): i32 {
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
    if (address == 0) continue;
    const size = load<u64>(at, RECORD_SIZE);
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
    store<u64>(to, size, RECORD_SIZE);
    store<u64>(to, load<u64>(at, RECORD_TIME), RECORD_TIME);
    store<u32>(to, load<u32>(at, RECORD_THREAD), RECORD_THREAD);
    store<u32>(to, stack < stored ? stack : 0, RECORD_STACK);
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

function removed(at: usize, end: usize): i32 {
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
