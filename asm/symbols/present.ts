// The current unit of .debug_info: what unit.ts has read of it, for everything that reads its entries.

import { DONE } from "./layout";
import { fail, failed, tell, u32At, u64At } from "./sections";

export class Unit {
  static offset: u64 = 0;
  static end: u64 = 0;
  static version: u32 = 0;
  /** 4 or 8. */
  static addressBytes: u32 = 0;
  /** 4 or 8: 32-bit or 64-bit DWARF. */
  static offsetBytes: u32 = 0;
  static abbreviations: u64 = 0;
  /** Offset of the first entry. */
  static entries: u64 = 0;
  static lowPc: u64 = 0;
  static addressesBase: u64 = 0;
  static stringsBase: u64 = 0;
  static listsBase: u64 = 0;
  /** GNU's split units of DWARF 4: where their lists begin in the program's .debug_ranges. */
  static rangesBase: u64 = 0;
  static split: bool = false;
  /** What a skeleton and its split unit have in common. */
  static id: u64 = 0;
  // What its first entry says about its code.
  static lowPcKind: u32 = 0;
  static highPc: u64 = 0;
  static highPcKind: u32 = 0;
  static ranges: u64 = 0;
  static rangesKind: u32 = 0;
}

/**
 * Reads the length at the cursor, of a unit, a line program or a set: sets
 * Unit.offsetBytes, gives the offset of the end, at most the section's.
 */
export function readLength(size: u64): u64 {
  let length = <u64>u32At();
  Unit.offsetBytes = 4;
  if (length == 0xffffffff) {
    length = u64At();
    Unit.offsetBytes = 8;
  } else if (length >= 0xfffffff0) {
    fail();
  }
  if (failed == DONE && length > size - tell()) fail();
  return failed == DONE ? tell() + length : 0;
}
