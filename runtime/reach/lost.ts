// What nothing in a process points to any more, confirmed by a second look. A pointer that was being moved during the
// first look has arrived by then; a block that is really lost stays lost.

import type { Amount } from "../host/types.js";
import type { Store } from "../stores/store.js";
import type { Graph } from "./graph.js";
import type { Freeze } from "./helper.js";
import { lookAt, type Seen } from "./look.js";

export const VERDICTS = ["lost", "indirect", "interior", "reachable"] as const;
export type Verdict = (typeof VERDICTS)[number];

export interface Judged {
  /** For the last look. */
  seen: Seen;
  looks: number;
  /** The longest of the looks. */
  pause: { milliseconds: number; method: "snapshot" | "stop" };
  verdicts: Record<Verdict, Amount>;
  /** Numbers of the blocks with one of these verdicts, in the order of addresses. */
  blocks(verdicts: readonly Verdict[]): Generator<{ block: number; verdict: Verdict }>;
}

/**
 * @param confirm in so many looks a block must be lost; at least 1
 * @throws LookError when the process cannot be looked at
 */
export async function judge(
  pid: number,
  store: Store | undefined,
  { confirm, ...how }: { method: Freeze; longestMs: number; confirm: number },
): Promise<Judged> {
  let left: Left | undefined;
  let longest = 0;
  for (let looks = 1; ; looks++) {
    const seen = await lookAt(pid, store, how);
    longest = Math.max(longest, seen.look.pauseNs);
    left = leftOf(seen.graph, left);
    // What is not lost now will not be found to be.
    if (looks < confirm && left.addresses.length > 0) continue;
    const confirmed = new Set(left.addresses);
    return {
      seen,
      looks,
      pause: { milliseconds: Math.round(longest / 1e4) / 100, method: seen.look.method },
      verdicts: sumsOf(seen.graph, left),
      *blocks(verdicts) {
        for (const each of judgedOf(seen.graph, verdicts)) {
          const isLeft = each.verdict === "lost" || each.verdict === "indirect";
          if (!isLeft || confirmed.has(Number(seen.graph.call.addressOf(each.block)))) yield each;
        }
      },
    };
  }
}

/** What no root reaches, by address, and when it was allocated. */
interface Left {
  addresses: Float64Array;
  times: BigUint64Array;
}

/** What is lost in this look, and was lost in the previous one, if there was one. */
function leftOf(graph: Graph, before: Left | undefined): Left {
  const found = [...judgedOf(graph, ["lost", "indirect"])];
  const addresses = Float64Array.from(found, ({ block }) => Number(graph.call.addressOf(block)));
  const times = BigUint64Array.from(found, ({ block }) => (graph.known(block) ? graph.time(block) : 0n));
  if (!before) return { addresses, times };
  const kept: number[] = [];
  for (let i = 0, k = 0; i < addresses.length; i++) {
    while (k < before.addresses.length && before.addresses[k]! < addresses[i]!) k++;
    if (before.addresses[k] === addresses[i] && before.times[k] === times[i]) kept.push(i);
  }
  return {
    addresses: Float64Array.from(kept, (i) => addresses[i]!),
    times: BigUint64Array.from(kept, (i) => times[i]!),
  };
}

function* judgedOf(graph: Graph, verdicts: readonly Verdict[]): Generator<{ block: number; verdict: Verdict }> {
  const { call } = graph;
  const wanted = verdicts.reduce((bits, verdict) => bits | (1 << VERDICTS.indexOf(verdict)), 0);
  const count = call.blockCount() >>> 0;
  for (let block = call.nextOf(0, wanted) >>> 0; block < count; block = call.nextOf(block + 1, wanted) >>> 0) {
    yield { block, verdict: VERDICTS[call.verdictOf(block)]! };
  }
}

/** What was not confirmed is held. */
function sumsOf(graph: Graph, left: Left): Record<Verdict, Amount> {
  const [lost, indirect, interior, reachable] = VERDICTS.map((_, i) => ({
    count: graph.call.countOf(i),
    bytes: graph.call.bytesOf(i),
  })) as [Amount, Amount, Amount, Amount];
  const sums = { lost: { count: 0, bytes: 0 }, indirect: { count: 0, bytes: 0 }, interior, reachable };
  reachable.count += lost.count + indirect.count;
  reachable.bytes += lost.bytes + indirect.bytes;
  for (const address of left.addresses) {
    const block = graph.call.blockOf(BigInt(address));
    const bytes = graph.call.sizeOf(block);
    const sum = VERDICTS[graph.call.verdictOf(block)] === "lost" ? sums.lost : sums.indirect;
    sum.count++;
    sum.bytes += bytes;
    reachable.count--;
    reachable.bytes -= bytes;
  }
  return sums;
}
