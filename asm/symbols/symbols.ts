// symbols.wasm: names, files and lines for addresses in ELF files. See runtime/symbolize.ts for who asks what.
//
// It has no imports and never reads a file: the host puts pieces of files into its memory and calls these
// functions. Whatever a file says is checked first, so that garbage ends in "unknown", never in a trap.

export { elfBuildId, elfHeader, elfNoteSegment, elfSections } from "./elf";
export { mark, recordAddress, release, reserve } from "./memory";
export { symbolsBegin, symbolsEnd, symbolsScan } from "./symtab";
