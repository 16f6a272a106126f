// Translates a query into the core's terms, and the core's rows into ours.

import * as L from "../../asm/layout.js";
import type {
  Births,
  Matched,
  MemoryKind,
  Query,
  RawAllocation,
  RawStackRow,
  SortOrder,
  Suppressed,
} from "../host/types.js";
import type { StoreImage } from "./image.js";
import { margin } from "./sample.js";

const MEMORY_KINDS: MemoryKind[] = [];
MEMORY_KINDS[L.MEMORY_HEAP] = "heap";
MEMORY_KINDS[L.MEMORY_MMAP] = "mmap";
MEMORY_KINDS[L.MEMORY_CUSTOM] = "custom";

const RECORD_ORDERS = { time: "ORDER_TIME", size: "ORDER_SIZE", address: "ORDER_ADDRESS" } as const;
const STACK_ORDERS = {
  count: "ORDER_COUNT",
  size: "ORDER_BYTES",
  allocations: "ORDER_ALLOCATIONS",
  temporary: "ORDER_TEMPORARIES",
  peak: "ORDER_PEAK",
} as const;

const MAX_U64 = 0xffff_ffff_ffff_ffffn;

type OrderName = (typeof RECORD_ORDERS)[keyof typeof RECORD_ORDERS] | (typeof STACK_ORDERS)[keyof typeof STACK_ORDERS];

export function orderOf(sort: SortOrder, aggregate: boolean): OrderName {
  const orders: Partial<Record<SortOrder, OrderName>> = aggregate ? STACK_ORDERS : RECORD_ORDERS;
  const order = orders[sort];
  if (!order) throw new RangeError(`${aggregate ? "stacks" : "allocations"} have no order by ${sort}`);
  return order;
}

export function setFilter(image: StoreImage, query: Query): void {
  const size = (bytes: number, unbounded: bigint) => (bytes === Infinity ? unbounded : BigInt(Math.ceil(bytes)));
  let minSize = query.minSize === undefined ? 0n : size(query.minSize, MAX_U64);
  let maxSize = query.maxSize === undefined ? MAX_U64 : size(Math.floor(query.maxSize), MAX_U64);
  let minTime = query.minTime ?? 0n;
  let maxTime = query.maxTime ?? MAX_U64;
  // Bounds beyond what 64 bits can say: outside of everything, or no bounds at all.
  if (minSize > MAX_U64 || maxSize < 0n || minTime > MAX_U64 || maxTime < 0n) [minSize, maxSize] = [1n, 0n];
  const clamp = (value: bigint) => (value < 0n ? 0n : value > MAX_U64 ? MAX_U64 : value);
  [minSize, maxSize, minTime, maxTime] = [clamp(minSize), clamp(maxSize), clamp(minTime), clamp(maxTime)];
  const thread = query.thread === undefined ? -1n : BigInt(query.thread);
  const kind = query.kind === undefined ? -1 : MEMORY_KINDS.indexOf(query.kind);
  image.core.call.setFilter(minSize, maxSize, minTime, maxTime, thread, kind);
  const births = query.aggregate ? query.births : undefined;
  image.core.call.setBirths(Number(births !== undefined));
  if (births !== undefined) image.core.call.setLife(births);
}

export function stackRows(image: StoreImage, rows: number, sampled: boolean, withTotals: boolean): RawStackRow[] {
  const { call, constant, view } = image.core;
  const more = call.stackMore() >>> 0;
  return Array.from({ length: call.entriesLength() >>> 0 }, (_, i) => {
    const at = rows + i * 32;
    const row: RawStackRow = {
      stackId: view.getUint32(at + constant.ROW_STACK, true),
      count: view.getUint32(at + constant.ROW_COUNT, true),
      bytes: Number(view.getBigUint64(at + constant.ROW_BYTES, true)),
      oldest: view.getBigUint64(at + constant.ROW_OLDEST, true),
      newest: view.getBigUint64(at + constant.ROW_NEWEST, true),
    };
    const beside = more + i * constant.MORE_ENTRY;
    const estimate = (field: number) => view.getFloat64(beside + field, true);
    if (withTotals) row.total = Number(view.getBigUint64(beside + constant.MORE_TOTAL, true));
    if (sampled) {
      row.count = estimate(constant.MORE_COUNT);
      row.bytes = estimate(constant.MORE_BYTES);
      row.margin = margin(estimate(constant.MORE_VARIANCE), estimate(constant.MORE_SPREAD));
    }
    return row;
  });
}

/** The number of parts of a life in births. */
export const BUCKETS = 16;

/** The births at an address of a core. */
export function birthsAt({ core: { view, constant } }: StoreImage, at: number): Births {
  const total = (field: number) => Number(view.getBigUint64(at + field, true));
  const counts: number[] = [];
  const bytes: number[] = [];
  for (let i = 0; i < BUCKETS; i++) {
    const part = at + i * constant.BIRTH_STEP;
    counts.push(view.getUint32(part + constant.BIRTH_COUNTS, true));
    bytes.push(view.getFloat64(part + constant.BIRTH_BYTES, true));
  }
  return {
    counts,
    bytes,
    smallest: Number(BigInt.asUintN(64, ~view.getBigUint64(at + constant.BIRTH_SMALLEST, true))),
    largest: total(constant.BIRTH_LARGEST),
    allocations: total(constant.BIRTH_ALLOCATIONS),
    allocatedBytes: total(constant.BIRTH_ALLOCATED_BYTES),
    frees: total(constant.BIRTH_FREES),
    freedBytes: total(constant.BIRTH_FREED_BYTES),
  };
}

/** The totals of the last collection. */
export function matchedStacks({ core: { call } }: StoreImage, sampled: boolean): Matched {
  const matched = { count: call.stacksMatched(), bytes: call.stacksBytes() };
  if (!sampled) return matched;
  return { ...matched, margin: margin(call.stacksBytesVariance(), call.stacksBytesSpread()) };
}

/** The totals of the last scan for single allocations. */
export function matchedRecords({ core: { call } }: StoreImage, sampled: boolean): Matched {
  const matched = { count: call.matchedCount(), bytes: call.matchedBytes() };
  if (!sampled) return matched;
  return { ...matched, margin: margin(call.matchedBytesVariance(), call.matchedBytesSpread()) };
}

/** What selectStacks() left out and counted; undefined if there is none. */
export function suppressedIn({ core: { call } }: StoreImage): Suppressed | undefined {
  const of = (byte: number) => ({ count: call.suppressedCount(byte), bytes: call.suppressedBytes(byte) });
  const [listed, known] = [of(2), of(3)];
  if (listed.count + known.count === 0) return undefined;
  const all = { count: listed.count + known.count, bytes: listed.bytes + known.bytes };
  return listed.count === 0 ? all : { ...all, listed };
}

/** Makes the core select the stacks that a query chose among the sums. */
export async function selectIn({ core }: StoreImage, choose: NonNullable<Query["selectStacks"]>): Promise<void> {
  const list = core.address(core.call.listStackIds());
  const count = core.call.stackIdCount();
  const bytes = core.bytes(list, count * 4).slice();
  const ids = new Uint32Array(bytes.buffer, 0, count);
  const chosen = await choose(ids);
  if (chosen.length !== count) throw new RangeError(`selectStacks chose among ${chosen.length} of ${count} stacks`);
  const mask = core.address(core.call.claimMask());
  core.bytes(mask, count).set(chosen);
  core.call.selectStacks(list, mask);
}

export function allocations(image: StoreImage, rows: number): RawAllocation[] {
  const { call, view } = image.core;
  return Array.from({ length: call.entriesLength() >>> 0 }, (_, i) => {
    const record = rows + i * L.RECORD_BYTES;
    const size = view.getBigUint64(record + L.RECORD_SIZE, true);
    return {
      address: view.getBigUint64(record + L.RECORD_ADDRESS, true),
      size: Number(BigInt.asUintN(L.RECORD_KIND_SHIFT, size)),
      time: view.getBigUint64(record + L.RECORD_TIME, true),
      thread: view.getUint32(record + L.RECORD_THREAD, true),
      kind: MEMORY_KINDS[Number(size >> BigInt(L.RECORD_KIND_SHIFT))]!,
      stackId: view.getUint32(record + L.RECORD_STACK, true),
    };
  });
}
