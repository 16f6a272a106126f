// From verdicts to rows with names: single blocks, or sums by call stack.

import { isoTime } from "../host/time.js";
import type { Amount, Cut, Frame, ProcessInfo, Totals } from "../host/types.js";
import { StackResolver } from "../reports/report.js";
import type { Store } from "../stores/store.js";
import type { Names } from "../symbols/symbolize.js";
import { type Judged, VERDICTS, type Verdict } from "./lost.js";

export interface LostBlock extends Cut {
  address: string;
  size: number;
  /** ISO 8601; null of a block that no record knows, as is the thread. */
  time: string | null;
  thread: number | null;
  verdict: Verdict;
  stack: Frame[];
  /** Whether a record knows it. */
  known: boolean;
}

export interface LostStack extends Cut {
  verdict: Verdict;
  bytes: number;
  count: number;
  /** Of lost ones: what only they hold. */
  holds: Amount;
  stack: Frame[];
  known: boolean;
}

export interface LostReport extends Pick<Judged, "pause" | "looks" | "verdicts"> {
  pid: number;
  /** Path of the program, "" where it is not known. */
  name: string;
  process?: ProcessInfo;
  totals?: Totals;
  /** By size, or by address: ascending. */
  allocations?: LostBlock[];
  stacks?: LostStack[];
}

export interface LostQuestion {
  aggregate: boolean;
  show: readonly Verdict[];
}

/** @param where the store, its names, and its process as it was before the look, if there is one */
export async function lostReport(
  judged: Judged,
  where: { store: Store; names: Names; process: ProcessInfo } | undefined,
  { aggregate, show }: LostQuestion,
): Promise<LostReport> {
  const { pause, looks, verdicts } = judged;
  const { look } = judged.seen;
  const head = {
    pid: look.pid,
    name: where?.process.exe ?? look.mappings.find(({ path }) => path.startsWith("/"))?.path ?? "",
    pause,
    looks,
    verdicts,
    ...(where && { process: where.process, totals: where.store.totals() }),
  };
  const resolver = where && new StackResolver(where.store, where.names);
  return aggregate
    ? { ...head, stacks: await stackRows(judged, show, resolver) }
    : { ...head, allocations: await blockRows(judged, show, resolver, where?.store) };
}

const UNKNOWN = { frames: [], cut: false };

async function blockRows(
  { seen: { graph }, blocks }: Judged,
  show: readonly Verdict[],
  resolver: StackResolver | undefined,
  store: Store | undefined,
): Promise<LostBlock[]> {
  const chosen = [...blocks(show)];
  await resolver?.load(
    new Set(chosen.filter(({ block }) => graph.known(block)).map(({ block }) => graph.u32(block, "BLOCK_STACK"))),
    true,
  );
  return chosen.map(({ block, verdict }) => {
    const known = store !== undefined && graph.known(block);
    const { frames, ...cut } = known ? resolver!.stack(graph.u32(block, "BLOCK_STACK")) : UNKNOWN;
    return {
      address: `0x${graph.call.addressOf(block).toString(16)}`,
      size: graph.call.sizeOf(block),
      time: known ? isoTime(store.wallTime(graph.time(block))) : null,
      thread: known ? graph.u32(block, "BLOCK_EDGE") : null,
      verdict,
      stack: frames,
      ...cut,
      known,
    };
  });
}

async function stackRows(
  { seen: { graph }, blocks }: Judged,
  show: readonly Verdict[],
  resolver: StackResolver | undefined,
): Promise<LostStack[]> {
  interface Row {
    verdict: Verdict;
    stackId: number;
    known: boolean;
    count: number;
    bytes: number;
    holds: Amount;
  }
  const rows = new Map<string, Row>();
  const rowOf = (block: number, verdict: Verdict) => {
    const known = graph.known(block);
    const stackId = known ? graph.u32(block, "BLOCK_STACK") : -1;
    const key = `${verdict} ${stackId}`;
    let row = rows.get(key);
    if (!row) {
      row = { verdict, stackId, known, count: 0, bytes: 0, holds: { count: 0, bytes: 0 } };
      rows.set(key, row);
    }
    return row;
  };
  const wanted = new Set<Verdict>([...show, "indirect"]);
  for (const { block, verdict } of blocks([...wanted])) {
    const bytes = graph.call.sizeOf(block);
    if (show.includes(verdict)) {
      const row = rowOf(block, verdict);
      row.count++;
      row.bytes += bytes;
    }
    if (verdict === "indirect" && show.includes("lost")) {
      const { holds } = rowOf(graph.call.headOf(block) >>> 0, "lost");
      holds.count++;
      holds.bytes += bytes;
    }
  }
  const known = [...rows.values()].filter((row) => row.known);
  await resolver?.load(new Set(known.map(({ stackId }) => stackId)), true);
  const weight = (row: Row) => row.bytes + row.holds.bytes;
  return [...rows.values()]
    .sort(
      (a, b) =>
        VERDICTS.indexOf(b.verdict) - VERDICTS.indexOf(a.verdict) || weight(a) - weight(b) || a.stackId - b.stackId,
    )
    .map(({ stackId, ...row }) => {
      const { frames, ...cut } = row.known && resolver ? resolver.stack(stackId) : UNKNOWN;
      return { ...row, stack: frames, ...cut };
    });
}
