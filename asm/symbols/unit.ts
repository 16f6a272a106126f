// Opens a unit of .debug_info: its header, and what its first entry says about the whole unit.

import {
  ATTRIBUTE_BYTES,
  ATTRIBUTE_CONSTANT,
  ATTRIBUTE_FORM,
  ATTRIBUTE_NAME,
  DECLARATION_BYTES,
  DECLARATION_COUNT,
  oneDeclaration,
} from "./abbreviations";
import {
  IS_ADDRESS,
  IS_ADDRESS_INDEX,
  IS_NUMBER,
  IS_STRING,
  IS_STRING_INDEX,
  indexedAddress,
  indexedString,
  readValue,
  value,
  valueSection,
} from "./forms";
import {
  DONE,
  SECTION_INFO,
  SECTION_STR,
  UNIT_ADDRESSES_BASE,
  UNIT_DIRECTORY_KIND,
  UNIT_DIRECTORY_OFFSET,
  UNIT_HAS_LINES,
  UNIT_ID,
  UNIT_LINES,
  UNIT_LOW_PC,
  UNIT_NEXT,
  UNIT_RANGES_BASE,
  UNIT_SPLIT,
  UNIT_SPLIT_NAME_KIND,
  UNIT_SPLIT_NAME_OFFSET,
} from "./layout";
import { record } from "./memory";
import { readLength, Unit } from "./present";
import { Queries } from "./queries";
import { coverRanges } from "./ranges";
import {
  begin,
  fail,
  failed,
  sectionSize,
  seek,
  skip,
  tell,
  u8At,
  u16At,
  u32At,
  u64At,
  uleb,
  wordAt,
} from "./sections";

const UT_SKELETON: u32 = 4;
const UT_SPLIT_COMPILE: u32 = 5;
const UT_TYPE: u32 = 2;
const UT_SPLIT_TYPE: u32 = 6;

function readHeader(offset: u64): void {
  const size = sectionSize(SECTION_INFO);
  seek(SECTION_INFO, offset, size);
  Unit.offset = offset;
  Unit.end = readLength(size);
  Unit.version = u16At();
  if (Unit.version < 2 || Unit.version > 5) return fail();
  let type: u32 = 1;
  Unit.id = 0;
  if (Unit.version == 5) {
    type = u8At();
    Unit.addressBytes = u8At();
    Unit.abbreviations = wordAt(Unit.offsetBytes);
    if (type == UT_SKELETON || type == UT_SPLIT_COMPILE) Unit.id = u64At();
    else if (type == UT_TYPE || type == UT_SPLIT_TYPE) skip(8 + <u64>Unit.offsetBytes);
  } else {
    Unit.abbreviations = wordAt(Unit.offsetBytes);
    Unit.addressBytes = u8At();
  }
  if (Unit.addressBytes != 4 && Unit.addressBytes != 8) return fail();
  Unit.split = type == UT_SKELETON;
  // Without a base, what a unit refers to by number comes right after the header of its section.
  Unit.stringsBase = Unit.version == 5 ? Unit.offsetBytes * 2 : 0;
  Unit.listsBase = type == UT_SPLIT_COMPILE ? Unit.offsetBytes * 2 + 4 : 0;
  Unit.addressesBase = Unit.rangesBase = 0;
  Unit.entries = tell();
}

/** Where the unit after the one at an offset begins (UNIT_NEXT). */
export function unitNext(offset: u64): u32 {
  begin();
  const size = sectionSize(SECTION_INFO);
  seek(SECTION_INFO, offset, size);
  const end = readLength(size);
  if (failed == DONE) store<u64>(record, end, UNIT_NEXT);
  return failed;
}

/** Makes the unit at an offset the present one; leaves UNIT_* in the record area. */
export function unitOpen(offset: u64): u32 {
  begin();
  readHeader(offset);
  let linesKind: u32 = 0;
  let lines: u64 = 0;
  let directoryKind: u32 = 0;
  let directory: u64 = 0;
  let directorySection: u32 = 0;
  let splitKind: u32 = 0;
  let split: u64 = 0;
  let splitSection: u32 = 0;
  let rangesBase: u64 = 0;
  Unit.lowPcKind = Unit.highPcKind = Unit.rangesKind = 0;
  Unit.lowPc = 0;
  const code = uleb();
  const values = tell();
  const declaration = failed == DONE && code != 0 ? oneDeclaration(code) : 0;
  if (declaration) {
    seek(SECTION_INFO, values, Unit.end);
    const count = load<u32>(declaration, DECLARATION_COUNT);
    let attribute = declaration + DECLARATION_BYTES;
    for (let i: u32 = 0; i < count && failed == DONE; i++, attribute += ATTRIBUTE_BYTES) {
      const what = readValue(
        load<u16>(attribute, ATTRIBUTE_FORM),
        load<i64>(attribute, ATTRIBUTE_CONSTANT),
        SECTION_INFO,
      );
      switch (<u32>load<u16>(attribute, ATTRIBUTE_NAME)) {
        case 0x10: // stmt_list
          linesKind = what;
          lines = value;
          break;
        case 0x11: // low_pc
          Unit.lowPcKind = what;
          Unit.lowPc = value;
          break;
        case 0x12: // high_pc
          Unit.highPcKind = what;
          Unit.highPc = value;
          break;
        case 0x55: // ranges
          Unit.rangesKind = what;
          Unit.ranges = value;
          break;
        case 0x1b: // comp_dir
          directoryKind = what;
          directory = value;
          directorySection = valueSection;
          break;
        case 0x72: // str_offsets_base
          Unit.stringsBase = value;
          break;
        case 0x73: // addr_base
        case 0x2133: // GNU_addr_base
          Unit.addressesBase = value;
          break;
        case 0x74: // rnglists_base
          Unit.listsBase = value;
          break;
        case 0x2130: // GNU_dwo_name
        case 0x76: // dwo_name
          Unit.split = true;
          splitKind = what;
          split = value;
          splitSection = valueSection;
          break;
        case 0x2131: // GNU_dwo_id
          Unit.id = value;
          break;
        case 0x2132: // GNU_ranges_base: of the split unit, not of this one
          rangesBase = value;
          break;
      }
    }
  } else if (failed == DONE && code != 0) {
    fail();
  }
  // The bases are known only now.
  if (Unit.lowPcKind == IS_ADDRESS_INDEX) {
    Unit.lowPc = indexedAddress(Unit.lowPc);
    Unit.lowPcKind = IS_ADDRESS;
  }
  if (Unit.highPcKind == IS_ADDRESS_INDEX) {
    Unit.highPc = indexedAddress(Unit.highPc);
    Unit.highPcKind = IS_ADDRESS;
  }
  if (directoryKind == IS_STRING_INDEX) {
    directory = indexedString(directory);
    directorySection = SECTION_STR;
  } else if (directoryKind != IS_STRING) {
    directorySection = 0;
  }
  if (splitKind == IS_STRING_INDEX) {
    split = indexedString(split);
    splitSection = SECTION_STR;
  } else if (splitKind != IS_STRING) {
    splitSection = 0;
  }
  if (failed == DONE) {
    store<u64>(record, Unit.end, UNIT_NEXT);
    store<u64>(record, lines, UNIT_LINES);
    store<u32>(record, linesKind == IS_NUMBER ? 1 : 0, UNIT_HAS_LINES);
    store<u64>(record, directory, UNIT_DIRECTORY_OFFSET);
    store<u32>(record, directorySection, UNIT_DIRECTORY_KIND);
    store<u32>(record, Unit.split ? 1 : 0, UNIT_SPLIT);
    store<u32>(record, splitSection, UNIT_SPLIT_NAME_KIND);
    store<u64>(record, split, UNIT_SPLIT_NAME_OFFSET);
    store<u64>(record, Unit.id, UNIT_ID);
    store<u64>(record, Unit.lowPc, UNIT_LOW_PC);
    store<u64>(record, Unit.addressesBase, UNIT_ADDRESSES_BASE);
    store<u64>(record, rangesBase, UNIT_RANGES_BASE);
  }
  return failed;
}

/** Gives the present unit, from a .dwo file, what its skeleton says for both: UNIT_* of the skeleton. */
export function unitSkeleton(lowPc: u64, addressesBase: u64, rangesBase: u64): void {
  Unit.lowPc = lowPc;
  Unit.addressesBase = addressesBase;
  Unit.rangesBase = rangesBase;
}

/** Marks the queries that the present unit's code covers with 1, in `out`: a byte for each. */
export function unitCovers(out: usize): u32 {
  begin();
  Queries.forMarks(out);
  coverRanges(Unit.lowPcKind, Unit.lowPc, Unit.highPcKind, Unit.highPc, Unit.rangesKind, Unit.ranges);
  return failed;
}
