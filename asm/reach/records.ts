// Joins the store's records with the blocks, by address. The block then has a call stack, a time, and the requested
// size.

import {
  MEMORY_MMAP,
  RECORD_ADDRESS,
  RECORD_BYTES,
  RECORD_KIND_SHIFT,
  RECORD_SIZE,
  RECORD_STACK,
  RECORD_THREAD,
  RECORD_TIME,
} from "../layout";
import {
  addBlock,
  BLOCK_EDGE,
  BLOCK_FLAGS,
  BLOCK_SIZE,
  BLOCK_SLACK,
  BLOCK_STACK,
  BLOCK_TIME,
  blockAt,
  KNOWN,
  SIZE_MASK,
} from "./blocks";
import { find, isExact } from "./index";
import { INPUT } from "./memory";

/** Adds those of the records at INPUT that lie in [from, to) and were made by `before`; −1 when there is no memory. */
export function addRecords(count: u32, before: u64, from: u64, to: u64): i32 {
  for (let i: u32 = 0; i < count; i++) {
    const record = INPUT + i * RECORD_BYTES;
    const address = load<u64>(record, RECORD_ADDRESS);
    if (address == 0 || address < from || address >= to || load<u64>(record, RECORD_TIME) > before) continue;
    const size = load<u64>(record, RECORD_SIZE);
    if (size >> RECORD_KIND_SHIFT == MEMORY_MMAP) continue;
    if (!addBlock(address, size & SIZE_MASK)) return -1;
  }
  return 0;
}

/** Joins the records at INPUT that were made by `before` with their blocks; returns how many found theirs. */
export function join(count: u32, before: u64): u32 {
  let joined: u32 = 0;
  for (let i: u32 = 0; i < count; i++) {
    const record = INPUT + i * RECORD_BYTES;
    const address = load<u64>(record, RECORD_ADDRESS);
    const time = load<u64>(record, RECORD_TIME);
    if (address == 0 || time > before) continue;
    const sizeAndKind = load<u64>(record, RECORD_SIZE);
    if (sizeAndKind >> RECORD_KIND_SHIFT == MEMORY_MMAP) continue;
    const found = find(address);
    if (found < 0 || !isExact()) continue;
    const block = blockAt(<u32>found);
    const usable = load<u64>(block, BLOCK_SIZE) & SIZE_MASK;
    const size = sizeAndKind & SIZE_MASK;
    store<u32>(block, size > usable ? 0 : <u32>(usable - size), BLOCK_SLACK);
    store<u64>(block, time, BLOCK_TIME);
    store<u32>(block, load<u32>(record, RECORD_STACK), BLOCK_STACK);
    store<u8>(block, load<u8>(block, BLOCK_FLAGS) | KNOWN, BLOCK_FLAGS);
    joined++;
  }
  return joined;
}

/**
 * Writes the threads of the records at INPUT to their blocks, in the place of their edges, which are of no use any
 * more.
 */
export function joinThreads(count: u32, before: u64): void {
  for (let i: u32 = 0; i < count; i++) {
    const record = INPUT + i * RECORD_BYTES;
    const address = load<u64>(record, RECORD_ADDRESS);
    const time = load<u64>(record, RECORD_TIME);
    if (address == 0 || time > before) continue;
    const found = find(address);
    if (found < 0 || !isExact() || load<u64>(blockAt(<u32>found), BLOCK_TIME) != time) continue;
    store<u32>(blockAt(<u32>found), load<u32>(record, RECORD_THREAD), BLOCK_EDGE);
  }
}
