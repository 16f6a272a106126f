// The interface to reach.wasm: its functions with their types, and a process's memory passed to them piece by piece.

import { bytes } from "../../build/wasm/reach.js";
import { LookError } from "../host/errors.js";

interface Functions {
  beginWalk(first: bigint, end: bigint, top: bigint): void;
  walk(address: bigint, count: number): number;
  walkedTo(): bigint;
  chunksInUse(): number;
  addBlock(address: bigint, usable: bigint): number;
  addRecords(count: number, before: bigint, from: bigint, to: bigint): number;
  finish(): number;
  blockCount(): number;
  countBelow(address: bigint): number;
  nextWith(from: number, usable: bigint): number;
  usableAt(address: bigint): number;
  setFree(address: bigint): number;
  setFreeList(first: bigint, offset: bigint): number;
  join(count: number, before: bigint): number;
  joinThreads(count: number, before: bigint): void;
  threadAt(address: bigint, count: number, from: bigint): bigint;
  beginEdges(): void;
  edges(address: bigint, count: number): number;
  endEdges(): number;
  beginMarks(): number;
  keepUnknown(): void;
  keepStacks(stacks: number): void;
  roots(address: bigint, count: number, around: number): number;
  judge(): void;
  verdictOf(block: number): number;
  countOf(verdict: number): number;
  bytesOf(verdict: number): number;
  nextOf(from: number, verdicts: number): number;
  headOf(block: number): number;
  sizeOf(block: number): number;
  addressOf(block: number): bigint;
  blockOf(address: bigint): number;
  hitAddress(parent: number): bigint;
}

type ConstantName =
  | "INPUT"
  | "BLOCKS"
  | `BLOCK_${"ADDRESS" | "BYTES" | "EDGE" | "FLAGS" | "PARENT" | "STACK" | "TIME"}`
  | "KNOWN"
  | `PARENT_${"HIT" | "NONE"}`
  | `VERDICT_${"LOST" | "INDIRECT" | "INTERIOR" | "REACHABLE" | "NONE"}`
  | `WALK_${"GOES_ON" | "AT_TOP" | "AT_FENCE" | "DAMAGED" | "NO_MEMORY"}`;

let compiled: WebAssembly.Module | undefined;

/** An instance of reach.wasm, for one look. */
export class Graph {
  readonly call: Functions;
  readonly constant: Readonly<Record<ConstantName, number>>;
  readonly #memory: WebAssembly.Memory;
  #bytes: Uint8Array;
  #view: DataView;

  constructor() {
    compiled ??= new WebAssembly.Module(bytes());
    const { exports } = new WebAssembly.Instance(compiled, {});
    this.#memory = exports.memory as WebAssembly.Memory;
    const call: Record<string, unknown> = {};
    const constant: Record<string, number> = {};
    for (const [name, value] of Object.entries(exports)) {
      if (typeof value === "function") call[name] = value;
      else if (value !== this.#memory) constant[name] = (value as { value: number }).value >>> 0;
    }
    this.call = call as unknown as Functions;
    this.constant = constant as Record<ConstantName, number>;
    this.#bytes = new Uint8Array(this.#memory.buffer);
    this.#view = new DataView(this.#memory.buffer);
  }

  /** Copies bytes to the input of the functions: at most as many as a frame of the helper has. */
  put(part: Uint8Array): void {
    if (this.#bytes.buffer !== this.#memory.buffer) this.#bytes = new Uint8Array(this.#memory.buffer);
    this.#bytes.set(part, this.constant.INPUT);
  }

  /** The memory as numbers; growing makes it old. */
  get view(): DataView {
    if (this.#view.buffer !== this.#memory.buffer) this.#view = new DataView(this.#memory.buffer);
    return this.#view;
  }

  /** @throws LookError when `done` is false: there was no memory */
  enough(done: number | boolean): void {
    if (!done)
      throw new LookError("there are too many blocks to be looked at together: their graph needs more than 4 GiB");
  }

  /** A field of a block. */
  u32(block: number, field: "BLOCK_STACK" | "BLOCK_PARENT" | "BLOCK_EDGE"): number {
    return this.view.getUint32(this.#place(block) + this.constant[field], true);
  }

  time(block: number): bigint {
    return this.view.getBigUint64(this.#place(block) + this.constant.BLOCK_TIME, true);
  }

  /** Whether a record knows the block. */
  known(block: number): boolean {
    return (this.view.getUint8(this.#place(block) + this.constant.BLOCK_FLAGS) & this.constant.KNOWN) !== 0;
  }

  #place(block: number): number {
    return this.constant.BLOCKS + block * this.constant.BLOCK_BYTES;
  }
}
