// symbols.wasm: names, files and lines for addresses in ELF files. runtime/symbols/symbolize.ts uses it.
//
// It has no imports and never reads a file: the host puts pieces of files into its memory and calls these functions.
// Everything that a file says is checked first, so that garbage ends in "unknown", never in a trap.

export { arangesSet } from "./aranges";
export { crc32 } from "./crc32";
export { elfHeader, elfSections } from "./elf";
export { entryName, unitAbbreviations, unitWalk } from "./entries";
export { linesEnd, unitLines } from "./lines";
export { mark, recordAddress, release, reserve } from "./memory";
export { setQueries } from "./queries";
export { windowsAddress } from "./sections";
export { symbolsBegin, symbolsEnd, symbolsScan, symbolsTable } from "./symtab";
export { unitCovers, unitNext, unitOpen, unitSkeleton } from "./unit";
