// Line programs, DWARF 2 to 5: which file and line each query is in.
//
// A line program is run once for all queries of its unit, and no table is built: two consecutive rows say what belongs
// to the addresses between them.
//
//   rows      0x1000 a.c:7 ── 0x1008 a.c:8 ── 0x1008 b.h:3 ── 0x1020 a.c:9 ── 0x1040 end
//   query                                                0x1010: b.h:3

import { IS_NUMBER, IS_STRING, IS_STRING_INDEX, indexedString, readValue, value, valueSection } from "./forms";
import {
  DONE,
  HINT_BYTES,
  HINT_FILE,
  HINT_LINE,
  LINES_DIRECTORIES,
  LINES_DIRECTORY_COUNT,
  LINES_FILE_COUNT,
  LINES_FILES,
  LINES_VERSION,
  PATH_BYTES,
  PATH_DIRECTORY,
  PATH_KIND,
  PATH_OFFSET,
  ROW_BYTES,
  ROW_DISTANCE,
  ROW_FILE,
  ROW_FOUND,
  ROW_LINE,
  ROW_NUMBER,
  ROW_SEQUENCE,
  ROW_TIED,
  SECTION_LINE,
  SECTION_STR,
} from "./layout";
import { record, reserve } from "./memory";
import { readLength, Unit } from "./present";
import { addressOf, firstFrom, Queries } from "./queries";
import {
  begin,
  fail,
  failed,
  failForMemory,
  remaining,
  sectionSize,
  seek,
  skip,
  skipString,
  sleb,
  spend,
  tell,
  u8At,
  u16At,
  u32At,
  u64At,
  uleb,
  wordAt,
} from "./sections";

const LNCT_PATH: u64 = 1;
const LNCT_DIRECTORY: u64 = 2;
// Far above what producers need.
const MOST_PATHS: u64 = 1 << 22;

let directories: usize = 0;
let directoryCount: u32 = 0;
let files: usize = 0;
let fileCount: u32 = 0;

// The machine's state that outlives a row.
let rows: usize = 0;
let hints: usize = 0;
let sequence: u64 = 0;
let sequenceNumber: u32 = 0;
let firstFile: u32 = 0;
let firstLine: u32 = 0;
let inSequence: bool = false;
let lastAddress: u64 = 0;
let lastFile: u32 = 0;
let lastLine: u32 = 0;
let next: u32 = 0;

/** Where a line program ends (UNIT_NEXT), for the host to load it as one. */
export function linesEnd(offset: u64): u32 {
  begin();
  const size = sectionSize(SECTION_LINE);
  const offsetBytes = Unit.offsetBytes;
  seek(SECTION_LINE, offset, size);
  const end = readLength(size);
  Unit.offsetBytes = offsetBytes;
  if (failed == DONE) store<u64>(record, end);
  return failed;
}

/**
 * Runs the line program at an offset: a row (ROW_*) for each query at `out`, LINES_* in the record area.
 * @param functions a hint (HINT_*) for each query, by which to choose among functions folded into one; 0 for none
 */
export function unitLines(offset: u64, out: usize, functions: usize): u32 {
  begin();
  rows = out;
  hints = functions;
  sequenceNumber = 0;
  memory.fill(out, 0, Queries.count * ROW_BYTES);
  const size = sectionSize(SECTION_LINE);
  // A program may be of another DWARF format than its unit.
  const offsetBytes = Unit.offsetBytes;
  const addressBytes = Unit.addressBytes;
  seek(SECTION_LINE, offset, size);
  const end = readLength(size);
  if (failed == DONE) run(end);
  Unit.offsetBytes = offsetBytes;
  Unit.addressBytes = addressBytes;
  return failed;
}

function run(end: u64): void {
  const body = tell();
  seek(SECTION_LINE, body, end);
  const version = u16At();
  if (version < 2 || version > 5) return fail();
  if (version == 5) {
    Unit.addressBytes = u8At();
    skip(1);
    if (Unit.addressBytes != 4 && Unit.addressBytes != 8) return fail();
  }
  const headerLength = wordAt(Unit.offsetBytes);
  const program = tell() + headerLength;
  const step = <u64>u8At();
  if (version >= 4) skip(1);
  skip(1);
  const lineBase = <i32>(<i8>u8At());
  const lineRange = u8At();
  const opcodeBase = u8At();
  if (failed != DONE || lineRange == 0 || opcodeBase == 0 || program > end) return fail();
  // How many arguments each standard opcode has; those that we know, we know.
  const opcodeArguments = tell();
  skip(opcodeBase - 1);
  if (version == 5) readPaths();
  else readOldPaths();
  if (failed != DONE) return;
  seek(SECTION_LINE, opcodeArguments, end);
  const lengths = reserve(256);
  if (!lengths) return failForMemory();
  memory.fill(lengths, 0, 256);
  for (let opcode: u32 = 1; opcode < opcodeBase; opcode++) store<u8>(lengths + opcode, <u8>u8At());
  store<u32>(record, <u32>directories, LINES_DIRECTORIES);
  store<u32>(record, directoryCount, LINES_DIRECTORY_COUNT);
  store<u32>(record, <u32>files, LINES_FILES);
  store<u32>(record, fileCount, LINES_FILE_COUNT);
  store<u32>(record, version, LINES_VERSION);

  const constantAdvance = <u64>((255 - opcodeBase) / lineRange) * step;
  let address: u64 = 0;
  let file: u32 = 1;
  let line: u32 = 1;
  inSequence = false;
  seek(SECTION_LINE, program, end);
  while (failed == DONE && tell() < end) {
    const opcode = u8At();
    if (opcode >= opcodeBase) {
      const adjusted = opcode - opcodeBase;
      address += <u64>(adjusted / lineRange) * step;
      line += lineBase + <i32>(adjusted % lineRange);
      row(address, file, line);
      continue;
    }
    switch (opcode) {
      case 0: {
        // Extended: a length, an opcode, its arguments.
        const length = uleb();
        const after = tell() + length;
        if (failed != DONE || length > end - tell()) return fail();
        const extended = length == 0 ? 0 : u8At();
        if (extended == 1) {
          // end_sequence
          row(address, file, line);
          inSequence = false;
          address = 0;
          file = 1;
          line = 1;
        } else if (extended == 2) {
          // set_address
          if (length == 9) address = u64At();
          else if (length == 5) address = u32At();
          else return fail();
        }
        if (tell() != after) seek(SECTION_LINE, after, end);
        break;
      }
      case 1: // copy
        row(address, file, line);
        break;
      case 2: // advance_pc
        address += uleb() * step;
        break;
      case 3: // advance_line
        line += <i32>sleb();
        break;
      case 4: // set_file
        file = <u32>uleb();
        break;
      case 5: // set_column
      case 12: // set_isa
        uleb();
        break;
      case 6: // negate_stmt
      case 7: // set_basic_block
      case 10: // set_prologue_end
      case 11: // set_epilogue_begin
        break;
      case 8: // const_add_pc
        address += constantAdvance;
        break;
      case 9: // fixed_advance_pc
        address += u16At();
        break;
      default:
        for (let i = <u32>load<u8>(lengths + opcode); i > 0; i--) uleb();
    }
  }
}

/** Adds a row: the addresses from the last row to here belong to the last row. */
function row(address: u64, file: u32, line: u32): void {
  if (!inSequence) {
    inSequence = true;
    sequence = address;
    sequenceNumber++;
    firstFile = file;
    firstLine = line;
    next = firstFrom(address);
  } else if (address < lastAddress) {
    next = firstFrom(address);
  } else if (next < Queries.count && sequence >= Queries.lowestCode) {
    while (next < Queries.count) {
      const query = addressOf(next);
      if (query >= address) break;
      assign(next);
      next++;
    }
  }
  lastAddress = address;
  lastFile = file;
  lastLine = line;
}

/**
 * Of two sequences that have an address, the one that begins nearer has it. If they begin at the same address, the one
 * whose first line is the function's; else the last.
 */
function assign(query: u32): void {
  spend(1);
  const at = rows + query * ROW_BYTES;
  const far = distance(query);
  if (load<u32>(at, ROW_FOUND)) {
    const other = load<u64>(at, ROW_SEQUENCE);
    if (other > sequence) return;
    if (other == sequence && load<u32>(at, ROW_NUMBER) != sequenceNumber) {
      store<u32>(at, 1, ROW_TIED);
      if (load<u32>(at, ROW_DISTANCE) < far) return;
    }
    if (other < sequence) store<u32>(at, 0, ROW_TIED);
  }
  store<u32>(at, sequenceNumber, ROW_NUMBER);
  store<u32>(at, far, ROW_DISTANCE);
  store<u64>(at, sequence, ROW_SEQUENCE);
  store<u32>(at, 1, ROW_FOUND);
  store<u32>(at, lastFile, ROW_FILE);
  store<u32>(at, lastLine, ROW_LINE);
}

/**
 * How many lines the sequence begins behind the declaration of the query's function; the most if that is another one.
 */
function distance(query: u32): u32 {
  if (!hints) return 0xffffffff;
  const hint = hints + query * HINT_BYTES;
  const declared = load<u32>(hint, HINT_LINE);
  if (declared == 0 || load<u32>(hint, HINT_FILE) != firstFile || firstLine < declared) return 0xffffffff;
  return firstLine - declared;
}

function path(): usize {
  const at = reserve(PATH_BYTES);
  if (!at) failForMemory();
  return failed == DONE ? at : 0;
}

/** Directories, then files; each list ends with an empty name. */
function readOldPaths(): void {
  directories = reserve(0);
  directoryCount = 0;
  while (failed == DONE) {
    const offset = tell();
    skipString();
    if (tell() == offset + 1) break;
    const at = path();
    if (!at) return;
    store<u64>(at, offset, PATH_OFFSET);
    store<u32>(at, SECTION_LINE, PATH_KIND);
    store<u32>(at, 0, PATH_DIRECTORY);
    directoryCount++;
  }
  files = reserve(0);
  fileCount = 0;
  while (failed == DONE) {
    const offset = tell();
    skipString();
    if (tell() == offset + 1) break;
    const directory = <u32>uleb();
    uleb();
    uleb();
    const at = path();
    if (!at) return;
    store<u64>(at, offset, PATH_OFFSET);
    store<u32>(at, SECTION_LINE, PATH_KIND);
    store<u32>(at, directory, PATH_DIRECTORY);
    fileCount++;
  }
}

function readPaths(): void {
  directoryCount = readPathTable();
  directories = table;
  fileCount = readPathTable();
  files = table;
}

let table: usize = 0;

/** A table that says of what its entries consist: pairs of content and form, then the entries. */
function readPathTable(): u32 {
  const formats = u8At();
  const pairs = reserve(256 * 8);
  if (!pairs) failForMemory();
  for (let i: u32 = 0; i < formats && failed == DONE; i++) {
    store<u32>(pairs + i * 8, <u32>min<u64>(uleb(), 0xffffffff));
    store<u32>(pairs + i * 8, <u32>min<u64>(uleb(), 0xffff), 4);
  }
  const count = uleb();
  // Every entry has a name, of a byte at least.
  if (failed == DONE && (count > remaining() || count > MOST_PATHS)) fail();
  table = reserve(0);
  for (let n: u64 = 0; n < count && failed == DONE; n++) {
    const at = path();
    if (!at) break;
    memory.fill(at, 0, PATH_BYTES);
    for (let i: u32 = 0; i < formats && failed == DONE; i++) {
      const content = load<u32>(pairs + i * 8);
      const what = readValue(load<u32>(pairs + i * 8, 4), 0, SECTION_LINE);
      if (content == LNCT_PATH) {
        let offset = value;
        let kind = valueSection;
        if (what == IS_STRING_INDEX) {
          const back = tell();
          const end = back + remaining();
          offset = indexedString(value);
          kind = SECTION_STR;
          seek(SECTION_LINE, back, end);
        } else if (what != IS_STRING) {
          continue;
        }
        store<u64>(at, offset, PATH_OFFSET);
        store<u32>(at, kind, PATH_KIND);
      } else if (content == LNCT_DIRECTORY && what == IS_NUMBER) {
        store<u32>(at, <u32>value, PATH_DIRECTORY);
      }
    }
  }
  return failed == DONE ? <u32>count : 0;
}
