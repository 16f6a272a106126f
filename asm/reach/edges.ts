// Which block points to which: one ascending pass over the contents of all blocks, which are not kept.
//
// An edge is four bytes: twice the number of the block that is pointed to, plus one if the pointer leads into the block
// and not to its beginning.

import { BLOCK_ADDRESS, BLOCK_EDGE, BLOCK_FLAGS, BLOCK_SIZE, blockAt, blockCount, FREE, SIZE_MASK } from "./blocks";
import { find, isExact } from "./index";
import { closeAt, cover, here, INPUT } from "./memory";

export let EDGES: usize = 0;
let end: usize = 0;
/** The block whose contents come next, or have begun. */
let cursor: u32 = 0;
/** Blocks below have their first edge. */
let begun: u32 = 0;

export function beginEdges(): void {
  EDGES = here();
  end = EDGES;
  cursor = 0;
  begun = 0;
}

function edgeCount(): u32 {
  return <u32>((end - EDGES) >> 2);
}

/** Takes in `count` bytes at INPUT, which are those at `address`; false when there is no memory. Addresses ascend. */
export function edges(address: u64, count: u32): bool {
  const blocks = blockCount();
  const pieceEnd = address + count;
  for (; cursor < blocks; cursor++) {
    const block = blockAt(cursor);
    const start = load<u64>(block, BLOCK_ADDRESS);
    if (start >= pieceEnd) return true;
    while (begun <= cursor) store<u32>(blockAt(begun++), edgeCount(), BLOCK_EDGE);
    const blockEnd = start + (load<u64>(block, BLOCK_SIZE) & SIZE_MASK);
    if (blockEnd <= address) continue;
    if (!(load<u8>(block, BLOCK_FLAGS) & FREE)) {
      let word = INPUT + <usize>((max(start, address) + 7 - address) & ~7);
      const last = INPUT + <usize>(min(blockEnd, pieceEnd) - address);
      if (!cover(<u64>end + (last > word ? (last - word) >> 1 : 0) + 8)) return false;
      for (let newest: u32 = u32.MAX_VALUE; word + 8 <= last; word += 8) {
        const to = find(load<u64>(word));
        if (to < 0 || to == <i32>cursor) continue;
        const edge = ((<u32>to) << 1) | <u32>!isExact();
        if (edge == newest) continue;
        newest = edge;
        store<u32>(end, edge);
        end += 4;
      }
    }
    if (blockEnd > pieceEnd) return true;
  }
  return true;
}

export function endEdges(): u32 {
  const blocks = blockCount();
  while (begun < blocks) store<u32>(blockAt(begun++), edgeCount(), BLOCK_EDGE);
  closeAt(end);
  return edgeCount();
}

/** Where the edges of a block begin and end. */
export function firstEdge(block: u32): usize {
  return EDGES + ((<usize>load<u32>(blockAt(block), BLOCK_EDGE)) << 2);
}

export function edgesEnd(block: u32): usize {
  return block + 1 < blockCount() ? firstEdge(block + 1) : end;
}
