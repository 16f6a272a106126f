// Compares what the witness holds for live at the end with memhook's stores of the same processes, block by block.
//
// Not every difference is a fault. A block that the witness alone has may be one of those that
//
//   held      are inside or around what memhook recorded in their place: operators new of the program that put a
// header in front of each block,
//             or cut blocks out of larger ones
//   dropped   are counted as dropped: allocated by a signal handler in the middle of a hook

import { openStore } from "../../runtime/stores/store.js";
import { type Block, readLog, type Space } from "./log.js";
import { add, type Ranges, without } from "./ranges.js";

export interface Comparison {
  /** Processes that were compared, and live blocks that both have, with the same size. */
  processes: number;
  equal: number;
  held: number;
  dropped: number;
  /** What nothing explains, one line each. */
  faults: string[];
}

interface Recorded {
  blocks: Map<number, number>;
  mapped: Ranges;
  /** Bytes. */
  reserved: number;
  dropped: number;
}

/**
 * @param stores the path of a process's store by its id
 * @returns undefined if the program did more than a log can hold
 */
export async function compare(log: string, stores: ReadonlyMap<number, string>): Promise<Comparison | undefined> {
  const spaces = readLog(log);
  if (!spaces) return undefined;
  const result: Comparison = { processes: 0, equal: 0, held: 0, dropped: 0, faults: [] };
  // A process that execs begins another space; its store is that of the last program.
  const last = new Map(spaces.map((space) => [space.pid, space]));
  for (const [pid, space] of last) {
    const path = stores.get(pid);
    // A child that allocates nothing makes no store.
    if (!path && space.blocks.size > 0 && space.calls > 0) result.faults.push(`process ${pid} has no store`);
    if (!path || !space.known) continue;
    const recorded = await readRecorded(path);
    result.processes++;
    compareBlocks(space, recorded, result);
    // What the log calls mapped is reserved in a store, and apart, where nobody may touch it.
    const missing = without(space.mapped, recorded.mapped) - recorded.reserved;
    const invented = without(recorded.mapped, space.mapped);
    if (missing !== 0) result.faults.push(`process ${pid}: ${missing} mapped bytes missing`);
    if (invented > 0) result.faults.push(`process ${pid}: ${invented} mapped bytes invented`);
  }
  for (const pid of stores.keys()) if (!last.has(pid)) result.faults.push(`process ${pid} has a store, but no log`);
  return result;
}

/** The sizes of all blocks in these stores, in one text: of two runs of the same program it should be the same. */
export async function sizesIn(stores: ReadonlyMap<number, string>): Promise<string> {
  const sizes: number[] = [];
  for (const path of stores.values()) for (const size of (await readRecorded(path)).blocks.values()) sizes.push(size);
  return sizes.sort((a, b) => a - b).join(" ");
}

async function readRecorded(path: string): Promise<Recorded> {
  const store = await openStore(path);
  try {
    const { allocations } = await store.query({ aggregate: false, sort: "address" });
    const recorded: Recorded = {
      blocks: new Map(),
      mapped: [],
      reserved: store.info().reservedBytes ?? 0,
      dropped: store.totals().dropped,
    };
    for (const { address, size, kind } of allocations) {
      const start = Number(address);
      if (kind === "mmap") add(recorded.mapped, start, start + Math.ceil(size / 4096) * 4096);
      else if (kind === "heap") recorded.blocks.set(start, size);
    }
    return recorded;
  } finally {
    store.close();
  }
}

function compareBlocks(space: Space, recorded: Recorded, result: Comparison): void {
  const missing: [number, Block][] = [];
  const invented = new Map(recorded.blocks);
  for (const [address, block] of space.blocks) {
    const size = invented.get(address);
    invented.delete(address);
    if (size === undefined) missing.push([address, block]);
    else if (size === block.size || isOperators(size, block)) result.equal++;
    else result.faults.push(`process ${space.pid}: ${hex(address)} is of ${size} bytes, not of ${block.size}`);
  }
  let { dropped } = recorded;
  for (const [address, block] of missing) {
    if (space.uncertain.has(address)) continue;
    if (takeHeld(invented, address, block.size)) result.held++;
    else if (dropped-- > 0) result.dropped++;
    else result.faults.push(`process ${space.pid}: ${block.size} bytes at ${hex(address)} missing`);
  }
  for (const [address, size] of invented)
    if (!space.uncertain.has(address))
      result.faults.push(`process ${space.pid}: ${size} bytes at ${hex(address)} invented`);
}

/** Operators new ask malloc for a byte where they were asked for none, and for whole multiples of an alignment. */
function isOperators(size: number, block: Block): boolean {
  return Math.ceil(Math.max(size, 1) / block.alignment) * block.alignment === block.size;
}

/** Takes away the records that are inside of this block; whether there are any. */
function takeHeld(invented: Map<number, number>, address: number, size: number): boolean {
  let found = false;
  for (const start of invented.keys()) {
    if (start < address || start >= address + size) continue;
    invented.delete(start);
    found = true;
  }
  return found;
}

const hex = (address: number) => `0x${address.toString(16)}`;
