// The layout of core.wasm's linear memory.
//
//   0           HEADER   BLOCKS   PIECE  SECOND  OPEN   FRAMES  PAGES  CACHED  LOADED  arena
//   │ constants │ 512 K  │ 256 K  │ 1 M  │ 1 M   │ 32 K │ 256 K │ 1 M  │ 256 K │ grows on demand …
//
// The fixed regions are as large as a valid store can make them. What depends on a store's contents comes from the
// arena. A full arena is an answer (0), never a trap. Untouched pages of the regions cost no memory. Pointers are
// unsigned: the memory may grow beyond 2 GiB.

import { BLOCK_BYTES, BLOCK_MAX_COUNT, BLOCK_TABLE_BYTES, BLOCK_TABLE_OFFSET, RECORD_BYTES } from "../layout";

/** The part of a store's header block that holds anything. */
export const HEADER_REGION_BYTES: i32 = BLOCK_TABLE_OFFSET + BLOCK_TABLE_BYTES;
/** Records of a block, which are taken in at a time. */
export const RECORDS_PER_BLOCK: i32 = BLOCK_BYTES / RECORD_BYTES;
/** Most frames a stack may have, whatever a header says. */
export const DEPTH_MAX: i32 = 65536;
/** Ids that fit at FRAMES. */
export const FRAMES_MAX: i32 = DEPTH_MAX;

// Stacks are numbered densely; what is known about them lies in pages of this many, made when first needed, so that
// memory follows the stacks that matter and not a number in the file.
export const STACKS_PER_PAGE_SHIFT: i32 = 12;
const PAGES_MAX: i32 = (BLOCK_MAX_COUNT * 16384) >> STACKS_PER_PAGE_SHIFT;

const ARENA_LIMIT: u64 = 2 << 30;

export const HEADER: usize = (__heap_base + 63) & ~(<usize>63);
export const BLOCKS: usize = HEADER + HEADER_REGION_BYTES;
export const PIECE: usize = BLOCKS + BLOCK_MAX_COUNT * 4;
export const SECOND: usize = PIECE + BLOCK_BYTES;
export const OPEN: usize = SECOND + BLOCK_BYTES;
export const FRAMES: usize = OPEN + RECORDS_PER_BLOCK;
export const PAGES: usize = FRAMES + DEPTH_MAX * 4;
export const CACHED: usize = PAGES + PAGES_MAX * 4;
const ARENA: usize = CACHED + BLOCK_MAX_COUNT * 4;

let top: usize = ARENA;
/** Bytes below this have been used before, so they are not zero any more. */
let used: usize = ARENA;

function cover(end: u64): bool {
  const size = (<u64>(<u32>memory.size())) << 16;
  if (end <= size) return true;
  // A quarter at once, because growing is slow for some hosts and memory that nothing touches is free.
  const pages = <i32>((end - size + 0xffff) >> 16);
  return memory.grow(max(pages, memory.size() >> 2)) >= 0 || memory.grow(pages) >= 0;
}

/** `bytes` zeroed bytes from the start of a cache line on, or 0 when the arena is full. */
export function claim(bytes: u32): usize {
  const start = top;
  const end = <u64>start + ((<u64>bytes + 63) & ~(<u64>63));
  if (end > <u64>ARENA + ARENA_LIMIT || !cover(end)) return 0;
  top = <usize>end;
  if (start < used) memory.fill(start, 0, min(top, used) - start);
  if (top > used) used = top;
  return start;
}

/** What is claimed from here on can be released without what was claimed before. */
let kept: usize = ARENA;

export function keep(): void {
  kept = top;
}

/** Empties the arena down to the last keep(). */
export function release(): void {
  top = kept;
}

/** Empties the arena; every pointer into it is void. */
export function releaseAll(): void {
  top = ARENA;
  kept = ARENA;
}

/** Bytes of the arena that release() gives back. */
export function releasableBytes(): u32 {
  return <u32>(top - kept);
}

if (!cover(ARENA)) unreachable();
