// Debug information in separate files (-gsplit-dwarf). The program has only skeletons of its units, with their lines
// and addresses. Their trees are in .dwo files where they were compiled, or together in a .dwp file beside the program.
//
//   skeleton in app          name "a.dwo", folder /src/build, id ──▶ /src/build/a.dwo, or a.dwo beside app
//                                                         └────▶ app.dwp: .debug_cu_index ─▶ where in its sections
//
// What a unit refers to by number is partly in its own file (strings, ranges) and partly in the program (addresses).

import { basename, dirname, join, resolve } from "node:path";
import {
  SECTION_ABBREV,
  SECTION_INFO,
  SECTION_RNGLISTS,
  SECTION_SPLIT,
  SECTION_STR,
  SECTION_STR_OFFSETS,
  SECTION_UNIT_INDEX,
} from "../../asm/symbols/layout.js";
import { tryOpen } from "./debugfiles.js";
import type { DebugSections } from "./dwarfreader.js";
import { ElfError } from "./elfbytes.js";
import { ElfFile } from "./elffile.js";
import { Section } from "./section.js";
import type { SymbolCore } from "./symbolcore.js";

/** What a program says about a unit that is elsewhere. */
export interface Skeleton {
  /** The same in the unit itself. */
  id: bigint;
  /** Of its .dwo file; relative paths begin at the directory. */
  name: string;
  directory: string;
  lowPc: bigint;
  addressesBase: bigint;
  rangesBase: bigint;
}

/** What there is in the sections of a file where the unit of a skeleton may be. */
export type SplitSearch = "found" | "other units" | "no units";

/** The kinds of sections that a .dwo file has of its own; the others are the program's. */
const OWN = new Set([SECTION_INFO, SECTION_ABBREV, SECTION_STR, SECTION_STR_OFFSETS, SECTION_RNGLISTS]);
/** What the columns of .debug_cu_index are about, by version. Units share their strings. */
const COLUMNS: Record<number, Record<number, number>> = {
  2: { 1: SECTION_INFO, 3: SECTION_ABBREV, 6: SECTION_STR_OFFSETS },
  5: { 1: SECTION_INFO, 3: SECTION_ABBREV, 6: SECTION_STR_OFFSETS, 8: SECTION_RNGLISTS },
};
const MOST_INDEX_BYTES = 1 << 26;

/** Where a unit is in the sections of a .dwp file. */
type Parts = Map<number, { offset: number; size: number }>;

export class SplitFiles {
  readonly #core: SymbolCore;
  readonly #program: ElfFile;
  readonly #packages: readonly string[];
  #package: { file: ElfFile; index: DataView } | null | undefined;

  /** @param packages where a .dwp file may be */
  constructor(core: SymbolCore, program: ElfFile, packages: readonly string[]) {
    this.#core = core;
    this.#program = program;
    this.#packages = packages;
  }

  close(): void {
    this.#package?.file.close();
    this.#package = null;
  }

  /**
   * Gives `look` the sections of each file that may have the unit of a skeleton, until it is found.
   * @param problems gets a line if it is nowhere, but no second one
   */
  search(skeleton: Skeleton, problems: Set<string>, look: (sections: DebugSections) => SplitSearch): void {
    this.#package ??= this.#openPackage();
    const parts = this.#package && find(this.#package.index, skeleton.id);
    if (this.#package && parts && look(this.#sections(this.#package.file, parts)) === "found") return;
    const path = resolve(skeleton.directory, skeleton.name);
    let problem: string | null = null;
    for (const candidate of new Set([path, join(dirname(this.#program.path), basename(skeleton.name))])) {
      const wrong = this.#searchFile(candidate, look);
      if (wrong === null) return;
      if (wrong !== MISSING) problem ??= `${candidate} ${wrong}`;
    }
    if ([...problems].some((problem) => problem.startsWith(NOWHERE))) return;
    problems.add(NOWHERE + (problem ?? `${path} is missing`));
  }

  /** What is wrong with a .dwo file, null if the unit was found. */
  #searchFile(path: string, look: (sections: DebugSections) => SplitSearch): string | null {
    let file: ElfFile;
    try {
      file = new ElfFile(this.#core, path);
    } catch (error) {
      if (!(error instanceof ElfError)) throw error;
      return error.message === MISSING ? MISSING : `cannot be read: ${error.message}`;
    }
    try {
      const found = look(this.#sections(file, null));
      if (found === "found") return null;
      if (file.problems.length > 0) return `cannot be read: ${file.problems[0]}`;
      return found === "other units" ? "is of another build" : "has no unit of debug information that can be read";
    } finally {
      file.close();
    }
  }

  #openPackage(): { file: ElfFile; index: DataView } | null {
    for (const path of this.#packages) {
      const file = tryOpen(this.#core, path);
      if (file === null) continue;
      const section = file.section(SECTION_UNIT_INDEX);
      if (section !== null && section.size <= MOST_INDEX_BYTES) {
        const bytes = new Uint8Array(section.size);
        if (section.read(bytes, 0)) return { file, index: new DataView(bytes.buffer) };
      }
      file.close();
    }
    return null;
  }

  /** The sections of a unit: its own, or the parts of them that belong to it, and the program's. */
  #sections(file: ElfFile, parts: Parts | null): DebugSections {
    const sections = new Map<number, Section | null>();
    const open = (kind: number) => {
      if (!OWN.has(kind)) return this.#program.section(kind);
      // Types that have units of their own are in sections of their own, if no linker has joined them.
      const whole = kind === SECTION_INFO ? file.joined(SECTION_SPLIT + kind) : file.section(SECTION_SPLIT + kind);
      if (whole === null || parts === null || kind === SECTION_STR) return whole;
      const part = parts.get(kind);
      if (part === undefined || part.offset + part.size > whole.size) return null;
      return new Section(part.size, (target, at) => whole.read(target, part.offset + at));
    };
    const section = (kind: number) => {
      if (!sections.has(kind)) sections.set(kind, open(kind));
      return sections.get(kind) ?? null;
    };
    return { section, lowestCode: this.#program.lowestCode };
  }
}

/**
 * Looks a unit up in .debug_cu_index: a hash table of ids, a row number for each, and rows of offsets and sizes with a
 * column for each section. Null if it is not there.
 */
function find(index: DataView, id: bigint): Parts | null {
  if (index.byteLength < 16) return null;
  // Version 2 fills four bytes, version 5 two.
  const columns = COLUMNS[index.getUint16(0, true)];
  const [columnCount, rowCount, slotCount] = [4, 8, 12].map((at) => index.getUint32(at, true));
  if (columns === undefined || !slotCount || (slotCount & (slotCount - 1)) !== 0) return null;
  const rows = 16 + slotCount * 8;
  const kinds = rows + slotCount * 4;
  const offsets = kinds + columnCount! * 4;
  const sizes = offsets + rowCount! * columnCount! * 4;
  if (sizes + rowCount! * columnCount! * 4 > index.byteLength) return null;
  const mask = BigInt(slotCount - 1);
  const step = ((id >> 32n) & mask) | 1n;
  let slot = id & mask;
  for (let tries = 0; tries < slotCount; tries++, slot = (slot + step) & mask) {
    const row = index.getUint32(rows + Number(slot) * 4, true);
    if (row === 0 || row > rowCount!) return null;
    if (index.getBigUint64(16 + Number(slot) * 8, true) !== id) continue;
    const parts: Parts = new Map();
    for (let column = 0; column < columnCount!; column++) {
      const kind = columns[index.getUint32(kinds + column * 4, true)];
      const at = ((row - 1) * columnCount! + column) * 4;
      if (kind === undefined) continue;
      parts.set(kind, { offset: index.getUint32(offsets + at, true), size: index.getUint32(sizes + at, true) });
    }
    return parts;
  }
  return null;
}

const NOWHERE = "inlined calls are unknown: ";
/** What elfbytes.ts says of a file that there is not. */
const MISSING = "no such file";
