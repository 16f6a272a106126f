// What the stores of one run say, all processes together, and whether every one of them can be read.

import { readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { openStore } from "../../runtime/stores/store.js";

export interface Stores {
  count: number;
  allocations: number;
  liveCount: number;
  liveBytes: number;
  dropped: number;
  /** The one with the most stacks, for a look with names. */
  largest: string;
  /** What is wrong, one line for each store. */
  faults: string[];
}

/** Reads every store in the folder: all records, summed up by stack, and each stack's frames. */
export async function readStores(folder: string): Promise<Stores> {
  const sums: Stores = {
    count: 0,
    allocations: 0,
    liveCount: 0,
    liveBytes: 0,
    dropped: 0,
    largest: "",
    faults: [],
  };
  let most = -1;
  for (const name of readdirSync(folder)) {
    const path = join(folder, name);
    try {
      const store = await openStore(path);
      try {
        const { stacks, matched } = await store.query({ aggregate: true, sort: "size" });
        for (const { stackId } of stacks) store.frames(stackId);
        const { liveCount, liveBytes, allocatedCount, dropped } = store.totals();
        if (matched.count !== liveCount) sums.faults.push(`${name}: ${matched.count} records, but ${liveCount} live`);
        if (dropped > 0) sums.faults.push(`${name}: ${dropped} dropped`);
        if (store.info().switchedOff) sums.faults.push(`${name}: memhook switched itself off`);
        if (store.process.state === "running") sums.faults.push(`${name}: still runs`);
        sums.count++;
        sums.allocations += allocatedCount;
        sums.liveCount += liveCount;
        sums.liveBytes += liveBytes;
        sums.dropped += dropped;
        if (stacks.length > most) {
          most = stacks.length;
          sums.largest = path;
        }
      } finally {
        store.close();
      }
    } catch (error) {
      sums.faults.push(`${name}: ${error instanceof Error ? error.message : error}`);
    }
  }
  return sums;
}

/** Makes room for the next run. */
export function removeStores(folder: string): void {
  for (const name of readdirSync(folder)) rmSync(join(folder, name));
}
