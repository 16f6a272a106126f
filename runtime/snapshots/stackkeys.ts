// What the stacks of a diff are compared by, as numbers: equal ones have the same. All of it is made of texts in place, and none of a frame
// that came before.
//
//   ["app","make_leak","src/leak.c",12]   exact:  ["app","make_leak","leak.c",12]      a folder makes no difference
//                                         loose:  ["app","make_leak"                   nor does a line
//
// Names and modules are compared by their keys (namekeys.ts). Where there is no line, what is only numbered differs exactly and is the same
// loosely.

import { json } from "../host/json.js";
import { enlarged, Numbering } from "../host/numbering.js";
import type { SnapshotStack } from "../host/types.js";
import { isRuntimeName } from "../reports/suppressions.js";
import { isTooDeep } from "../stores/cut.js";
import { demangle } from "../symbols/demangle.js";
import { mayHaveKey, moduleKey, nameKey, readableKey } from "../symbols/namekeys.js";
import { bareName, isStandard } from "./barenames.js";
import { type FrameParts, partsOf, QUOTE } from "./frametext.js";
import type { Functions } from "./optimized.js";
import { Frames, type FrameTuple } from "./snapshotframes.js";
import { numberFrames } from "./snapshotrow.js";

const PLUS = 0x2b;
/** In the place of a frame's line: the last letter, before the bracket. */
const END_OF_NULL = 0x6c;
/** Of a frame: what it is compared by exactly and loosely, and 1 if it is in the C or C++ runtime, where several in a row count as one. */
const FIELDS = 3;

export class StackKeys {
  readonly #frames = new Frames();
  readonly #programs = new Map<string, number>();
  /** What each frame is compared by, by its number: FIELDS numbers each. */
  #keys = new Int32Array(FIELDS << 10);
  /** How many frames have keys. */
  #keyed = 0;
  readonly #exactFrames = new Numbering();
  readonly #looseFrames = new Numbering();
  readonly #modules = new Numbering();
  readonly #kinds: ModuleKind[] = [];
  readonly #bareFrames = new Numbering();
  /** The number of each frame's module and bare name, as far as somebody asked. */
  readonly #bare: number[] = [];
  readonly #exact = new Numbering();
  readonly #loose = new Numbering();
  /** What a stack consists of, as numbers, and their bytes. */
  #parts = new Uint32Array(64);
  #bytes = Buffer.from(this.#parts.buffer);
  #scratch = Buffer.alloc(256);
  /** A frame whose module has another name. */
  #renamed = Buffer.alloc(256);

  /** Equal where program, functions, lines and file names are; and where program and functions are. @throws SnapshotError */
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
    const count = numberFrames(row, this.#frames);
    const keys = this.#keys;
    const names: number[] = [];
    const places: number[] = [];
    for (const number of this.#frames.numbers.subarray(0, count)) {
      const at = FIELDS * number;
      if (keys[at + 2] === 1) continue;
      names.push(keys[at + 1]!);
      places.push(keys[at]! + 1);
    }
    return { program: this.#program(row.program), cut: isTooDeep(row), names, places };
  }

  /** The same by their bare names and lines, without those of standard libraries. @throws SnapshotError */
  bareFunctionsOf(row: SnapshotStack): Functions {
    const count = numberFrames(row, this.#frames);
    const names: number[] = [];
    const places: number[] = [];
    for (const number of this.#frames.numbers.subarray(0, count)) {
      this.#bare[number] ??= this.#bareNumber(number);
      if (this.#bare[number] < 0) continue;
      names.push(this.#bare[number]);
      places.push(this.#frames.at(number).line ?? 0);
    }
    return { program: this.#program(row.program), cut: isTooDeep(row), names, places };
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
    const key = moduleKey(name);
    const known = this.#programs.get(key) ?? this.#programs.size;
    this.#programs.set(key, known);
    return known;
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
    const { runtime, library, key } = this.#kindOf(bytes, from, parts.module);
    const named = bytes[parts.name] === QUOTE && bytes[parts.name + 1] !== PLUS;
    const at = FIELDS * this.#keyed++;
    if (at === this.#keys.length) this.#keys = enlarged(this.#keys, at + FIELDS);
    let exact = -1;
    const renamed = named && mayHaveKey(bytes, parts.name + 1, parts.nameEnd - 1);
    if ((renamed || key !== null) && bytes[to - 2] === END_OF_NULL) exact = this.#exactOf(bytes, from, to, parts);
    if (renamed) {
      const [inModule, symbol, file, line] = json(bytes.toString("utf8", from, to)) as FrameTuple;
      bytes = Buffer.from(JSON.stringify([moduleKey(inModule), nameKey(symbol!), file, line]));
      [from, to] = [0, bytes.length];
      parts = partsOf(bytes, from, to)!;
    } else if (key !== null) {
      const [start, end] = [parts.module, to];
      if (key.length + end - start > this.#renamed.length) this.#renamed = Buffer.alloc(2 * (key.length + end - start));
      to = key.copy(this.#renamed);
      to += bytes.copy(this.#renamed, to, start, end);
      [bytes, from] = [this.#renamed, 0];
      parts = shifted(parts, key.length - start);
    }
    const { module, name, nameEnd } = parts;
    const nameless = bytes[name] !== QUOTE || runtime || (!named && library);
    this.#keys[at] = exact < 0 ? this.#exactOf(bytes, from, to, parts) : exact;
    this.#keys[at + 1] = this.#looseFrames.of(bytes, from, nameless ? module : nameEnd);
    this.#keys[at + 2] = Number(runtime);
  }

  /** The number of a frame's text without the folder of its file. */
  #exactOf(bytes: Buffer, from: number, to: number, { path, file }: FrameParts): number {
    if (to - from > this.#scratch.length) this.#scratch = Buffer.alloc(2 * (to - from));
    const start = bytes.copy(this.#scratch, 0, from, path);
    return this.#exactFrames.of(this.#scratch, 0, start + bytes.copy(this.#scratch, start, file, to));
  }

  /** Of the module that a frame's text begins with. */
  #kindOf(bytes: Buffer, from: number, end: number): ModuleKind {
    const number = this.#modules.of(bytes, from, end);
    if (this.#kinds[number] === undefined) {
      const name = json(bytes.toString("utf8", from + 1, end)) as string;
      const library = /\.so(\.|$)/.test(name);
      const key = moduleKey(name);
      const text = key === name ? null : Buffer.from(`[${JSON.stringify(key)}`);
      this.#kinds[number] = { runtime: isRuntimeName(name), library, key: text };
    }
    return this.#kinds[number];
  }
}

function shifted(parts: FrameParts, by: number): FrameParts {
  const { module, name, nameEnd, path, file } = parts;
  return { ...parts, module: module + by, name: name + by, nameEnd: nameEnd + by, path: path + by, file: file + by };
}

interface ModuleKind {
  /** Of the C or C++ runtime. */
  runtime: boolean;
  library: boolean;
  /** What the text of its frames begins with instead, if its name is not its key. */
  key: Buffer | null;
}
