// An ELF file: its build id, its sections and their contents, read piece by piece.
//
// Nothing is read before it is requested, and never the whole file: a program with debug information can have
// gigabytes. Compressed sections are the exception: each is decompressed whole.

import zlib from "node:zlib";
import {
  COMPRESSED_HEADER,
  COMPRESSED_NO,
  ELF_MACHINE,
  ELF_NAMES_INDEX,
  ELF_POINTER_BYTES,
  ELF_SECTION_BYTES,
  ELF_SECTION_COUNT,
  ELF_SECTIONS_OFFSET,
  ELF_SEGMENT_BYTES,
  ELF_SEGMENT_COUNT,
  ELF_SEGMENTS_OFFSET,
  ENTRY_ADDRESS,
  ENTRY_BYTES,
  ENTRY_COMPRESSED,
  ENTRY_EXECUTABLE,
  ENTRY_KIND,
  ENTRY_LINK,
  ENTRY_OFFSET,
  ENTRY_SIZE,
  SECTION_NOTE,
} from "../../asm/symbols/layout.js";
import { zstd } from "../host/zstd.js";
import { buildIdIn } from "./buildid.js";
import { type ElfBytes, ElfError, FileBytes, MemoryBytes, reason } from "./elfbytes.js";
import { headerBytes, type ProgramHeader, PT_LOAD, PT_NOTE, programHeader } from "./programheaders.js";
import { Section } from "./section.js";
import type { SymbolCore } from "./symbolcore.js";

const MOST_SECTIONS = 65536;
const MOST_NAME_BYTES = 16 << 20;
const MOST_SEGMENT_BYTES = 1 << 16;
const FNV_START = 0xcbf29ce484222325n;
const FNV_PRIME = 0x100000001b3n;
/** Compressed sections larger than this are left alone, whatever they claim to be. */
const MOST_DECOMPRESSED_BYTES = 1 << 30;

export class ElfFile {
  readonly path: string;
  /** Empty if the file has none. */
  readonly buildId: Uint8Array;
  /** Whether it is where a process sees it that has the file loaded. */
  readonly buildIdIsLoaded: boolean;
  /** Size of the file. */
  readonly bytes: number;
  /** 8 or 4. */
  readonly pointerBytes: number;
  readonly machine: number;
  /** The sections as symbols.wasm wants them (ENTRY_*), in the file's order. */
  readonly entries: Uint8Array;
  /** Lowest address with code: debug information about lower ones is about code the linker dropped. */
  readonly lowestCode: bigint;
  /** What was found wrong on the way, fit for notes. */
  readonly problems: string[] = [];
  readonly #source: ElfBytes;
  readonly #segments: Segments;
  readonly #sections = new Map<number, Section | null>();

  /**
   * Opens a file and reads its section table.
   * @param source its bytes, if they are not those of the file at the path
   * @throws ElfError if there is no such file, it cannot be read, or it is not an ELF file for this reader.
   */
  constructor(core: SymbolCore, path: string, source: ElfBytes = new FileBytes(path)) {
    this.path = path;
    this.#source = source;
    try {
      this.bytes = source.size;
      const table = core.scoped(() => this.#readTable(core));
      this.pointerBytes = table.pointerBytes;
      this.machine = table.machine;
      this.entries = table.entries;
      this.lowestCode = table.lowestCode;
      this.#segments = table.segments;
      const loaded = this.#loadedBuildId();
      this.buildId = loaded ?? this.#sectionsBuildId() ?? new Uint8Array(0);
      this.buildIdIsLoaded = loaded !== null || table.segments.count === 0;
    } catch (error) {
      source.close();
      throw error instanceof ElfError ? error : new ElfError(reason(error));
    }
  }

  close(): void {
    this.#source.close();
  }

  get sectionCount(): number {
    return this.entries.length / ENTRY_BYTES;
  }

  /** Sections may be compressed with zstd: prepareZstd() comes before their content. */
  get mayNeedZstd(): boolean {
    for (let index = 0; index < this.sectionCount; index++) {
      if (this.#field(index, ENTRY_COMPRESSED) === COMPRESSED_HEADER) return true;
    }
    return false;
  }

  /** The first section of a kind (SECTION_*), null if there is none with content we can read. */
  section(kind: number): Section | null {
    let section = this.#sections.get(kind);
    if (section === undefined) {
      section = null;
      for (let index = 0; index < this.sectionCount && section === null; index++) {
        if (this.#field(index, ENTRY_KIND) === kind) section = this.#open(index);
      }
      this.#sections.set(kind, section);
    }
    return section;
  }

  /** All sections of a kind one after the other, as a linker would put them; null if there is none. */
  joined(kind: number): Section | null {
    const parts: { start: number; section: Section }[] = [];
    let size = 0;
    for (let index = 0; index < this.sectionCount; index++) {
      const section = this.#field(index, ENTRY_KIND) === kind ? this.#open(index) : null;
      if (section === null) continue;
      parts.push({ start: size, section });
      size += section.size;
    }
    if (parts.length < 2) return parts[0]?.section ?? null;
    return new Section(size, (target, at) =>
      parts.every(({ start, section }) => {
        const from = Math.max(at, start);
        const to = Math.min(at + target.length, start + section.size);
        return from >= to || section.read(target.subarray(from - at, to - at), from - start);
      }),
    );
  }

  /** The section that the first section of this kind names as its strings. */
  linked(kind: number): Section | null {
    for (let index = 0; index < this.sectionCount; index++) {
      if (this.#field(index, ENTRY_KIND) !== kind) continue;
      const link = this.#field(index, ENTRY_LINK);
      return link < this.sectionCount ? this.#open(link) : null;
    }
    return null;
  }

  /** Reads exactly target.length bytes at an offset of the file. False if the file ends before. */
  read(target: Uint8Array, offset: number): boolean {
    return this.#source.read(target, offset);
  }

  /** FNV-1a of the program headers, as the library stores it; 0n if they cannot be read. */
  layout(): bigint {
    const headers = this.#rawProgramHeaders();
    return headers?.reduce((hash, byte) => BigInt.asUintN(64, (hash ^ BigInt(byte)) * FNV_PRIME), FNV_START) ?? 0n;
  }

  /** The lowest address that is loaded, and the end of the highest. */
  addresses(): { low: bigint; high: bigint } {
    const loaded = [...this.#programHeaders()].filter(({ type }) => type === PT_LOAD);
    const lows = loaded.map(({ address }) => address);
    const highs = loaded.map(({ address, memoryBytes }) => address + memoryBytes);
    return { low: lows.sort(ascending)[0] ?? 0n, high: highs.sort(ascending).at(-1) ?? 0n };
  }

  #field(index: number, field: number): number {
    return new DataView(this.entries.buffer).getUint32(index * ENTRY_BYTES + field, true);
  }

  #large(index: number, field: number): number {
    return Number(new DataView(this.entries.buffer).getBigUint64(index * ENTRY_BYTES + field, true));
  }

  #open(index: number): Section | null {
    const offset = this.#large(index, ENTRY_OFFSET);
    const size = this.#large(index, ENTRY_SIZE);
    if (size === 0) return null;
    if (offset + size > this.bytes) {
      this.problems.push("a section lies beyond the end of the file");
      return null;
    }
    const compressed = this.#field(index, ENTRY_COMPRESSED);
    if (compressed === COMPRESSED_NO) return new Section(size, (target, at) => this.read(target, offset + at));
    try {
      const content = new MemoryBytes(this.#decompress(compressed, offset, size));
      return new Section(content.size, (target, at) => content.read(target, at));
    } catch (error) {
      this.problems.push(`a compressed section cannot be read: ${reason(error)}`);
      return null;
    }
  }

  #decompress(compressed: number, offset: number, size: number): Uint8Array {
    const bytes = new Uint8Array(size);
    if (!this.read(bytes, offset)) throw new ElfError("the file has become shorter");
    const view = new DataView(bytes.buffer);
    let method = 1;
    let header = 12;
    let plainBytes: number;
    if (compressed === COMPRESSED_HEADER) {
      const wide = this.pointerBytes === 8;
      header = wide ? 24 : 12;
      if (size < header) throw new ElfError("it is too short");
      method = view.getUint32(0, true);
      plainBytes = wide ? Number(view.getBigUint64(8, true)) : view.getUint32(4, true);
    } else {
      if (size < header || view.getUint32(0) !== 0x5a4c4942) throw new ElfError("it has no header");
      plainBytes = Number(view.getBigUint64(4));
    }
    if (plainBytes > MOST_DECOMPRESSED_BYTES) throw new ElfError("it is too large");
    const data = bytes.subarray(header);
    let plain: Uint8Array;
    if (method === 1) plain = zlib.inflateSync(data, { maxOutputLength: plainBytes });
    else if (method !== 2) throw new ElfError(`compression method ${method} is unknown`);
    else plain = zstd(data, plainBytes);
    if (plain.length !== plainBytes) throw new ElfError("its size is not what its header says");
    return plain;
  }

  #readTable(core: SymbolCore) {
    const header = core.reserve(64);
    const length = Math.min(64, this.bytes);
    if (!this.read(core.bytes(header, length), 0) || !core.call.elfHeader(header, length)) {
      throw new ElfError("not an ELF file that can be read");
    }
    const offset = Number(core.bigint(ELF_SECTIONS_OFFSET));
    const pointerBytes = core.number(ELF_POINTER_BYTES);
    const wide = pointerBytes === 8 ? 1 : 0;
    const machine = core.number(ELF_MACHINE);
    const segments = {
      offset: Number(core.bigint(ELF_SEGMENTS_OFFSET)),
      count: core.number(ELF_SEGMENT_COUNT),
      bytes: core.number(ELF_SEGMENT_BYTES),
    };
    const entryBytes = core.number(ELF_SECTION_BYTES);
    let count = core.number(ELF_SECTION_COUNT);
    let namesIndex = core.number(ELF_NAMES_INDEX);
    const one = core.reserve(ENTRY_BYTES);
    const rawOne = core.reserve(entryBytes);
    const readOne = (index: number): { offset: number; size: number; link: number } | null => {
      if (!this.read(core.bytes(rawOne, entryBytes), offset + index * entryBytes)) return null;
      core.call.elfSections(rawOne, 1, entryBytes, wide, 0, 0, one);
      const field = (at: number) => Number(core.view.getBigUint64(one + at, true));
      return {
        offset: field(ENTRY_OFFSET),
        size: field(ENTRY_SIZE),
        link: core.view.getUint32(one + ENTRY_LINK, true),
      };
    };
    // Too many sections for the header's 16 bits: the first entry has the numbers.
    if (offset !== 0 && (count === 0 || namesIndex === 0xffff)) {
      const first = readOne(0);
      if (first !== null && count === 0) count = first.size;
      if (first !== null && namesIndex === 0xffff) namesIndex = first.link;
    }
    if (offset === 0 || entryBytes === 0) count = 0;
    if (count > MOST_SECTIONS || offset + count * entryBytes > this.bytes) {
      throw new ElfError("its section table lies beyond the end of the file");
    }
    const names = namesIndex < count ? readOne(namesIndex) : null;
    let namesAt = 0;
    let namesBytes = 0;
    if (names !== null && names.size <= MOST_NAME_BYTES && names.offset + names.size <= this.bytes) {
      namesBytes = names.size;
      namesAt = core.reserve(namesBytes);
      if (!this.read(core.bytes(namesAt, namesBytes), names.offset)) namesBytes = 0;
    }
    const table = core.reserve(count * entryBytes);
    const out = core.reserve(count * ENTRY_BYTES);
    if (!this.read(core.bytes(table, count * entryBytes), offset)) throw new ElfError("its section table is cut off");
    core.call.elfSections(table, count, entryBytes, wide, namesAt, namesBytes, out);
    const entries = core.bytes(out, count * ENTRY_BYTES).slice();
    return { pointerBytes, machine, entries, segments, lowestCode: lowestCode(entries) };
  }

  /** The first build id that is in a segment of notes. */
  #loadedBuildId(): Uint8Array | null {
    for (const { type, offset, fileBytes, align } of this.#programHeaders()) {
      const id = type === PT_NOTE ? this.#buildIdIn(offset, fileBytes, align) : null;
      if (id !== null) return id;
    }
    return null;
  }

  /**
   * The same of sections: a debug file has no segments, or wrong ones. They do not tell what their notes are padded to.
   */
  #sectionsBuildId(): Uint8Array | null {
    for (let index = 0; index < this.sectionCount; index++) {
      if (this.#field(index, ENTRY_KIND) !== SECTION_NOTE) continue;
      const [offset, size] = [this.#large(index, ENTRY_OFFSET), this.#large(index, ENTRY_SIZE)];
      const id = this.#buildIdIn(offset, size, 4) ?? this.#buildIdIn(offset, size, 8);
      if (id !== null) return id;
    }
    return null;
  }

  *#programHeaders(): Generator<ProgramHeader> {
    const bytes = this.#segments.bytes;
    const wide = this.pointerBytes === 8;
    const headers = this.#rawProgramHeaders();
    if (headers === null || bytes < headerBytes(wide)) return;
    const view = new DataView(headers.buffer);
    for (let at = 0; at < headers.length; at += bytes) yield programHeader(view, at, wide);
  }

  #rawProgramHeaders(): Uint8Array | null {
    const { offset, count, bytes } = this.#segments;
    if (count === 0 || count * bytes > MOST_SEGMENT_BYTES) return null;
    const headers = new Uint8Array(count * bytes);
    return this.read(headers, offset) ? headers : null;
  }

  #buildIdIn(offset: number, size: number, align: number): Uint8Array | null {
    return buildIdIn((target, at) => this.read(target, at), offset, size, align);
  }
}

function ascending(one: bigint, other: bigint): number {
  return one < other ? -1 : Number(one > other);
}

/** Where the program headers are, and how many of which size. */
interface Segments {
  offset: number;
  count: number;
  bytes: number;
}

function lowestCode(entries: Uint8Array): bigint {
  const view = new DataView(entries.buffer, entries.byteOffset, entries.length);
  let lowest: bigint | null = null;
  for (let at = 0; at < entries.length; at += ENTRY_BYTES) {
    const address = view.getBigUint64(at + ENTRY_ADDRESS, true);
    if (view.getUint32(at + ENTRY_EXECUTABLE, true) !== 0 && (lowest === null || address < lowest)) lowest = address;
  }
  return lowest ?? 0n;
}
