// The contents of a section of an ELF file, and the strings in it.

// Strings that are asked for together lie all over their section: with large blocks a few hundred reads get them all.
const BLOCK_BYTES = 1 << 16;
const MOST_BLOCKS = 512;

/** The content of one section, decompressed. */
export class Section {
  readonly size: number;
  readonly #read: (target: Uint8Array, offset: number) => boolean;
  readonly #blocks = new Map<number, Buffer>();

  constructor(size: number, read: (target: Uint8Array, offset: number) => boolean) {
    this.size = size;
    this.#read = read;
  }

  /** Fills target from an offset in the section. False if the section or the file ends before. */
  read(target: Uint8Array, offset: number): boolean {
    return offset + target.length <= this.size && this.#read(target, offset);
  }

  /** The NUL-terminated string at an offset, null if there is none. */
  string(offset: number): string | null {
    const head = this.#block(Math.floor(offset / BLOCK_BYTES));
    if (head === null) return null;
    const start = offset % BLOCK_BYTES;
    const end = head.indexOf(0, start);
    if (end >= 0) return head.toString("utf8", start, end);
    // It goes on in the next block, but no further: a block is longer than any name.
    const tail = this.#block(Math.floor(offset / BLOCK_BYTES) + 1);
    const rest = tail?.indexOf(0) ?? -1;
    if (tail === null || rest < 0) return null;
    return Buffer.concat([head.subarray(start), tail.subarray(0, rest)]).toString("utf8");
  }

  #block(index: number): Buffer | null {
    if (index * BLOCK_BYTES >= this.size) return null;
    let block = this.#blocks.get(index);
    if (block === undefined) {
      block = Buffer.allocUnsafeSlow(Math.min(BLOCK_BYTES, this.size - index * BLOCK_BYTES));
      if (!this.#read(block, index * BLOCK_BYTES)) return null;
      if (this.#blocks.size >= MOST_BLOCKS) this.#blocks.clear();
      this.#blocks.set(index, block);
    }
    return block;
  }
}
