// The tree of entries of a unit: which functions and inlined calls cover the queries, and what functions are called.
//
//   compile_unit
//   ├─ structure_type …                    skipped: by its sibling attribute, or entry by entry
//   ├─ namespace                           entered
//   │  └─ subprogram  0x1000–0x1040        covers 0x1010: entered
//   │     ├─ lexical_block                 entered
//   │     │  └─ inlined_subroutine  0x1008–0x1020      covers it too, and is nearer
//   │     └─ call_site …                   skipped
//   └─ subprogram  0x1040–0x1080           covers nothing that is asked for: skipped
//
// One pass over the unit answers all queries. No tree is built, only the chains of calls around the queries. Functions
// inside other things than namespaces (nested functions of GNU C, Rust's inherent methods) are found by a second, deep
// pass, for the queries that the first one left over.

import {
  AT_LOW_PC,
  AT_RANGES,
  AT_SIBLING,
  ATTRIBUTE_BYTES,
  ATTRIBUTE_CONSTANT,
  ATTRIBUTE_FORM,
  ATTRIBUTE_LENGTH,
  ATTRIBUTE_NAME,
  DECLARATION_BYTES,
  DECLARATION_COUNT,
  DECLARATION_FLAGS,
  DECLARATION_LENGTH,
  DECLARATION_TAG,
  declarationOf,
  HAS_CHILDREN,
  HAS_CODE,
  HAS_SIBLING,
  unpackAbbreviations,
} from "./abbreviations";
import {
  IS_ALT_ENTRY,
  IS_ENTRY,
  IS_NUMBER,
  IS_OTHER,
  IS_STRING,
  IS_STRING_INDEX,
  indexedString,
  readValue,
  value,
  valueSection,
} from "./forms";
import {
  CALL_BYTES,
  CALL_ENTRY,
  CALL_FILE,
  CALL_LINE,
  CALL_PARENT,
  DONE,
  NAME_FILE,
  NAME_IN_ALT,
  NAME_IN_UNIT,
  NAME_KIND,
  NAME_LINE,
  NAME_NONE,
  NAME_OFFSET,
  SECTION_INFO,
  SECTION_STR,
} from "./layout";
import { mark, record, release, reserve } from "./memory";
import { Unit } from "./present";
import { Queries } from "./queries";
import { coverRanges } from "./ranges";
import { begin, fail, failed, failForMemory, seek, skip, spend, tell, uleb } from "./sections";

const TAG_LEXICAL_BLOCK: u32 = 0x0b;
const TAG_COMPILE_UNIT: u32 = 0x11;
const TAG_INLINED_SUBROUTINE: u32 = 0x1d;
const TAG_MODULE: u32 = 0x1e;
const TAG_SUBPROGRAM: u32 = 0x2e;
const TAG_NAMESPACE: u32 = 0x39;
const TAG_PARTIAL_UNIT: u32 = 0x3c;
const TAG_SKELETON_UNIT: u32 = 0x4a;

const AT_NAME: u32 = 0x03;
const AT_HIGH_PC: u32 = 0x12;
const AT_DECL_FILE: u32 = 0x3a;
const AT_DECL_LINE: u32 = 0x3b;
const AT_ABSTRACT_ORIGIN: u32 = 0x31;
const AT_SPECIFICATION: u32 = 0x47;
const AT_CALL_FILE: u32 = 0x58;
const AT_CALL_LINE: u32 = 0x59;
const AT_LINKAGE_NAME: u32 = 0x6e;
const AT_MIPS_LINKAGE_NAME: u32 = 0x2007;

// Deeper trees do not occur.
const MOST_DEPTH: u32 = 1024;
const MOST_NAME_STEPS: u32 = 16;

// For every level of the tree that the walk is in: the innermost call around it, 0 if there is none.
const calls = memory.data(4 * (MOST_DEPTH + 1));

/** Unpacks the present unit's abbreviations; before unitWalk() and entryName(). */
export function unitAbbreviations(): u32 {
  begin();
  unpackAbbreviations();
  return failed;
}

/** For each query the address of the innermost call around it (CALL_*), or 0, in `out`: a u32 for each. */
export function unitWalk(deep: bool, out: usize): u32 {
  begin(Unit.end - Unit.offset);
  memory.fill(out, 0, Queries.count * 4);
  Queries.forCalls(out);
  seek(SECTION_INFO, Unit.entries, Unit.end);
  let depth: u32 = 0;
  store<u32>(calls, 0);
  while (failed == DONE && tell() < Unit.end) {
    const entry = tell();
    const code = uleb();
    if (code == 0) {
      // The end of a level; units may be padded with zeros.
      if (depth > 0) depth--;
      continue;
    }
    const declaration = declarationOf(code);
    if (!declaration) {
      fail();
      break;
    }
    const tag = load<u32>(declaration, DECLARATION_TAG);
    const flags = load<u32>(declaration, DECLARATION_FLAGS);
    let call = <usize>load<u32>(calls + depth * 4);
    let enter = deep;
    let sibling: u64 = 0;
    if (tag == TAG_INLINED_SUBROUTINE || (tag == TAG_SUBPROGRAM && flags & HAS_CODE)) {
      const start = mark();
      // A function inside another one is not called by it.
      const parent: usize = tag == TAG_SUBPROGRAM ? 0 : call;
      call = reserve(CALL_BYTES);
      if (!call) {
        failForMemory();
        break;
      }
      store<u64>(call, entry, CALL_ENTRY);
      store<u32>(call, <u32>parent, CALL_PARENT);
      Queries.covered = 0;
      sibling = readCall(declaration, call);
      // What is inlined into a call that seems to have no code may have some:
      // DWARF 2 cannot say that code is in pieces.
      if (Queries.covered > 0 || tag == TAG_INLINED_SUBROUTINE) enter = true;
      if (!enter) release(start);
    } else {
      if (tag == TAG_SUBPROGRAM) call = 0;
      enter =
        enter ||
        tag == TAG_LEXICAL_BLOCK ||
        tag == TAG_NAMESPACE ||
        tag == TAG_COMPILE_UNIT ||
        tag == TAG_MODULE ||
        tag == TAG_PARTIAL_UNIT ||
        tag == TAG_SKELETON_UNIT;
      if (flags & HAS_CHILDREN && !enter) sibling = skipToSibling(declaration);
      else skipEntry(declaration);
    }
    if ((flags & HAS_CHILDREN) == 0) continue;
    if (enter) {
      if (++depth > MOST_DEPTH) {
        fail();
        break;
      }
      store<u32>(calls + depth * 4, <u32>call);
    } else {
      skipChildren(sibling);
    }
  }
  return failed;
}

/** Reads a function or an inlined call, covers its addresses; gives its sibling's offset, 0 if it does not say. */
function readCall(declaration: usize, call: usize): u64 {
  const count = load<u32>(declaration, DECLARATION_COUNT);
  spend(count);
  let attribute = declaration + DECLARATION_BYTES;
  let sibling: u64 = 0;
  let lowKind: u32 = IS_OTHER;
  let low: u64 = 0;
  let highKind: u32 = IS_OTHER;
  let high: u64 = 0;
  let rangesKind: u32 = IS_OTHER;
  let ranges: u64 = 0;
  let file: u32 = 0;
  let line: u32 = 0;
  for (let i: u32 = 0; i < count; i++, attribute += ATTRIBUTE_BYTES) {
    const name = <u32>load<u16>(attribute, ATTRIBUTE_NAME);
    const what = readValue(
      load<u16>(attribute, ATTRIBUTE_FORM),
      load<i64>(attribute, ATTRIBUTE_CONSTANT),
      SECTION_INFO,
    );
    if (name == AT_LOW_PC) {
      lowKind = what;
      low = value;
    } else if (name == AT_HIGH_PC) {
      highKind = what;
      high = value;
    } else if (name == AT_RANGES) {
      rangesKind = what;
      ranges = value;
    } else if (name == AT_SIBLING) {
      sibling = value;
    } else if (name == AT_CALL_FILE && what == IS_NUMBER) {
      file = <u32>value;
    } else if (name == AT_CALL_LINE && what == IS_NUMBER) {
      line = <u32>value;
    }
  }
  if (failed != DONE) return 0;
  store<u32>(call, file, CALL_FILE);
  store<u32>(call, line, CALL_LINE);
  Queries.subject = call;
  const back = tell();
  coverRanges(lowKind, low, highKind, high, rangesKind, ranges);
  seek(SECTION_INFO, back, Unit.end);
  return sibling;
}

/** Skips the values of an entry. */
function skipEntry(declaration: usize): void {
  const length = load<i32>(declaration, DECLARATION_LENGTH);
  if (length >= 0) return skip(length);
  const count = load<u32>(declaration, DECLARATION_COUNT);
  spend(count);
  let attribute = declaration + DECLARATION_BYTES;
  for (let i: u32 = 0; i < count; i++, attribute += ATTRIBUTE_BYTES) {
    const bytes = load<i32>(attribute, ATTRIBUTE_LENGTH);
    if (bytes >= 0) skip(bytes);
    else readValue(load<u16>(attribute, ATTRIBUTE_FORM), 0, SECTION_INFO);
  }
}

/** Skips the values of an entry; gives its sibling's offset, 0 if it does not say. */
function skipToSibling(declaration: usize): u64 {
  if ((load<u32>(declaration, DECLARATION_FLAGS) & HAS_SIBLING) == 0) {
    skipEntry(declaration);
    return 0;
  }
  let sibling: u64 = 0;
  const count = load<u32>(declaration, DECLARATION_COUNT);
  spend(count);
  let attribute = declaration + DECLARATION_BYTES;
  for (let i: u32 = 0; i < count; i++, attribute += ATTRIBUTE_BYTES) {
    const bytes = load<i32>(attribute, ATTRIBUTE_LENGTH);
    if (load<u16>(attribute, ATTRIBUTE_NAME) == AT_SIBLING) {
      if (readValue(load<u16>(attribute, ATTRIBUTE_FORM), 0, SECTION_INFO) == IS_ENTRY) sibling = value;
    } else if (bytes >= 0) {
      skip(bytes);
    } else {
      readValue(load<u16>(attribute, ATTRIBUTE_FORM), 0, SECTION_INFO);
    }
  }
  return sibling;
}

/** Skips the children of the entry just read. */
function skipChildren(sibling: u64): void {
  for (let depth = 1; depth > 0; ) {
    if (sibling != 0) {
      // One that lies behind us would be a very long way ahead: an error.
      skip(sibling - tell());
      depth--;
      sibling = 0;
      continue;
    }
    if (failed != DONE || tell() >= Unit.end) return;
    const code = uleb();
    if (code == 0) {
      depth--;
      continue;
    }
    const declaration = declarationOf(code);
    if (!declaration) return fail();
    if (load<u32>(declaration, DECLARATION_FLAGS) & HAS_CHILDREN) {
      sibling = skipToSibling(declaration);
      depth++;
    } else {
      skipEntry(declaration);
    }
  }
}

/**
 * The name of the function of an entry of the present unit, as the linker knows it where that is said, in NAME_*. An
 * entry without a name has the name of the one it refers to: its abstract origin or specification.
 */
export function entryName(offset: u64): u32 {
  begin();
  let kind: u32 = NAME_IN_UNIT;
  let steps: u32 = 0;
  // A plain name is kept, but an entry further on may know the linker's.
  let plainKind: u32 = NAME_NONE;
  let plain: u64 = 0;
  let file: u32 = 0;
  let line: u32 = 0;
  while (kind == NAME_IN_UNIT && offset >= Unit.entries && offset < Unit.end && steps++ < MOST_NAME_STEPS) {
    seek(SECTION_INFO, offset, Unit.end);
    const declaration = declarationOf(uleb());
    if (!declaration) {
      fail();
      break;
    }
    kind = NAME_NONE;
    const count = load<u32>(declaration, DECLARATION_COUNT);
    let attribute = declaration + DECLARATION_BYTES;
    let linkageKind: u32 = IS_OTHER;
    let linkage: u64 = 0;
    let linkageSection: u32 = 0;
    let nameKind: u32 = IS_OTHER;
    let name: u64 = 0;
    let nameSection: u32 = 0;
    let ownFile: u32 = 0;
    let ownLine: u32 = 0;
    for (let i: u32 = 0; i < count && failed == DONE; i++, attribute += ATTRIBUTE_BYTES) {
      const what = readValue(
        load<u16>(attribute, ATTRIBUTE_FORM),
        load<i64>(attribute, ATTRIBUTE_CONSTANT),
        SECTION_INFO,
      );
      switch (<u32>load<u16>(attribute, ATTRIBUTE_NAME)) {
        case AT_LINKAGE_NAME:
        case AT_MIPS_LINKAGE_NAME:
          linkageKind = what;
          linkage = value;
          linkageSection = valueSection;
          break;
        case AT_NAME:
          nameKind = what;
          name = value;
          nameSection = valueSection;
          break;
        case AT_DECL_FILE:
          if (what == IS_NUMBER) ownFile = <u32>value;
          break;
        case AT_DECL_LINE:
          if (what == IS_NUMBER) ownLine = <u32>value;
          break;
        case AT_ABSTRACT_ORIGIN:
        case AT_SPECIFICATION:
          if (what == IS_ENTRY) kind = NAME_IN_UNIT;
          else if (what == IS_ALT_ENTRY) kind = NAME_IN_ALT;
          else break;
          offset = value;
          break;
      }
    }
    // An entry repeats of the one it refers to what is different: then both, or the line alone.
    if (line == 0 && ownLine != 0) line = ownLine;
    if (file == 0 && ownFile != 0) file = ownFile;
    if (linkageKind == IS_STRING_INDEX) {
      linkage = indexedString(linkage);
      linkageSection = SECTION_STR;
      linkageKind = IS_STRING;
    }
    if (nameKind == IS_STRING_INDEX && plainKind == NAME_NONE) {
      name = indexedString(name);
      nameSection = SECTION_STR;
      nameKind = IS_STRING;
    }
    if (linkageKind == IS_STRING) {
      kind = linkageSection;
      offset = linkage;
    } else if (nameKind == IS_STRING && plainKind == NAME_NONE) {
      plainKind = nameSection;
      plain = name;
    }
  }
  if (plainKind != NAME_NONE && (kind == NAME_NONE || kind == NAME_IN_UNIT || kind == NAME_IN_ALT)) {
    kind = plainKind;
    offset = plain;
  }
  if (failed == DONE) {
    store<u64>(record, offset, NAME_OFFSET);
    store<u32>(record, kind, NAME_KIND);
    store<u32>(record, file, NAME_FILE);
    store<u32>(record, line, NAME_LINE);
  }
  return failed;
}
