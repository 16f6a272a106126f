// What a session defines: the elements of all arrays except the records, the threads' totals and the timeline. An
// element may refer only to earlier ones.

import {
  BLOCK_BYTES,
  FILE_BYTES,
  FRAME_BYTES,
  FRAME_MODULE,
  KIND_COUNT,
  KIND_FRAMES,
  KIND_MODULES,
  KIND_NODES,
  KIND_RECORDS,
  KIND_STACKS,
  KIND_STRINGS,
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
  STACK_BYTES,
  STACK_NODE,
  THREAD_BYTES,
  THREADS_MAX_COUNT,
  THREADS_OFFSET,
  TIMELINE_BYTES,
  TIMELINE_MAX_COUNT,
  TIMELINE_OFFSET,
  WIRE_ELEMENTS_COUNT,
  WIRE_ELEMENTS_DATA,
  WIRE_ELEMENTS_FIRST,
  WIRE_ELEMENTS_KIND,
  WIRE_ERROR_LENGTH,
  WIRE_ERROR_ORDER,
  WIRE_ERROR_REFERENCE,
  WIRE_KIND_THREADS,
  WIRE_KIND_TIMELINE,
} from "../layout";
import { count, IMAGE, put, reserve, setCount, touchRange } from "./image";

// Elements the sender has sent, by kind: what it may refer to. More than is stored once the image is full; from then on
// the tables stay as they are, and what would refer to missing elements refers to the unknown one.
const sent: usize = memory.data(KIND_COUNT * 4, 4);
export let full: bool = false;

export function startElements(): void {
  full = false;
  for (let kind: u32 = KIND_RECORDS; kind < <u32>KIND_COUNT; kind++) store<u32>(sent + kind * 4, 1);
}

export function sentOf(kind: u32): u32 {
  return load<u32>(sent + kind * 4);
}

export function elements(at: usize, length: u32): i32 {
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
