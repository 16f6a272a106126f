// Finds a unit of .debug_info: by address (.debug_aranges, and the first entries of the units that it does not list),
// by an entry's offset, or by a skeleton's id.

import {
  SECTION_ARANGES,
  SECTION_INFO,
  SET_COVERED,
  SET_NEXT,
  SET_UNIT,
  UNIT_ID,
  UNIT_NEXT,
} from "../../asm/symbols/layout.js";
import type { DwarfReader } from "./dwarfreader.js";

/** That are told for an address: more have it only where the file is damaged. */
const MOST_UNITS = 32;

export class DwarfUnits {
  readonly #reader: DwarfReader;
  /** Offsets of all units, once something needed them. */
  #all: number[] | undefined;
  /** Units that .debug_aranges lists. */
  readonly #listed = new Set<number>();

  constructor(reader: DwarfReader) {
    this.#reader = reader;
  }

  /**
   * The units with code at each address (ascending): those that .debug_aranges
   * lists, or the others, in the file's order.
   */
  covering(addresses: BigUint64Array, listed: boolean): number[][] {
    const { core } = this.#reader;
    const units = Array.from(addresses, (): number[] => []);
    this.#reader.setQueries(addresses);
    const marks = core.reserve(addresses.length);
    core.bytes(marks, addresses.length).fill(0);
    const add = (unit: number) => {
      const marked = core.bytes(marks, addresses.length);
      for (let i = marked.indexOf(1); i >= 0; i = marked.indexOf(1, i + 1)) {
        if (units[i]!.length < MOST_UNITS && !units[i]!.includes(unit)) units[i]!.push(unit);
      }
      marked.fill(0);
    };
    if (listed) this.#readAranges(marks, add);
    else this.#readOthers(marks, add);
    for (const each of units) each.sort((one, other) => one - other);
    return units;
  }

  /** The unit that an entry is in. */
  around(entry: number): number | undefined {
    const units = this.#offsets();
    let low = 0;
    let high = units.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (units[middle]! <= entry) low = middle + 1;
      else high = middle;
    }
    return units[low - 1];
  }

  /** The units that have an id, by that: of a .dwo file, where there are few. */
  withIds(): Map<bigint, number> {
    const units = new Map<bigint, number>();
    for (const unit of this.#offsets()) {
      const id = this.#reader.spare(() => this.#reader.inUnit(unit, () => this.#reader.core.bigint(UNIT_ID)));
      if (id) units.set(id, unit);
    }
    return units;
  }

  /** Has the addresses of each set marked, which are then added. */
  #readAranges(marks: number, add: (unit: number) => void): void {
    const reader = this.#reader;
    const { core } = reader;
    const size = reader.sectionBytes(SECTION_ARANGES);
    reader.spare(() => {
      for (let offset = 0; offset < size; ) {
        const set = reader.retry(() => {
          reader.do(core.call.arangesSet(BigInt(offset), marks));
          const next = Number(core.bigint(SET_NEXT));
          return { next, unit: Number(core.bigint(SET_UNIT)), covered: core.number(SET_COVERED) };
        });
        this.#listed.add(set.unit);
        if (set.covered > 0) add(set.unit);
        offset = set.next;
      }
    });
  }

  #readOthers(marks: number, add: (unit: number) => void): void {
    const reader = this.#reader;
    for (const unit of this.#offsets()) {
      if (this.#listed.has(unit)) continue;
      reader.spare(() => reader.inUnit(unit, () => reader.do(reader.core.call.unitCovers(marks))));
      add(unit);
    }
  }

  #offsets(): number[] {
    if (this.#all !== undefined) return this.#all;
    const reader = this.#reader;
    const units: number[] = [];
    const size = reader.sectionBytes(SECTION_INFO);
    reader.spare(() => {
      for (let offset = 0; offset < size; ) {
        reader.drop(SECTION_INFO);
        const next = reader.retry(() => {
          reader.do(reader.core.call.unitNext(BigInt(offset)));
          return Number(reader.core.bigint(UNIT_NEXT));
        });
        units.push(offset);
        offset = next;
      }
    });
    this.#all = units;
    return units;
  }
}
