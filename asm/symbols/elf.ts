// ELF files of both classes, little-endian: headers turned into records of one form.
//
// The host reads the pieces (header, section table, section names) and passes them in; every size from the file is
// checked against the piece.

import {
  COMPRESSED_HEADER,
  COMPRESSED_NO,
  COMPRESSED_OLD,
  ELF_MACHINE,
  ELF_NAMES_INDEX,
  ELF_POINTER_BYTES,
  ELF_SECTION_BYTES,
  ELF_SECTION_COUNT,
  ELF_SECTIONS_OFFSET,
  ELF_SEGMENT_BYTES,
  ELF_SEGMENT_COUNT,
  ELF_SEGMENTS_OFFSET,
  ENTRY_ADDRESS,
  ENTRY_BYTES,
  ENTRY_COMPRESSED,
  ENTRY_EXECUTABLE,
  ENTRY_KIND,
  ENTRY_LINK,
  ENTRY_OFFSET,
  ENTRY_SIZE,
  SECTION_ABBREV,
  SECTION_ADDR,
  SECTION_ALTLINK,
  SECTION_ARANGES,
  SECTION_DEBUGDATA,
  SECTION_DEBUGLINK,
  SECTION_DYNSYM,
  SECTION_INFO,
  SECTION_LINE,
  SECTION_LINE_STR,
  SECTION_NOTE,
  SECTION_OTHER,
  SECTION_RANGES,
  SECTION_RNGLISTS,
  SECTION_SPLIT,
  SECTION_STR,
  SECTION_STR_OFFSETS,
  SECTION_SYMTAB,
  SECTION_UNIT_INDEX,
} from "./layout";
import { record } from "./memory";

const SHT_SYMTAB: u32 = 2;
const SHT_NOTE: u32 = 7;
const SHT_NOBITS: u32 = 8;
const SHT_DYNSYM: u32 = 11;
const SHF_EXECINSTR: u64 = 4;
const SHF_COMPRESSED: u64 = 0x800;

/** Reads the file's first bytes into the record area. False: not an ELF file that we can read. */
export function elfHeader(p: usize, bytes: u32): bool {
  if (bytes < 52 || load<u32>(p) != 0x464c457f) return false;
  const wide = load<u8>(p, 4) == 2;
  // Class 1 or 2, little-endian, version 1.
  if ((!wide && load<u8>(p, 4) != 1) || load<u8>(p, 5) != 1 || load<u8>(p, 6) != 1) return false;
  if (wide && bytes < 64) return false;
  store<u64>(record, wide ? load<u64>(p, 40) : <u64>load<u32>(p, 32), ELF_SECTIONS_OFFSET);
  store<u64>(record, wide ? load<u64>(p, 32) : <u64>load<u32>(p, 28), ELF_SEGMENTS_OFFSET);
  store<u32>(record, wide ? 8 : 4, ELF_POINTER_BYTES);
  const rest = p + (wide ? 54 : 42);
  store<u32>(record, load<u16>(rest), ELF_SEGMENT_BYTES);
  store<u32>(record, load<u16>(rest, 2), ELF_SEGMENT_COUNT);
  store<u32>(record, load<u16>(rest, 4), ELF_SECTION_BYTES);
  store<u32>(record, load<u16>(rest, 6), ELF_SECTION_COUNT);
  store<u32>(record, load<u16>(rest, 8), ELF_NAMES_INDEX);
  store<u32>(record, load<u16>(p, 18), ELF_MACHINE);
  return load<u32>(record, ELF_SECTION_BYTES) >= <u32>(wide ? 64 : 40) || load<u32>(record, ELF_SECTION_COUNT) == 0;
}

/**
 * Turns `count` section headers of `bytes` bytes each into records at `out` (ENTRY_BYTES each). The section
 * names are at `names`; with namesBytes 0 every section is of kind other.
 */
export function elfSections(
  p: usize,
  count: u32,
  bytes: u32,
  wide: bool,
  names: usize,
  namesBytes: u32,
  out: usize,
): void {
  for (let i: u32 = 0; i < count; i++, p += bytes, out += ENTRY_BYTES) {
    const type = load<u32>(p, 4);
    const flags = wide ? load<u64>(p, 8) : <u64>load<u32>(p, 8);
    store<u64>(out, wide ? load<u64>(p, 16) : <u64>load<u32>(p, 12), ENTRY_ADDRESS);
    store<u64>(out, wide ? load<u64>(p, 24) : <u64>load<u32>(p, 16), ENTRY_OFFSET);
    store<u64>(out, wide ? load<u64>(p, 32) : <u64>load<u32>(p, 20), ENTRY_SIZE);
    store<u32>(out, load<u32>(p + (wide ? 40 : 24)), ENTRY_LINK);
    store<u32>(out, flags & SHF_EXECINSTR ? 1 : 0, ENTRY_EXECUTABLE);
    store<u32>(out, flags & SHF_COMPRESSED ? COMPRESSED_HEADER : COMPRESSED_NO, ENTRY_COMPRESSED);
    // A section without content in this file is not the one we look for (.text of a debug file).
    let kind: u32 = SECTION_OTHER;
    if (type == SHT_SYMTAB) kind = SECTION_SYMTAB;
    else if (type == SHT_DYNSYM) kind = SECTION_DYNSYM;
    else if (type == SHT_NOTE) kind = SECTION_NOTE;
    else if (type != SHT_NOBITS && load<u32>(p) < namesBytes) {
      const name = names + load<u32>(p);
      const end = names + namesBytes;
      kind = kindOf(name, end);
      if (kind == SECTION_OTHER && is(name, end, ".zdebug_", true)) {
        // The same name without the z; ".debug_info" and ".zdebug_info" agree from the d on.
        kind = debugKind(name + 2, end);
        if (kind != SECTION_OTHER) store<u32>(out, COMPRESSED_OLD, ENTRY_COMPRESSED);
      }
    }
    store<u32>(out, kind, ENTRY_KIND);
  }
}

function kindOf(name: usize, end: usize): u32 {
  if (is(name, end, ".gnu_debuglink", false)) return SECTION_DEBUGLINK;
  if (is(name, end, ".gnu_debugaltlink", false)) return SECTION_ALTLINK;
  if (is(name, end, ".gnu_debugdata", false)) return SECTION_DEBUGDATA;
  return is(name, end, ".debug_", true) ? debugKind(name + 1, end) : SECTION_OTHER;
}

function debugKind(name: usize, end: usize): u32 {
  if (is(name, end, "debug_info", false)) return SECTION_INFO;
  if (is(name, end, "debug_abbrev", false)) return SECTION_ABBREV;
  if (is(name, end, "debug_line", false)) return SECTION_LINE;
  if (is(name, end, "debug_str", false)) return SECTION_STR;
  if (is(name, end, "debug_line_str", false)) return SECTION_LINE_STR;
  if (is(name, end, "debug_str_offsets", false)) return SECTION_STR_OFFSETS;
  if (is(name, end, "debug_addr", false)) return SECTION_ADDR;
  if (is(name, end, "debug_ranges", false)) return SECTION_RANGES;
  if (is(name, end, "debug_rnglists", false)) return SECTION_RNGLISTS;
  if (is(name, end, "debug_aranges", false)) return SECTION_ARANGES;
  if (is(name, end, "debug_cu_index", false)) return SECTION_UNIT_INDEX;
  if (is(name, end, "debug_info.dwo", false)) return SECTION_SPLIT + SECTION_INFO;
  if (is(name, end, "debug_abbrev.dwo", false)) return SECTION_SPLIT + SECTION_ABBREV;
  if (is(name, end, "debug_str.dwo", false)) return SECTION_SPLIT + SECTION_STR;
  if (is(name, end, "debug_str_offsets.dwo", false)) return SECTION_SPLIT + SECTION_STR_OFFSETS;
  if (is(name, end, "debug_rnglists.dwo", false)) return SECTION_SPLIT + SECTION_RNGLISTS;
  return SECTION_OTHER;
}

/** Whether the bytes from p are `text` and (unless only a prefix is asked for) a NUL. */
function is(p: usize, end: usize, text: string, prefix: bool): bool {
  const length = <usize>text.length;
  const units = changetype<usize>(text);
  if (p + length + (prefix ? 0 : 1) > end) return false;
  for (let i: usize = 0; i < length; i++) {
    if (<u32>load<u8>(p + i) != <u32>load<u16>(units + (i << 1))) return false;
  }
  return prefix || load<u8>(p + length) == 0;
}
