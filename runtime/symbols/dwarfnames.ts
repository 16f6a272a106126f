// The names of functions: the names of entries of .debug_info. An entry without a name refers to one that has it, in
// its own unit, in another unit, or in the file to which dwz moved what several programs share.

import {
  NAME_FILE,
  NAME_IN_ALT,
  NAME_IN_UNIT,
  NAME_KIND,
  NAME_LINE,
  NAME_OFFSET,
  SECTION_INFO,
  SECTION_STR,
  UNIT_NEXT,
} from "../../asm/symbols/layout.js";
import type { DwarfReader } from "./dwarfreader.js";
import type { DwarfUnits } from "./dwarfunits.js";

const MOST_REFERENCES = 8;

/** A file's number in the line table, and a line; 0 for what is not said. */
export interface Declaration {
  file: number;
  line: number;
}

/** An entry that another one refers to. */
interface Reference {
  entry: number;
  shared: boolean;
}

export class FunctionNames {
  readonly #reader: DwarfReader;
  readonly #units: DwarfUnits;
  readonly #openShared: () => FunctionNames | null;
  #shared: FunctionNames | null | undefined;
  /** The function name of each entry asked for, or the entry that has it. */
  readonly #names = new Map<number, string | null | Reference>();

  /** Where the function of each entry is declared, as far as its own unit says that. */
  readonly #declared = new Map<number, Declaration>();

  /** @param openShared opens the shared file, null if it is not there */
  constructor(reader: DwarfReader, units: DwarfUnits, openShared: () => FunctionNames | null) {
    this.#reader = reader;
    this.#units = units;
    this.#openShared = openShared;
  }

  /** The name of an entry that was read, null if it has none. */
  of(entry: number): string | null {
    let name = this.#names.get(entry);
    for (let i = 0; i < MOST_REFERENCES && name instanceof Object; i++) name = this.#names.get(name.entry);
    return typeof name === "string" ? name : null;
  }

  /** Where the function of an entry that was read is declared. */
  declaration(entry: number): Declaration | undefined {
    return this.#declared.get(entry);
  }

  /** Finds the name of an entry of the present unit, or which entry elsewhere has it. */
  read(entry: number): void {
    if (this.#names.has(entry)) return;
    const { core } = this.#reader;
    this.#reader.do(core.call.entryName(BigInt(entry)));
    const kind = core.number(NAME_KIND);
    const offset = Number(core.bigint(NAME_OFFSET));
    this.#declared.set(entry, { file: core.number(NAME_FILE), line: core.number(NAME_LINE) });
    const elsewhere = kind === NAME_IN_UNIT || kind === NAME_IN_ALT;
    const shared = kind === NAME_IN_ALT;
    this.#names.set(entry, elsewhere ? { entry: offset, shared } : this.#reader.string(kind, offset));
  }

  /** Reads the names that are in other units, then those in the shared file, whose windows take the place of ours. */
  follow(): void {
    for (let round = 0; round < MOST_REFERENCES; round++) {
      const entries = [...this.#names.values()].flatMap((name) =>
        name instanceof Object && !name.shared && !this.#names.has(name.entry) ? [name.entry] : [],
      );
      if (!this.#readByUnit(entries)) break;
    }
    const wanted = [...this.#names].flatMap(([from, name]) =>
      name instanceof Object && name.shared ? [{ from, entry: name.entry }] : [],
    );
    if (wanted.length === 0) return;
    const names = this.#sharedNames()?.lookUp(wanted.map(({ entry }) => entry)) ?? [];
    for (const [index, { from }] of wanted.entries()) this.#names.set(from, names[index] ?? null);
  }

  /** A string of the shared file. */
  sharedString(offset: number): string | null {
    const shared = this.#sharedNames();
    return shared === null ? null : shared.#reader.string(SECTION_STR, offset);
  }

  /** The names of entries that another file refers to. */
  lookUp(entries: readonly number[]): (string | null)[] {
    return this.#reader.core.scoped(() => {
      this.#reader.open();
      this.#readByUnit(entries);
      this.follow();
      return entries.map((entry) => this.of(entry));
    });
  }

  /** False if there was nothing to read. */
  #readByUnit(entries: readonly number[]): boolean {
    const units = new Map<number, number[]>();
    for (const entry of entries) {
      const unit = this.#units.around(entry);
      if (unit === undefined) continue;
      const group = units.get(unit);
      if (group === undefined) units.set(unit, [entry]);
      else group.push(entry);
    }
    for (const [unit, group] of units) this.#readInUnit(unit, group);
    return units.size > 0;
  }

  #readInUnit(unit: number, entries: number[]): void {
    const reader = this.#reader;
    reader.spare(() =>
      reader.inUnit(unit, () => {
        reader.see(SECTION_INFO, unit, Number(reader.core.bigint(UNIT_NEXT)) - unit);
        reader.do(reader.core.call.unitAbbreviations());
        for (const entry of entries) this.read(entry);
      }),
    );
    // What damage kept from us is not asked for again.
    for (const entry of entries) if (!this.#names.has(entry)) this.#names.set(entry, null);
  }

  #sharedNames(): FunctionNames | null {
    if (this.#shared === undefined) this.#shared = this.#openShared();
    return this.#shared;
  }
}
