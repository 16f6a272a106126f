// Function names from symbol tables: symbols.wasm reads their pieces (asm/symbols/symtab.ts), then the names of the
// found symbols are read.

import {
  type SECTION_DYNSYM,
  type SECTION_SYMTAB,
  SYMBOL_NAME,
  SYMBOL_NEXT,
  SYMBOL_RANK,
  SYMBOL_TABLE,
} from "../../asm/symbols/layout.js";
import type { ElfFile } from "./elffile.js";
import type { Section } from "./section.js";
import type { SymbolCore } from "./symbolcore.js";

const PIECE_BYTES = 3 << 19;

/** A symbol table of a file. */
export interface SymbolTable {
  file: ElfFile;
  kind: typeof SECTION_SYMTAB | typeof SECTION_DYNSYM;
}

/** What a function is called. */
export interface FunctionName {
  name: string;
  /** All names of the place, the best among them: aliases, and the functions that the linker folded into one. */
  all: readonly string[];
}

/**
 * The names of the functions at some addresses, as they stand in the tables, which are of one program; null where there
 * is none.
 * @param addresses ascending, each once
 * @throws OutOfMemory
 */
export function functionNames(
  core: SymbolCore,
  tables: readonly SymbolTable[],
  addresses: BigUint64Array,
): (FunctionName | null)[] {
  if (addresses.length === 0) return [];
  return core.scoped(() => {
    const queries = core.reserve(addresses.byteLength);
    core
      .bytes(queries, addresses.byteLength)
      .set(new Uint8Array(addresses.buffer, addresses.byteOffset, addresses.byteLength));
    const out = core.reserve(addresses.length * 4);
    core.check(core.call.symbolsBegin(queries, addresses.length));
    const strings = tables.map((table, number) => scan(core, table, number));
    core.call.symbolsEnd(out);
    // Neighbouring addresses are often in one function.
    const names = new Map<number, FunctionName | null>();
    return Array.from(addresses, (_, index) => {
      const symbol = core.view.getUint32(out + index * 4, true);
      let name = names.get(symbol);
      if (name === undefined) {
        name = nameOf(core, strings, symbol);
        names.set(symbol, name);
      }
      return name;
    });
  });
}

/** The name of the best of the symbols from one on; 0 for none. */
function nameOf(core: SymbolCore, strings: readonly (Section | null)[], symbol: number): FunctionName | null {
  let name: string | null = null;
  let rank = -1;
  const all: string[] = [];
  for (let next = symbol; next !== 0; next = core.view.getUint32(next + SYMBOL_NEXT, true)) {
    const section = strings[core.view.getUint32(next + SYMBOL_TABLE, true)];
    const other = section?.string(core.view.getUint32(next + SYMBOL_NAME, true)) ?? "";
    const otherRank = core.view.getUint32(next + SYMBOL_RANK, true);
    if (otherRank > rank) name = null;
    rank = Math.max(rank, otherRank);
    // Mapping symbols of ARM and RISC-V ($x, $d) and nameless ones say nothing about functions.
    if (other === "" || other.startsWith("$")) continue;
    all.push(other);
    // Of two the one that sorts last: letters come after underscores, so that malloc wins over __libc_malloc.
    // (llvm-symbolizer has the same rule.)
    if (otherRank === rank && (name === null || other > name)) name = other;
  }
  return name === null ? null : { name, all };
}

/** Shows all symbols of a table to symbols.wasm; gives their strings, null if the table cannot be read. */
function scan(core: SymbolCore, { file, kind }: SymbolTable, number: number): Section | null {
  const table = file.section(kind);
  const strings = file.linked(kind);
  if (table === null || strings === null) return null;
  const entries = core.reserve(file.entries.length);
  core.bytes(entries, file.entries.length).set(file.entries);
  core.call.symbolsTable(number, entries, file.sectionCount, file.machine);
  const wide = file.pointerBytes === 8;
  const symbolBytes = wide ? 24 : 16;
  const pieceBytes = Math.min(PIECE_BYTES, table.size);
  const piece = core.reserve(pieceBytes);
  for (let at = 0; at + symbolBytes <= table.size; ) {
    const count = Math.floor(Math.min(pieceBytes, table.size - at) / symbolBytes);
    if (!table.read(core.bytes(piece, count * symbolBytes), at)) break;
    core.check(core.call.symbolsScan(piece, count, wide ? 1 : 0));
    at += count * symbolBytes;
  }
  return strings;
}
