// Numbers for sequences of bytes: equal sequences get the same number, 0, 1, 2 … in the order of their first
// occurrence.
//
//   slots:  ─ 2 ─ ─ 0 1 ─      open addressing, by hash; an entry is the number + 1, 0 is free
//   arena:  [0……][1…][2…………]  each sequence once, one after the other; ends[n] is where n's ends
//
// This does the work of a Map of strings, without making a string for each look-up. The same sequence may have a number
// in each of several scopes, as the same name occurs in several modules.

/**
 * Of each sequence: its hash, where it starts and ends in the arena, and its
 * scope. Side by side, as they are looked at together.
 */
const FIELDS = 4;
const SEED = 0x2545f491;
const FACTOR = 0x9e3779b1;

export class Numbering {
  /** How many sequences there are. */
  size = 0;
  /** A power of two, never more than half full. */
  #slots = new Int32Array(1 << 12);
  #known = new Int32Array(FIELDS << 11);
  #arena = Buffer.alloc(1 << 16);
  #arenaView = viewOf(this.#arena);
  /** The bytes of the last call; to make a view of them costs more than to look something up. */
  #source: Uint8Array = this.#arena;
  #sourceView = this.#arenaView;
  /** Where what was looked up last ends. */
  end = 0;

  /** All sequences, one after the other; until another is added. */
  get arena(): Buffer {
    return this.#arena;
  }

  /** Where in the arena a sequence begins. */
  startOf(number: number): number {
    return this.#known[FIELDS * number + 1]!;
  }

  endOf(number: number): number {
    return this.#known[FIELDS * number + 2]!;
  }

  /**
   * The number of the sequence that ends with the first byte that is `last`, `end` then says where; −1 if it did not
   * come before. There must be such a byte.
   */
  findThrough(bytes: Uint8Array, from: number, last: number): number {
    const view = this.#viewOf(bytes);
    const lasts = last * 0x01010101;
    let hash = SEED;
    let at = from;
    for (const end = bytes.length - 4; at <= end; at += 4) {
      const word = view.getInt32(at, true);
      // A byte that is 0 borrows from its highest bit.
      const difference = word ^ lasts;
      if (((difference - 0x01010101) & ~difference & 0x80808080) !== 0) break;
      hash = Math.imul(hash ^ word, FACTOR);
    }
    for (let byte = -1; byte !== last; at++) {
      byte = view.getUint8(at);
      hash = Math.imul(hash ^ byte, FACTOR);
    }
    this.end = at;
    return this.#slots[this.#slotOf(from, at, mixed(hash), 0)]! - 1;
  }

  /** The number of a sequence in a scope, a new one if it did not come before. */
  of(bytes: Uint8Array, from: number, to: number, scope = 0): number {
    const hash = this.#hash(bytes, from, to, scope);
    const slot = this.#slotOf(from, to, hash, scope);
    const known = this.#slots[slot]! - 1;
    if (known >= 0) return known;
    const number = this.size++;
    const start = number === 0 ? 0 : this.endOf(number - 1);
    const end = start + to - from;
    if (end > this.#arena.length) {
      const larger = Buffer.alloc(Math.max(end, 2 * this.#arena.length));
      larger.set(this.#arena);
      this.#arena = larger;
      this.#arenaView = viewOf(larger);
    }
    const [arena, source] = [this.#arenaView, this.#sourceView];
    let at = from;
    for (; at + 4 <= to; at += 4) arena.setInt32(start + at - from, source.getInt32(at));
    for (; at < to; at++) arena.setUint8(start + at - from, source.getUint8(at));
    this.#known[FIELDS * number] = hash;
    this.#known[FIELDS * number + 1] = start;
    this.#known[FIELDS * number + 2] = end;
    this.#known[FIELDS * number + 3] = scope;
    this.#slots[slot] = number + 1;
    if (2 * this.size === this.#slots.length) this.#grow();
    return number;
  }

  #viewOf(bytes: Uint8Array): DataView {
    if (bytes !== this.#source) {
      this.#source = bytes;
      this.#sourceView = viewOf(bytes);
    }
    return this.#sourceView;
  }

  /** Four bytes at a time, and the last one to four each, as findThrough() meets them. */
  #hash(bytes: Uint8Array, from: number, to: number, scope: number): number {
    const view = this.#viewOf(bytes);
    let hash = SEED ^ Math.imul(scope, FACTOR);
    let at = from;
    for (; at + 4 < to; at += 4) hash = Math.imul(hash ^ view.getInt32(at, true), FACTOR);
    for (; at < to; at++) hash = Math.imul(hash ^ view.getUint8(at), FACTOR);
    return mixed(hash);
  }

  /** Where the sequence is, or would go. */
  #slotOf(from: number, to: number, hash: number, scope: number): number {
    const slots = this.#slots;
    const known = this.#known;
    const mask = slots.length - 1;
    for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      const at = FIELDS * (slots[slot]! - 1);
      if (at < 0) return slot;
      const start = known[at + 1]!;
      if (known[at] !== hash || known[at + 2]! - start !== to - from || known[at + 3] !== scope) continue;
      if (this.#equals(start, from, to)) return slot;
    }
  }

  #equals(start: number, from: number, to: number): boolean {
    const [arena, source] = [this.#arenaView, this.#sourceView];
    const shift = start - from;
    let at = from;
    for (; at + 4 <= to; at += 4) if (source.getInt32(at, true) !== arena.getInt32(at + shift, true)) return false;
    for (; at < to; at++) if (source.getUint8(at) !== arena.getUint8(at + shift)) return false;
    return true;
  }

  #grow(): void {
    this.#known = enlarged(this.#known, 2 * this.#known.length);
    this.#slots = new Int32Array(2 * this.#slots.length);
    const mask = this.#slots.length - 1;
    for (let number = 0; number < this.size; number++) {
      let slot = this.#known[FIELDS * number]! & mask;
      while (this.#slots[slot] !== 0) slot = (slot + 1) & mask;
      this.#slots[slot] = number + 1;
    }
  }
}

/** With the lowest bits, which choose the slot, made of all. */
function mixed(hash: number): number {
  const half = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  return half ^ (half >>> 13);
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}

/** The same numbers with room for at least so many; twice as many, so that growing stays cheap. */
export function enlarged<T extends Int32Array | Uint32Array>(numbers: T, least: number): T {
  const larger = new (numbers.constructor as new (length: number) => T)(Math.max(least, 2 * numbers.length));
  larger.set(numbers);
  return larger;
}
