// A file's debug sections as symbols.wasm sees them. Each has a window. When an operation says that a piece is missing,
// the window is moved or widened, and the operation starts anew. That is rare: pieces stay loaded, and small sections
// are loaded whole.

import {
  BROKEN,
  DONE,
  MISSING,
  MISSING_BYTES,
  MISSING_KIND,
  MISSING_OFFSET,
  SECTION_ALT_STR,
  SECTION_INFO,
  SECTION_KINDS,
  WINDOW_ADDRESS,
  WINDOW_BASE,
  WINDOW_BYTES,
  WINDOW_LENGTH,
  WINDOW_SIZE,
} from "../../asm/symbols/layout.js";
import type { Section } from "./section.js";
import { OutOfMemory, type SymbolCore } from "./symbolcore.js";

/** Where debug information is: a file, or what a .dwo file and its program have together. */
export interface DebugSections {
  section(kind: number): Section | null;
  /** Lowest address with code: debug information about lower ones is about code the linker dropped. */
  readonly lowestCode: bigint;
}

export interface Pieces {
  /** Sections up to this size are loaded as a whole. */
  whole: number;
  /** The least that is loaded of larger ones. */
  least: number;
  /** The same for .debug_info: often just a unit's first entry is wanted. */
  leastInfo: number;
}

export const PIECES: Pieces = { whole: 4 << 20, least: 1 << 18, leastInfo: 1 << 10 };
/** The most: no unit comes near. */
const MOST_WINDOW_BYTES = 1 << 29;

/** What the operation needs and the windows do not show. */
class Missing {
  constructor(
    readonly kind: number,
    readonly offset: number,
    readonly bytes: number,
  ) {}
}

/** Debug information that cannot be. */
class Broken extends Error {}

interface Window {
  base: number;
  address: number;
  length: number;
  capacity: number;
}

export class DwarfReader {
  readonly core: SymbolCore;
  /** What was found wrong, fit for notes. */
  readonly problems: Set<string>;
  readonly #sections: DebugSections;
  readonly #pieces: Pieces;
  readonly #sharedString: (offset: number) => string | null;
  #windows: Window[] = [];

  /** @param sharedString reads a string of the file that .gnu_debugaltlink names */
  constructor(
    core: SymbolCore,
    sections: DebugSections,
    pieces: Pieces,
    problems: Set<string>,
    sharedString: (offset: number) => string | null,
  ) {
    this.core = core;
    this.problems = problems;
    this.#sections = sections;
    this.#pieces = pieces;
    this.#sharedString = sharedString;
  }

  sectionBytes(kind: number): number {
    return this.#sections.section(kind)?.size ?? 0;
  }

  string(kind: number, offset: number): string | null {
    if (kind === SECTION_ALT_STR) return this.#sharedString(offset);
    return kind > 0 && kind < SECTION_KINDS ? (this.#sections.section(kind)?.string(offset) ?? null) : null;
  }

  /** Makes the addresses (ascending, each once) the queries of the operations that follow. */
  setQueries(addresses: BigUint64Array): void {
    const { core } = this;
    const queries = core.reserve(addresses.byteLength);
    const bytes = new Uint8Array(addresses.buffer, addresses.byteOffset, addresses.byteLength);
    core.bytes(queries, addresses.byteLength).set(bytes);
    core.call.setQueries(queries, addresses.length, this.#sections.lowestCode);
  }

  // ── Damage costs the answers it touches, not more ──────────────────────────────────────────────

  /** Takes the status of an operation. */
  do(status: number): void {
    if (status === DONE) return;
    if (status === BROKEN) throw new Broken("its debug information is damaged");
    if (status !== MISSING) throw new OutOfMemory("symbols.wasm is out of memory");
    const { core } = this;
    throw new Missing(core.number(MISSING_KIND), Number(core.bigint(MISSING_OFFSET)), core.number(MISSING_BYTES));
  }

  /** Does some work; null if it ended in damage, which is noted. */
  spare<T>(work: () => T): T | null {
    try {
      return work();
    } catch (error) {
      this.excuse(error);
      return null;
    }
  }

  excuse(error: unknown): void {
    if (error instanceof Broken) this.problems.add(error.message);
    else if (error instanceof OutOfMemory) this.problems.add("its debug information is too large");
    else throw error;
  }

  // ── Windows ────────────────────────────────────────────────────────────────────────────────────

  /** Makes this reader's windows the ones that symbols.wasm looks through, in the present scope of its memory. */
  open(): void {
    this.#windows = Array.from({ length: SECTION_KINDS }, () => ({ base: 0, address: 0, length: 0, capacity: 0 }));
    for (let kind = 0; kind < SECTION_KINDS; kind++) this.#show(kind);
  }

  /** Does some work, again and again until it misses nothing. */
  retry<T>(work: () => T): T {
    for (;;) {
      try {
        return this.core.scoped(work);
      } catch (error) {
        if (!(error instanceof Missing)) throw error;
        this.#load(error);
      }
    }
  }

  /** Does some work with the unit at an offset as the present one. */
  inUnit<T>(unit: number, work: () => T): T {
    for (let kind = 0; kind < SECTION_KINDS; kind++) this.drop(kind);
    return this.retry(() => {
      this.do(this.core.call.unitOpen(BigInt(unit)));
      return work();
    });
  }

  /** Makes sure that a piece is in memory; if not, the work starts anew. */
  see(kind: number, offset: number, bytes: number): void {
    const { base, length } = this.#windows[kind]!;
    if (offset < base || offset + bytes > base + length) throw new Missing(kind, offset, bytes);
  }

  /** Forgets the piece of a large section: the next unit needs another one. */
  drop(kind: number): void {
    const window = this.#windows[kind]!;
    if (window.length === 0 || this.sectionBytes(kind) <= this.#pieces.whole) return;
    window.length = 0;
    this.#show(kind);
  }

  #show(kind: number): void {
    const { view, call } = this.core;
    const at = (call.windowsAddress() >>> 0) + kind * WINDOW_BYTES;
    const window = this.#windows[kind]!;
    view.setBigUint64(at + WINDOW_SIZE, BigInt(this.sectionBytes(kind)), true);
    view.setBigUint64(at + WINDOW_BASE, BigInt(window.base), true);
    view.setUint32(at + WINDOW_ADDRESS, window.address, true);
    view.setUint32(at + WINDOW_LENGTH, window.length, true);
  }

  #load({ kind, offset, bytes }: Missing): void {
    const section = this.#sections.section(kind);
    const window = this.#windows[kind]!;
    if (section === null || offset + bytes > section.size) throw new Broken("its debug information is cut off");
    let start = 0;
    let end = section.size;
    if (section.size > this.#pieces.whole) {
      const least = kind === SECTION_INFO ? this.#pieces.leastInfo : this.#pieces.least;
      start = offset;
      // As much again as there was: whoever reads on and on shall not start anew too often.
      end = Math.min(section.size, offset + Math.max(bytes, least, window.length));
      // Together with what is there already, or two pieces that are needed at once would take turns.
      if (window.length > 0) {
        start = Math.min(start, window.base);
        end = Math.max(end, window.base + window.length);
      }
    }
    if (end - start > MOST_WINDOW_BYTES) throw new Broken("a unit of its debug information is too large");
    if (end - start > window.capacity) {
      window.capacity = Math.max(end - start, Math.min(2 * window.capacity, section.size));
      window.address = this.core.reserve(window.capacity);
    }
    window.base = start;
    window.length = end - start;
    if (!section.read(this.core.bytes(window.address, window.length), start)) {
      throw new Broken("its debug information cannot be read");
    }
    this.#show(kind);
  }
}
