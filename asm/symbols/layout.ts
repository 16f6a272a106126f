// What symbols.wasm and its host (runtime/) tell each other: section kinds, statuses and the fields of the
// records they pass through memory. As asm/layout.ts it is valid as AssemblyScript and as TypeScript, so it holds
// nothing but comments and `export const NAME = 123;`. It is no file format: both sides are always of one build.

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
// The next symbol that is as good: the address of another record of this form, or 0.
export const SYMBOL_NEXT = 4;
export const SYMBOL_BYTES = 8;
