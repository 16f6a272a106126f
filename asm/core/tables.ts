// The tables behind a stack id: stack → nodes → frames → modules → strings, each read when it is asked for.
//
// Blocks are loaded on demand. A function that needs a missing block returns MISSING, the host reads the block
// wantedBlock() to the address that placeBlock() returns, and calls again. So a reader of a few stacks reads a few
// blocks, and tables larger than memory work too. Every index is checked against the array's count before it is used,
// also those inside elements.
//
// A block stays until the host reads the header again (forgetBlocks), or until there are too many.

import {
  BLOCK_BYTES,
  BLOCK_MAX_COUNT,
  FILE_BYTES,
  FRAME_MODULE,
  HEADER_DEPTH_LIMIT,
  KIND_FRAMES,
  KIND_MODULES,
  KIND_NODES,
  KIND_STACKS,
  KIND_STRINGS,
  MODULE_BUILD_ID_LENGTH,
  MODULE_BUILD_ID_OFFSET,
  MODULE_END,
  MODULE_FLAG_FILE,
  MODULE_FLAGS,
  MODULE_PATH_LENGTH,
  MODULE_PATH_OFFSET,
  MODULE_START,
  NODE_FRAME,
  NODE_PARENT,
  STACK_FLAG_CUT,
  STACK_FLAGS,
  STACK_NODE,
} from "../layout";
import { damaged, tooMuch } from "./fault";
import { CACHED, claim, FRAMES, HEADER, releasableBytes, release, releaseAll } from "./memory";
import { arrayCount, bytesInBlock, elementBytes, fileBlock } from "./validate";

/** What a function returns when a block has to be read first. */
export const MISSING: i32 = -2;

/** Blocks kept; with more, all are forgotten and read again when needed. */
const CACHE_BYTES: u32 = 256 * BLOCK_BYTES;

/** Longest path or build id: PATH_MAX of Linux. */
const STRING_MAX: u32 = 4096;

let failure: i32 = 0;
let wanted: u32 = 0;
let wantedLength: u32 = 0;

/** The block of the file that was missing, and how many of its bytes are published. */
export function wantedBlock(): u32 {
  return wanted;
}

export function wantedBytes(): u32 {
  return wantedLength;
}

/** Forgets all blocks: they may have changed, or the header says now that they hold more. Empties the arena. */
export function forgetBlocks(): void {
  releaseAll();
  memory.fill(CACHED, 0, BLOCK_MAX_COUNT * 4);
}

/** Where the host reads the wanted block to; 0 after leaving a fault. */
export function placeBlock(): usize {
  if (releasableBytes() >= CACHE_BYTES) {
    release();
    memory.fill(CACHED, 0, BLOCK_MAX_COUNT * 4);
  }
  const place = claim(wantedLength);
  if (!place) tooMuch("has tables that do not fit in memory");
  store<u32>(CACHED + (wanted << 2), <u32>place);
  return place;
}

/** The element's address, or 0 with `failure` telling why not. */
function element(kind: i32, index: u32): usize {
  const size = elementBytes(kind);
  const perBlock = BLOCK_BYTES / size;
  const ordinal = index / perBlock;
  const offset = (index % perBlock) * size;
  const block = fileBlock(kind, ordinal);
  const place: usize = load<u32>(CACHED + (block << 2));
  if (place) return place + offset;
  wanted = block;
  wantedLength = bytesInBlock(kind, ordinal);
  failure = MISSING;
  return 0;
}

function entry(kind: i32, index: u32, what: string): usize {
  if (index < arrayCount(kind)) return element(kind, index);
  failure = damaged(what, index);
  return 0;
}

// ── A stack's frames ─────────────────────────────────────────────────────────────────────────────

let node: u32 = 0;
let depth: u32 = 0;
let cut: bool = false;

/** Starts at a stack's innermost frame. 0, MISSING or FAILED. */
export function beginWalk(stack: u32): i32 {
  node = 0;
  depth = 0;
  cut = false;
  if (stack == 0) return 0;
  const at = entry(KIND_STACKS, stack, "there is no stack");
  if (!at) return failure;
  node = load<u32>(at, STACK_NODE);
  cut = (load<u32>(at, STACK_FLAGS) & STACK_FLAG_CUT) != 0;
  return 0;
}

/** Goes on outwards and writes frame ids to FRAMES. Their number, MISSING (call again) or FAILED. */
export function walk(): i32 {
  const limit = load<u32>(HEADER, HEADER_DEPTH_LIMIT);
  while (node) {
    const at = nodeAt(node);
    if (!at) return failure;
    if (depth >= limit) return damaged("a stack has more frames than the depth limit,", limit);
    store<u32>(FRAMES + (depth << 2), load<u32>(at, NODE_FRAME));
    depth++;
    node = load<u32>(at, NODE_PARENT);
  }
  return depth;
}

let resolved: u32 = 0;

export function beginInnermostModules(): void {
  resolved = 0;
}

/**
 * Replaces `count` ids of stacks at FRAMES by the ids of their innermost
 * frames' modules. 0, MISSING (call again) or FAILED.
 */
export function innermostModules(count: u32): i32 {
  for (; resolved < count; resolved++) {
    const at = FRAMES + (resolved << 2);
    const module = innermostModule(load<u32>(at));
    if (module < 0) return module;
    store<u32>(at, module);
  }
  return 0;
}

/** Module of a stack's innermost frame, 0 if that is in none; MISSING or FAILED. */
function innermostModule(stack: u32): i32 {
  if (beginWalk(stack)) return failure;
  if (!node) return 0;
  const at = entry(KIND_NODES, node, "there is no stack node");
  if (!at) return failure;
  const frame = load<u32>(at, NODE_FRAME);
  if (!frame) return 0;
  const inner = frameAt(frame);
  return inner == <i64>failure ? failure : load<u32>(<usize>inner, FRAME_MODULE);
}

/** Whether the stack's outer frames are missing because of the depth limit. */
export function walkCut(): bool {
  return cut;
}

/** A stack's innermost node, 0 if it has none; MISSING or FAILED. */
export function stackNode(stack: u32): i64 {
  return beginWalk(stack) ? <i64>failure : <i64>node;
}

/**
 * Address of a stack node, 0 with failureOf(). Its frame exists, and its parent comes before it, which is the
 * guarantee that every way outwards ends.
 */
export function nodeAt(index: u32): usize {
  const at = entry(KIND_NODES, index, "there is no stack node");
  if (!at) return 0;
  if (load<u32>(at, NODE_PARENT) >= index) {
    failure = damaged("its caller does not come before stack node", index);
    return 0;
  }
  const frame = load<u32>(at, NODE_FRAME);
  if (frame >= arrayCount(KIND_FRAMES) && frame) {
    failure = damaged("there is no frame", frame);
    return 0;
  }
  return at;
}

/** Why the last function here gave no address: MISSING or FAILED. */
export function failureOf(): i32 {
  return failure;
}

// ── Frames, modules, strings ─────────────────────────────────────────────────────────────────────

/** Address of a frame, MISSING or FAILED. Its module exists. */
export function frameAt(frame: u32): i64 {
  const at = entry(KIND_FRAMES, frame, "there is no frame");
  if (!at) return failure;
  const module = load<u32>(at, FRAME_MODULE);
  if (module >= arrayCount(KIND_MODULES) && module) return damaged("there is no module of frame", frame);
  return at;
}

/** Address of a module, MISSING or FAILED. Its strings are in bounds. */
export function moduleAt(module: u32): i64 {
  const at = entry(KIND_MODULES, module, "there is no module");
  if (!at) return failure;
  if (load<u64>(at, MODULE_START) > load<u64>(at, MODULE_END))
    return damaged("start and end are the wrong way round in module", module);
  if (
    !stringFits(load<u32>(at, MODULE_PATH_OFFSET), load<u32>(at, MODULE_PATH_LENGTH)) ||
    !stringFits(load<u32>(at, MODULE_BUILD_ID_OFFSET), identityBytes(at))
  ) {
    return damaged("path or build id is out of bounds of module", module);
  }
  return at;
}

/** Bytes of the build id, and of what follows it. */
function identityBytes(module: usize): u32 {
  const file: u32 = load<u32>(module, MODULE_FLAGS) & MODULE_FLAG_FILE ? FILE_BYTES : 0;
  const buildId = load<u32>(module, MODULE_BUILD_ID_LENGTH);
  return buildId > STRING_MAX ? buildId : buildId + file;
}

function stringFits(offset: u32, length: u32): bool {
  if (length == 0) return true;
  return (
    length <= STRING_MAX &&
    <u64>offset + length <= arrayCount(KIND_STRINGS) &&
    (offset % BLOCK_BYTES) + length <= <u32>BLOCK_BYTES
  );
}

/** Address of a string that moduleAt() has checked (or 0 when it is empty), MISSING or FAILED. */
export function stringAt(offset: u32, length: u32): i64 {
  if (!stringFits(offset, length)) return damaged("there is no string at", offset);
  if (length == 0) return 0;
  const at = element(KIND_STRINGS, offset);
  return at ? <i64>at : failure;
}
