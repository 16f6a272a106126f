// Function names from symbol tables, for a batch of addresses at once.
//
// The queries are sorted, not the symbols: tables have up to millions of symbols, and a report asks for a few thousand
// addresses. Every symbol is looked at once, in the order of the file, and belongs to the gap before the first query at
// or after its start. Each gap keeps its best symbol; at the end a gap without one takes its left neighbour's:
//
//   symbols      a    b c        d
//   queries            q0     q1     q2     q3
//   gaps         └─ c ──┘└ — ─┘└─ d ─┘└─ — ─┘        q0: c   q1: c   q2: d   q3: d, if d reaches so far
//
// So no table is built, sorted or kept, and the work is symbols × log queries whatever the file says.
//
// There are two sets of gaps: one for symbols with a size, one for symbols without (labels in assembly), which reach to
// the next symbol or the end of their section. So a label inside a function with a size does not hide it.

import {
  ENTRY_ADDRESS,
  ENTRY_BYTES,
  ENTRY_EXECUTABLE,
  ENTRY_SIZE,
  SYMBOL_BYTES,
  SYMBOL_NAME,
  SYMBOL_NEXT,
  SYMBOL_RANK,
  SYMBOL_TABLE,
} from "./layout";
import { reserve } from "./memory";

const STT_NOTYPE: u32 = 0;
const STT_FUNC: u32 = 2;
const STT_GNU_IFUNC: u32 = 10;
const SHN_LORESERVE: u32 = 0xff00;

// A gap.
const GAP_START: u32 = 0;
const GAP_SIZE: u32 = 8;
// The symbols from there of that size: SYMBOL_* records, 0 for none.
const GAP_SYMBOLS: u32 = 16;
const GAP_BYTES: u32 = 24;

let queries: usize = 0;
let queryCount: u32 = 0;
let sections: usize = 0;
let sectionCount: u32 = 0;
let processor: u32 = 0;
let table: u32 = 0;
let sized: usize = 0;
let labels: usize = 0;

/** Starts a batch: sorted u64 addresses. False: out of memory. */
export function symbolsBegin(addresses: usize, count: u32): bool {
  queries = addresses;
  queryCount = count;
  sized = reserve(count * GAP_BYTES * 2);
  if (!sized) return false;
  labels = sized + count * GAP_BYTES;
  memory.fill(sized, 0, count * GAP_BYTES * 2);
  return true;
}

/** The symbols that come next are of a table with this number, in a file with these sections (ENTRY_*). */
export function symbolsTable(number: u32, entries: usize, entryCount: u32, machine: u32): void {
  table = number;
  sections = entries;
  sectionCount = entryCount;
  processor = machine;
}

/** Looks at `count` symbols of the table. False: out of memory. */
export function symbolsScan(p: usize, count: u32, wide: bool): bool {
  const bytes: usize = wide ? 24 : 16;
  const first = load<u64>(queries);
  const last = load<u64>(queries + (queryCount - 1) * 8);
  for (let i: u32 = 0; i < count; i++, p += bytes) {
    let start = wide ? load<u64>(p, 8) : <u64>load<u32>(p, 4);
    if (start > last) continue;
    const info = <u32>load<u8>(p + (wide ? 4 : 12));
    const type = info & 15;
    if (type != STT_FUNC && type != STT_NOTYPE && type != STT_GNU_IFUNC) continue;
    const index = <u32>load<u16>(p + (wide ? 6 : 14));
    if (index == 0 || index >= SHN_LORESERVE || index >= sectionCount) continue;
    const section = sections + index * ENTRY_BYTES;
    if (load<u32>(section, ENTRY_EXECUTABLE) == 0) continue;
    // ARM marks Thumb functions in the lowest bit.
    if (processor == 40 && type != STT_NOTYPE) start &= ~1;
    let size = wide ? load<u64>(p, 16) : <u64>load<u32>(p, 8);
    let gaps = sized;
    if (size == 0) {
      const end = load<u64>(section, ENTRY_ADDRESS) + load<u64>(section, ENTRY_SIZE);
      if (end <= start) continue;
      size = end - start;
      gaps = labels;
    }
    // Nothing asked for is inside.
    if (start < first && first - start >= size) continue;
    const rank: u32 = (type != STT_NOTYPE ? 2 : 0) + (info >> 4 != 0 ? 1 : 0);
    if (!offer(gaps + gapOf(start) * GAP_BYTES, start, size, rank, load<u32>(p))) return false;
  }
  return true;
}

/** The first query that is not below `start`; there is one. */
function gapOf(start: u64): u32 {
  let low: u32 = 0;
  let high: u32 = queryCount - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (load<u64>(queries + middle * 8) < start) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Keeps the symbol in the gap if none there is nearer or longer. */
function offer(gap: usize, start: u64, size: u64, rank: u32, name: u32): bool {
  const old = <usize>load<u32>(gap, GAP_SYMBOLS);
  let equal = false;
  if (old) {
    const oldStart = load<u64>(gap, GAP_START);
    const oldSize = load<u64>(gap, GAP_SIZE);
    if (start < oldStart || (start == oldStart && size < oldSize)) return true;
    equal = start == oldStart && size == oldSize;
  }
  const symbol = old && !equal ? old : reserve(SYMBOL_BYTES);
  if (!symbol) return false;
  store<u32>(symbol, name, SYMBOL_NAME);
  store<u32>(symbol, table, SYMBOL_TABLE);
  store<u32>(symbol, rank, SYMBOL_RANK);
  store<u32>(symbol, equal ? <u32>old : 0, SYMBOL_NEXT);
  store<u64>(gap, start, GAP_START);
  store<u64>(gap, size, GAP_SIZE);
  store<u32>(gap, <u32>symbol, GAP_SYMBOLS);
  return true;
}

/** Ends the batch: for each query a u32 at `out`, the address of the first SYMBOL_* record or 0. */
export function symbolsEnd(out: usize): void {
  let symbol: usize = 0;
  let label: usize = 0;
  for (let i: u32 = 0; i < queryCount; i++) {
    const query = load<u64>(queries + i * 8);
    const own = sized + i * GAP_BYTES;
    const ownLabel = labels + i * GAP_BYTES;
    if (load<u32>(own, GAP_SYMBOLS)) symbol = own;
    if (load<u32>(ownLabel, GAP_SYMBOLS)) label = ownLabel;
    let found: u32 = 0;
    if (symbol && covers(symbol, query)) found = load<u32>(symbol, GAP_SYMBOLS);
    // A label does not reach beyond the next symbol.
    else if (label && covers(label, query) && (!symbol || load<u64>(label) >= load<u64>(symbol))) {
      found = load<u32>(label, GAP_SYMBOLS);
    }
    store<u32>(out + i * 4, found);
  }
}

function covers(gap: usize, query: u64): bool {
  return query - load<u64>(gap, GAP_START) < load<u64>(gap, GAP_SIZE);
}
