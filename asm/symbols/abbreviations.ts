// Abbreviations: which attributes, in which forms, the entries of a unit have. They are unpacked once for each unit.
// The result has what makes it fast to skip an entry: its length, if that is fixed.
//
//   DECLARATION ─▶ tag, flags, length, count, then count times ATTRIBUTE ─▶ name, form, length, constant

import { FORM_IMPLICIT_CONST, formBytes } from "./forms";
import { DONE, SECTION_ABBREV } from "./layout";
import { reserve } from "./memory";
import { Unit } from "./present";
import { fail, failed, failForMemory, sectionSize, seek, skip, sleb, u8At, uleb } from "./sections";

export const AT_SIBLING: u32 = 0x01;
export const AT_LOW_PC: u32 = 0x11;
export const AT_RANGES: u32 = 0x55;

export const DECLARATION_TAG: u32 = 0;
export const DECLARATION_FLAGS: u32 = 4;
// Bytes of its attributes' values together, −1 if they vary.
export const DECLARATION_LENGTH: u32 = 8;
export const DECLARATION_COUNT: u32 = 12;
const DECLARATION_CODE: u32 = 16;
export const DECLARATION_BYTES: u32 = 32;
// DECLARATION_FLAGS.
export const HAS_CHILDREN: u32 = 1;
export const HAS_CODE: u32 = 2;
export const HAS_SIBLING: u32 = 4;

export const ATTRIBUTE_NAME: u32 = 0;
export const ATTRIBUTE_FORM: u32 = 2;
export const ATTRIBUTE_LENGTH: u32 = 4;
export const ATTRIBUTE_CONSTANT: u32 = 8;
export const ATTRIBUTE_BYTES: u32 = 16;

// No producer comes near; a file of garbage might.
const MOST_ATTRIBUTES: u32 = 1 << 20;
const MOST_CODE: u64 = 1 << 20;

// The unpacked table: addresses of declarations by code. Code 0 has none.
let table: usize = 0;
let tableCount: u32 = 0;

/** Unpacks the table of the present unit. */
export function unpackAbbreviations(): void {
  seek(SECTION_ABBREV, Unit.abbreviations, sectionSize(SECTION_ABBREV));
  const first = reserve(0);
  let count: u32 = 0;
  let attributes: u32 = 0;
  let highest: u64 = 0;
  while (failed == DONE) {
    const code = uleb();
    if (code == 0) break;
    // They are numbered from 1, which makes finding one an array access. Gaps would do no harm, vast ones are garbage.
    if (code > MOST_CODE) return fail();
    highest = max(highest, code);
    const declaration = unpack();
    if (!declaration) return;
    store<u32>(declaration, <u32>code, DECLARATION_CODE);
    attributes += load<u32>(declaration, DECLARATION_COUNT);
    if (attributes + ++count > MOST_ATTRIBUTES) return fail();
  }
  tableCount = <u32>highest;
  table = reserve((tableCount + 1) * 4);
  if (!table) return failForMemory();
  memory.fill(table, 0, (tableCount + 1) * 4);
  let declaration = first;
  for (let i: u32 = 0; i < count; i++) {
    const slot = table + load<u32>(declaration, DECLARATION_CODE) * 4;
    if (load<u32>(slot) == 0) store<u32>(slot, <u32>declaration);
    declaration += DECLARATION_BYTES + load<u32>(declaration, DECLARATION_COUNT) * ATTRIBUTE_BYTES;
  }
}

export function declarationOf(code: u64): usize {
  if (code - 1 >= <u64>tableCount) return 0;
  return load<u32>(table + <usize>code * 4);
}

/** Unpacks only the declaration with a code, 0 if there is none. For a unit's first entry, nearly always the first. */
export function oneDeclaration(wanted: u64): usize {
  seek(SECTION_ABBREV, Unit.abbreviations, sectionSize(SECTION_ABBREV));
  while (failed == DONE) {
    const code = uleb();
    if (code == 0) break;
    if (code == wanted) return unpack();
    uleb();
    skip(1);
    while (failed == DONE) {
      const name = uleb();
      const form = <u32>uleb();
      if (form == FORM_IMPLICIT_CONST) sleb();
      if (name == 0 && form == 0) break;
    }
  }
  return 0;
}

/** Unpacks what follows a code. */
function unpack(): usize {
  const declaration = reserve(DECLARATION_BYTES);
  if (!declaration) {
    failForMemory();
    return 0;
  }
  const tag = <u32>uleb();
  let flags: u32 = u8At() != 0 ? HAS_CHILDREN : 0;
  let length = 0;
  let count: u32 = 0;
  while (true) {
    const name = <u32>uleb();
    const form = <u32>uleb();
    const constant: i64 = form == FORM_IMPLICIT_CONST ? sleb() : 0;
    if (failed != DONE) return 0;
    if (name == 0 && form == 0) break;
    const attribute = reserve(ATTRIBUTE_BYTES);
    if (!attribute) {
      failForMemory();
      return 0;
    }
    if (++count > MOST_ATTRIBUTES) {
      fail();
      return 0;
    }
    const bytes = formBytes(form);
    store<u16>(attribute, <u16>min<u32>(name, 0xffff), ATTRIBUTE_NAME);
    store<u16>(attribute, <u16>min<u32>(form, 0xffff), ATTRIBUTE_FORM);
    store<i32>(attribute, bytes, ATTRIBUTE_LENGTH);
    store<i64>(attribute, constant, ATTRIBUTE_CONSTANT);
    length = length < 0 || bytes < 0 ? -1 : length + bytes;
    if (name == AT_LOW_PC || name == AT_RANGES) flags |= HAS_CODE;
    if (name == AT_SIBLING) flags |= HAS_SIBLING;
  }
  store<u32>(declaration, tag, DECLARATION_TAG);
  store<u32>(declaration, flags, DECLARATION_FLAGS);
  store<i32>(declaration, length, DECLARATION_LENGTH);
  store<u32>(declaration, count, DECLARATION_COUNT);
  return declaration;
}
