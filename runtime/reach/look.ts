// One look at a process: freeze it, build the graph of its blocks, and judge them.
//
//   chunks of glibc's heaps ─┐
//   the store's records ─────┴▶ blocks ─▶ edges ─▶ roots ─▶ verdicts
//
// With a store that has every allocation, blocks that the store does not know are not judged, and they hold what they
// point to: memhook leaves some blocks out on purpose. With a sample, or without a store, every chunk is judged, and
// records only add call stacks.

import { RECORD_BYTES } from "../../asm/layout.js";
import { LookError } from "../host/errors.js";
import { isLoader } from "../reports/suppressions.js";
import type { Store } from "../stores/store.js";
import { type Arena, arenasOf, type Heap } from "./arenas.js";
import { Graph } from "./graph.js";
import { type Freeze, freeze, type Look, type Range } from "./helper.js";
import { modulesOf } from "./modules.js";
import { subtract } from "./ranges.js";
import { markRoots, type Roots, rootsOf } from "./roots.js";
import { freeCached } from "./tcache.js";

/** How often a heap that is being changed is looked at anew. */
const TRIES = 5;
const HIGHEST = 2 ** 47;
const PAGE = 4096;
const MAPPED = 2n;

export interface Seen {
  graph: Graph;
  look: Look;
  roots: Roots;
}

/** A heap was being changed. */
class Unfinished extends Error {}

/** @throws LookError */
export async function lookAt(
  pid: number,
  store: Store | undefined,
  how: { method: Freeze; longestMs: number },
): Promise<Seen> {
  for (let tries = 1; ; tries++) {
    // What was made until now was made before the process stands still.
    const before = store?.now().time ?? 0n;
    const look = await freeze(pid, how);
    try {
      return await see(look, store, before);
    } catch (error) {
      if (!(error instanceof Unfinished)) {
        look.abandon();
        throw error;
      }
      await look.release();
      if (tries === TRIES) throw new LookError(`process ${pid}: ${error.message}`);
    }
  }
}

async function see(look: Look, store: Store | undefined, before: bigint): Promise<Seen> {
  const graph = new Graph();
  const { call } = graph;
  const whole = store !== undefined && store.sampleBytes === 0;
  const modules = await modulesOf(look);
  const arenas = await arenasOf(look, modules);
  const heaps = arenas.flatMap((arena) => arena.heaps).sort((a, b) => a.start - b.start);
  for (const heap of heaps) await walk(look, graph, heap);
  if (heaps.length === 0 && !whole) {
    const lacks = store ? "its store has a sample only" : "it has no store";
    const cure = "run it under memhook, without MEMHOOK_SAMPLE";
    throw new LookError(`process ${look.pid}: its allocator is not glibc's, and ${lacks}; ${cure}`);
  }
  const roots = await rootsOf(look, graph, modules, arenas);
  if (!whole) await addMapped(look, graph, roots.anonymous);
  if (store) eachRecords(store, graph, (count) => addOutside(graph, count, before, heaps));
  graph.enough(call.finish());
  if (store) eachRecords(store, graph, (count) => void call.join(count, before));
  await freeListed(look, graph, arenas);

  const filled = roots.anonymous.filter(
    ({ start, end }) => call.countBelow(BigInt(end)) !== call.countBelow(BigInt(start)),
  );
  call.beginEdges();
  await look.read(
    [...heaps, ...filled].sort((a, b) => a.start - b.start),
    (address, bytes) => {
      graph.put(bytes);
      graph.enough(call.edges(BigInt(address), bytes.length));
    },
  );
  call.endEdges();
  graph.enough(call.beginMarks());
  if (whole) call.keepUnknown();
  if (store) keepLoaders(store, graph);
  await markRoots(look, graph, roots, arenas);
  await look.release();
  call.judge();
  if (store) eachRecords(store, graph, (count) => call.joinThreads(count, before));
  return { graph, look, roots };
}

function eachRecords(store: Store, graph: Graph, use: (count: number) => void): void {
  store.eachRecords((records) => {
    graph.put(records);
    use(records.length / RECORD_BYTES);
  });
}

/** All chunks of a heap become blocks. */
async function walk(look: Look, graph: Graph, heap: Heap): Promise<void> {
  const { call, constant } = graph;
  call.beginWalk(BigInt(heap.first), BigInt(heap.end), BigInt(heap.top));
  await look.read([{ start: heap.first - (heap.first % PAGE), end: heap.end }], (address, bytes) => {
    graph.put(bytes);
    call.walk(BigInt(address), bytes.length);
  });
  const ended = call.walk(BigInt(heap.end), 0);
  graph.enough(ended !== constant.WALK_NO_MEMORY);
  if (ended === constant.WALK_AT_TOP) return;
  if (ended === constant.WALK_AT_FENCE && (heap.top < heap.start || heap.top >= heap.end)) return;
  const at = `0x${BigInt.asUintN(64, call.walkedTo()).toString(16)}`;
  throw new Unfinished(`its heap at 0x${heap.start.toString(16)} is damaged, or changes all the time, at ${at}`);
}

/** Records of blocks outside of the heaps: mapped by themselves, or another allocator's. */
function addOutside(graph: Graph, count: number, before: bigint, heaps: readonly Range[]): void {
  for (const { start, end } of subtract([{ start: 0, end: HIGHEST }], heaps)) {
    graph.enough(graph.call.addRecords(count, before, BigInt(start), BigInt(end)) === 0);
  }
}

/**
 * Chunks that glibc has mapped by themselves, where no record tells of them: a mapping that begins with one, and others
 * behind it.
 */
async function addMapped(look: Look, graph: Graph, anonymous: readonly Range[]): Promise<void> {
  for (const { start, end } of anonymous) {
    if (start % PAGE !== 0) continue;
    for (let at = start; at < end; ) {
      const head = await look.get(at, 16);
      const size = head.getBigUint64(8, true);
      const bytes = Number(size & ~7n);
      if (head.getBigUint64(0, true) !== 0n || (size & 7n) !== MAPPED || bytes % PAGE !== 0 || bytes > end - at) break;
      if (bytes === 0) break;
      graph.enough(graph.call.addBlock(BigInt(at + 16), BigInt(bytes - 16)));
      at += bytes;
    }
  }
}

/** What the allocator keeps in lists for its next call. */
async function freeListed(look: Look, graph: Graph, arenas: readonly Arena[]): Promise<void> {
  for (const { fastbins } of arenas) for (const chunk of fastbins) graph.call.setFreeList(BigInt(chunk), 16n);
  await freeCached(look, graph);
}

/** What the dynamic loader has allocated is not the program's to free. */
function keepLoaders(store: Store, graph: Graph): void {
  const { stacks } = store.info().counts;
  const bits = new Uint8Array(Math.min(1 << 20, (stacks + 7) >> 3));
  const ids = Uint32Array.from({ length: Math.max(0, Math.min(stacks, bits.length * 8) - 1) }, (_, i) => i + 1);
  for (const i of store.stacksBeginningIn(ids, ({ path }) => isLoader(path))) bits[ids[i]! >> 3]! |= 1 << (ids[i]! & 7);
  graph.put(bits);
  graph.call.keepStacks(bits.length * 8);
}
