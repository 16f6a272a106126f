// The header block: every number in it is checked here, once, before anything uses it. Afterwards the rest of the core
// takes counts and block numbers from here. The host has put the header region at HEADER, with zeros where the file
// ends early.
//
// The block table is inverted: BLOCKS lists, array after array, the file's block for each ordinal.

import {
  ARRAY_BLOCKS,
  ARRAY_BYTES,
  ARRAY_COMMITTED,
  ARRAY_COUNT,
  BLOCK_BYTES,
  BLOCK_ENTRY_BYTES,
  BLOCK_ENTRY_KIND_SHIFT,
  BLOCK_ENTRY_ORDINAL_MASK,
  BLOCK_MAX_COUNT,
  BLOCK_TABLE_OFFSET,
  END_EXEC,
  FRAME_BYTES,
  HEADER_ARRAYS,
  HEADER_BLOCK_BYTES,
  HEADER_BLOCK_COUNT,
  HEADER_BYTES,
  HEADER_COMMAND_LENGTH,
  HEADER_DEPTH_LIMIT,
  HEADER_END_KIND,
  HEADER_EXE_LENGTH,
  HEADER_HEADER_BYTES,
  HEADER_MAGIC,
  HEADER_POINTER_BYTES,
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
  MODULE_BYTES,
  NODE_BYTES,
  PROCESS_BYTES,
  PROCESS_OFFSET,
  RECORD_BYTES,
  STACK_BYTES,
  STORE_MAGIC_HIGH,
  STORE_MAGIC_LOW,
  STORE_VERSION_MAJOR,
  THREAD_BYTES,
  THREADS_MAX_COUNT,
  THREADS_OFFSET,
  TIMELINE_BYTES,
  TIMELINE_MAX_COUNT,
  TIMELINE_OFFSET,
  WRITER_MEMDB,
} from "../layout";
import { damaged, newer, truncated, unsupported } from "./fault";
import { BLOCKS, DEPTH_MAX, HEADER } from "./memory";

// For each kind: where its list in BLOCKS starts and how many blocks it has.
const BASES: usize = memory.data(32, 4);
const LENGTHS: usize = memory.data(32, 4);

function base(kind: i32): u32 {
  return load<u32>(BASES + (kind << 2));
}

function length(kind: i32): u32 {
  return load<u32>(LENGTHS + (kind << 2));
}

export function elementBytes(kind: i32): u32 {
  if (kind == KIND_RECORDS) return RECORD_BYTES;
  if (kind == KIND_STACKS) return STACK_BYTES;
  if (kind == KIND_NODES) return NODE_BYTES;
  if (kind == KIND_FRAMES) return FRAME_BYTES;
  if (kind == KIND_MODULES) return MODULE_BYTES;
  return 1;
}

function descriptor(kind: i32): usize {
  return HEADER + HEADER_ARRAYS + kind * ARRAY_BYTES;
}

/** Elements of an array that may be looked at. */
export function arrayCount(kind: i32): u32 {
  return load<u32>(descriptor(kind), ARRAY_COUNT);
}

/** The file's block that holds block `ordinal` of an array; `ordinal` must be below what arrayCount needs. */
export function fileBlock(kind: i32, ordinal: u32): u32 {
  assert(ordinal < length(kind));
  return load<u32>(BLOCKS + ((base(kind) + ordinal) << 2));
}

/** Bytes that the elements of an array take in its block `ordinal`. */
export function bytesInBlock(kind: i32, ordinal: u32): u32 {
  const bytes = <u64>arrayCount(kind) * elementBytes(kind);
  const start = <u64>ordinal * BLOCK_BYTES;
  if (start >= bytes) return 0;
  return <u32>min<u64>(BLOCK_BYTES, bytes - start);
}

/** A 32-bit field of the header page, in a type that compares with the constants. */
function field(offset: i32): i64 {
  return load<u32>(HEADER + offset);
}

/** Checks the header block of a file of `fileBytes`. 0, or FAILED; then the store is taken as empty. */
export function checkHeader(fileBytes: i64): i32 {
  const status = check(fileBytes);
  if (status) memory.fill(HEADER, 0, HEADER_BYTES);
  return status;
}

function check(fileBytes: i64): i32 {
  if (
    load<u32>(HEADER, HEADER_MAGIC) != <u32>STORE_MAGIC_LOW ||
    load<u32>(HEADER, HEADER_MAGIC + 4) != <u32>STORE_MAGIC_HIGH
  ) {
    // The magic is written last, so zeros may be a store in the making.
    if (load<u64>(HEADER, HEADER_MAGIC) == 0) return unsupported("holds no memhook store, or none yet");
    return unsupported("is not a memhook store");
  }
  if (fileBytes < HEADER_BYTES) return truncated("the header is not complete");
  const major = <i32>load<u16>(HEADER, HEADER_VERSION_MAJOR);
  if (major > STORE_VERSION_MAJOR) {
    return newer("was written by a newer memhook, format version", major);
  }
  if (major != STORE_VERSION_MAJOR) return damaged("there is no format version", major);

  if (field(HEADER_HEADER_BYTES) != HEADER_BYTES) return damaged("the header's size is wrong");
  if (field(HEADER_BLOCK_BYTES) != BLOCK_BYTES) return damaged("the block size is wrong");
  const pointerBytes = field(HEADER_POINTER_BYTES);
  if (pointerBytes != 4 && pointerBytes != 8) return damaged("the pointer size cannot be", pointerBytes);
  const endKind = field(HEADER_END_KIND);
  if (endKind > END_EXEC) return damaged("no process ends in way", endKind);
  const writer = field(HEADER_WRITER);
  if (writer < 1 || writer > WRITER_MEMDB) return damaged("there is no writer", writer);
  const depth = field(HEADER_DEPTH_LIMIT);
  if (depth > DEPTH_MAX) return damaged("the depth limit cannot be", depth);

  const exe = field(HEADER_EXE_LENGTH);
  const names = exe + field(HEADER_COMMAND_LENGTH);
  if (names > PROCESS_BYTES) return damaged("executable and command are too long, bytes", names);
  if (fileBytes < PROCESS_OFFSET + names) return truncated("the command is not complete");
  const timeline = field(HEADER_TIMELINE_COUNT);
  if (timeline > TIMELINE_MAX_COUNT) return damaged("the timeline is too long, entries", timeline);
  if (timeline && fileBytes < TIMELINE_OFFSET + timeline * TIMELINE_BYTES) {
    return truncated("the timeline is not complete");
  }
  const slots = field(HEADER_THREAD_SLOTS);
  if (slots > THREADS_MAX_COUNT) return damaged("there are too many thread slots,", slots);
  if (slots && fileBytes < THREADS_OFFSET + slots * THREAD_BYTES) return truncated("thread slots are missing");

  const status = checkBlocks(fileBytes);
  return status ? status : checkArrays(fileBytes);
}

function checkBlocks(fileBytes: i64): i32 {
  const count = field(HEADER_BLOCK_COUNT);
  if (count < 1 || count > BLOCK_MAX_COUNT) return damaged("the number of blocks cannot be", count);
  if (count > 1 && fileBytes < BLOCK_TABLE_OFFSET + count * BLOCK_ENTRY_BYTES) {
    return truncated("the block table is not complete");
  }
  const table = HEADER + BLOCK_TABLE_OFFSET;
  memory.fill(LENGTHS, 0, KIND_COUNT << 2);
  for (let block = 1; block < count; block++) {
    const kind = <i32>(load<u32>(table + (block << 2)) >>> BLOCK_ENTRY_KIND_SHIFT);
    if (kind >= KIND_COUNT) return damaged("no known array has block", block);
    store<u32>(LENGTHS + (kind << 2), length(kind) + 1);
  }
  let next: u32 = 0;
  for (let kind = 1; kind < KIND_COUNT; kind++) {
    store<u32>(BASES + (kind << 2), next);
    next += length(kind);
  }
  // Block 0 is the header, so 0 marks an ordinal that no block has claimed yet. As many blocks as ordinals, each
  // within range and none twice: so none is missing either.
  memory.fill(BLOCKS, 0, next << 2);
  for (let block = 1; block < count; block++) {
    const entry = load<u32>(table + (block << 2));
    const kind = <i32>(entry >>> BLOCK_ENTRY_KIND_SHIFT);
    if (kind == 0) continue;
    const ordinal = entry & BLOCK_ENTRY_ORDINAL_MASK;
    if (ordinal >= length(kind)) return damaged("beyond the end of its array is block", block);
    const at = BLOCKS + ((base(kind) + ordinal) << 2);
    if (load<u32>(at)) return damaged("a place in an array is taken twice, again by block", block);
    store<u32>(at, block);
  }
  return 0;
}

function checkArrays(fileBytes: i64): i32 {
  for (let kind = KIND_RECORDS; kind < KIND_COUNT; kind++) {
    const at = descriptor(kind);
    const committed = load<u32>(at, ARRAY_COMMITTED);
    if (load<u32>(at, ARRAY_COUNT) > committed) return damaged("more elements than backing are in array", kind);
    const bytes = <i64>committed * elementBytes(kind);
    const blocks = <u32>((bytes + (BLOCK_BYTES - 1)) / BLOCK_BYTES);
    if (blocks > length(kind) || blocks > load<u32>(at, ARRAY_BLOCKS)) {
      return damaged("blocks are missing of array", kind);
    }
    for (let ordinal: u32 = 0; ordinal < blocks; ordinal++) {
      const inBlock = min<i64>(BLOCK_BYTES, bytes - <i64>ordinal * BLOCK_BYTES);
      const end = <i64>fileBlock(kind, ordinal) * BLOCK_BYTES + inBlock;
      if (end > fileBytes) return truncated("the file ends before byte", end);
    }
  }
  return 0;
}
