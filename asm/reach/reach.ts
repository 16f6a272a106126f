// build/reach.wasm: from the memory of a frozen process to a verdict on each of its blocks. An instance is one look.
// runtime/reach/graph.ts is the other side of this interface.
//
//   beginWalk, walk (heaps) · addRecords · addBlock ─▶ finish ─▶ setFree · join ─▶ edges ─▶ keep…, roots ─▶ judge
//   ─▶ answers

import { sortBlocks } from "./blocks";
import { makeIndex } from "./index";
import { findHeads, spread } from "./marks";

export {
  addBlock,
  BLOCK_ADDRESS,
  BLOCK_BYTES,
  BLOCK_EDGE,
  BLOCK_FLAGS,
  BLOCK_PARENT,
  BLOCK_STACK,
  BLOCK_TIME,
  BLOCKS,
  blockCount,
  countBelow,
  KNOWN,
  nextWith,
} from "./blocks";
export { beginEdges, edges, endEdges } from "./edges";
export { setFree, setFreeList, usableAt } from "./free";
export {
  addressOf,
  beginMarks,
  blockOf,
  bytesOf,
  countOf,
  headOf,
  hitAddress,
  keepStacks,
  keepUnknown,
  nextOf,
  PARENT_HIT,
  PARENT_NONE,
  roots,
  sizeOf,
  VERDICT_INDIRECT,
  VERDICT_INTERIOR,
  VERDICT_LOST,
  VERDICT_NONE,
  VERDICT_REACHABLE,
  verdictOf,
} from "./marks";
export { INPUT } from "./memory";
export { addRecords, join, joinThreads } from "./records";
export { threadAt } from "./threads";
export {
  beginWalk,
  chunksInUse,
  WALK_AT_FENCE,
  WALK_AT_TOP,
  WALK_DAMAGED,
  WALK_GOES_ON,
  WALK_NO_MEMORY,
  walk,
  walkedTo,
} from "./walk";

/** All blocks are there. False when there is no memory for their index. */
export function finish(): bool {
  sortBlocks();
  return makeIndex();
}

/** All roots are there. */
export function judge(): void {
  spread();
  findHeads();
}
