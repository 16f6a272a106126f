// The root set: where pointers may be that hold blocks. This is all memory that the process can write to, except what
// it is known not to use.
//
// Excluded are free memory of the allocator's heaps, and its lists; stacks below their stack pointers, and stacks of
// threads that have ended; and memhook's own memory, which contains every address. Unknown memory is a root: a pointer
// too many hides a lost block, a pointer too few reports a block as lost that is not.

import type { Arena } from "./arenas.js";
import type { Graph } from "./graph.js";
import type { Look, Mapping, Range } from "./helper.js";
import type { Module } from "./modules.js";
import { containing, subtract } from "./ranges.js";
import { type Stack, stacksOf } from "./threads.js";

export type Root =
  | { kind: "registers"; tid: number }
  | { kind: "stack"; tid: number; range: Range }
  | { kind: "variables"; module: string; range: Range }
  | { kind: "mapping"; path: string; range: Range };

export interface Roots {
  modules: readonly Module[];
  stacks: Stack[];
  /** Memory that blocks may lie in, and that is a root around them. */
  anonymous: Range[];
  /** Mapped files, and memory that is shared with other processes. */
  files: Mapping[];
  shared: Mapping[];
}

const STORE_MAGIC = "MEMHOOK\n";

/** Whether a module is the library of ours. */
function isOurs({ path }: Module): boolean {
  return /\/libmemhook[^/]*$/.test(path);
}

export async function rootsOf(
  look: Look,
  graph: Graph,
  modules: readonly Module[],
  arenas: readonly Arena[],
): Promise<Roots> {
  const variables = modules.flatMap(({ data }) => data);
  const heaps = arenas.flatMap((arena) => arena.heaps);
  const writable = look.mappings.filter((mapping) => mapping.writable && mapping.readable && !mapping.device);
  // A heap of the first arena is all of its mapping, also behind its end.
  const walked = [
    ...heaps,
    ...look.mappings.filter(({ path, start }) => path === "[heap]" && heaps.some((heap) => heap.start === start)),
  ];
  const anonymous = subtract(
    writable.filter(({ shared, file, path }) => !shared && file === "" && path !== "[stack]"),
    [...variables, ...walked],
  );
  const stacks = await stacksOf(look, graph, anonymous);
  const own = await ownMemory(look, modules.filter(isOurs), subtract(anonymous, stacks.live));
  const stores = await storesOf(look);
  return {
    modules: modules.filter((module) => !isOurs(module)),
    stacks: stacks.live,
    anonymous: subtract(anonymous, [...stacks.live, ...stacks.unused, ...own]),
    files: writable.filter(({ shared, file }) => !shared && file !== ""),
    shared: writable.filter(({ shared, file }) => shared && !stores.has(file)),
  };
}

/** The files of stores that are mapped: this process's, or its parent's. */
async function storesOf(look: Look): Promise<Set<string>> {
  const begins = look.mappings.filter(
    ({ shared, offset, start, end, readable }) =>
      shared && offset === 0 && readable && end - start >= STORE_MAGIC.length,
  );
  const range = ({ start }: Mapping) => ({ start, end: start + STORE_MAGIC.length });
  const heads = await look.getAll(begins.map(range), { live: true });
  const isStore = (head: DataView) => new TextDecoder("latin1").decode(head) === STORE_MAGIC;
  return new Set(begins.filter((_, i) => isStore(heads[i]!)).map(({ file }) => file));
}

/**
 * Memory that memhook has mapped for itself: without being counted, and its own variables or such memory lead to it.
 */
async function ownMemory(look: Look, ours: readonly Module[], anonymous: readonly Range[]): Promise<Range[]> {
  if (ours.length === 0) return [];
  const candidates = anonymous.filter(({ start }) => containing(look.mappings, start)?.unreserved);
  const own = new Set<Range>();
  for (let next: Range[] = ours.flatMap(({ data }) => data); next.length > 0; ) {
    const found: Range[] = [];
    await look.read(next, (_, bytes) => {
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      for (let at = 0; at + 8 <= bytes.length; at += 8) {
        const high = view.getUint32(at + 4, true);
        if (high === 0 || high > 0x7fff) continue;
        const range = containing(candidates, high * 2 ** 32 + view.getUint32(at, true));
        if (!range || own.has(range)) continue;
        own.add(range);
        found.push(range);
      }
    });
    next = found;
  }
  return [...own];
}

/** Passes every root's contents to the graph. */
export async function markRoots(look: Look, graph: Graph, roots: Roots, arenas: readonly Arena[]): Promise<void> {
  const take = (around: boolean) => (address: number, bytes: Uint8Array) => {
    graph.put(bytes);
    graph.enough(graph.call.roots(BigInt(address), bytes.length, Number(around)));
  };
  const { tasks } = look;
  for (const [i, { registers }] of tasks.entries()) take(false)(registerAddress(i), registers);
  await look.read(roots.stacks, take(false));
  const states = arenas.map(({ state }) => state);
  for (const { data } of roots.modules) await look.read(subtract(data, states), take(false));
  const variables = roots.modules.flatMap(({ data }) => data);
  await look.read(subtract(roots.files, variables), take(false), { onlyPrivate: true });
  await look.read(roots.anonymous, take(true));
  await look.read(roots.shared, take(false), { live: true });
}

/** Where the registers of a task are said to be: where no process has anything. */
export function registerAddress(task: number): number {
  return 2 ** 48 + task * 2 ** 20;
}
