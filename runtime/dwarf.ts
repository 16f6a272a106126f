// Source lines and inlined calls from a file's debug information (DWARF 2 to 5).
//
// symbols.wasm does the parsing (asm/symbols/), one unit at a time and only units that have an address asked for; this
// side finds those units, loads pieces of sections when an operation says that one is missing, and reads the strings.
//
//   addresses ─▶ units: .debug_aranges; if it does not have them, the first entries of the units it does not list
//   unit      ─▶ line program ─▶ file and line      } one pass over each for all its addresses
//             ─▶ tree of entries ─▶ chain of calls  }
//
// An operation starts anew when a piece was missing. That is rare: pieces stay, small sections are loaded as a whole.

import {
  BROKEN,
  CALL_ENTRY,
  CALL_FILE,
  CALL_LINE,
  CALL_PARENT,
  DONE,
  LINES_DIRECTORIES,
  LINES_DIRECTORY_COUNT,
  LINES_FILE_COUNT,
  LINES_FILES,
  LINES_VERSION,
  MISSING,
  MISSING_BYTES,
  MISSING_KIND,
  MISSING_OFFSET,
  NAME_IN_ALT,
  NAME_IN_UNIT,
  NAME_KIND,
  NAME_OFFSET,
  PATH_BYTES,
  PATH_DIRECTORY,
  PATH_KIND,
  PATH_OFFSET,
  ROW_BYTES,
  ROW_FILE,
  ROW_FOUND,
  ROW_LINE,
  SECTION_ALT_STR,
  SECTION_ARANGES,
  SECTION_INFO,
  SECTION_KINDS,
  SECTION_LINE,
  SECTION_STR,
  SET_NEXT,
  SET_UNIT,
  UNIT_DIRECTORY_KIND,
  UNIT_DIRECTORY_OFFSET,
  UNIT_HAS_LINES,
  UNIT_LINES,
  UNIT_NEXT,
  UNIT_SPLIT,
  WINDOW_ADDRESS,
  WINDOW_BASE,
  WINDOW_BYTES,
  WINDOW_LENGTH,
  WINDOW_SIZE,
} from "../asm/symbols/layout.js";
import type { ElfFile } from "./elffile.js";
import { OutOfMemory, type SymbolCore } from "./symbolcore.js";
import type { CodeLocation } from "./types.js";

export interface Pieces {
  /** Sections up to this size are loaded as a whole. */
  whole: number;
  /** The least that is loaded of larger ones. */
  least: number;
  /** The same for .debug_info: often just a unit's first entry is wanted. */
  leastInfo: number;
}

const PIECES: Pieces = { whole: 4 << 20, least: 1 << 18, leastInfo: 1 << 10 };
/** The most: no unit comes near. */
const MOST_WINDOW_BYTES = 1 << 29;
const MOST_REFERENCES = 8;

/** What the operation needs and the windows do not show. */
class Missing {
  constructor(
    readonly kind: number,
    readonly offset: number,
    readonly bytes: number,
  ) {}
}

/** Debug information that cannot be. */
class Broken extends Error {}

interface Window {
  base: number;
  address: number;
  length: number;
  capacity: number;
}

/** A function or inlined call around an address. */
interface Call {
  entry: number;
  file: string | null;
  line: number | null;
}

interface Place {
  file: string | null;
  line: number | null;
  /** The innermost inlined call first, the function last. */
  calls: Call[];
}

/** An entry that another one refers to. */
interface Reference {
  entry: number;
  shared: boolean;
}

export class DebugInformation {
  /** For each file that was named: the folder that its unit was compiled in. */
  readonly folders = new Map<string, string>();
  /** What was found wrong, fit for notes. */
  readonly problems = new Set<string>();
  readonly #core: SymbolCore;
  readonly #file: ElfFile;
  readonly #openShared: () => ElfFile | null;
  readonly #pieces: Pieces;
  /** What dwz moved to a file that several programs share: names of functions. */
  #shared: DebugInformation | null | undefined;
  #windows: Window[] = [];
  /** Offsets of all units, once something needed them. */
  #units: number[] | undefined;
  /** Units that .debug_aranges lists. */
  readonly #listed = new Set<number>();
  /** The function name of each entry asked for, or the entry that has it. */
  readonly #names = new Map<number, string | null | Reference>();

  /**
   * @param openShared opens the file that .gnu_debugaltlink names, null if it is not there
   * @param pieces how sections are loaded: tests take small pieces, so that small files have many
   */
  constructor(core: SymbolCore, file: ElfFile, openShared: () => ElfFile | null = () => null, pieces = PIECES) {
    this.#core = core;
    this.#file = file;
    this.#openShared = openShared;
    this.#pieces = pieces;
  }

  /**
   * The locations of each address as Symbolizer.symbolize() gives them, null where there is no debug information.
   * @param addresses ascending, each once
   */
  locate(addresses: BigUint64Array): (CodeLocation[] | null)[] {
    return this.#core.scoped(() => {
      this.#openWindows();
      const places: (Place | null)[] = Array(addresses.length).fill(null);
      try {
        const queries = this.#queries(addresses);
        const units = this.#unitsOf(queries, addresses);
        for (const [unit, indices] of units) {
          this.#spare(() => this.#locateInUnit(unit, addresses, indices, places));
        }
        this.#followNames();
        this.#readSharedNames();
      } catch (error) {
        this.#excuse(error);
      }
      return places.map((place) => place && this.#locations(place));
    });
  }

  /** Damage in one part of a unit leaves its other part alone. */
  #spare<T>(work: () => T): T | null {
    try {
      return work();
    } catch (error) {
      this.#excuse(error);
      return null;
    }
  }

  /** Damage costs the answers it touches, not more. */
  #excuse(error: unknown): void {
    if (error instanceof Broken) this.problems.add(error.message);
    else if (error instanceof OutOfMemory) this.problems.add("its debug information is too large");
    else throw error;
  }

  #locations({ file, line, calls }: Place): CodeLocation[] {
    if (calls.length === 0) return [{ function: null, file, line, inlined: false }];
    // Where a function is at that moment, is where it called the one before.
    let at: { file: string | null; line: number | null } = { file, line };
    return calls.map((call, index) => {
      const location = {
        function: this.#name(call.entry),
        file: at.file,
        line: at.line,
        inlined: index < calls.length - 1,
      };
      at = call;
      return location;
    });
  }

  // ── Units ──────────────────────────────────────────────────────────────────────────────────────

  #queries(addresses: BigUint64Array): number {
    const queries = this.#core.reserve(addresses.byteLength);
    this.#core
      .bytes(queries, addresses.byteLength)
      .set(new Uint8Array(addresses.buffer, addresses.byteOffset, addresses.byteLength));
    return queries;
  }

  /** The indices of the addresses in each unit. An address in two units belongs to the first. */
  #unitsOf(queries: number, addresses: BigUint64Array): Map<number, number[]> {
    const { call } = this.#core;
    const count = addresses.length;
    call.setQueries(queries, count, this.#file.lowestCode);
    const listed = this.#core.reserve(count * 8);
    this.#core.bytes(listed, count * 8).fill(0xff);
    this.#readAranges(listed);
    const units: number[] = [];
    let left = 0;
    for (let i = 0; i < count; i++) {
      const unit = this.#core.view.getBigUint64(listed + i * 8, true);
      if (unit === 0xffffffffffffffffn) left++;
      else units[i] = Number(unit);
    }
    if (left > 0) {
      const marks = this.#core.reserve(count);
      for (const unit of this.#allUnits()) {
        if (this.#listed.has(unit)) continue;
        this.#core.bytes(marks, count).fill(0);
        try {
          this.#inUnit(unit, () => this.#do(call.unitCovers(marks)));
        } catch (error) {
          this.#excuse(error);
          continue;
        }
        const marked = this.#core.bytes(marks, count);
        for (let i = marked.indexOf(1); i >= 0; i = marked.indexOf(1, i + 1)) units[i] ??= unit;
      }
    }
    const groups = new Map<number, number[]>();
    for (let i = 0; i < count; i++) {
      const unit = units[i];
      if (unit === undefined) continue;
      const group = groups.get(unit);
      if (group === undefined) groups.set(unit, [i]);
      else group.push(i);
    }
    return new Map([...groups].sort(([one], [other]) => one - other));
  }

  #readAranges(units: number): void {
    const size = this.#file.section(SECTION_ARANGES)?.size ?? 0;
    try {
      for (let offset = 0; offset < size; ) {
        const set = this.#retry(() => {
          this.#do(this.#core.call.arangesSet(BigInt(offset), units));
          return { next: Number(this.#core.bigint(SET_NEXT)), unit: Number(this.#core.bigint(SET_UNIT)) };
        });
        this.#listed.add(set.unit);
        offset = set.next;
      }
    } catch (error) {
      this.#excuse(error);
    }
  }

  #allUnits(): number[] {
    if (this.#units !== undefined) return this.#units;
    const units: number[] = [];
    const size = this.#file.section(SECTION_INFO)?.size ?? 0;
    try {
      for (let offset = 0; offset < size; ) {
        this.#dropWindow(SECTION_INFO);
        const next = this.#retry(() => {
          this.#do(this.#core.call.unitNext(BigInt(offset)));
          return Number(this.#core.bigint(UNIT_NEXT));
        });
        units.push(offset);
        offset = next;
      }
    } catch (error) {
      this.#excuse(error);
    }
    this.#units = units;
    return units;
  }

  /** The unit that an entry is in. */
  #unitAt(entry: number): number | undefined {
    const units = this.#allUnits();
    let low = 0;
    let high = units.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (units[middle]! <= entry) low = middle + 1;
      else high = middle;
    }
    return units[low - 1];
  }

  /** Does some work with a unit as the present one. */
  #inUnit<T>(unit: number, work: () => T): T {
    for (let kind = 0; kind < SECTION_KINDS; kind++) this.#dropWindow(kind);
    return this.#retry(() => {
      this.#do(this.#core.call.unitOpen(BigInt(unit)));
      return work();
    });
  }

  // ── In a unit ──────────────────────────────────────────────────────────────────────────────────

  #locateInUnit(unit: number, addresses: BigUint64Array, indices: number[], places: (Place | null)[]): void {
    const { call } = this.#core;
    const found = this.#inUnit(unit, () => {
      const next = Number(this.#core.bigint(UNIT_NEXT));
      const split = this.#core.number(UNIT_SPLIT) !== 0;
      const lines = this.#core.number(UNIT_HAS_LINES) !== 0 ? this.#core.bigint(UNIT_LINES) : null;
      const directoryKind = this.#core.number(UNIT_DIRECTORY_KIND);
      const directoryOffset = Number(this.#core.bigint(UNIT_DIRECTORY_OFFSET));
      // First everything that will be needed, then the work: what is missing makes it start anew.
      if (!split) this.#see(SECTION_INFO, unit, next - unit);
      if (lines !== null) {
        this.#do(call.linesEnd(lines));
        this.#see(SECTION_LINE, Number(lines), Number(this.#core.bigint(UNIT_NEXT) - lines));
      }
      const own = addresses.length === indices.length ? addresses : BigUint64Array.from(indices, (i) => addresses[i]!);
      call.setQueries(this.#queries(own), own.length, this.#file.lowestCode);
      const directory = this.#string(directoryKind, directoryOffset) ?? "";
      const { rows, path } =
        this.#spare(() => this.#lines(lines, own.length, directory)) ?? this.#lines(null, own.length, "");
      const found: Place[] = rows.map((row) => ({
        file: row && path(row.file),
        line: row?.line || null,
        calls: [],
      }));
      if (split) {
        this.problems.add("inlined calls are in separate .dwo files, which are not read");
        return found;
      }
      this.#spare(() => this.#findCalls(own, found, path));
      return found;
    });
    for (const [index, place] of found.entries()) places[indices[index]!] = place;
  }

  /** Finds the calls around each place, and what the functions are called. */
  #findCalls(addresses: BigUint64Array, places: Place[], path: (file: number) => string | null): void {
    const { call } = this.#core;
    this.#do(call.unitAbbreviations());
    this.#walk(false, places, path);
    const left = places.flatMap((place, index) => (place.calls.length === 0 ? [index] : []));
    if (left.length > 0) {
      const rest = BigUint64Array.from(left, (index) => addresses[index]!);
      call.setQueries(this.#queries(rest), rest.length, this.#file.lowestCode);
      const deep = left.map((index) => places[index]!);
      this.#walk(true, deep, path);
    }
    for (const { calls } of places) for (const { entry } of calls) this.#readName(entry);
  }

  /** Runs the line program at an offset, if there is one. Relative paths begin at the directory. */
  #lines(offset: bigint | null, count: number, directory: string) {
    const core = this.#core;
    type Row = { file: number; line: number } | null;
    if (offset === null) return { rows: Array<Row>(count).fill(null), path: () => null };
    const out = core.reserve(count * ROW_BYTES);
    this.#do(core.call.unitLines(offset, out));
    const oldForm = core.number(LINES_VERSION) < 5 ? 1 : 0;
    const directories = { at: core.number(LINES_DIRECTORIES), count: core.number(LINES_DIRECTORY_COUNT) };
    const files = { at: core.number(LINES_FILES), count: core.number(LINES_FILE_COUNT) };
    const name = (table: { at: number; count: number }, index: number) => {
      const at = table.at + (index - oldForm) * PATH_BYTES;
      if (index < oldForm || index - oldForm >= table.count) return null;
      return {
        text: this.#string(
          core.view.getUint32(at + PATH_KIND, true),
          Number(core.view.getBigUint64(at + PATH_OFFSET, true)),
        ),
        directory: core.view.getUint32(at + PATH_DIRECTORY, true),
      };
    };
    const paths = new Map<number, string | null>();
    const path = (index: number) => {
      let known = paths.get(index);
      if (known === undefined) {
        const file = name(files, index);
        known = file?.text ? join(directory, name(directories, file.directory)?.text ?? "", file.text) : null;
        if (known !== null) this.folders.set(known, directory);
        paths.set(index, known);
      }
      return known;
    };
    const rows = Array.from({ length: count }, (_, index): Row => {
      const at = out + index * ROW_BYTES;
      if (core.view.getUint32(at + ROW_FOUND, true) === 0) return null;
      return { file: core.view.getUint32(at + ROW_FILE, true), line: core.view.getUint32(at + ROW_LINE, true) };
    });
    return { rows, path };
  }

  /** Says for each place which calls are around it. */
  #walk(deep: boolean, places: Place[], path: (file: number) => string | null): void {
    const core = this.#core;
    const out = core.reserve(places.length * 4);
    this.#do(core.call.unitWalk(deep ? 1 : 0, out));
    const { view } = core;
    for (const [index, { calls }] of places.entries()) {
      for (
        let call = view.getUint32(out + index * 4, true);
        call !== 0;
        call = view.getUint32(call + CALL_PARENT, true)
      ) {
        calls.push({
          entry: Number(view.getBigUint64(call + CALL_ENTRY, true)),
          file: path(view.getUint32(call + CALL_FILE, true)),
          line: view.getUint32(call + CALL_LINE, true) || null,
        });
      }
    }
  }

  // ── Names ──────────────────────────────────────────────────────────────────────────────────────

  /** Finds the name of an entry of the present unit, or which entry elsewhere has it. */
  #readName(entry: number): void {
    if (this.#names.has(entry)) return;
    this.#do(this.#core.call.entryName(BigInt(entry)));
    const kind = this.#core.number(NAME_KIND);
    const offset = Number(this.#core.bigint(NAME_OFFSET));
    const elsewhere = kind === NAME_IN_UNIT || kind === NAME_IN_ALT;
    this.#names.set(entry, elsewhere ? { entry: offset, shared: kind === NAME_IN_ALT } : this.#string(kind, offset));
  }

  /** Reads the names that are in other units. */
  #followNames(): void {
    for (let round = 0; round < MOST_REFERENCES; round++) {
      const entries = new Map<number, number[]>();
      for (const name of this.#names.values()) {
        if (name === null || typeof name === "string" || name.shared || this.#names.has(name.entry)) continue;
        const unit = this.#unitAt(name.entry);
        if (unit === undefined) continue;
        const group = entries.get(unit);
        if (group === undefined) entries.set(unit, [name.entry]);
        else group.push(name.entry);
      }
      if (entries.size === 0) return;
      for (const [unit, group] of entries) this.#readNamesInUnit(unit, group);
    }
  }

  #readNamesInUnit(unit: number, entries: number[]): void {
    try {
      this.#inUnit(unit, () => {
        this.#see(SECTION_INFO, unit, Number(this.#core.bigint(UNIT_NEXT)) - unit);
        this.#do(this.#core.call.unitAbbreviations());
        for (const entry of entries) this.#readName(entry);
      });
    } catch (error) {
      this.#excuse(error);
      for (const entry of entries) if (!this.#names.has(entry)) this.#names.set(entry, null);
    }
  }

  /** Reads the names that are in the shared file. Its windows take the place of ours: nothing of ours comes after. */
  #readSharedNames(): void {
    const wanted = [...this.#names].flatMap(([from, name]) =>
      name !== null && typeof name !== "string" && name.shared ? [{ from, entry: name.entry }] : [],
    );
    if (wanted.length === 0) return;
    const names = this.#openSharedFile()?.namesOf(wanted.map(({ entry }) => entry)) ?? [];
    for (const [index, { from }] of wanted.entries()) this.#names.set(from, names[index] ?? null);
  }

  #openSharedFile(): DebugInformation | null {
    if (this.#shared === undefined) {
      const file = this.#openShared();
      if (file === null) this.problems.add("some names are in a debug file shared with others (dwz), which is missing");
      this.#shared = file && new DebugInformation(this.#core, file, undefined, this.#pieces);
    }
    return this.#shared;
  }

  /** The function names of entries that another file refers to. */
  namesOf(entries: readonly number[]): (string | null)[] {
    return this.#core.scoped(() => {
      this.#openWindows();
      const units = new Map<number, number[]>();
      for (const entry of entries) {
        const unit = this.#unitAt(entry);
        if (unit === undefined) continue;
        const group = units.get(unit);
        if (group === undefined) units.set(unit, [entry]);
        else group.push(entry);
      }
      for (const [unit, group] of units) this.#readNamesInUnit(unit, group);
      this.#followNames();
      return entries.map((entry) => this.#name(entry));
    });
  }

  /** A string that another file refers to. */
  sharedString(offset: number): string | null {
    return this.#string(SECTION_STR, offset);
  }

  #name(entry: number): string | null {
    let name = this.#names.get(entry);
    for (let i = 0; i < MOST_REFERENCES && name instanceof Object; i++) name = this.#names.get(name.entry);
    return typeof name === "string" ? name : null;
  }

  #string(kind: number, offset: number): string | null {
    if (kind === SECTION_ALT_STR) return this.#openSharedFile()?.sharedString(offset) ?? null;
    return kind > 0 && kind < SECTION_KINDS ? (this.#file.section(kind)?.string(offset) ?? null) : null;
  }

  // ── Windows ────────────────────────────────────────────────────────────────────────────────────

  #openWindows(): void {
    this.#windows = Array.from({ length: SECTION_KINDS }, () => ({ base: 0, address: 0, length: 0, capacity: 0 }));
    for (let kind = 0; kind < SECTION_KINDS; kind++) this.#showWindow(kind);
  }

  #showWindow(kind: number): void {
    const { view } = this.#core;
    const at = (this.#core.call.windowsAddress() >>> 0) + kind * WINDOW_BYTES;
    const window = this.#windows[kind]!;
    view.setBigUint64(at + WINDOW_SIZE, BigInt(this.#file.section(kind)?.size ?? 0), true);
    view.setBigUint64(at + WINDOW_BASE, BigInt(window.base), true);
    view.setUint32(at + WINDOW_ADDRESS, window.address, true);
    view.setUint32(at + WINDOW_LENGTH, window.length, true);
  }

  /** Forgets the piece of a large section: the next unit needs another one. */
  #dropWindow(kind: number): void {
    const window = this.#windows[kind]!;
    if (window.length === 0 || (this.#file.section(kind)?.size ?? 0) <= this.#pieces.whole) return;
    window.length = 0;
    this.#showWindow(kind);
  }

  #do(status: number): void {
    if (status === DONE) return;
    if (status === BROKEN) throw new Broken("its debug information is damaged");
    if (status !== MISSING) throw new OutOfMemory("symbols.wasm is out of memory");
    const core = this.#core;
    throw new Missing(core.number(MISSING_KIND), Number(core.bigint(MISSING_OFFSET)), core.number(MISSING_BYTES));
  }

  /** Makes sure that a piece is in memory; if not, the work starts anew. */
  #see(kind: number, offset: number, bytes: number): void {
    const { base, length } = this.#windows[kind]!;
    if (offset < base || offset + bytes > base + length) throw new Missing(kind, offset, bytes);
  }

  /** Does some work, again and again until it misses nothing. */
  #retry<T>(work: () => T): T {
    for (;;) {
      try {
        return this.#core.scoped(work);
      } catch (error) {
        if (!(error instanceof Missing)) throw error;
        this.#load(error);
      }
    }
  }

  #load({ kind, offset, bytes }: Missing): void {
    const section = this.#file.section(kind);
    const window = this.#windows[kind]!;
    if (section === null || offset + bytes > section.size) throw new Broken("its debug information is cut off");
    let start = 0;
    let end = section.size;
    if (section.size > this.#pieces.whole) {
      const least = kind === SECTION_INFO ? this.#pieces.leastInfo : this.#pieces.least;
      start = offset;
      // As much again as there was: whoever reads on and on shall not start anew too often.
      end = Math.min(section.size, offset + Math.max(bytes, least, window.length));
      // Together with what is there already, or two pieces that are needed at once would take turns.
      if (window.length > 0) {
        start = Math.min(start, window.base);
        end = Math.max(end, window.base + window.length);
      }
    }
    if (end - start > MOST_WINDOW_BYTES) throw new Broken("a unit of its debug information is too large");
    if (end - start > window.capacity) {
      window.capacity = Math.max(end - start, Math.min(2 * window.capacity, section.size));
      window.address = this.#core.reserve(window.capacity);
    }
    window.base = start;
    window.length = end - start;
    if (!section.read(this.#core.bytes(window.address, window.length), start)) {
      throw new Broken("its debug information cannot be read");
    }
    this.#showWindow(kind);
  }
}

function join(...parts: string[]): string {
  let path = "";
  for (const part of parts) {
    if (part.startsWith("/") || path === "") path = part;
    else if (part !== "") path = path.endsWith("/") ? path + part : `${path}/${part}`;
  }
  return path;
}
