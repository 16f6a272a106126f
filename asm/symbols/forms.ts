// Attribute values of DWARF 2 to 5: how long each form is, and what it means.

import { SECTION_ADDR, SECTION_ALT_STR, SECTION_LINE_STR, SECTION_STR, SECTION_STR_OFFSETS } from "./layout";
import { Unit } from "./present";
import {
  fail,
  sectionSize,
  seek,
  skip,
  skipString,
  sleb,
  tell,
  u8At,
  u16At,
  u24At,
  u32At,
  u64At,
  uleb,
  wordAt,
} from "./sections";

export const FORM_INDIRECT: u32 = 0x16;
export const FORM_IMPLICIT_CONST: u32 = 0x21;

// What a value is.
export const IS_OTHER: u32 = 0;
export const IS_ADDRESS: u32 = 1;
export const IS_ADDRESS_INDEX: u32 = 2;
export const IS_NUMBER: u32 = 3;
export const IS_STRING: u32 = 4;
export const IS_STRING_INDEX: u32 = 5;
export const IS_LIST_INDEX: u32 = 6;
export const IS_ENTRY: u32 = 7;
export const IS_ALT_ENTRY: u32 = 8;

/**
 * The last value read: a number, an offset in .debug_info (IS_ENTRY), in the
 * section `valueSection` (IS_STRING), an index.
 */
export let value: u64 = 0;
export let valueSection: u32 = 0;

function answer(what: u32, number: u64): u32 {
  value = number;
  return what;
}

function stringIn(section: u32, offset: u64): u32 {
  valueSection = section;
  value = offset;
  return IS_STRING;
}

/**
 * Reads a value of a form and says what it is. `section` is the one being read: .debug_info or .debug_line, for strings
 * that stand there themselves.
 */
export function readValue(form: u32, constant: i64, section: u32): u32 {
  for (let depth = 0; depth < 4; depth++) {
    switch (form) {
      case 0x01: // addr
        return answer(IS_ADDRESS, wordAt(Unit.addressBytes));
      case 0x0b: // data1
      case 0x0c: // flag
        return answer(IS_NUMBER, u8At());
      case 0x05: // data2
        return answer(IS_NUMBER, u16At());
      case 0x06: // data4
        return answer(IS_NUMBER, u32At());
      case 0x07: // data8
        return answer(IS_NUMBER, u64At());
      case 0x0d: // sdata
        return answer(IS_NUMBER, sleb());
      case 0x0f: // udata
        return answer(IS_NUMBER, uleb());
      case FORM_IMPLICIT_CONST:
        return answer(IS_NUMBER, constant);
      case 0x19: // flag_present
        return answer(IS_NUMBER, 1);
      case 0x17: // sec_offset
        return answer(IS_NUMBER, wordAt(Unit.offsetBytes));
      case 0x11: // ref1
        return answer(IS_ENTRY, Unit.offset + u8At());
      case 0x12: // ref2
        return answer(IS_ENTRY, Unit.offset + u16At());
      case 0x13: // ref4
        return answer(IS_ENTRY, Unit.offset + u32At());
      case 0x14: // ref8
        return answer(IS_ENTRY, Unit.offset + u64At());
      case 0x15: // ref_udata
        return answer(IS_ENTRY, Unit.offset + uleb());
      case 0x10: // ref_addr; an address in DWARF 2
        return answer(IS_ENTRY, wordAt(Unit.version < 3 ? Unit.addressBytes : Unit.offsetBytes));
      case 0x1f20: // GNU_ref_alt
        return answer(IS_ALT_ENTRY, wordAt(Unit.offsetBytes));
      case 0x1c: // ref_sup4
        return answer(IS_ALT_ENTRY, u32At());
      case 0x24: // ref_sup8
        return answer(IS_ALT_ENTRY, u64At());
      case 0x08: {
        // string
        const offset = tell();
        skipString();
        return stringIn(section, offset);
      }
      case 0x0e: // strp
        return stringIn(SECTION_STR, wordAt(Unit.offsetBytes));
      case 0x1f: // line_strp
        return stringIn(SECTION_LINE_STR, wordAt(Unit.offsetBytes));
      case 0x1d: // strp_sup
      case 0x1f21: // GNU_strp_alt
        return stringIn(SECTION_ALT_STR, wordAt(Unit.offsetBytes));
      case 0x1a: // strx
      case 0x1f02: // GNU_str_index
        return answer(IS_STRING_INDEX, uleb());
      case 0x25: // strx1
        return answer(IS_STRING_INDEX, u8At());
      case 0x26: // strx2
        return answer(IS_STRING_INDEX, u16At());
      case 0x27: // strx3
        return answer(IS_STRING_INDEX, u24At());
      case 0x28: // strx4
        return answer(IS_STRING_INDEX, u32At());
      case 0x1b: // addrx
      case 0x1f01: // GNU_addr_index
        return answer(IS_ADDRESS_INDEX, uleb());
      case 0x29: // addrx1
        return answer(IS_ADDRESS_INDEX, u8At());
      case 0x2a: // addrx2
        return answer(IS_ADDRESS_INDEX, u16At());
      case 0x2b: // addrx3
        return answer(IS_ADDRESS_INDEX, u24At());
      case 0x2c: // addrx4
        return answer(IS_ADDRESS_INDEX, u32At());
      case 0x23: // rnglistx
        return answer(IS_LIST_INDEX, uleb());
      case 0x22: // loclistx
        return answer(IS_OTHER, uleb());
      case 0x20: // ref_sig8
        return answer(IS_OTHER, u64At());
      case 0x1e: // data16
        skip(16);
        return answer(IS_OTHER, 0);
      case 0x0a: // block1
        skip(u8At());
        return answer(IS_OTHER, 0);
      case 0x03: // block2
        skip(u16At());
        return answer(IS_OTHER, 0);
      case 0x04: // block4
        skip(u32At());
        return answer(IS_OTHER, 0);
      case 0x09: // block
      case 0x18: // exprloc
        skip(uleb());
        return answer(IS_OTHER, 0);
      case FORM_INDIRECT:
        form = <u32>uleb();
        // Its constant would be in the abbreviation, where this form is not.
        if (form == FORM_IMPLICIT_CONST) form = 0;
        break;
      default:
        fail();
        return answer(IS_OTHER, 0);
    }
  }
  fail();
  return answer(IS_OTHER, 0);
}

/** Bytes of a value of this form in the present unit, −1 if they vary. */
export function formBytes(form: u32): i32 {
  switch (form) {
    case 0x19:
    case FORM_IMPLICIT_CONST:
      return 0;
    case 0x0b:
    case 0x0c:
    case 0x11:
    case 0x25:
    case 0x29:
      return 1;
    case 0x05:
    case 0x12:
    case 0x26:
    case 0x2a:
      return 2;
    case 0x27:
    case 0x2b:
      return 3;
    case 0x06:
    case 0x13:
    case 0x1c:
    case 0x28:
    case 0x2c:
      return 4;
    case 0x07:
    case 0x14:
    case 0x20:
    case 0x24:
      return 8;
    case 0x1e:
      return 16;
    case 0x01:
      return Unit.addressBytes;
    case 0x10:
      return Unit.version < 3 ? Unit.addressBytes : Unit.offsetBytes;
    case 0x0e:
    case 0x17:
    case 0x1d:
    case 0x1f:
    case 0x1f20:
    case 0x1f21:
      return Unit.offsetBytes;
    default:
      return -1;
  }
}

/** The address with an index in the unit's part of .debug_addr. Moves the cursor. */
export function indexedAddress(index: u64): u64 {
  if (index > 0xffffffff) fail();
  seek(SECTION_ADDR, Unit.addressesBase + index * Unit.addressBytes, sectionSize(SECTION_ADDR));
  return wordAt(Unit.addressBytes);
}

/** The place in .debug_str of the string with an index in the unit's part of .debug_str_offsets. Moves the cursor. */
export function indexedString(index: u64): u64 {
  if (index > 0xffffffff) fail();
  seek(SECTION_STR_OFFSETS, Unit.stringsBase + index * Unit.offsetBytes, sectionSize(SECTION_STR_OFFSETS));
  return wordAt(Unit.offsetBytes);
}
