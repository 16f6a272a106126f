// MiniDebugInfo: Fedora, RHEL and others strip their programs, but leave a symbol table of the functions that .dynsym
// lacks. It is a small ELF file, compressed with xz, in the section .gnu_debugdata. The decoder is loaded only if there
// is one.

import { SECTION_DEBUGDATA } from "../../asm/symbols/layout.js";
import { MemoryBytes } from "./elfbytes.js";
import { ElfFile } from "./elffile.js";
import type { SymbolCore } from "./symbolcore.js";

/** The largest known, of browsers, are a tenth of this. */
const MOST_BYTES = 1 << 28;
/**
 * Symbol tables shrink to a fifth or so. What shrank to less than a hundredth
 * of what it was is there to fill the memory.
 */
const MOST_GROWTH = 100;
const ALWAYS_ALLOWED_BYTES = 1 << 22;

/**
 * The ELF file within a file's .gnu_debugdata; null if there is none. What is
 * wrong with it goes to the file's problems.
 */
export async function miniDebugInfo(core: SymbolCore, file: ElfFile): Promise<ElfFile | null> {
  const section = file.section(SECTION_DEBUGDATA);
  if (section === null) return null;
  try {
    if (section.size > MOST_BYTES) throw new Error("it is too large");
    const compressed = new Uint8Array(section.size);
    if (!section.read(compressed, 0)) throw new Error("the file has become shorter");
    return new ElfFile(core, file.path, new MemoryBytes(await decompress(compressed)));
  } catch (error) {
    file.problems.push(`its .gnu_debugdata cannot be read: ${error instanceof Error ? error.message : error}`);
    return null;
  }
}

async function decompress(compressed: Uint8Array<ArrayBuffer>): Promise<Uint8Array> {
  // A CommonJS module: the default export is what every runtime has.
  const { default: xz } = await import("xz-decompress");
  const reader = new xz.XzReadableStream(new Blob([compressed]).stream()).getReader();
  const pieces: Uint8Array[] = [];
  const most = Math.min(MOST_BYTES, ALWAYS_ALLOWED_BYTES + compressed.length * MOST_GROWTH);
  let bytes = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return Buffer.concat(pieces);
    bytes += value.length;
    if (bytes > most) {
      await reader.cancel();
      throw new Error("it is too large");
    }
    pieces.push(value);
  }
}
