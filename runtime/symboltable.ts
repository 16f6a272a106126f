// Function names from a file's symbol table: pieces of it go through symbols.wasm (asm/symbols/symtab.ts), then
// the names of the symbols found are read.

import { type SECTION_DYNSYM, type SECTION_SYMTAB, SYMBOL_NAME, SYMBOL_NEXT } from "../asm/symbols/layout.js";
import type { ElfFile } from "./elffile.js";
import type { SymbolCore } from "./symbolcore.js";

const PIECE_BYTES = 3 << 19;

/**
 * The names of the functions at some addresses of a file, as they stand in its table; null where there is none.
 * @param addresses ascending, each once
 * @throws OutOfMemory
 */
export function functionNames(
  core: SymbolCore,
  file: ElfFile,
  kind: typeof SECTION_SYMTAB | typeof SECTION_DYNSYM,
  addresses: BigUint64Array,
): (string | null)[] {
  const table = file.section(kind);
  const strings = file.linked(kind);
  if (table === null || strings === null || addresses.length === 0) return Array(addresses.length).fill(null);
  return core.scoped(() => {
    const queries = core.reserve(addresses.byteLength);
    core
      .bytes(queries, addresses.byteLength)
      .set(new Uint8Array(addresses.buffer, addresses.byteOffset, addresses.byteLength));
    const entries = core.reserve(file.entries.length);
    core.bytes(entries, file.entries.length).set(file.entries);
    const out = core.reserve(addresses.length * 4);
    const wide = file.pointerBytes === 8;
    const symbolBytes = wide ? 24 : 16;
    const pieceBytes = Math.min(PIECE_BYTES, table.size);
    const piece = core.reserve(pieceBytes);
    core.check(core.call.symbolsBegin(queries, addresses.length, entries, file.sectionCount));
    for (let at = 0; at + symbolBytes <= table.size; ) {
      const count = Math.floor(Math.min(pieceBytes, table.size - at) / symbolBytes);
      if (!table.read(core.bytes(piece, count * symbolBytes), at)) break;
      core.check(core.call.symbolsScan(piece, count, wide ? 1 : 0, file.machine));
      at += count * symbolBytes;
    }
    core.call.symbolsEnd(out);
    // Neighbouring addresses are often in one function.
    const names = new Map<number, string | null>();
    return Array.from(addresses, (_, index) => {
      const symbol = core.view.getUint32(out + index * 4, true);
      let name = names.get(symbol);
      if (name === undefined) {
        name = null;
        for (let next = symbol; next !== 0; next = core.view.getUint32(next + SYMBOL_NEXT, true)) {
          name = better(name, strings.string(core.view.getUint32(next + SYMBOL_NAME, true)));
        }
        names.set(symbol, name);
      }
      return name;
    });
  });
}

/**
 * Of two names for the same function the one that sorts last: letters come after underscores, so that malloc wins
 * over __libc_malloc. (llvm-symbolizer has the same rule.)
 */
function better(one: string | null, other: string | null): string | null {
  // Mapping symbols of ARM and RISC-V ($x, $d) and nameless ones say nothing about functions.
  if (other === null || other === "" || other.startsWith("$")) return one;
  return one === null || other > one ? other : one;
}
