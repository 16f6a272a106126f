// Whether an allocator is linked statically into a program. Its calls of malloc then bypass every preloaded library. If
// the program exports malloc, the library notices (preload/life/allocator.c). If not, only the symbol table of a
// program that is not stripped shows it.

import { SECTION_DYNSYM, SECTION_SYMTAB } from "../../asm/symbols/layout.js";
import { ElfError } from "../symbols/elfbytes.js";
import { ElfFile } from "../symbols/elffile.js";
import { SymbolCore } from "../symbols/symbolcore.js";
import { executed, findProgram } from "./program.js";

/** The usual allocators' names for malloc: plain, or with a prefix where a language's runtime calls it by that name. */
const NAMES = [
  "malloc",
  "je_malloc",
  "_rjem_malloc",
  "_rjem_mallocx",
  "mi_malloc",
  "tc_malloc",
  "rpmalloc",
  "sn_malloc",
];
/** Whole symbols, of 16 or 24 bytes. */
const PIECE_BYTES = 48 << 15;
const STT_FUNC = 2;
const LONGEST = Math.max(...NAMES.map((name) => name.length)) + 1;

export interface OwnAllocator {
  /** Of its malloc. */
  name: string;
  /** Whether it replaces every library's malloc. Then the store says whether it bypasses memhook. */
  exported: boolean;
}

/**
 * The program's allocator; null where it has none, is no ELF file, or does not tell. `program`: as on a command line.
 */
export function ownAllocator(program: string): OwnAllocator | null {
  const found = findProgram(program);
  if (found === null) return null;
  try {
    const { path } = executed(found);
    const file = new ElfFile(new SymbolCore(), path);
    try {
      const exported = definedIn(file, SECTION_DYNSYM);
      const name = exported ?? definedIn(file, SECTION_SYMTAB);
      return name === null ? null : { name, exported: exported === "malloc" };
    } finally {
      file.close();
    }
  } catch (error) {
    if (error instanceof ElfError || (error as NodeJS.ErrnoException).code !== undefined) return null;
    throw error;
  }
}

function definedIn(file: ElfFile, kind: typeof SECTION_SYMTAB | typeof SECTION_DYNSYM): string | null {
  const symbols = file.section(kind);
  const strings = file.linked(kind);
  if (symbols === null || strings === null) return null;
  const names = new Map<number, string>();
  pieces(strings, LONGEST, (bytes, at) => {
    for (const name of NAMES) {
      const text = `${name}\0`;
      // A name may be the end of a longer one: linkers share them.
      for (let i = bytes.indexOf(text); i >= 0; i = bytes.indexOf(text, i + 1)) names.set(at + i, name);
    }
  });
  if (names.size === 0) return null;
  const wide = file.pointerBytes === 8;
  const symbolBytes = wide ? 24 : 16;
  let defined: string | null = null;
  pieces(symbols, 0, (bytes) => {
    for (let i = 0; defined === null && i + symbolBytes <= bytes.length; i += symbolBytes) {
      const name = names.get(bytes.readUInt32LE(i));
      const info = bytes[i + (wide ? 4 : 12)]!;
      if (name && (info & 15) === STT_FUNC && bytes.readUInt16LE(i + (wide ? 6 : 14)) !== 0) defined = name;
    }
  });
  return defined;
}

/** Shows a section piece by piece, each with `overlap` bytes of the one before. */
function pieces(
  section: { readonly size: number; read(target: Uint8Array, offset: number): boolean },
  overlap: number,
  see: (bytes: Buffer, at: number) => void,
): void {
  for (let at = 0; at < section.size; at += PIECE_BYTES) {
    const from = Math.max(0, at - overlap);
    const bytes = Buffer.alloc(Math.min(at + PIECE_BYTES, section.size) - from);
    if (!section.read(bytes, from)) return;
    see(bytes, from);
  }
}
