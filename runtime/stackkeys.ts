// What the stacks of a diff are compared by, as numbers: equal ones have the same. All of it is made of texts in place, and none of a frame
// that came before.
//
//   ["app","make_leak","src/leak.c",12]   exact:  ["app","make_leak","leak.c",12]      a folder makes no difference
//                                         loose:  ["app","make_leak"                   nor does a line

import { partsOf, QUOTE } from "./frametext.js";
import { json } from "./json.js";
import { enlarged, Numbering } from "./numbering.js";
import { Frames } from "./snapshotframes.js";
import { numberFrames } from "./snapshotrow.js";
import { isRuntimeName } from "./suppressions.js";
import type { SnapshotStack } from "./types.js";

const PLUS = 0x2b;
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
  readonly #exact = new Numbering();
  readonly #loose = new Numbering();
  /** What a stack consists of, as numbers, and their bytes. */
  #parts = new Uint32Array(64);
  #bytes = Buffer.from(this.#parts.buffer);

  /** Equal where program, functions, lines and file names are; and where program and functions are. @throws SnapshotError */
  of(row: SnapshotStack): { exact: number; loose: number } {
    const count = numberFrames(row, this.#frames);
    const { numbers } = this.#frames;
    while (this.#keyed < this.#frames.size) this.#addKeys();
    const keys = this.#keys;
    if (count + 2 > this.#parts.length) {
      this.#parts = enlarged(this.#parts, count + 2);
      this.#bytes = Buffer.from(this.#parts.buffer);
    }
    const parts = this.#parts;
    parts[0] = this.#program(row.program);
    parts[1] = Number(row.cut);
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

  #program(name: string): number {
    const known = this.#programs.get(name) ?? this.#programs.size;
    this.#programs.set(name, known);
    return known;
  }

  /** The keys of the first frame that has none. */
  #addKeys(): void {
    let text = this.#frames.text(this.#keyed);
    let parts = partsOf(text, 0, text.length);
    // What can be written in several ways is compared as memview writes it.
    if (parts === null || parts.escaped) {
      text = Buffer.from(JSON.stringify(json(text.toString())));
      parts = partsOf(text, 0, text.length)!;
    }
    const { module, name, nameEnd, path, file } = parts;
    const kind = this.#kindOf(text, module);
    const nameless = text[name] !== QUOTE || kind.runtime || (text[name + 1] === PLUS && kind.library);
    const loose = this.#looseFrames.of(text, 0, nameless ? module : nameEnd);
    const exact = file === path ? text : Buffer.concat([text.subarray(0, path), text.subarray(file)]);
    const at = FIELDS * this.#keyed++;
    if (at === this.#keys.length) this.#keys = enlarged(this.#keys, at + FIELDS);
    this.#keys[at] = this.#exactFrames.of(exact, 0, exact.length);
    this.#keys[at + 1] = loose;
    this.#keys[at + 2] = Number(kind.runtime);
  }

  /** Of the module that a frame's text begins with. */
  #kindOf(text: Buffer, end: number): ModuleKind {
    const number = this.#modules.of(text, 0, end);
    if (this.#kinds[number] === undefined) {
      const name = json(text.toString("utf8", 1, end)) as string;
      this.#kinds[number] = { runtime: isRuntimeName(name), library: /\.so(\.|$)/.test(name) };
    }
    return this.#kinds[number];
  }
}

interface ModuleKind {
  /** Of the C or C++ runtime. */
  runtime: boolean;
  library: boolean;
}
