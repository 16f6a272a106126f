// One session's store image in memdb.wasm: bytes of the wire go in, changed pages of the store file come out.

import * as L from "../../asm/layout.js";
import { bytes } from "../../build/wasm/memdb.js";
import { frameName, WireError } from "./wire.js";

interface Variable<T> {
  readonly value: T;
}

interface Exports {
  memory: WebAssembly.Memory;
  open(bytes: number): number;
  feed(bytes: number): number;
  inputAt(): number;
  inputRoom(): number;
  isLast(): number;
  frameType: Variable<number>;
  sequence: Variable<bigint>;
  full: Variable<number>;
  liveCount: Variable<bigint>;
  liveBytes: Variable<bigint>;
  received: Variable<bigint>;
  IMAGE: Variable<number>;
  blockCount: Variable<number>;
  runOffset: Variable<number>;
  rewind(): void;
  nextRun(records: number): number;
  failRun(offset: number, bytes: number): void;
  restart(): void;
  sealTables(): number;
  sealRecords(): number;
  unseal(): void;
}

let compiled: WebAssembly.Module | undefined;

function module(): WebAssembly.Module {
  compiled ??= new WebAssembly.Module(bytes());
  return compiled;
}

/** The receiver of an image's pages. Each call either writes all of the bytes or throws. */
export interface PageSink {
  write(bytes: Uint8Array, offset: number): void;
  /** The file must be at least this long; what is not written reads as zeros. */
  extend(bytes: number): void;
}

export class SessionImage {
  readonly #core: Exports;
  readonly #base: number;

  /** An empty image that may take `bytes`, as far as memory reaches. */
  constructor(bytes: number) {
    this.#core = new WebAssembly.Instance(module()).exports as unknown as Exports;
    this.#base = this.#core.IMAGE.value >>> 0;
    this.reset(bytes);
  }

  /** Empties the image for another session. Its memory stays. */
  reset(bytes: number): void {
    if (!this.#core.open(bytes)) throw new WireError(L.WIRE_ERROR_LIMIT, "no memory for another session");
  }

  /** Where the next bytes of the stream belong: valid until they are taken. Never empty. */
  input(): Uint8Array {
    const { memory, inputAt, inputRoom } = this.#core;
    return new Uint8Array(memory.buffer, inputAt() >>> 0, inputRoom());
  }

  /** Applies `bytes` that are in input() now; calls back at every commit. Throws WireError when the stream is wrong. */
  take(bytes: number, committed: (sequence: bigint, last: boolean) => void): void {
    const core = this.#core;
    for (let fresh = bytes; ; fresh = 0) {
      const result = core.feed(fresh);
      if (result < 0) throw new WireError(-result, `in ${frameName(core.frameType.value)}`);
      if (result === 0) return;
      committed(core.sequence.value, core.isLast() !== 0);
    }
  }

  /** The same with bytes that are elsewhere. */
  feed(chunk: Uint8Array, committed: (sequence: bigint, last: boolean) => void): void {
    for (let at = 0; at < chunk.length; ) {
      const input = this.input();
      const piece = chunk.subarray(at, at + input.length);
      input.set(piece);
      this.take(piece.length, committed);
      at += piece.length;
    }
  }

  get liveCount(): number {
    return Number(this.#core.liveCount.value);
  }

  get liveBytes(): number {
    return Number(this.#core.liveBytes.value);
  }

  /** Records and removals so far. */
  get received(): number {
    return Number(this.#core.received.value);
  }

  /** Nothing more fits: from now on allocations are counted as dropped. */
  get full(): boolean {
    return this.#core.full.value !== 0;
  }

  /** The process has said that this was its last commit. */
  get ended(): boolean {
    return this.#core.isLast() !== 0;
  }

  /** Of the image and what is kept about it, pages that nothing has touched included. */
  get memoryBytes(): number {
    return this.#base + this.#core.blockCount.value * L.BLOCK_BYTES;
  }

  /** Part of the image, valid until the next call. */
  view(offset: number, bytes: number): Uint8Array {
    return new Uint8Array(this.#core.memory.buffer, this.#base + offset, bytes);
  }

  /** The next pages go into a new file: all of them. */
  restart(): void {
    this.#core.restart();
  }

  /**
   * Writes changed pages, about `budget` bytes of records at most; returns false when some are left. In the order that
   * keeps the file readable at every instant: tables, the header page with their counts, records that refer to them,
   * the header page again. When the sink throws, what was not written stays marked.
   */
  write(sink: PageSink, budget: number): boolean {
    const core = this.#core;
    core.rewind();
    while (this.#writeRun(sink, 0) > 0);
    if (core.sealTables()) this.#writeHeader(sink);
    core.rewind();
    while (budget > 0) {
      const bytes = this.#writeRun(sink, 1);
      if (bytes === 0) {
        if (core.sealRecords()) this.#writeHeader(sink);
        return true;
      }
      budget -= bytes;
    }
    return false;
  }

  #writeRun(sink: PageSink, records: 0 | 1): number {
    const bytes = this.#core.nextRun(records) >>> 0;
    if (bytes === 0) return 0;
    const offset = this.#core.runOffset.value >>> 0;
    try {
      sink.write(this.view(offset, bytes), offset);
    } catch (error) {
      this.#core.failRun(offset, bytes);
      throw error;
    }
    return bytes;
  }

  #writeHeader(sink: PageSink): void {
    try {
      sink.extend(this.#core.blockCount.value * L.BLOCK_BYTES);
      sink.write(this.view(0, L.HEADER_BYTES), 0);
    } catch (error) {
      this.#core.unseal();
      throw error;
    }
  }
}
