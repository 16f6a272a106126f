// The chunks of glibc's heaps, one after the other. A chunk's header has its size, and whether the previous chunk is in
// use:
//
//   chunk ─▶ ┌──────────────────┐
//            │ (the chunk before's last 8 bytes)
//            │ size         │AMP│   P: the chunk before is in use; M: it was mapped by itself; A: not the first arena's
//   block ─▶ │ …                │
//            ├──────────────────┤ ◀─ chunk + size
//
// The host passes the heap's memory in pieces, in the order of addresses. If a header is in a missing page, or its size
// leads out of the heap or is invalid, the heap is damaged or being changed. Then the walk ends there and says so.

import { addBlock, setFirst } from "./blocks";
import { INPUT } from "./memory";

const LEAST: u64 = 32;
const IN_USE: u64 = 1;
const MAPPED: u64 = 2;
const BITS: u64 = 7;

export const WALK_GOES_ON: i32 = 0;
/** At the chunk where the arena ends. */
export const WALK_AT_TOP: i32 = 1;
/** At a chunk that closes a heap that has another one behind it. */
export const WALK_AT_FENCE: i32 = 2;
export const WALK_DAMAGED: i32 = 3;
export const WALK_NO_MEMORY: i32 = 4;

let at: u64 = 0;
let end: u64 = 0;
let top: u64 = 0;
let before: u64 = 0;
/** Its first word: in a list of chunks that the allocator keeps for the next call, where the next of them is. */
let first: u64 = 0;
let state: i32 = WALK_GOES_ON;
/** Chunks in use. */
let found: u32 = 0;

/** Begins at the first chunk of a heap, whose memory ends at `heapEnd`; `arenaTop`: where the arena's last chunk is. */
export function beginWalk(first: u64, heapEnd: u64, arenaTop: u64): void {
  at = first;
  end = heapEnd;
  top = arenaTop;
  before = 0;
  found = 0;
  state = WALK_GOES_ON;
}

/** Takes in `count` bytes at INPUT, which are those at `address`. */
export function walk(address: u64, count: u32): i32 {
  if (state != WALK_GOES_ON) return state;
  const pieceEnd = address + count;
  if (before && before + 16 == address) first = load<u64>(INPUT);
  while (at + 16 <= pieceEnd) {
    if (at < address) return (state = WALK_DAMAGED);
    const head = load<u64>(INPUT + <usize>(at - address), 8);
    if (before && head & IN_USE) {
      found++;
      if (!addBlock(before + 16, at - before - 8)) return (state = WALK_NO_MEMORY);
      setFirst(first);
    }
    if (at == top) return (state = WALK_AT_TOP);
    const size = head & ~BITS;
    if (size < LEAST) return (state = size == 16 || size == 0 ? WALK_AT_FENCE : WALK_DAMAGED);
    if (size & 15 || head & MAPPED || size > end - at) return (state = WALK_DAMAGED);
    before = at;
    first = at + 24 <= pieceEnd ? load<u64>(INPUT + <usize>(at - address), 16) : 0;
    at += size;
  }
  return state;
}

/** Where the walk is. */
export function walkedTo(): u64 {
  return at;
}

export function chunksInUse(): u32 {
  return found;
}
