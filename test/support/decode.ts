// Reads a store in the simplest way: the whole file at once, straight from asm/FORMAT.md. It is slow and trusts the
// file, but is short enough to be verified by reading. It is the second opinion on what the core and the runtime say
// about the same file.

import { readFileSync } from "node:fs";
import * as layout from "../../asm/layout.js";

export interface DecodedFrame {
  module: string;
  offset: bigint;
  exact: boolean;
}

export interface DecodedRecord {
  address: bigint;
  size: bigint;
  /** 0 heap, 1 mmap, 2 custom. */
  kind: number;
  /** Relative, in nanoseconds. */
  time: bigint;
  thread: number;
  /** Innermost first. */
  stack: DecodedFrame[];
}

export interface Decoded {
  pid: number;
  endKind: number;
  endStatus: number;
  dropped: bigint;
  allocations: bigint;
  allocatedBytes: bigint;
  frees: bigint;
  freedBytes: bigint;
  records: DecodedRecord[];
}

const ELEMENT_BYTES = new Map([
  [layout.KIND_RECORDS, layout.RECORD_BYTES],
  [layout.KIND_STACKS, layout.STACK_BYTES],
  [layout.KIND_NODES, layout.NODE_BYTES],
  [layout.KIND_FRAMES, layout.FRAME_BYTES],
  [layout.KIND_MODULES, layout.MODULE_BYTES],
  [layout.KIND_STRINGS, 1],
]);

export function decode(path: string): Decoded {
  const file = readFileSync(path);
  const u32 = (offset: number) => file.readUInt32LE(offset);
  const u64 = (offset: number) => file.readBigUInt64LE(offset);

  /** Where each block of each array is in the file. */
  const blocks = new Map<number, number[]>();
  for (let block = 1; block < u32(layout.HEADER_BLOCK_COUNT); block++) {
    const entry = u32(layout.BLOCK_TABLE_OFFSET + block * layout.BLOCK_ENTRY_BYTES);
    const kind = entry >>> layout.BLOCK_ENTRY_KIND_SHIFT;
    const list = blocks.get(kind) ?? [];
    list[entry & layout.BLOCK_ENTRY_ORDINAL_MASK] = block * layout.BLOCK_BYTES;
    blocks.set(kind, list);
  }
  const count = (kind: number) => u32(layout.HEADER_ARRAYS + kind * layout.ARRAY_BYTES + layout.ARRAY_COUNT);
  const at = (kind: number, index: number): number => {
    const bytes = ELEMENT_BYTES.get(kind)!;
    const perBlock = layout.BLOCK_BYTES / bytes;
    return blocks.get(kind)![Math.floor(index / perBlock)]! + (index % perBlock) * bytes;
  };

  const modules = new Map<number, string>();
  const frame = (index: number): DecodedFrame => {
    const here = at(layout.KIND_FRAMES, index);
    const id = u32(here + layout.FRAME_MODULE);
    if (id !== 0 && !modules.has(id)) {
      const module = at(layout.KIND_MODULES, id);
      const start = at(layout.KIND_STRINGS, u32(module + layout.MODULE_PATH_OFFSET));
      modules.set(id, file.toString("utf8", start, start + u32(module + layout.MODULE_PATH_LENGTH)));
    }
    return {
      module: modules.get(id) ?? "",
      offset: u64(here + layout.FRAME_OFFSET),
      exact: (u32(here + layout.FRAME_FLAGS) & layout.FRAME_FLAG_EXACT) !== 0,
    };
  };
  const stacks = new Map<number, DecodedFrame[]>();
  const stack = (index: number): DecodedFrame[] => {
    let frames = stacks.get(index);
    if (!frames) {
      frames = [];
      for (let node = u32(at(layout.KIND_STACKS, index) + layout.STACK_NODE); node !== 0; ) {
        const here = at(layout.KIND_NODES, node);
        frames.push(frame(u32(here + layout.NODE_FRAME)));
        node = u32(here + layout.NODE_PARENT);
      }
      stacks.set(index, frames);
    }
    return frames;
  };

  const records: DecodedRecord[] = [];
  for (let index = 1; index < count(layout.KIND_RECORDS); index++) {
    const here = at(layout.KIND_RECORDS, index);
    const address = u64(here + layout.RECORD_ADDRESS);
    if (address === 0n) continue;
    const size = u64(here + layout.RECORD_SIZE);
    records.push({
      address,
      size: BigInt.asUintN(layout.RECORD_KIND_SHIFT, size),
      kind: Number(size >> BigInt(layout.RECORD_KIND_SHIFT)),
      time: u64(here + layout.RECORD_TIME),
      thread: u32(here + layout.RECORD_THREAD),
      stack: stack(u32(here + layout.RECORD_STACK)),
    });
  }

  const sum = (field: number) => {
    let total = 0n;
    for (let slot = 0; slot < layout.THREADS_MAX_COUNT; slot++) {
      total += u64(layout.THREADS_OFFSET + slot * layout.THREAD_BYTES + field);
    }
    return total;
  };
  return {
    pid: u32(layout.HEADER_PID),
    endKind: u32(layout.HEADER_END_KIND),
    endStatus: u32(layout.HEADER_END_STATUS),
    dropped: u64(layout.HEADER_DROPPED),
    allocations: sum(layout.THREAD_ALLOCATIONS),
    allocatedBytes: sum(layout.THREAD_ALLOCATED_BYTES),
    frees: sum(layout.THREAD_FREES),
    freedBytes: sum(layout.THREAD_FREED_BYTES),
    records,
  };
}
