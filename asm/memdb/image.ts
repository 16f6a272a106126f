// The store image of one session: the store file as it will be, in WASM memory, and which of its pages
// changed since they were written to the file.
//
//     INPUT          frames as they arrive
//     BLOCKS         where each array's blocks are: [kind][ordinal] → address
//     DIRTY, BACKED  a byte for each page of the image: changed; ever written
//     IMAGE          block 0, block 1, …: file offset = address − IMAGE
//
// Blocks are appended in the order in which the arrays grow, as the library does in its own store. So an image needs no
// assembly: to write it is to write its changed pages. Memory that was never touched costs nothing, so the tables are
// sized for the largest image.

import {
  ARRAY_BLOCKS,
  ARRAY_BYTES,
  ARRAY_COMMITTED,
  ARRAY_COUNT,
  BLOCK_BYTES,
  BLOCK_ENTRY_BYTES,
  BLOCK_ENTRY_KIND_SHIFT,
  BLOCK_TABLE_OFFSET,
  FRAME_BYTES,
  HEADER_ARRAYS,
  HEADER_BLOCK_COUNT,
  HEADER_COMMITTED_BYTES,
  KIND_COUNT,
  KIND_FRAMES,
  KIND_MODULES,
  KIND_NODES,
  KIND_RECORDS,
  KIND_STACKS,
  MODULE_BYTES,
  NODE_BYTES,
  RECORD_BYTES,
  STACK_BYTES,
} from "../layout";

const WASM_PAGE: usize = 65536;
const PAGE_SHIFT: usize = 12;
const PAGE_BYTES: usize = 4096;
const PAGES_IN_BLOCK: u32 = BLOCK_BYTES / 4096;
const BLOCKS_MAX: u32 = 4096;
/** Memory grows by this much at least, if it can. */
const AHEAD_BYTES: usize = 256 << 20;

export const INPUT_BYTES: usize = 524288;
export const INPUT: usize = (__heap_base + 4095) & ~4095;
const BLOCKS: usize = INPUT + INPUT_BYTES;
const DIRTY: usize = BLOCKS + KIND_COUNT * BLOCKS_MAX * 4;
const BACKED: usize = DIRTY + BLOCKS_MAX * PAGES_IN_BLOCK;
export const IMAGE: usize = (BACKED + BLOCKS_MAX * PAGES_IN_BLOCK + WASM_PAGE - 1) & ~(WASM_PAGE - 1);

let blockLimit: u32 = 0;
export let blockCount: u32 = 0;
let backedPages: u32 = 0;
// Something came in since the header page was sealed last; a sealed header page was not written.
let stale: bool = false;
let unwritten: bool = false;

// Elements stored, and room in the blocks, by kind.
const counts: usize = memory.data(KIND_COUNT * 4, 4);
const capacities: usize = memory.data(KIND_COUNT * 4, 4);

export function count(kind: u32): u32 {
  return load<u32>(counts + kind * 4);
}

export function setCount(kind: u32, value: u32): void {
  store<u32>(counts + kind * 4, value);
}

export function capacity(kind: u32): u32 {
  return load<u32>(capacities + kind * 4);
}

export function elementBytes(kind: u32): u32 {
  if (kind == KIND_RECORDS) return RECORD_BYTES;
  if (kind == KIND_STACKS) return STACK_BYTES;
  if (kind == KIND_NODES) return NODE_BYTES;
  if (kind == KIND_FRAMES) return FRAME_BYTES;
  if (kind == KIND_MODULES) return MODULE_BYTES;
  return 1;
}

/**
 * An empty image that may grow to `bytes`; false if not even an empty one fits. What another session left is cleared.
 */
export function create(bytes: f64): bool {
  clear();
  const most = f64(<usize>0 - WASM_PAGE - IMAGE);
  blockLimit = min(u32(min(bytes, most) / BLOCK_BYTES), BLOCKS_MAX - 1);
  if (blockLimit < <u32>KIND_COUNT || !grow(IMAGE + BLOCK_BYTES)) return false;
  blockCount = 1;
  for (let kind: u32 = KIND_RECORDS; kind < <u32>KIND_COUNT; kind++) {
    if (!reserve(kind, 1)) return false;
    setCount(kind, 1);
  }
  return true;
}

function clear(): void {
  for (let page: usize = 0; page < <usize>blockCount * PAGES_IN_BLOCK; page++) {
    // The header page is changed without a mark.
    if (page != 0 && !load<u8>(DIRTY + page) && !load<u8>(BACKED + page)) continue;
    memory.fill(IMAGE + page * PAGE_BYTES, 0, PAGE_BYTES);
    store<u8>(DIRTY + page, 0);
    store<u8>(BACKED + page, 0);
  }
  memory.fill(counts, 0, KIND_COUNT * 4);
  memory.fill(capacities, 0, KIND_COUNT * 4);
  blockCount = backedPages = 0;
  stale = unwritten = false;
}

function grow(end: usize): bool {
  const have = <usize>memory.size() * WASM_PAGE;
  if (end <= have) return true;
  const needed = <i32>((end - have + WASM_PAGE - 1) / WASM_PAGE);
  // Far ahead, because growing is not free: V8 collects garbage when a large buffer replaces another, which took a
  // sixth of a snapshot's time, and JavaScriptCore, which reserves addresses for a few memories only, copies the
  // others. What nothing touches costs nothing.
  const ahead = max(have, AHEAD_BYTES) / WASM_PAGE;
  return memory.grow(needed + <i32>ahead) >= 0 || memory.grow(needed) >= 0;
}

/** Makes room for at least `wanted` elements; false if the image is full. */
export function reserve(kind: u32, wanted: u32): bool {
  const perBlock = BLOCK_BYTES / elementBytes(kind);
  while (capacity(kind) < wanted) {
    const ordinal = capacity(kind) / perBlock;
    if (blockCount == blockLimit || !grow(IMAGE + (<usize>blockCount + 1) * BLOCK_BYTES)) return false;
    const entry: usize = BLOCK_TABLE_OFFSET + blockCount * BLOCK_ENTRY_BYTES;
    store<u32>(IMAGE + entry, (kind << BLOCK_ENTRY_KIND_SHIFT) | ordinal);
    touch(IMAGE + entry);
    store<u32>(BLOCKS + (kind * BLOCKS_MAX + ordinal) * 4, IMAGE + blockCount * BLOCK_BYTES);
    blockCount++;
    store<u32>(capacities + kind * 4, (ordinal + 1) * perBlock);
  }
  return true;
}

/** Address of an element within the capacity. */
export function element(kind: u32, index: u32, bytes: u32): usize {
  const perBlock = BLOCK_BYTES / bytes;
  return <usize>load<u32>(BLOCKS + (kind * BLOCKS_MAX + index / perBlock) * 4) + (index % perBlock) * bytes;
}

/** Marks the page of an address as changed. */
export function touch(address: usize): void {
  store<u8>(DIRTY + ((address - IMAGE) >> PAGE_SHIFT), 1);
}

export function touchRange(address: usize, bytes: usize): void {
  const last = (address - IMAGE + bytes - 1) >> PAGE_SHIFT;
  for (let page = (address - IMAGE) >> PAGE_SHIFT; page <= last; page++) store<u8>(DIRTY + page, 1);
}

/** Copies elements into the image, block by block. They must be within the capacity. */
export function put(kind: u32, first: u32, number: u32, from: usize): void {
  const bytes = elementBytes(kind);
  const perBlock = BLOCK_BYTES / bytes;
  while (number > 0) {
    const here = min(number, perBlock - (first % perBlock));
    const at = element(kind, first, bytes);
    memory.copy(at, from, here * bytes);
    touchRange(at, here * bytes);
    first += here;
    number -= here;
    from += here * bytes;
  }
}

export function change(): void {
  stale = true;
}

// ── Writing ──────────────────────────────────────────────────────────────────────────────────────

let runBlock: u32 = 0;
let runPage: u32 = 0;
export let runOffset: usize = 0;

export function rewind(): void {
  runBlock = runPage = 0;
}

/**
 * Finds the next run of changed pages within one block, takes their marks away, sets runOffset and returns
 * the run's bytes, 0 at the end. `records`: of the records array; otherwise of everything else but the header page.
 */
export function nextRun(records: bool): usize {
  for (; runBlock < blockCount; runBlock++, runPage = 0) {
    const kind = load<u32>(IMAGE + BLOCK_TABLE_OFFSET + <usize>runBlock * BLOCK_ENTRY_BYTES) >> BLOCK_ENTRY_KIND_SHIFT;
    if ((kind == KIND_RECORDS) != records) continue;
    const marks = DIRTY + <usize>(runBlock * PAGES_IN_BLOCK);
    if (runBlock == 0 && runPage == 0) runPage = 1;
    while (runPage < PAGES_IN_BLOCK) {
      if ((runPage & 7) == 0 && load<u64>(marks + runPage) == 0) {
        runPage += 8;
        continue;
      }
      const first = runPage;
      while (runPage < PAGES_IN_BLOCK && load<u8>(marks + runPage)) runPage++;
      if (runPage == first) {
        runPage++;
        continue;
      }
      memory.fill(marks + first, 0, runPage - first);
      const backed = BACKED + <usize>(runBlock * PAGES_IN_BLOCK);
      for (let page = first; page < runPage; page++) {
        backedPages += 1 - load<u8>(backed + page);
        store<u8>(backed + page, 1);
      }
      runOffset = <usize>runBlock * BLOCK_BYTES + <usize>first * PAGE_BYTES;
      return <usize>(runPage - first) * PAGE_BYTES;
    }
  }
  return 0;
}

/** Puts the marks of a run back that could not be written. */
export function failRun(offset: usize, bytes: usize): void {
  touchRange(IMAGE + offset, bytes);
}

function seal(kind: u32): bool {
  const at = IMAGE + HEADER_ARRAYS + kind * ARRAY_BYTES;
  if (load<u32>(at, ARRAY_COUNT) == count(kind)) return false;
  const perPage = <u32>PAGE_BYTES / elementBytes(kind);
  store<u32>(at, ((count(kind) + perPage - 1) / perPage) * perPage, ARRAY_COMMITTED);
  store<u32>(at, capacity(kind) / (BLOCK_BYTES / elementBytes(kind)), ARRAY_BLOCKS);
  store<u32>(at, count(kind), ARRAY_COUNT);
  return true;
}

/** Puts the tables' counts into the header page; true if it changed and has to be written before any record is. */
export function sealTables(): bool {
  let changed = unwritten;
  unwritten = false;
  for (let kind: u32 = KIND_STACKS; kind < <u32>KIND_COUNT; kind++) if (seal(kind)) changed = true;
  const at = IMAGE + HEADER_BLOCK_COUNT;
  if (load<u32>(at) != blockCount) {
    store<u32>(at, blockCount);
    changed = true;
  }
  return changed;
}

/** Puts in the records' count as well; true if the header page has to be written after the records. */
export function sealRecords(): bool {
  const changed = seal(KIND_RECORDS) || stale;
  store<u64>(IMAGE + HEADER_COMMITTED_BYTES, (<u64>backedPages + 1) * PAGE_BYTES);
  stale = false;
  return changed;
}

/** For a new file: what was written to another one has to be written again. */
export function restart(): void {
  for (let page: usize = 1; page < <usize>blockCount * PAGES_IN_BLOCK; page++) {
    if (load<u8>(BACKED + page)) store<u8>(DIRTY + page, 1);
  }
  unseal();
}

/** For a header page that could not be written: it has to be, next time. */
export function unseal(): void {
  unwritten = stale = true;
}
