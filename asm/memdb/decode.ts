// The wire's decoder: takes a session's frames from WIRE_PROCESS on and applies them to the image. It trusts nothing:
// every length, order and reference is checked before it is used. The worst that a sender can do is to end its own
// connection, or to fill its own store with nonsense.

import {
  BLOCK_BYTES,
  END_EXEC,
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
  PROCESS_BYTES,
  PROCESS_OFFSET,
  STORE_MAGIC_HIGH,
  STORE_MAGIC_LOW,
  STORE_VERSION_MAJOR,
  THREADS_MAX_COUNT,
  TIMELINE_MAX_COUNT,
  WIRE_COMMIT,
  WIRE_COMMIT_BYTES,
  WIRE_COMMIT_FLAGS,
  WIRE_COMMIT_SEQUENCE,
  WIRE_ELEMENTS,
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
  WIRE_PAYLOAD_MAX,
  WIRE_PROCESS,
  WIRE_RECORDS,
  WIRE_REMOVED,
  WRITER_MEMDB,
} from "../layout";
import { elements, startElements } from "./elements";
import { change, IMAGE, INPUT, INPUT_BYTES, touchRange } from "./image";
import { dropped, droppedBytes, records, removed, startRecords } from "./records";

// What a viewer accepts as well.
const DEPTH_MAX: u32 = 65536;
// The most that the library takes; far larger ones would make estimates larger than any memory.
const SAMPLE_MAX: u64 = 1 << 30;
// Everything between these does not change while a process lives.
const IDENTITY_BEGIN: usize = HEADER_POINTER_BYTES;
const IDENTITY_END: usize = HEADER_END_TIME;

let filled: usize = 0;
let limitBytes: f64 = 0;
let started: bool = false;
let ended: bool = false;
export let frameType: u32 = 0;
export let sequence: u64 = 0;

export function start(bytes: f64): void {
  limitBytes = bytes;
  filled = 0;
  started = ended = false;
  sequence = 0;
  startElements();
  startRecords();
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
