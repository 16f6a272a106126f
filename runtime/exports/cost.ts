// The cost of a stack, for formats in which a file has one number for each stack.

import type { ProfileStack } from "./profile.js";

export const COSTS = ["bytes", "blocks", "allocations", "allocated", "temporary", "peak"] as const;
export type Cost = (typeof COSTS)[number];

/** What the numbers are called, and what they count. */
export const COST_WORDS: Readonly<Record<Cost, { name: string; unit: "bytes" | "count" }>> = {
  bytes: { name: "live bytes", unit: "bytes" },
  blocks: { name: "live blocks", unit: "count" },
  allocations: { name: "allocations", unit: "count" },
  allocated: { name: "allocated bytes", unit: "bytes" },
  temporary: { name: "temporary allocations", unit: "count" },
  peak: { name: "bytes at peak", unit: "bytes" },
};

/** The costs that every store and snapshot has. */
export const LIVE_COSTS: readonly Cost[] = ["bytes", "blocks"];

/** Bytes or a count; 0 where a snapshot does not know. */
export function costOf({ live, totals }: ProfileStack, cost: Cost): number {
  switch (cost) {
    case "bytes":
      return live.bytes;
    case "blocks":
      return live.count;
    case "allocations":
      return totals?.allocations ?? 0;
    case "allocated":
      return totals?.allocatedBytes ?? 0;
    case "temporary":
      return totals?.temporary ?? 0;
    case "peak":
      return totals?.peakBytes ?? 0;
  }
}

/**
 * The blocks that a stack held at the process's peak, of which memhook knows the bytes alone: as many as these are at
 * the stack's mean size. Where as many bytes are live now, they are taken for the live blocks.
 */
export function blocksAtPeak({ live, totals }: ProfileStack): number {
  if (totals === null || totals.peakBytes === live.bytes) return live.count;
  const mean = totals.allocations > 0 ? totals.allocatedBytes / totals.allocations : 0;
  return totals.peakBytes === 0 || mean === 0 ? 0 : Math.max(1, Math.round(totals.peakBytes / mean));
}

/** The costs that a profile has. */
export function costsOf(stacks: readonly ProfileStack[]): readonly Cost[] {
  return stacks.some(({ totals }) => totals !== null) ? COSTS : LIVE_COSTS;
}
