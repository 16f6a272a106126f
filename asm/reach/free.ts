// Chunks that look in use but are free: glibc keeps them in lists for the next call, for each thread (tcache) or arena
// (fastbins), linked by their first words. Since 2.32 a link is xored with its own address shifted by 12.

import { BLOCK_FLAGS, BLOCK_SIZE, BLOCK_TIME, blockAt, FREE, SIZE_MASK } from "./blocks";
import { find, isExact } from "./index";

/** The block that begins there, −1 of none. */
function exactly(address: u64): i32 {
  const found = find(address);
  return found >= 0 && isExact() ? found : -1;
}

/** The bytes of the block that begins there, 0 of none. */
export function usableAt(address: u64): f64 {
  const found = exactly(address);
  return found < 0 ? 0 : <f64>(load<u64>(blockAt(<u32>found), BLOCK_SIZE) & SIZE_MASK);
}

/** Says that the allocator has a block back, or never gave it away; false when there is none at the address. */
export function setFree(address: u64): bool {
  const found = exactly(address);
  if (found < 0) return false;
  const block = blockAt(<u32>found);
  store<u8>(block, load<u8>(block, BLOCK_FLAGS) | FREE, BLOCK_FLAGS);
  return true;
}

/**
 * The same for a whole list. Its links lead `offset` bytes before the blocks: 16 where they are of chunks. Returns how
 * many those were.
 */
export function setFreeList(from: u64, offset: u64): u32 {
  let count: u32 = 0;
  for (let at = from; at != 0; count++) {
    const address = at + offset;
    const found = exactly(address);
    if (found < 0) break;
    const block = blockAt(<u32>found);
    const link = load<u64>(block, BLOCK_TIME);
    const plain = link ^ (address >> 12);
    store<u8>(block, load<u8>(block, BLOCK_FLAGS) | FREE, BLOCK_FLAGS);
    at = link == 0 || exactly(link + offset) >= 0 ? link : plain;
  }
  return count;
}
