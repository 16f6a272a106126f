// The text of one frame of a call stack in a snapshot's file, parsed in place:
//
//   ["app","make_leak","src/leak.c",12]
//        ▲ ▲          ▲     ▲            module, name, nameEnd, file

export const QUOTE = 0x22;
export const COMMA = 0x2c;
export const BACKSLASH = 0x5c;
export const OPEN = 0x5b;
export const CLOSE = 0x5d;
export const ZERO = 0x30;
export const NINE = 0x39;
const SLASH = 0x2f;
const NULL = Buffer.from("null");

/** Places in the bytes. */
export interface FrameParts {
  /** Where the module ends. */
  module: number;
  /** Where the function begins, and ends. */
  name: number;
  nameEnd: number;
  /**
   * Where the source file begins, behind its quote, and the last part of its path; the frame's end where it has none.
   */
  path: number;
  file: number;
  /** Whether something is written with a backslash, so that the same could be written in another way. */
  escaped: boolean;
}

/** The parts of a frame's text; null when it is none, or none without blanks. */
export function partsOf(bytes: Buffer, from: number, to: number): FrameParts | null {
  if (bytes[from] !== OPEN || bytes[from + 1] !== QUOTE) return null;
  const text = new Cursor(bytes, from + 1);
  if (!text.string()) return null;
  const module = text.at;
  if (bytes[text.at++] !== COMMA) return null;
  const name = text.at;
  if (!text.string() && !text.null()) return null;
  const nameEnd = text.at;
  if (bytes[text.at++] !== COMMA) return null;
  let path = text.at + 1;
  let file = path;
  if (text.string()) file = text.slash < path ? path : text.slash + 1;
  else if (text.null()) path = file = to;
  else return null;
  if (bytes[text.at++] !== COMMA || !(text.number() || text.null())) return null;
  if (bytes[text.at] !== CLOSE || text.at + 1 !== to) return null;
  return { module, name, nameEnd, path, file, escaped: text.escaped };
}

class Cursor {
  escaped = false;
  /** The last slash in a string. */
  slash = -1;

  constructor(
    readonly bytes: Buffer,
    public at: number,
  ) {}

  string(): boolean {
    const bytes = this.bytes;
    if (bytes[this.at] !== QUOTE) return false;
    for (let at = this.at + 1; at < bytes.length; at++) {
      const byte = bytes[at]!;
      if (byte === QUOTE) {
        this.at = at + 1;
        return true;
      }
      if (byte < 0x20) return false;
      if (byte === SLASH) this.slash = at;
      else if (byte === BACKSLASH) {
        this.escaped = true;
        at++;
      }
    }
    return false;
  }

  null(): boolean {
    for (let i = 0; i < NULL.length; i++) if (this.bytes[this.at + i] !== NULL[i]) return false;
    this.at += NULL.length;
    return true;
  }

  /** Of at most 15 digits, and none before it that mean nothing. */
  number(): boolean {
    const start = this.at;
    while (this.bytes[this.at]! >= ZERO && this.bytes[this.at]! <= NINE) this.at++;
    const length = this.at - start;
    return length > 0 && length < 16 && (length === 1 || this.bytes[start] !== ZERO);
  }
}
