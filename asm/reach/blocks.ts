// The blocks of the process, in the order of their addresses.
//
// They come from the allocator's own chunks (walk.ts) and from the store's records (records.ts).

import { closeAt, cover, here } from "./memory";

export const BLOCK_ADDRESS: usize = 0;
/** The bytes that the block has in the low 56 bits, what is known of it in the top 8. */
export const BLOCK_SIZE: usize = 8;
/** When it was made. Until that is known: its first word. */
export const BLOCK_TIME: usize = 16;
export const BLOCK_STACK: usize = 24;
/** The first of its edges. Those of the next block begin where its own end. */
export const BLOCK_EDGE: usize = 28;
/** How many bytes of it were not asked for. */
export const BLOCK_SLACK: usize = 32;
/** Who holds it; see marks.ts. */
export const BLOCK_PARENT: usize = 36;
export const BLOCK_BYTES: usize = 40;

export const SIZE_MASK: u64 = 0x00ff_ffff_ffff_ffff;

// What is known of a block, in the byte at BLOCK_FLAGS.
export const BLOCK_FLAGS: usize = 15;
export const KNOWN: u8 = 1;
/** The allocator has it back, or it is the allocator's own. */
export const FREE: u8 = 2;
export const REACHED: u8 = 4;
export const INTERIOR: u8 = 8;
export const HEAD: u8 = 16;
export const VISITED: u8 = 32;
/** It holds what it points to, whoever holds it. */
export const KEEPER: u8 = 64;

export const BLOCKS: usize = here();
let end: usize = BLOCKS;

export function blockCount(): u32 {
  return <u32>((end - BLOCKS) / BLOCK_BYTES);
}

export function blockAt(index: u32): usize {
  return BLOCKS + <usize>index * BLOCK_BYTES;
}

/** One more block; false when there is no memory for it. Addresses need not ascend. */
export function addBlock(address: u64, usable: u64): bool {
  if (!cover(<u64>end + BLOCK_BYTES)) return false;
  store<u64>(end, address, BLOCK_ADDRESS);
  store<u64>(end, usable & SIZE_MASK, BLOCK_SIZE);
  end += BLOCK_BYTES;
  return true;
}

/** Of the block that was added last. */
export function setFirst(word: u64): void {
  store<u64>(end - BLOCK_BYTES, word, BLOCK_TIME);
}

/** Puts the blocks in order and takes out those that are there twice. */
export function sortBlocks(): void {
  const count = blockCount();
  for (let i: u32 = 1; i < count; i++) {
    if (load<u64>(blockAt(i - 1)) < load<u64>(blockAt(i))) continue;
    heapSort(count);
    break;
  }
  let kept: usize = BLOCKS;
  for (let block = BLOCKS; block < end; block += BLOCK_BYTES) {
    const address = load<u64>(block);
    if (kept > BLOCKS && load<u64>(kept - BLOCK_BYTES) == address) continue;
    store<u64>(kept, address);
    store<u64>(kept, load<u64>(block, BLOCK_SIZE), BLOCK_SIZE);
    store<u64>(kept, load<u64>(block, BLOCK_TIME), BLOCK_TIME);
    kept += BLOCK_BYTES;
  }
  memory.fill(kept, 0, end - kept);
  end = kept;
  closeAt(end);
}

/** In place, and as fast in the worst case as in any. There is nothing yet beside these three words. */
function heapSort(count: u32): void {
  for (let i = count >> 1; i > 0; i--) sink(i - 1, count);
  for (let last = count - 1; last > 0; last--) {
    swap(blockAt(0), blockAt(last));
    sink(0, last);
  }
}

function swap(a: usize, b: usize): void {
  for (let word: usize = 0; word <= BLOCK_TIME; word += 8) {
    const kept = load<u64>(a + word);
    store<u64>(a + word, load<u64>(b + word));
    store<u64>(b + word, kept);
  }
}

function sink(from: u32, count: u32): void {
  for (let i: u32 = from; ; ) {
    let child: u32 = 2 * i + 1;
    if (child >= count) return;
    if (child + 1 < count && load<u64>(blockAt(child)) < load<u64>(blockAt(child + 1))) child++;
    if (load<u64>(blockAt(i)) >= load<u64>(blockAt(child))) return;
    swap(blockAt(i), blockAt(child));
    i = child;
  }
}

/** The first block from `from` on that has exactly so many bytes; the number of blocks when there is none. */
export function nextWith(from: u32, usable: u64): u32 {
  const count = blockCount();
  let i = from;
  while (i < count && (load<u64>(blockAt(i), BLOCK_SIZE) & SIZE_MASK) != usable) i++;
  return i;
}

/** How many blocks begin below an address. */
export function countBelow(address: u64): u32 {
  let low: u32 = 0;
  let high = blockCount();
  while (low < high) {
    const middle = (low + high) >> 1;
    if (load<u64>(blockAt(middle), BLOCK_ADDRESS) < address) low = middle + 1;
    else high = middle;
  }
  return low;
}
