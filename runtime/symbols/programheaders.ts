// Program headers of an ELF file: which part of the file is mapped where.

export const PT_LOAD = 1;
export const PT_INTERP = 3;
export const PT_NOTE = 4;

export interface ProgramHeader {
  type: number;
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
    offset: Number(word(8, 4)),
    address: word(16, 8),
    fileBytes: Number(word(32, 16)),
    memoryBytes: word(40, 20),
    align: Number(word(48, 28)),
  };
}
