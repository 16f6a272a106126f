// The frames of call stacks: equal ones get the same number, and they are parsed only on request.
//
//   [["app","make_leak","src/leak.c",12],["app","main","src/main.c",7]]  ──▶  5, 2
//
// Most frames are known already. So the text up to the next "]" is looked up first: if that is a known frame, it is the
// whole frame, because no frame is a prefix of another. Only otherwise the end is searched with regard to strings,
// which may contain brackets.

import { isNumber, json } from "../host/json.js";
import { enlarged, Numbering } from "../host/numbering.js";
import type { SnapshotFrame } from "../host/types.js";
import { BACKSLASH, CLOSE, COMMA, OPEN, partsOf, QUOTE } from "./frametext.js";

export class Frames {
  /** Of the stack that was numbered last. */
  numbers = new Uint32Array(64);
  /** Of the frames. */
  readonly texts = new Numbering();
  readonly #frames: SnapshotFrame[] = [];

  /**
   * Numbers the frames of a stack's text, innermost first, and no more than `most`. @returns how many they are; −1 when
   * the text is damaged.
   */
  number(bytes: Buffer, from: number, to: number, most = Infinity): number {
    const last = to - 1;
    if (last <= from || bytes[from] !== OPEN || bytes[last] !== CLOSE) return -1;
    const { texts } = this;
    let length = 0;
    let at = from + 1;
    while (at < last) {
      if (length >= most) return length;
      if (length > 0 && bytes[at++] !== COMMA) return -1;
      let number = texts.findThrough(bytes, at, CLOSE);
      let { end } = texts;
      if (number < 0) {
        end = endOfFrame(bytes, at, last);
        if (!isFrameText(bytes, at, end)) return -1;
        number = texts.of(bytes, at, end);
      }
      if (length === this.numbers.length) this.numbers = enlarged(this.numbers, length + 1);
      this.numbers[length++] = number;
      at = end;
    }
    return at === last ? length : -1;
  }

  /** The first frames of the stack that was numbered last. */
  first(count: number): SnapshotFrame[] {
    const frames: SnapshotFrame[] = [];
    for (let i = 0; i < count; i++) frames.push(this.at(this.numbers[i]!));
    return frames;
  }

  /** The frame that has a number. */
  at(number: number): SnapshotFrame {
    const { texts } = this;
    this.#frames[number] ??= frameOf(
      json(texts.arena.toString("utf8", texts.startOf(number), texts.endOf(number))) as FrameTuple,
    );
    return this.#frames[number];
  }
}

/** The place behind the first "]" that is in no string, at most `to`. */
function endOfFrame(bytes: Buffer, from: number, to: number): number {
  let inString = false;
  for (let at = from; at < to; at++) {
    if (bytes[at] === QUOTE) inString = !inString;
    else if (bytes[at] === BACKSLASH && inString) at++;
    else if (bytes[at] === CLOSE && !inString) return at + 1;
  }
  return to;
}

function isFrameText(bytes: Buffer, from: number, to: number): boolean {
  const parts = partsOf(bytes, from, to);
  return (parts !== null && !parts.escaped) || isFrame(json(bytes.toString("utf8", from, to)));
}

export type FrameTuple = [module: string, name: string | null, file: string | null, line: number | null];

/** Whether a value of a document is a frame. */
export function isFrame(value: unknown): value is FrameTuple {
  if (!Array.isArray(value) || value.length !== 4) return false;
  const [module, name, file, line] = value as unknown[];
  const isText = (text: unknown) => text === null || typeof text === "string";
  return typeof module === "string" && isText(name) && isText(file) && (line === null || isNumber(line));
}

export function frameOf([module, name, file, line]: FrameTuple): SnapshotFrame {
  return { module, function: name, file, line };
}
