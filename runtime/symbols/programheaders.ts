// The ELF header of a file, as far as it leads to the program headers, and these: which part of the file is mapped
// where. For code that does without symbols.wasm, which reads ELF headers by itself (asm/symbols/elf.ts).

export const ELF_HEADER_BYTES = 64;
export const PT_LOAD = 1;
export const PT_INTERP = 3;
export const PT_NOTE = 4;
export const PF_W = 2;

const ELF_MAGIC = 0x7f454c46;

export interface ElfHeader {
  /** Whether it is a 64-bit file. */
  wide: boolean;
  bigEndian: boolean;
  machine: number;
  /** Where its program headers are, how many bytes each has, and how many there are; of a little-endian file alone. */
  table: number;
  entryBytes: number;
  count: number;
}

/** Whether these four bytes begin an ELF file. */
export function isElf(view: DataView): boolean {
  return view.getUint32(0) === ELF_MAGIC;
}

/** The header of an ELF file, of which ELF_HEADER_BYTES are there, or 12 less in a 32-bit file. */
export function elfHeader(view: DataView): ElfHeader {
  const wide = view.getUint8(4) !== 1;
  const bigEndian = view.getUint8(5) === 2;
  return {
    wide,
    bigEndian,
    machine: view.getUint16(18, !bigEndian),
    table: wide ? Number(view.getBigUint64(32, true)) : view.getUint32(28, true),
    entryBytes: view.getUint16(wide ? 54 : 42, true),
    count: view.getUint16(wide ? 56 : 44, true),
  };
}

export interface ProgramHeader {
  type: number;
  flags: number;
  offset: number;
  address: bigint;
  fileBytes: number;
  memoryBytes: bigint;
  align: number;
}

/** As many bytes does one have at least; `wide`: in a 64-bit file. */
export function headerBytes(wide: boolean): number {
  return wide ? 56 : 32;
}

/** The one at a place among others, little-endian. */
export function programHeader(view: DataView, at: number, wide: boolean): ProgramHeader {
  const word = (long: number, short: number) =>
    wide ? view.getBigUint64(at + long, true) : BigInt(view.getUint32(at + short, true));
  return {
    type: view.getUint32(at, true),
    flags: view.getUint32(at + (wide ? 4 : 24), true),
    offset: Number(word(8, 4)),
    address: word(16, 8),
    fileBytes: Number(word(32, 16)),
    memoryBytes: word(40, 20),
    align: Number(word(48, 28)),
  };
}
