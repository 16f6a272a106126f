// Which unit of .debug_info is meant: by address (.debug_aranges; the first entries of the units it does not list), by an
// entry's offset, by a skeleton's id.

import { SECTION_ARANGES, SECTION_INFO, SET_NEXT, SET_UNIT, UNIT_ID, UNIT_NEXT } from "../asm/symbols/layout.js";
import type { DwarfReader } from "./dwarfreader.js";

const NOWHERE = 0xffffffffffffffffn;

export class DwarfUnits {
  readonly #reader: DwarfReader;
  /** Offsets of all units, once something needed them. */
  #all: number[] | undefined;
  /** Units that .debug_aranges lists. */
  readonly #listed = new Set<number>();

  constructor(reader: DwarfReader) {
    this.#reader = reader;
  }

  /** The indices of the addresses (ascending) in each unit. An address in two units belongs to the first. */
  covering(addresses: BigUint64Array): Map<number, number[]> {
    const { core } = this.#reader;
    const count = addresses.length;
    this.#reader.setQueries(addresses);
    const listed = core.reserve(count * 8);
    core.bytes(listed, count * 8).fill(0xff);
    this.#readAranges(listed);
    const units: number[] = [];
    let left = 0;
    for (let i = 0; i < count; i++) {
      const unit = core.view.getBigUint64(listed + i * 8, true);
      if (unit === NOWHERE) left++;
      else units[i] = Number(unit);
    }
    if (left > 0) {
      const marks = core.reserve(count);
      for (const unit of this.#offsets()) {
        if (this.#listed.has(unit)) continue;
        core.bytes(marks, count).fill(0);
        const done = this.#reader.spare(() => {
          this.#reader.inUnit(unit, () => this.#reader.do(core.call.unitCovers(marks)));
          return true;
        });
        if (!done) continue;
        const marked = core.bytes(marks, count);
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

  #readAranges(units: number): void {
    const reader = this.#reader;
    const size = reader.sectionBytes(SECTION_ARANGES);
    reader.spare(() => {
      for (let offset = 0; offset < size; ) {
        const set = reader.retry(() => {
          reader.do(reader.core.call.arangesSet(BigInt(offset), units));
          return { next: Number(reader.core.bigint(SET_NEXT)), unit: Number(reader.core.bigint(SET_UNIT)) };
        });
        this.#listed.add(set.unit);
        offset = set.next;
      }
    });
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
