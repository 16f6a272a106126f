// What is reached from the roots, and which of the remaining blocks nothing points to.
//
//   roots ─▶ REACHED     by pointers to where blocks begin, all the way
//        └─▶ INTERIOR    by a pointer into a block somewhere on the way
//   the rest: HEAD       nothing that is left points to it but what it holds itself: it is lost
//             others     only lost ones hold them
//
// Each block has a parent. For a reached block it is what held it when it was found: a block, or a root's word. For a
// lost block it is the head.

import {
  BLOCK_ADDRESS,
  BLOCK_FLAGS,
  BLOCK_PARENT,
  BLOCK_SIZE,
  BLOCK_SLACK,
  BLOCK_STACK,
  blockAt,
  blockCount,
  FREE,
  HEAD,
  INTERIOR,
  KEEPER,
  KNOWN,
  REACHED,
  SIZE_MASK,
  VISITED,
} from "./blocks";
import { edgesEnd, firstEdge } from "./edges";
import { find, isExact } from "./index";
import { claim, closeAt, cover, here, INPUT } from "./memory";

/** A parent that is a root's word: the number of a hit. */
export const PARENT_HIT: u32 = 0x8000_0000;
/** A block that holds by itself. */
export const PARENT_NONE: u32 = 0xffff_ffff;

let firstQueue: usize = 0;
let firstEnd: usize = 0;
let secondQueue: usize = 0;
let secondEnd: usize = 0;
let hits: usize = 0;
let hitsEnd: usize = 0;

/** To be called when the edges are there. False when there is no memory. */
export function beginMarks(): bool {
  const count = blockCount();
  firstQueue = claim(<u64>count * 4);
  secondQueue = claim(<u64>count * 4);
  hits = here();
  hitsEnd = hits;
  firstEnd = firstQueue;
  secondEnd = secondQueue;
  return firstQueue != 0 && secondQueue != 0;
}

function mark(index: u32, interior: bool, parent: u32): bool {
  const block = blockAt(index);
  const flags = load<u8>(block, BLOCK_FLAGS);
  if (interior) {
    if (flags & (REACHED | INTERIOR)) return false;
    store<u8>(block, flags | INTERIOR, BLOCK_FLAGS);
    store<u32>(secondEnd, index);
    secondEnd += 4;
  } else {
    if (flags & REACHED) return false;
    store<u8>(block, (flags & ~INTERIOR) | REACHED, BLOCK_FLAGS);
    store<u32>(firstEnd, index);
    firstEnd += 4;
  }
  store<u32>(block, parent, BLOCK_PARENT);
  return true;
}

/**
 * Takes in `count` bytes of a root at INPUT, which are those at `address`; false when there is no memory. `around`:
 * there may be blocks in it, which are no root.
 */
export function roots(address: u64, count: u32, around: bool): bool {
  for (let at: u32 = <u32>(-address & 7); at + 8 <= count; at += 8) {
    const to = find(load<u64>(INPUT + at));
    if (to < 0) continue;
    const interior = !isExact();
    if (around && find(address + at) >= 0) continue;
    if (!mark(<u32>to, interior, PARENT_HIT | <u32>((hitsEnd - hits) >> 3))) continue;
    if (!cover(<u64>hitsEnd + 8)) return false;
    store<u64>(hitsEnd, address + at);
    hitsEnd += 8;
  }
  return true;
}

function keep(index: u32): void {
  const block = blockAt(index);
  store<u8>(block, load<u8>(block, BLOCK_FLAGS) | KEEPER, BLOCK_FLAGS);
  mark(index, false, PARENT_NONE);
}

/** Blocks that no record knows hold what they point to, and are not judged. */
export function keepUnknown(): void {
  const count = blockCount();
  for (let i: u32 = 0; i < count; i++) if (!(load<u8>(blockAt(i), BLOCK_FLAGS) & (KNOWN | FREE))) keep(i);
}

/** The same for blocks of call stacks whose bit is set at INPUT; there are bits for the first `stacks`. */
export function keepStacks(stacks: u32): void {
  const count = blockCount();
  for (let i: u32 = 0; i < count; i++) {
    const block = blockAt(i);
    const stack = load<u32>(block, BLOCK_STACK);
    if ((load<u8>(block, BLOCK_FLAGS) & (KNOWN | FREE)) != KNOWN || stack >= stacks) continue;
    if (load<u8>(INPUT + (stack >> 3)) & (1 << (stack & 7))) keep(i);
  }
}

/** Follows all pointers from what the roots reach. */
export function spread(): void {
  for (let next = firstQueue; next < firstEnd; next += 4) {
    const from = load<u32>(next);
    const last = edgesEnd(from);
    for (let edge = firstEdge(from); edge < last; edge += 4) {
      const to = load<u32>(edge);
      mark(to >> 1, <bool>(to & 1), from);
    }
  }
  for (let next = secondQueue; next < secondEnd; next += 4) {
    const from = load<u32>(next);
    if (load<u8>(blockAt(from), BLOCK_FLAGS) & REACHED) continue;
    const last = edgesEnd(from);
    for (let edge = firstEdge(from); edge < last; edge += 4) mark(load<u32>(edge) >> 1, true, from);
  }
}

function isLeft(block: usize): bool {
  return !(load<u8>(block, BLOCK_FLAGS) & (REACHED | INTERIOR | FREE));
}

/** Finds the heads among the rest. Each takes what it holds and nobody had; a head that another one holds is none. */
export function findHeads(): void {
  const count = blockCount();
  for (let i: u32 = 0; i < count; i++) {
    const block = blockAt(i);
    if (!isLeft(block) || load<u8>(block, BLOCK_FLAGS) & VISITED) continue;
    store<u8>(block, load<u8>(block, BLOCK_FLAGS) | HEAD | VISITED, BLOCK_FLAGS);
    store<u32>(block, i, BLOCK_PARENT);
    let next = firstQueue;
    let end = firstQueue;
    store<u32>(end, i);
    for (end += 4; next < end; next += 4) {
      const from = load<u32>(next);
      const last = edgesEnd(from);
      for (let edge = firstEdge(from); edge < last; edge += 4) {
        const to = load<u32>(edge) >> 1;
        const other = blockAt(to);
        const flags = load<u8>(other, BLOCK_FLAGS);
        if (to == i || flags & (REACHED | INTERIOR | FREE)) continue;
        if (!(flags & VISITED) || flags & HEAD) {
          store<u8>(other, (flags | VISITED) & ~HEAD, BLOCK_FLAGS);
          store<u32>(other, i, BLOCK_PARENT);
        }
        if (flags & VISITED) continue;
        store<u32>(end, to);
        end += 4;
      }
    }
  }
}

export const VERDICT_LOST: i32 = 0;
export const VERDICT_INDIRECT: i32 = 1;
export const VERDICT_INTERIOR: i32 = 2;
export const VERDICT_REACHABLE: i32 = 3;
/** It is not judged. */
export const VERDICT_NONE: i32 = 4;

export function verdictOf(index: u32): i32 {
  const flags = load<u8>(blockAt(index), BLOCK_FLAGS);
  if (flags & (FREE | KEEPER)) return VERDICT_NONE;
  if (flags & REACHED) return VERDICT_REACHABLE;
  if (flags & INTERIOR) return VERDICT_INTERIOR;
  return flags & HEAD ? VERDICT_LOST : VERDICT_INDIRECT;
}

/** The size that was asked for, or of a block that no record knows the bytes that it has. */
export function sizeOf(index: u32): f64 {
  const block = blockAt(index);
  return <f64>((load<u64>(block, BLOCK_SIZE) & SIZE_MASK) - load<u32>(block, BLOCK_SLACK));
}

export function countOf(verdict: i32): f64 {
  let sum: f64 = 0;
  const count = blockCount();
  for (let i: u32 = 0; i < count; i++) if (verdictOf(i) == verdict) sum++;
  return sum;
}

export function bytesOf(verdict: i32): f64 {
  let sum: f64 = 0;
  const count = blockCount();
  for (let i: u32 = 0; i < count; i++) if (verdictOf(i) == verdict) sum += sizeOf(i);
  return sum;
}

/**
 * The first block from `from` on whose verdict is one of the bits of `verdicts`; the number of blocks when there is
 * none.
 */
export function nextOf(from: u32, verdicts: u32): u32 {
  const count = blockCount();
  let i = from;
  while (i < count && !((verdicts >> verdictOf(i)) & 1)) i++;
  return i;
}

/** The lost block that holds a block that only lost ones hold. Whoever was asked on the way knows it from then on. */
export function headOf(index: u32): u32 {
  let head = index;
  while (!(load<u8>(blockAt(head), BLOCK_FLAGS) & HEAD)) {
    const next = load<u32>(blockAt(head), BLOCK_PARENT);
    if (next == head) break;
    head = next;
  }
  for (let at = index; at != head; ) {
    const next = load<u32>(blockAt(at), BLOCK_PARENT);
    store<u32>(blockAt(at), head, BLOCK_PARENT);
    at = next;
  }
  return head;
}

/** Where the root's word is that a parent of PARENT_HIT names. */
export function hitAddress(parent: u32): u64 {
  return load<u64>(hits + ((<usize>(parent & ~PARENT_HIT)) << 3));
}

/** The number of the block at an address, or around it; −1 of none. */
export function blockOf(address: u64): i32 {
  return find(address);
}

export function addressOf(index: u32): u64 {
  return load<u64>(blockAt(index), BLOCK_ADDRESS);
}
