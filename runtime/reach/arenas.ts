// glibc's heaps, found without symbols. An arena (malloc_state) has 127 bins, each the head of a list of free chunks,
// so that fd->bk and bk->fd lead back to it; most are empty and lead to themselves:
//
//     … fastbins[10] │ top │ last_remainder │ bins[254] │ binmap[4] │ next │ next_free │ attached │ system │ max_system
//                                             │                       └─▶ the next arena; the first is in libc's data
//                                             └ all 126 lists fit: this is one
//
// The first arena's heap is [heap], or what was mapped where that could not grow; the others begin their own, a
// heap_info with the arena behind it, and may have several.

import type { Look, Mapping, Range } from "./helper.js";
import type { Module } from "./modules.js";
import { containing } from "./ranges.js";

const BINS = 126;
const BIN_BYTES = 16;
/** From the bins to the fields behind them and before them. */
const NEXT = 254 * 8 + 16;
const STATE_END = NEXT + 5 * 8;
const TOP = -16;
const FASTBINS = TOP - 80;
const FASTBIN_COUNT = 10;
/** Where the bins are in malloc_state: since 2.27, before, and where there are no fastbins. */
const BINS_OFFSETS = [112, 104, 32, 24];
const ARENAS_MAX = 4096;
const HEAPS_MAX = 65536;

/** A heap: its chunks begin at `first`. */
export interface Heap extends Range {
  first: number;
  /** Where its arena's last chunk is, in this heap or another one. */
  top: number;
}

export interface Arena {
  /** malloc_state itself. */
  state: Range;
  heaps: Heap[];
  /** The first chunk in each of its lists of small ones that look as if they were in use. */
  fastbins: number[];
}

/** Every arena of every glibc in the process. */
export async function arenasOf(look: Look, modules: readonly Module[]): Promise<Arena[]> {
  const arenas: Arena[] = [];
  for (const module of modules) {
    for (const range of module.data) {
      for (const bins of await findBins(look, range)) arenas.push(...(await family(look, bins)));
    }
  }
  return arenas;
}

/** Where in a range of variables there are an arena's bins. */
async function findBins(look: Look, { start, end }: Range): Promise<number[]> {
  const view = await look.get(start, end - start);
  const word = (at: number) => Number(view.getBigUint64(at - start, true));
  const found: number[] = [];
  for (let at = start + (-start & 7); at + BINS * BIN_BYTES <= end; at += 8) {
    // An empty bin at the end: the lists of the largest chunks are empty almost always.
    const isEmpty = (bin: number) => word(at + bin * BIN_BYTES) === at + bin * BIN_BYTES - 16;
    if (!isEmpty(BINS - 1) && !isEmpty(BINS - 2) && !isEmpty(BINS - 3)) continue;
    if (await isArena(look, at, word)) {
      found.push(at);
      at += BINS * BIN_BYTES - 8;
    }
  }
  return found;
}

async function isArena(look: Look, bins: number, word: (at: number) => number): Promise<boolean> {
  let used = 0;
  for (let bin = 0; bin < BINS; bin++) {
    const at = bins + bin * BIN_BYTES;
    const [forward, back] = [word(at), word(at + 8)];
    if (forward === at - 16 && back === at - 16) continue;
    if (forward % 16 !== 0 || back % 16 !== 0 || forward < 4096 || back < 4096 || ++used > BINS - 3) return false;
    if ((await u64(look, forward + 24)) !== at - 16 || (await u64(look, back + 16)) !== at - 16) return false;
  }
  return true;
}

async function u64(look: Look, address: number): Promise<number> {
  return Number((await look.get(address, 8)).getBigUint64(0, true));
}

/** The arena whose bins these are, and all that it is linked with in a ring. */
async function family(look: Look, mainBins: number): Promise<Arena[]> {
  for (const offset of BINS_OFFSETS) {
    const main = mainBins - offset;
    const others: number[] = [];
    let at = await u64(look, mainBins + NEXT);
    for (
      ;
      at !== main && at % 16 === 0 && at > 4096 && others.length < ARENAS_MAX;
      at = await u64(look, at + offset + NEXT)
    ) {
      others.push(at);
    }
    if (at !== main) continue;
    const arenas = [await arenaAt(look, main, offset, await mainHeaps(look, mainBins))];
    for (const other of others) arenas.push(await arenaAt(look, other, offset, await heapsOf(look, other, offset)));
    return arenas;
  }
  return [];
}

async function arenaAt(look: Look, at: number, offset: number, heaps: Heap[]): Promise<Arena> {
  const lists = await look.get(at + offset + FASTBINS, FASTBIN_COUNT * 8);
  const fastbins = Array.from({ length: FASTBIN_COUNT }, (_, i) => Number(lists.getBigUint64(i * 8, true)));
  return {
    state: { start: at, end: at + offset + STATE_END },
    heaps,
    fastbins: fastbins.filter((first) => first !== 0),
  };
}

async function mainHeaps(look: Look, bins: number): Promise<Heap[]> {
  const top = await u64(look, bins + TOP);
  // Before the first allocation the top is a bin.
  if (top === bins - 16) return [];
  const heap = look.mappings.filter(({ path }) => path === "[heap]");
  const last = containing(look.mappings, top);
  if (last && !heap.includes(last)) heap.push(last);
  return heap.map(({ start, end }: Mapping) => ({ start, end, first: start + (-start & 15), top }));
}

/** The heaps of another arena than the first. */
async function heapsOf(look: Look, at: number, offset: number): Promise<Heap[]> {
  const bytes = await heapBytes(look, at);
  if (bytes === undefined) return [];
  const infoBytes = at % bytes;
  const top = await u64(look, at + offset + TOP);
  const heaps: Heap[] = [];
  for (let heap = top - (top % bytes); heap !== 0 && heaps.length < HEAPS_MAX; ) {
    const info = await look.get(heap, 24);
    const size = Number(info.getBigUint64(16, true));
    if (Number(info.getBigUint64(0, true)) !== at || size === 0 || size > bytes) break;
    const chunks = heap === at - infoBytes ? at + offset + STATE_END : heap + infoBytes;
    heaps.push({ start: heap, end: heap + size, first: chunks + (-chunks & 15), top });
    heap = Number(info.getBigUint64(8, true));
  }
  return heaps;
}

/**
 * How large and aligned heaps are: 64 MiB, or more where huge pages are asked for. An arena's first one begins with its
 * address.
 */
async function heapBytes(look: Look, arena: number): Promise<number | undefined> {
  for (let bytes = 2 ** 20; bytes <= 2 ** 36; bytes *= 2) {
    const heap = arena - (arena % bytes);
    if (arena - heap < 4096 && (await u64(look, heap)) === arena) return Math.max(bytes, 2 ** 26);
  }
  return undefined;
}
