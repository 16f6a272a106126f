// From any address to the block that it lies in, in a few loads.
//
//   address ─▶ 4 GiB ─▶ MiB ─▶ slot: a bit for every 8 bytes where a block begins, and how many begin before each
//                                    64 of these bits
//                              ─▶ number of the last block that begins there or before ─▶ is it long enough?
//
// A slot takes 2.3 % of the memory that it describes.

import {
  BLOCK_ADDRESS,
  BLOCK_BYTES,
  BLOCK_FLAGS,
  BLOCK_SIZE,
  BLOCKS,
  blockAt,
  blockCount,
  FREE,
  SIZE_MASK,
} from "./blocks";
import { claim } from "./memory";

const MIB: i32 = 20;
const TOP_ENTRIES: u32 = 1 << 15;
const MIBS: u32 = 1 << 12;
/** Slot: how many blocks begin before it, the bits, the numbers. */
const SLOT_BITS: usize = 16;
const SLOT_RANKS: usize = SLOT_BITS + 16384;
const SLOT_BYTES: usize = SLOT_RANKS + 8192;

let directory: usize = 0;
let firstSlot: usize = 0;
let lastSlot: usize = 0;
/** No block is outside of these. */
let lowest: u64 = 0;
let span: u64 = 0;
let exact: bool = false;

/**
 * The slot of a MiB, made where there is none; 0 where there is no memory. `before`: how many blocks begin before it.
 */
function slotOf(mib: u64, before: u32): usize {
  const entry = directory + ((<usize>(mib >> 12)) << 2);
  let mibs = <usize>load<u32>(entry);
  const at = (<usize>(mib & (MIBS - 1))) << 2;
  const slot = <usize>load<u32>(mibs + at);
  if (slot) return slot;
  const made = claim(SLOT_BYTES);
  if (!made) return 0;
  if (!firstSlot) firstSlot = made;
  lastSlot = made;
  store<u32>(made, before);
  store<u32>(mibs + at, <u32>made);
  return made;
}

/** The MiBs of every 4 GiB that has blocks. Apart from the slots, so that these lie one behind the other. */
function makeDirectory(): bool {
  directory = claim(TOP_ENTRIES << 2);
  if (!directory) return false;
  const count = blockCount();
  for (let i: u32 = 0; i < count; i++) {
    const block = blockAt(i);
    const address = load<u64>(block, BLOCK_ADDRESS);
    const last = (address + (load<u64>(block, BLOCK_SIZE) & SIZE_MASK)) >> 32;
    for (let part = address >> 32; part <= last && part < TOP_ENTRIES; part++) {
      const entry = directory + ((<usize>part) << 2);
      if (load<u32>(entry)) continue;
      const mibs = claim(MIBS << 2);
      if (!mibs) return false;
      store<u32>(entry, <u32>mibs);
    }
  }
  return true;
}

/**
 * Makes the index of blocks that are in order; false when there is no memory for it, or a block is where none can be.
 */
export function makeIndex(): bool {
  const count = blockCount();
  if (count == 0) return true;
  lowest = load<u64>(blockAt(0));
  const last = blockAt(count - 1);
  const highest = load<u64>(last) + (load<u64>(last, BLOCK_SIZE) & SIZE_MASK);
  if (highest >> 47 || !makeDirectory()) return false;
  span = highest - lowest + 1;
  for (let i: u32 = 0; i < count; i++) {
    const block = blockAt(i);
    const address = load<u64>(block, BLOCK_ADDRESS);
    const slot = slotOf(address >> MIB, i);
    if (!slot) return false;
    const granule = <u32>(address >> 3) & 0x1ffff;
    const bits = slot + SLOT_BITS + ((granule >> 6) << 3);
    store<u64>(bits, load<u64>(bits) | ((<u64>1) << (granule & 63)));
    const end = (address + (load<u64>(block, BLOCK_SIZE) & SIZE_MASK)) >> MIB;
    for (let mib = (address >> MIB) + 1; mib <= end; mib++) if (!slotOf(mib, i + 1)) return false;
  }
  for (let slot = firstSlot; slot <= lastSlot; slot += (SLOT_BYTES + 15) & ~15) {
    let rank = load<u32>(slot);
    for (let word: usize = 0; word < 2048; word++) {
      store<u32>(slot + SLOT_RANKS + (word << 2), rank);
      rank += <u32>popcnt(load<u64>(slot + SLOT_BITS + (word << 3)));
    }
  }
  return true;
}

/** The block that an address lies in, or just behind; −1 of none. */
export function find(address: u64): i32 {
  if (address - lowest >= span) return -1;
  const mibs = <usize>load<u32>(directory + ((<usize>(address >> 32)) << 2));
  if (!mibs) return -1;
  const slot = <usize>load<u32>(mibs + ((<usize>(address >> MIB) & (MIBS - 1)) << 2));
  if (!slot) return -1;
  const granule = <u32>(address >> 3) & 0x1ffff;
  const bits = load<u64>(slot + SLOT_BITS + ((granule >> 6) << 3)) << (63 - (granule & 63));
  const index = load<u32>(slot + SLOT_RANKS + ((granule >> 6) << 2)) + <u32>popcnt(bits);
  if (index == 0) return -1;
  const block = BLOCKS + <usize>(index - 1) * BLOCK_BYTES;
  const offset = address - load<u64>(block, BLOCK_ADDRESS);
  const size = load<u64>(block, BLOCK_SIZE) & SIZE_MASK;
  // Just behind a chunk of glibc's there is the size of the next one, so it is this block's end that is meant.
  if (offset > size || (offset == size && (address & 15) != 8 && offset != 0)) return -1;
  if (load<u8>(block, BLOCK_FLAGS) & FREE) return -1;
  exact = offset == 0;
  return <i32>(index - 1);
}

/** Whether the address that was found last is where its block begins. */
export function isExact(): bool {
  return exact;
}
