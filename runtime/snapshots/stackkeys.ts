// What the stacks of a diff are compared by, as numbers: equal keys have equal numbers. They are made from the text in
// place.
//
//   ["app","make_leak","src/leak.c",12]   loose:  make_leak in app      neither line nor folder makes a difference
//                                         exact:  leak.c",12 in that    a folder makes none
//
// Names and modules are compared by their keys (namekeys.ts). Without a line, names that differ only in a compiler's
// numbering differ in the exact key and are the same in the loose one.

import { json } from "../host/json.js";
import { enlarged, Numbering } from "../host/numbering.js";
import type { SnapshotFrame, SnapshotStack } from "../host/types.js";
import { isRuntimeName } from "../reports/suppressions.js";
import { isTooDeep } from "../stores/cut.js";
import { demangle } from "../symbols/demangle.js";
import { mayHaveKey, moduleKey, nameKey, readableKey } from "../symbols/namekeys.js";
import { bareName, isStandard } from "./barenames.js";
import { partsOf, QUOTE } from "./frametext.js";
import { type Functions, STANDARD } from "./optimized.js";
import { Frames } from "./snapshotframes.js";
import { numberFrames } from "./snapshotrow.js";

const PLUS = 0x2b;
/** In the place of a frame's line: the last letter, before the bracket. */
const END_OF_NULL = 0x6c;
/**
 * Of a frame: what it is compared by exactly and loosely, and 1 if it is in the
 * C or C++ runtime, where several in a row count as one.
 */
const FIELDS = 3;

export class StackKeys {
  readonly #frames = new Frames();
  /** The number of each program, by its name. */
  readonly #programs = new Map<string, number>();
  /** What each frame is compared by, by its number: FIELDS numbers each. */
  #keys = new Int32Array(FIELDS << 10);
  /** How many frames have keys. */
  #keyed = 0;
  /** Modules, by the first part of a frame's text. */
  readonly #modules = new Numbering();
  readonly #kinds: ModuleKind[] = [];
  /** Functions, each in its module. */
  readonly #functions = new Numbering();
  /** Lines and files, each in its function. */
  readonly #places = new Numbering();
  readonly #bareFrames = new Numbering();
  /** The number of each frame's module and bare name, as far as somebody asked. */
  readonly #bare: number[] = [];
  readonly #exact = new Numbering();
  readonly #loose = new Numbering();
  /** What a stack consists of, as numbers, and their bytes. */
  #parts = new Uint32Array(64);
  #bytes = Buffer.from(this.#parts.buffer);

  /**
   * Equal where program, functions, lines and file names are; and where program
   * and functions are. @throws SnapshotError
   */
  of(row: SnapshotStack): { exact: number; loose: number } {
    const count = numberFrames(row, this.#frames);
    const { numbers } = this.#frames;
    while (this.#keyed < this.#frames.texts.size) this.#addKeys();
    const keys = this.#keys;
    if (count + 2 > this.#parts.length) {
      this.#parts = enlarged(this.#parts, count + 2);
      this.#bytes = Buffer.from(this.#parts.buffer);
    }
    const parts = this.#parts;
    parts[0] = this.#program(row.program);
    parts[1] = Number(isTooDeep(row));
    let length = 2;
    let before = -1;
    for (let i = 0; i < count; i++) parts[i + 2] = keys[FIELDS * numbers[i]!]!;
    const exact = this.#exact.of(this.#bytes, 0, 4 * (count + 2));
    for (let i = 0; i < count; i++) {
      const at = FIELDS * numbers[i]!;
      const loose = keys[at + 1]!;
      if (keys[at + 2] === 0 || loose !== before) parts[length++] = loose;
      before = loose;
    }
    return { exact, loose: this.#loose.of(this.#bytes, 0, 4 * length) };
  }

  /** The functions of a stack that has been numbered, without the runtime's: see optimized.ts. @throws SnapshotError */
  functionsOf(row: SnapshotStack): Functions {
    const keys = this.#keys;
    const names: number[] = [];
    const places: number[] = [];
    const numbers: number[] = [];
    for (const number of this.#numbersOf(row)) {
      if (keys[FIELDS * number + 2] === 1) continue;
      numbers.push(number);
      names.push(keys[FIELDS * number + 1]!);
      places.push(keys[FIELDS * number]! + 1);
    }
    const lineAt = (i: number) => (this.#bareOf(numbers[i]!) < 0 ? STANDARD : this.#lineOf(numbers[i]!));
    return { ...this.#ends(row), names, places, lineAt, frameAt: (i) => this.#frames.at(numbers[i]!) };
  }

  /** The same by their bare names and lines, without those of standard libraries. @throws SnapshotError */
  bareFunctionsOf(row: SnapshotStack): Functions {
    const names: number[] = [];
    const places: number[] = [];
    const numbers = this.#numbersOf(row).filter((number) => this.#bareOf(number) >= 0);
    for (const number of numbers) {
      names.push(this.#bareOf(number));
      places.push(this.#lineOf(number));
    }
    return {
      ...this.#ends(row),
      names,
      places,
      lineAt: (i) => places[i]!,
      frameAt: (i) => this.#frames.at(numbers[i]!),
    };
  }

  /** @throws SnapshotError */
  framesOf(row: SnapshotStack): SnapshotFrame[] {
    return [...this.#numbersOf(row)].map((number) => this.#frames.at(number));
  }

  #ends(row: SnapshotStack): Pick<Functions, "program" | "cut" | "lost"> {
    return { program: this.#program(row.program), cut: isTooDeep(row), lost: row.lost === true };
  }

  #numbersOf(row: SnapshotStack): Uint32Array {
    return this.#frames.numbers.subarray(0, numberFrames(row, this.#frames));
  }

  #lineOf(frame: number): number {
    return this.#frames.at(frame).line ?? 0;
  }

  #bareOf(frame: number): number {
    this.#bare[frame] ??= this.#bareNumber(frame);
    return this.#bare[frame];
  }

  /** −1 for the runtime, and for what a standard library consists of. */
  #bareNumber(frame: number): number {
    const { module, function: name, file } = this.#frames.at(frame);
    let key = name;
    if (name !== null && !name.startsWith("+")) key = readableKey(demangle(name), name);
    if (this.#keys[FIELDS * frame + 2] === 1 || isStandard(key, file)) return -1;
    const text = Buffer.from(
      JSON.stringify([moduleKey(module), key === null || key.startsWith("+") ? key : bareName(key)]),
    );
    return this.#bareFrames.of(text, 0, text.length);
  }

  #program(name: string): number {
    let number = this.#programs.get(name);
    if (number === undefined) {
      const key = moduleKey(name);
      number = this.#programs.get(key) ?? this.#programs.size;
      this.#programs.set(key, number).set(name, number);
    }
    return number;
  }

  /** The keys of the first frame that has none. */
  #addKeys(): void {
    const { texts } = this.#frames;
    let bytes = texts.arena;
    let [from, to] = [texts.startOf(this.#keyed), texts.endOf(this.#keyed)];
    let parts = partsOf(bytes, from, to);
    // What can be written in several ways is compared as memview writes it.
    if (parts === null || parts.escaped) {
      bytes = Buffer.from(JSON.stringify(json(bytes.toString("utf8", from, to))));
      [from, to] = [0, bytes.length];
      parts = partsOf(bytes, from, to)!;
    }
    const { runtime, library, own, module } = this.#kindOf(bytes, from, parts.module);
    const { name, nameEnd, path, file } = parts;
    const named = bytes[name] === QUOTE && bytes[name + 1] !== PLUS;
    const renamed = named && mayHaveKey(bytes, name + 1, nameEnd - 1);
    const known = renamed
      ? this.#functionOf(nameKey(json(bytes.toString("utf8", name, nameEnd)) as string), module)
      : this.#functions.of(bytes, name, nameEnd, module);
    const placeless = (renamed || own !== module) && bytes[to - 2] === END_OF_NULL;
    const scope = placeless ? this.#functions.of(bytes, name, nameEnd, own) : known;
    const nameless = bytes[name] !== QUOTE || runtime || (!named && library);
    const at = FIELDS * this.#keyed++;
    if (at === this.#keys.length) this.#keys = enlarged(this.#keys, at + FIELDS);
    this.#keys[at] = this.#places.of(bytes, path === to ? nameEnd : file, to, scope);
    // No name is as short as that.
    this.#keys[at + 1] = nameless ? this.#functions.of(bytes, from, from, module) : known;
    this.#keys[at + 2] = Number(runtime);
  }

  #functionOf(name: string, module: number): number {
    const text = Buffer.from(JSON.stringify(name));
    return this.#functions.of(text, 0, text.length, module);
  }

  /** Of the module that a frame's text begins with. */
  #kindOf(bytes: Buffer, from: number, end: number): ModuleKind {
    const own = this.#modules.of(bytes, from, end);
    let kind = this.#kinds[own];
    if (kind === undefined) {
      const name = json(bytes.toString("utf8", from + 1, end)) as string;
      const key = Buffer.from(`[${JSON.stringify(moduleKey(name))}`);
      const module = this.#modules.of(key, 0, key.length);
      kind = { runtime: isRuntimeName(name), library: /\.so(\.|$)/.test(name), own, module };
      this.#kinds[own] = kind;
    }
    return kind;
  }
}

interface ModuleKind {
  /** Of the C or C++ runtime. */
  runtime: boolean;
  library: boolean;
  /** The number of its name, and the one of its key. */
  own: number;
  module: number;
}
