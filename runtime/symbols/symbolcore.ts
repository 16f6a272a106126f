// The interface to symbols.wasm: its functions with their types, and views of its memory.
//
// symbols.wasm has no imports. Between operations it keeps only what is in its memory, which is a stack: take a mark,
// reserve, call, read the answer, release the mark. One instance serves one Symbolizer.

import { bytes } from "../../build/wasm/symbols.js";

interface Exports {
  memory: WebAssembly.Memory;
  reserve(bytes: number): number;
  mark(): number;
  release(mark: number): void;
  recordAddress(): number;
  elfHeader(p: number, bytes: number): number;
  elfSections(
    p: number,
    count: number,
    bytes: number,
    wide: number,
    names: number,
    namesBytes: number,
    out: number,
  ): void;
  symbolsBegin(addresses: number, count: number): number;
  symbolsTable(number: number, entries: number, entryCount: number, machine: number): void;
  symbolsScan(p: number, count: number, wide: number): number;
  symbolsEnd(out: number): void;
  crc32(p: number, bytes: number, crc: number): number;
  windowsAddress(): number;
  setQueries(addresses: number, count: number, lowestCode: bigint): void;
  arangesSet(offset: bigint, marks: number): number;
  unitNext(offset: bigint): number;
  unitOpen(offset: bigint): number;
  unitSkeleton(lowPc: bigint, addressesBase: bigint, rangesBase: bigint): void;
  unitCovers(marks: number): number;
  unitAbbreviations(): number;
  unitWalk(deep: number, out: number): number;
  entryName(offset: bigint): number;
  linesEnd(offset: bigint): number;
  unitLines(offset: bigint, out: number, functions: number): number;
}

/** symbols.wasm's 4 GiB are used up, or its owner set a lower limit. */
export class OutOfMemory extends Error {}

export class SymbolCore {
  readonly call: Exports;
  #view: DataView;
  #bytes: Uint8Array;

  constructor(module: WebAssembly.Module = release()) {
    const abort = () => {
      throw new WebAssembly.RuntimeError("assertion failed in symbols.wasm");
    };
    // The release build imports nothing; the debug build's assertions import abort.
    this.call = new WebAssembly.Instance(module, { env: { abort } }).exports as unknown as Exports;
    this.#view = new DataView(this.call.memory.buffer);
    this.#bytes = new Uint8Array(this.call.memory.buffer);
  }

  /** The memory as it is now; growing detaches older views. */
  get view(): DataView {
    if (this.#view.buffer !== this.call.memory.buffer) this.#view = new DataView(this.call.memory.buffer);
    return this.#view;
  }

  bytes(address: number, length: number): Uint8Array {
    if (this.#bytes.buffer !== this.call.memory.buffer) this.#bytes = new Uint8Array(this.call.memory.buffer);
    return this.#bytes.subarray(address, address + length);
  }

  /** Address of `bytes` bytes until the next release. */
  reserve(bytes: number): number {
    const address = bytes < 0xffff0000 ? this.call.reserve(bytes) >>> 0 : 0;
    if (address === 0) throw new OutOfMemory("symbols.wasm is out of memory");
    return address;
  }

  /** Takes the answer of an operation that may run out of memory. */
  check(done: number): void {
    if (done === 0) throw new OutOfMemory("symbols.wasm is out of memory");
  }

  /** Runs `work`, then drops what it reserved. */
  scoped<T>(work: () => T): T {
    const mark = this.call.mark();
    try {
      return work();
    } finally {
      this.call.release(mark);
    }
  }

  /** Fields of the record that operations with a small answer leave. */
  number(field: number): number {
    return this.view.getUint32((this.call.recordAddress() >>> 0) + field, true);
  }

  bigint(field: number): bigint {
    return this.view.getBigUint64((this.call.recordAddress() >>> 0) + field, true);
  }
}

let compiled: WebAssembly.Module | undefined;

function release(): WebAssembly.Module {
  compiled ??= new WebAssembly.Module(bytes());
  return compiled;
}
