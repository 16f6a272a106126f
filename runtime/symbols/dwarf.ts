// Source lines and inlined calls from a file's debug information (DWARF 2 to 5).
//
// symbols.wasm does the parsing (asm/symbols/), one unit at a time, and only for units with a requested address. This
// side finds those units, loads pieces of sections when an operation says that one is missing, and reads the strings.
//
//   addresses ─▶ units (dwarfunits.ts)
//   unit      ─▶ line program ─▶ file and line (dwarflines.ts)      } one pass over each for all its addresses
//             ─▶ tree of entries ─▶ chain of calls ─▶ their names   }
//   skeleton  ─▶ the same, but its tree is in a .dwo or .dwp file (splitfiles.ts)

import {
  CALL_ENTRY,
  CALL_FILE,
  CALL_LINE,
  CALL_PARENT,
  SECTION_INFO,
  SECTION_LINE,
  UNIT_ADDRESSES_BASE,
  UNIT_DIRECTORY_KIND,
  UNIT_DIRECTORY_OFFSET,
  UNIT_HAS_LINES,
  UNIT_ID,
  UNIT_LINES,
  UNIT_LOW_PC,
  UNIT_NEXT,
  UNIT_RANGES_BASE,
  UNIT_SPLIT,
  UNIT_SPLIT_NAME_KIND,
  UNIT_SPLIT_NAME_OFFSET,
} from "../../asm/symbols/layout.js";
import type { CodeLocation } from "../host/types.js";
import { type Lines, noLines, runLines } from "./dwarflines.js";
import { FunctionNames } from "./dwarfnames.js";
import { type DebugSections, DwarfReader, PIECES, type Pieces } from "./dwarfreader.js";
import { DwarfUnits } from "./dwarfunits.js";
import type { ElfFile } from "./elffile.js";
import type { Skeleton, SplitFiles, SplitSearch } from "./splitfiles.js";
import type { SymbolCore } from "./symbolcore.js";

/** A function or inlined call around an address. */
interface Call {
  entry: number;
  /** Know what it is called. */
  names: FunctionNames;
  file: string | null;
  line: number | null;
}

interface Place {
  file: string | null;
  line: number | null;
  /** The innermost inlined call first, the function last. */
  calls: Call[];
}

/**
 * The line program of a unit some of whose functions the linker folded into
 * one: there are several lines for an address.
 */
interface Folded {
  lines: bigint;
  directory: string;
}

/** Places whose calls are in a .dwo file. */
interface SplitPlaces {
  /** The skeleton's. */
  unit: number;
  skeleton: Skeleton;
  folded: Folded | null;
  addresses: BigUint64Array;
  places: Place[];
  path: Lines["path"];
}

/** Other files that hold parts of a file's debug information. */
export interface RelatedFiles {
  /** Opens the file that .gnu_debugaltlink names, to which dwz moved names of functions; null if it is not there. */
  shared: () => ElfFile | null;
  split: SplitFiles | null;
}

export class DebugInformation {
  /** For each file that was named: the folder that its unit was compiled in. */
  readonly folders = new Map<string, string>();
  readonly #core: SymbolCore;
  readonly #related: RelatedFiles;
  readonly #pieces: Pieces;
  readonly #reader: DwarfReader;
  readonly #units: DwarfUnits;
  readonly #names: FunctionNames;

  /** @param pieces how sections are loaded: tests take small pieces, so that small files have many */
  constructor(
    core: SymbolCore,
    sections: DebugSections,
    related: RelatedFiles = { shared: () => null, split: null },
    pieces = PIECES,
    problems = new Set<string>(),
  ) {
    this.#core = core;
    this.#related = related;
    this.#pieces = pieces;
    this.#reader = new DwarfReader(core, sections, pieces, problems, (offset) => this.#names.sharedString(offset));
    this.#units = new DwarfUnits(this.#reader);
    this.#names = new FunctionNames(this.#reader, this.#units, () => this.#openShared());
  }

  /** What was found wrong, fit for notes. */
  get problems(): ReadonlySet<string> {
    return this.#reader.problems;
  }

  /**
   * The locations of each address as Symbolizer.symbolize() gives them, null where there is no debug information.
   * @param addresses ascending, each once
   */
  locate(addresses: BigUint64Array): (CodeLocation[] | null)[] {
    const places: (Place | null)[] = Array(addresses.length).fill(null);
    const left = () => places.flatMap((place, index) => (place?.calls.length || place?.line ? [] : [index]));
    for (const listed of [true, false]) {
      const indices = left();
      if (indices.length > 0) this.#core.scoped(() => this.#locateBy(listed, addresses, indices, places));
    }
    return places.map((place) => place && locations(place));
  }

  /**
   * Looks in the units that .debug_aranges lists, or in the others. One that
   * covers an address may know nothing about it: then the next.
   */
  #locateBy(listed: boolean, all: BigUint64Array, indices: number[], places: (Place | null)[]): void {
    const reader = this.#reader;
    reader.open();
    const addresses = all.length === indices.length ? all : BigUint64Array.from(indices, (index) => all[index]!);
    const units = reader.spare(() => this.#units.covering(addresses, listed)) ?? [];
    for (let turn = 0; ; turn++) {
      const groups = new Map<number, number[]>();
      for (const [i, index] of indices.entries()) {
        const unit = places[index]?.calls.length ? undefined : units[i]?.[turn];
        const group = unit === undefined ? undefined : groups.get(unit);
        if (group !== undefined) group.push(i);
        else if (unit !== undefined) groups.set(unit, [i]);
      }
      if (groups.size === 0) break;
      const found =
        turn === 0
          ? this.#locateInUnits(groups, addresses)
          : this.#core.scoped(() => {
              reader.open();
              return this.#locateInUnits(groups, addresses);
            });
      for (const [i, place] of found.entries()) {
        const index = indices[i]!;
        if (place !== null && (place.calls.length > 0 || !places[index]?.line)) places[index] = place;
      }
    }
  }

  /** @param groups for each unit the indices of its addresses */
  #locateInUnits(groups: Map<number, number[]>, addresses: BigUint64Array): (Place | null)[] {
    const places: (Place | null)[] = Array(addresses.length).fill(null);
    const split: SplitPlaces[] = [];
    this.#reader.spare(() => {
      for (const [unit, indices] of [...groups].sort(([one], [other]) => one - other)) {
        this.#reader.spare(() => this.#locateInUnit(unit, addresses, indices, places, split));
      }
      this.#names.follow();
      // Their windows take the place of ours: nothing of ours comes after that does not open them again.
      for (const part of split) this.#reader.spare(() => this.#findSplit(part));
    });
    return places;
  }

  #locateInUnit(
    unit: number,
    addresses: BigUint64Array,
    indices: number[],
    places: (Place | null)[],
    split: SplitPlaces[],
  ): void {
    const reader = this.#reader;
    const core = this.#core;
    const own = addresses.length === indices.length ? addresses : BigUint64Array.from(indices, (i) => addresses[i]!);
    const found = reader.inUnit(unit, () => {
      const next = Number(core.bigint(UNIT_NEXT));
      const lines = core.number(UNIT_HAS_LINES) !== 0 ? core.bigint(UNIT_LINES) : null;
      const directory =
        reader.string(core.number(UNIT_DIRECTORY_KIND), Number(core.bigint(UNIT_DIRECTORY_OFFSET))) ?? "";
      const skeleton = core.number(UNIT_SPLIT) !== 0 ? this.#skeleton(directory) : null;
      // First everything that will be needed, then the work: what is missing makes it start anew.
      if (skeleton === null) reader.see(SECTION_INFO, unit, next - unit);
      if (lines !== null) {
        reader.do(core.call.linesEnd(lines));
        reader.see(SECTION_LINE, Number(lines), Number(core.bigint(UNIT_NEXT) - lines));
      }
      reader.setQueries(own);
      const { rows, path } =
        (lines !== null && reader.spare(() => runLines(reader, lines, own.length, directory, this.folders))) ||
        noLines(own.length);
      const places = rows.map((row): Place => ({ file: row && path(row.file), line: row?.line || null, calls: [] }));
      if (skeleton === null) reader.spare(() => this.#findCalls(own, places, path));
      // Which of the functions that the linker folded into one is told about, is known only with the calls.
      const folded = lines !== null && rows.some((row) => row?.tied) ? { lines, directory } : null;
      if (folded !== null && skeleton === null) this.#chooseLines(folded, own, places, path);
      return { places, skeleton, path, folded };
    });
    for (const [index, place] of found.places.entries()) places[indices[index]!] = place;
    if (found.skeleton !== null) split.push({ ...found, unit, skeleton: found.skeleton, addresses: own });
  }

  /** Gives each place the line of the very function that its calls end with. */
  #chooseLines({ lines, directory }: Folded, addresses: BigUint64Array, places: Place[], path: Lines["path"]): void {
    const reader = this.#reader;
    const functions = places.map(({ calls }) => calls.at(-1)).map((call) => call?.names.declaration(call.entry));
    reader.setQueries(addresses);
    const found = reader.spare(() => runLines(reader, lines, addresses.length, directory, this.folders, functions));
    for (const [index, row] of found?.rows.entries() ?? []) {
      if (row !== null) Object.assign(places[index]!, { file: path(row.file), line: row.line || null });
    }
  }

  /** What the present unit says about its part in a .dwo file. */
  #skeleton(directory: string): Skeleton {
    const core = this.#core;
    const name = this.#reader.string(core.number(UNIT_SPLIT_NAME_KIND), Number(core.bigint(UNIT_SPLIT_NAME_OFFSET)));
    return {
      id: core.bigint(UNIT_ID),
      name: name ?? "",
      directory,
      lowPc: core.bigint(UNIT_LOW_PC),
      addressesBase: core.bigint(UNIT_ADDRESSES_BASE),
      rangesBase: core.bigint(UNIT_RANGES_BASE),
    };
  }

  #findSplit({ unit, skeleton, folded, addresses, places, path }: SplitPlaces): void {
    this.#related.split?.search(skeleton, this.#reader.problems, (sections) => {
      const part = new DebugInformation(this.#core, sections, undefined, this.#pieces, this.#reader.problems);
      return part.#findSkeletonsCalls(skeleton, addresses, places, path);
    });
    if (folded === null) return;
    this.#core.scoped(() => {
      this.#reader.open();
      this.#reader.inUnit(unit, () => this.#chooseLines(folded, addresses, places, path));
    });
  }

  /** Finds the calls around places in the unit, of a .dwo file, that belongs to a skeleton. */
  #findSkeletonsCalls(
    skeleton: Skeleton,
    addresses: BigUint64Array,
    places: Place[],
    path: (file: number) => string | null,
  ): SplitSearch {
    const reader = this.#reader;
    return this.#core.scoped(() => {
      reader.open();
      const units = this.#units.withIds();
      const unit = units.get(skeleton.id);
      if (unit === undefined) return units.size > 0 ? "other units" : "no units";
      reader.inUnit(unit, () => {
        reader.see(SECTION_INFO, unit, Number(this.#core.bigint(UNIT_NEXT)) - unit);
        this.#core.call.unitSkeleton(skeleton.lowPc, skeleton.addressesBase, skeleton.rangesBase);
        reader.setQueries(addresses);
        this.#findCalls(addresses, places, path);
      });
      this.#names.follow();
      return "found";
    });
  }

  /** Finds the calls around each place, and what the functions are called. */
  #findCalls(addresses: BigUint64Array, places: Place[], path: Lines["path"]): void {
    const reader = this.#reader;
    for (const place of places) place.calls = [];
    reader.do(this.#core.call.unitAbbreviations());
    this.#walk(false, places, path);
    const left = places.flatMap((place, index) => (place.calls.length === 0 ? [index] : []));
    if (left.length > 0) {
      reader.setQueries(BigUint64Array.from(left, (index) => addresses[index]!));
      const deep = left.map((index) => places[index]!);
      this.#walk(true, deep, path);
    }
    for (const { calls } of places) for (const { entry } of calls) this.#names.read(entry);
  }

  /** Says for each place which calls are around it. */
  #walk(deep: boolean, places: Place[], path: Lines["path"]): void {
    const core = this.#core;
    const out = core.reserve(places.length * 4);
    this.#reader.do(core.call.unitWalk(deep ? 1 : 0, out));
    const { view } = core;
    for (const [index, { calls }] of places.entries()) {
      for (
        let call = view.getUint32(out + index * 4, true);
        call !== 0;
        call = view.getUint32(call + CALL_PARENT, true)
      ) {
        calls.push({
          entry: Number(view.getBigUint64(call + CALL_ENTRY, true)),
          names: this.#names,
          file: path(view.getUint32(call + CALL_FILE, true)),
          line: view.getUint32(call + CALL_LINE, true) || null,
        });
      }
    }
  }

  #openShared(): FunctionNames | null {
    const file = this.#related.shared();
    if (file === null) {
      this.#reader.problems.add("some names are in a debug file shared with others (dwz), which is missing");
      return null;
    }
    const reader = new DwarfReader(this.#core, file, this.#pieces, this.#reader.problems, () => null);
    return new FunctionNames(reader, new DwarfUnits(reader), () => null);
  }
}

function locations({ file, line, calls }: Place): CodeLocation[] {
  if (calls.length === 0) return [{ function: null, file, line, inlined: false }];
  // Where a function is at that moment, is where it called the one before.
  let at: { file: string | null; line: number | null } = { file, line };
  return calls.map((call, index) => {
    const location = {
      function: call.names.of(call.entry),
      file: at.file,
      line: at.line,
      inlined: index < calls.length - 1,
    };
    at = call;
    return location;
  });
}
