// The layout of reach.wasm's linear memory.
//
//   INPUT                      BLOCKS ▶ …    slots ▶ …     EDGES ▶ …     queues   HITS ▶ …
//   │ what the host has read   │ 40 bytes    │ an index    │ 4 bytes     │        │
//   │ of the process: 1 MiB    │ a block     │ of the heap │ a pointer   │        │
//
// One array grows at a time, at the top; then it is closed and the next one begins after it. When the memory is
// exhausted, the growing array says so, and nothing traps.

import { LOOK_PAYLOAD_MAX } from "./layout";

export const INPUT: usize = (__heap_base + 15) & ~(<usize>15);
const ARENA: usize = INPUT + LOOK_PAYLOAD_MAX;

let top: usize = ARENA;

/** Whether there is memory up to `end`. */
export function cover(end: u64): bool {
  const size = (<u64>(<u32>memory.size())) << 16;
  if (end <= size) return true;
  if (end > 0xffff_0000) return false;
  const pages = <i32>((end - size + 0xffff) >> 16);
  return memory.grow(max(pages, memory.size() >> 2)) >= 0 || memory.grow(pages) >= 0;
}

/** Where the next array begins. */
export function here(): usize {
  return top;
}

/** What is below is closed. */
export function closeAt(end: usize): void {
  top = (end + 15) & ~(<usize>15);
}

/** Zeroed bytes behind what there is; 0 where there are none. The memory above the top has never been used. */
export function claim(bytes: u64): usize {
  const start = top;
  if (!cover(<u64>start + bytes + 16)) return 0;
  closeAt(start + <usize>bytes);
  return start;
}

if (!cover(ARENA)) unreachable();
