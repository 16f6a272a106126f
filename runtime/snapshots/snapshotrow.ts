// Call stacks in a snapshot's file, one a line:
//
//   {"program":"app","count":1,"bytes":24,"stack":[["app","make_leak","src/leak.c",12],["app","main","src/main.c",7]]},
//
// A line is parsed up to its frames. The frames stay bytes of the file: they are compared without parsing, and parsed
// only on request. Of 50,000 stacks a comparison needs only the few that changed, so no strings are made for the
// others.

import { isNumber, json } from "../host/json.js";
import type { Cut, SnapshotFrame, SnapshotStack } from "../host/types.js";
import { cutOf, isTooDeep } from "../stores/cut.js";
import { BACKSLASH, COMMA, NINE, QUOTE, ZERO } from "./frametext.js";
import type { Frames } from "./snapshotframes.js";

/** What all rows of a file have in common. */
export interface RowFile {
  readonly bytes: Buffer;
  readonly frames: Frames;
  /** What is thrown where frames are damaged. */
  readonly damaged: Error;
}

/** A stack of a file. */
export class Row implements SnapshotStack {
  cut: boolean;
  lost?: true;
  readonly #file: RowFile;
  readonly #from: number;
  readonly #to: number;
  #stack: SnapshotFrame[] | undefined;

  /** Its frames are the bytes from `from` to `to`. */
  constructor(
    readonly program: string,
    public count: number,
    public bytes: number,
    { cut, lost }: Cut,
    file: RowFile,
    from: number,
    to: number,
  ) {
    this.cut = cut;
    if (lost) this.lost = lost;
    this.#file = file;
    this.#from = from;
    this.#to = to;
  }

  get text(): string {
    return this.#file.bytes.toString("utf8", this.#from, this.#to);
  }

  get stack(): readonly SnapshotFrame[] {
    const { frames } = this.#file;
    if (this.#stack === undefined) {
      this.#stack = frames.first(this.number(frames));
    }
    return this.#stack;
  }

  innermost(most: number): readonly SnapshotFrame[] {
    if (this.#stack !== undefined) return this.#stack.slice(0, most);
    const { frames, bytes, damaged } = this.#file;
    const length = frames.number(bytes, this.#from, this.#to, most);
    if (length < 0) throw damaged;
    return frames.first(length);
  }

  /** As Frames.number(). */
  number(frames: Frames): number {
    const length = frames.number(this.#file.bytes, this.#from, this.#to);
    if (length < 0) throw this.#file.damaged;
    return length;
  }

  compare(other: Row): number {
    const [left, right] = [this.#file.bytes, other.#file.bytes];
    // The longer file's method: Deno's refuses a range of the other that would lie outside of its own.
    return left.length >= right.length
      ? left.compare(right, other.#from, other.#to, this.#from, this.#to)
      : -right.compare(left, this.#from, this.#to, other.#from, other.#to);
  }
}

/** As Frames.number(), for a stack of a file or of a store. @throws SnapshotError where a file is damaged. */
export function numberFrames(row: SnapshotStack, frames: Frames): number {
  if (row instanceof Row) return row.number(frames);
  const bytes = Buffer.from(row.text);
  const length = frames.number(bytes, 0, bytes.length);
  if (length < 0) throw new TypeError(`this is no stack of a snapshot: ${row.text}`);
  return length;
}

/**
 * The order of a snapshot's stacks; 0 for the same program and stack. Not by a locale: it is part of the format. A
 * stack's text has no character beyond U+FFFF (see snapshot.ts), so that bytes and code units have the same order.
 */
export function byText(a: SnapshotStack, b: SnapshotStack): number {
  if (a.program !== b.program) return a.program < b.program ? -1 : 1;
  return compareTexts(a, b) || Number(isTooDeep(a)) - Number(isTooDeep(b));
}

function compareTexts(a: SnapshotStack, b: SnapshotStack): number {
  if (a instanceof Row && b instanceof Row) return a.compare(b);
  const [left, right] = [a.text, b.text];
  return left === right ? 0 : left < right ? -1 : 1;
}

const NEWLINE = 0x0a;
const [PROGRAM, COUNT, BYTES, CUT, LOST, STACK, END] = [
  '{"program":',
  ',"count":',
  ',"bytes":',
  ',"cut":true',
  ',"lost":true',
  ',"stack":[',
  "]}",
].map((text) => Buffer.from(text)) as [Buffer, Buffer, Buffer, Buffer, Buffer, Buffer, Buffer];

/** Takes lines apart, one after the other. */
export class RowReader {
  readonly #file: RowFile;
  readonly #bytes: Buffer;
  #at = 0;
  /** The last program, and its text: most lines have the same as the line before. */
  #program = "";
  #programText: Uint8Array = Buffer.alloc(0);

  constructor(file: RowFile) {
    this.#file = file;
    this.#bytes = file.bytes;
  }

  /** The rows of the lines from `from` to `to`, in order; null when they are not as snapshotText() writes them. */
  rows(from: number, to: number): Row[] | null {
    const rows: Row[] = [];
    let before: Row | undefined;
    for (let start = from; start < to; ) {
      const end = this.#bytes.indexOf(NEWLINE, start);
      const last = end + 1 === to;
      if (!last && this.#bytes[end - 1] !== COMMA) return null;
      const row = this.#row(start, last ? end : end - 1);
      if (row === null || (before !== undefined && byText(before, row) >= 0)) return null;
      rows.push(row);
      before = row;
      start = end + 1;
    }
    return rows;
  }

  #row(from: number, to: number): Row | null {
    this.#at = from;
    if (!this.#skip(PROGRAM) || !this.#readProgram(to) || !this.#skip(COUNT)) return null;
    const count = this.#number();
    if (!this.#skip(BYTES)) return null;
    const bytes = this.#number();
    const cut = cutOf(this.#skip(CUT), this.#skip(LOST));
    const stack = this.#at + STACK.length - 1;
    if (!this.#skip(STACK) || !isNumber(count) || !isNumber(bytes)) return null;
    // The frames end where the line does.
    this.#at = to - END.length;
    if (this.#at < stack || !this.#skip(END)) return null;
    return new Row(this.#program, count, bytes, cut, this.#file, stack, to - 1);
  }

  /** Goes on behind a text, if it is there. */
  #skip(text: Uint8Array): boolean {
    for (let i = 0; i < text.length; i++) if (this.#bytes[this.#at + i] !== text[i]) return false;
    this.#at += text.length;
    return true;
  }

  #readProgram(to: number): boolean {
    const bytes = this.#bytes;
    if (this.#programText.length > 0 && this.#skip(this.#programText)) return true;
    let end = this.#at + 1;
    while (end < to && bytes[end] !== QUOTE) end += bytes[end] === BACKSLASH ? 2 : 1;
    const text = bytes.subarray(this.#at, end + 1);
    const program = json(text.toString());
    if (typeof program !== "string") return false;
    this.#program = program;
    this.#programText = text;
    this.#at = end + 1;
    return true;
  }

  /** NaN where there is none as JSON has them, or one of more than 16 digits. */
  #number(): number {
    const start = this.#at;
    let number = 0;
    for (; this.#at < start + 16; this.#at++) {
      const digit = this.#bytes[this.#at]!;
      if (!(digit >= ZERO && digit <= NINE)) break;
      number = 10 * number + digit - ZERO;
    }
    const digits = this.#at - start;
    return digits === 0 || (digits > 1 && this.#bytes[start] === ZERO) ? Number.NaN : number;
  }
}
