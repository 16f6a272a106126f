// What symbols.wasm and its host (runtime/) exchange: section kinds, statuses and the fields of the records that they
// pass through memory. Like asm/layout.ts it is valid as AssemblyScript and as TypeScript, so it contains only comments
// and `export const NAME = 123;`. It is no file format: both sides always come from one build.

// ── Section kinds: what a section is for, whatever it is called and however it is stored ─────────
export const SECTION_OTHER = 0;
export const SECTION_SYMTAB = 1;
export const SECTION_DYNSYM = 2;
export const SECTION_NOTE = 3;
export const SECTION_DEBUGLINK = 4;
export const SECTION_INFO = 5;
export const SECTION_ABBREV = 6;
export const SECTION_LINE = 7;
export const SECTION_STR = 8;
export const SECTION_LINE_STR = 9;
export const SECTION_STR_OFFSETS = 10;
export const SECTION_ADDR = 11;
export const SECTION_RANGES = 12;
export const SECTION_RNGLISTS = 13;
export const SECTION_ARANGES = 14;
export const SECTION_ALTLINK = 15;
export const SECTION_KINDS = 16;
// Strings of the file that .gnu_debugaltlink names: a section of another file.
export const SECTION_ALT_STR = 16;
// Which units a .dwp file has, and where.
export const SECTION_UNIT_INDEX = 17;
// A small ELF file with a symbol table, compressed with xz (MiniDebugInfo).
export const SECTION_DEBUGDATA = 18;
// Added to a kind: the section of that kind in a .dwo or .dwp file (.debug_info.dwo).
export const SECTION_SPLIT = 32;

// ── ELF header, as elfHeader() leaves it in the record area ──────────────────────────────────────
export const ELF_SECTIONS_OFFSET = 0;
export const ELF_SEGMENTS_OFFSET = 8;
export const ELF_POINTER_BYTES = 16;
export const ELF_SECTION_COUNT = 20;
export const ELF_SECTION_BYTES = 24;
export const ELF_NAMES_INDEX = 28;
export const ELF_SEGMENT_COUNT = 32;
export const ELF_SEGMENT_BYTES = 36;
export const ELF_MACHINE = 40;

// ── One section, from an entry of either class ───────────────────────────────────────────────────
export const ENTRY_ADDRESS = 0;
export const ENTRY_OFFSET = 8;
export const ENTRY_SIZE = 16;
export const ENTRY_LINK = 24;
// One of SECTION_*.
export const ENTRY_KIND = 28;
// One of COMPRESSED_*.
export const ENTRY_COMPRESSED = 32;
export const ENTRY_EXECUTABLE = 36;
export const ENTRY_BYTES = 40;

export const COMPRESSED_NO = 0;
// An Elf32_Chdr or Elf64_Chdr comes before the data.
export const COMPRESSED_HEADER = 1;
// .zdebug_*: "ZLIB" and a big-endian size come before the data.
export const COMPRESSED_OLD = 2;

// ── A symbol that covers a query ─────────────────────────────────────────────────────────────────
export const SYMBOL_NAME = 0;
// The next symbol that is as long and begins at the same address: another record of this form, or 0.
export const SYMBOL_NEXT = 4;
// The number that symbolsTable() gave its table.
export const SYMBOL_TABLE = 8;
// Functions before labels, then global and weak names before local ones (foo.localalias): the higher.
export const SYMBOL_RANK = 12;
export const SYMBOL_BYTES = 16;

// ── Windows: the piece of each section that is in memory, one for each kind ──────────────────────
// Size of the whole section.
export const WINDOW_SIZE = 0;
// Where in the section the piece begins, where in memory it is, and its bytes.
export const WINDOW_BASE = 8;
export const WINDOW_ADDRESS = 16;
export const WINDOW_LENGTH = 20;
export const WINDOW_BYTES = 24;

// ── How an operation on debug information ended ──────────────────────────────────────────────────
export const DONE = 0;
// It needs a piece that is not in memory: the host loads it and does the operation again.
export const MISSING = 1;
// What it read cannot be.
export const BROKEN = 2;
export const OUT_OF_MEMORY = 3;

// What is missing, in the record area.
export const MISSING_OFFSET = 0;
export const MISSING_KIND = 8;
export const MISSING_BYTES = 12;

// ── A unit, as unitHeader() and unitOpen() leave it in the record area ───────────────────────────
export const UNIT_NEXT = 0;
// Where its line program is.
export const UNIT_LINES = 8;
export const UNIT_DIRECTORY_OFFSET = 16;
export const UNIT_HAS_LINES = 24;
export const UNIT_DIRECTORY_KIND = 28;
// 1: a skeleton, its tree of entries is in a .dwo file. Its name:
export const UNIT_SPLIT = 32;
export const UNIT_SPLIT_NAME_KIND = 36;
export const UNIT_SPLIT_NAME_OFFSET = 40;
// What a skeleton and its split unit have in common.
export const UNIT_ID = 48;
// What a split unit needs from its skeleton: see unitSkeleton().
export const UNIT_LOW_PC = 56;
export const UNIT_ADDRESSES_BASE = 64;
export const UNIT_RANGES_BASE = 72;

// ── A set of .debug_aranges, in the record area ──────────────────────────────────────────────────
export const SET_NEXT = 0;
export const SET_UNIT = 8;
export const SET_COVERED = 16;

// ── A function or an inlined call, as unitWalk() finds them ──────────────────────────────────────
export const CALL_ENTRY = 0;
// The call it was inlined into, 0 for a function itself.
export const CALL_PARENT = 8;
// Where it was called; 0 if unknown.
export const CALL_FILE = 12;
export const CALL_LINE = 16;
export const CALL_BYTES = 20;

// ── The name of a function, in the record area ───────────────────────────────────────────────────
// Offset of the string, or of the next entry to ask.
export const NAME_OFFSET = 0;
// The string's section, or one of NAME_*.
export const NAME_KIND = 8;
// Where its function is declared: a file's number and a line, 0 if that is not said.
export const NAME_FILE = 12;
export const NAME_LINE = 16;
export const NAME_NONE = 0;
export const NAME_IN_UNIT = 100;
export const NAME_IN_ALT = 101;

// ── What unitLines() found: record area, a row for each query, and the tables of file names ──────
export const LINES_DIRECTORIES = 0;
export const LINES_DIRECTORY_COUNT = 4;
export const LINES_FILES = 8;
export const LINES_FILE_COUNT = 12;
export const LINES_VERSION = 16;

export const ROW_SEQUENCE = 0;
export const ROW_FOUND = 8;
export const ROW_FILE = 12;
export const ROW_LINE = 16;
// 1: several sequences begin at the same address and have this one: functions that the linker folded into one.
export const ROW_TIED = 20;
// Which sequence of the program it is from, and how far that begins below the line of the query's hint.
export const ROW_NUMBER = 24;
export const ROW_DISTANCE = 28;
export const ROW_BYTES = 32;

// A hint for a query: where its function is declared; line 0 for none.
export const HINT_FILE = 0;
export const HINT_LINE = 4;
export const HINT_BYTES = 8;

// A directory or file name.
export const PATH_OFFSET = 0;
export const PATH_KIND = 8;
export const PATH_DIRECTORY = 12;
export const PATH_BYTES = 16;
