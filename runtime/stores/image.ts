// A store's bytes in a core: reads the header, pieces of records and blocks of tables from the file to the places that
// core.wasm wants, in the order that makes reading under a writer safe (asm/FORMAT.md, "Order of writes").
//
//   file ──header──▶ HEADER ──checkHeader──▶ counts, block numbers
//        ──records─▶ PIECE (SECOND) ──settle, scan──▶ sums, entries
//        ──tables──▶ a block when something asks for it ──▶ frames, modules, strings

import * as L from "../../asm/layout.js";
import { StoreError } from "../host/errors.js";
import type { ByteSource } from "../host/host.js";
import type { Amount, StackTotals } from "../host/types.js";
import { Core } from "./core.js";
import { identityOf } from "./identity.js";
import type { Identity } from "./liveness.js";

/** How often a header that contradicts itself, or a piece that keeps changing, is read before it is taken as it is. */
const TRIES = 5;
const RECORDS_PER_BLOCK = L.BLOCK_BYTES / L.RECORD_BYTES;
const STACKS_PER_BLOCK = L.BLOCK_BYTES / L.STACK_BYTES;
const STACKS_MAX = L.BLOCK_MAX_COUNT * STACKS_PER_BLOCK;

/** What a pass over the records must expect of the writer. */
export type Reading =
  /** There is no writer. */
  | "still"
  /** There is a writer: read every piece until it is stable. */
  | "settled"
  /** There is a writer: read every piece once, and leave out records that make no sense. */
  | "hasty";

/** What is live, all filters aside. */
export interface Live extends Amount {
  /** Relative time of the newest. */
  newest: bigint;
  /** Of what was live when the process began to exit, what it freed while it did. */
  freed: Amount;
}

export class StoreImage {
  readonly core: Core;
  readonly #source: ByteSource;
  readonly #path: string;
  #final = false;

  /** Load it before anything else. */
  constructor(module: WebAssembly.Module, source: ByteSource, path: string) {
    this.core = new Core(module, path);
    this.#source = source;
    this.#path = path;
  }

  /** What the last pass over the records found. */
  live(): Live {
    const { call } = this.core;
    return {
      count: call.liveCount(),
      bytes: call.liveBytes(),
      newest: BigInt.asUintN(64, call.newestTime()),
      freed: { count: call.freedCount(), bytes: call.freedBytes() },
    };
  }

  /**
   * Reads and checks the header, also again: counts may have grown. What was
   * collected stays. `final`: nobody writes any more.
   */
  load(final: boolean): void {
    if (this.#final) return;
    this.#loadHeader();
    this.#final = final;
  }

  #loadHeader(): void {
    const { call, constant } = this.core;
    const page = new Uint8Array(L.HEADER_BYTES);
    const previous = new Uint8Array(L.HEADER_BYTES);
    for (let tries = 1; ; tries++) {
      // The counts first, what backs them afterwards: then the file has at least what the counts say.
      this.#read(page.fill(0), 0);
      this.#header(0, L.THREADS_OFFSET + L.THREADS_MAX_COUNT * L.THREAD_BYTES);
      const blocks = Math.min(this.u32(L.HEADER_BLOCK_COUNT), L.BLOCK_MAX_COUNT);
      this.#header(L.BLOCK_TABLE_OFFSET, blocks * L.BLOCK_ENTRY_BYTES);
      const arrays = page.subarray(L.HEADER_ARRAYS, L.HEADER_ARRAYS + L.KIND_COUNT * L.ARRAY_BYTES);
      this.core.bytes(constant.HEADER + L.HEADER_ARRAYS, arrays.length).set(arrays);
      if (call.checkHeader(BigInt(this.size())) === 0) return;
      // A writer in the middle of something looks different the next time; a damaged file does not.
      if (tries === TRIES || (tries > 1 && Buffer.compare(page, previous) === 0)) throw this.core.fault();
      previous.set(page);
    }
  }

  size(): number {
    return this.#attempt(() => this.#source.size());
  }

  u32(offset: number): number {
    return this.core.view.getUint32(this.core.constant.HEADER + offset, true);
  }

  u64(offset: number): bigint {
    return this.core.view.getBigUint64(this.core.constant.HEADER + offset, true);
  }

  /** A copy of part of the header region. */
  headerBytes(offset: number, length: number): Uint8Array {
    return this.core.bytes(this.core.constant.HEADER + offset, length).slice();
  }

  /** The identity of the store's process. */
  identity(): Identity {
    return identityOf(new DataView(this.headerBytes(0, L.HEADER_BYTES).buffer));
  }

  count(kind: number): number {
    return this.core.call.arrayCount(kind) >>> 0;
  }

  /** Passes every record to the scan that was begun in the core. */
  scanRecords(reading: Reading): void {
    this.eachRecordPiece(reading, (first, count, stacks) =>
      this.core.checked(this.core.call.scan(first, count, stacks)),
    );
  }

  /** The bytes of this many records at PIECE. */
  piece(count: number): Uint8Array {
    return this.core.bytes(this.core.constant.PIECE, count * L.RECORD_BYTES);
  }

  /** Calls `use` with every piece of the records at PIECE; they refer to stacks below `stacks`. */
  eachRecordPiece(reading: Reading, use: (first: number, count: number, stacks: number) => void): void {
    const { call, constant } = this.core;
    const total = this.count(L.KIND_RECORDS);
    let stacks = this.count(L.KIND_STACKS);
    call.setOpen(0);
    for (let first = 0; first < total; first += RECORDS_PER_BLOCK) {
      const count = Math.min(RECORDS_PER_BLOCK, total - first);
      const position = this.#position(L.KIND_RECORDS, first / RECORDS_PER_BLOCK);
      this.#fill(constant.PIECE, count * L.RECORD_BYTES, position);
      if (reading !== "still") {
        call.setOpen(1);
        for (let tries = 1; reading === "settled" && tries < TRIES; tries++) {
          this.#fill(constant.SECOND, count * L.RECORD_BYTES, position);
          if (call.settle(count) === 0) break;
        }
        // Records refer to stacks that were published before them, so to none beyond what is published now.
        stacks = this.#publishedStacks();
      }
      use(first, count, stacks);
    }
  }

  /** Puts every stack whose stored total in this order is not zero into the core's answer, live or not. */
  admitStacks(order: number): void {
    this.#eachStackPiece((first, end) => this.core.call.admitStacks(first, end, order));
  }

  /** Offers the stacks of the summed records to the core's answer, with their stored totals if `withTotals`. */
  collectStacks(order: number, selected: boolean, withTotals: boolean): void {
    const { call } = this.core;
    if (!withTotals) {
      this.core.checked(call.collectStacks(0, STACKS_MAX, order, Number(selected)));
      return;
    }
    this.#eachStackPiece((first, end) => call.collectStacks(first, end, order, Number(selected)));
  }

  /** The stored totals of the stacks with these ids, in their order. */
  stackTotals(ids: readonly number[]): StackTotals[] {
    const { call, constant } = this.core;
    const places = new Map(ids.map((id, i) => [id, i]));
    const totals: StackTotals[] = new Array(ids.length);
    this.#eachStackPiece((first, end) => {
      for (let id = first; id < end; id++) {
        const place = places.get(id);
        if (place === undefined) continue;
        const at = constant.PIECE + (id - first) * L.STACK_BYTES;
        const total = (field: number) => Number(this.core.view.getBigUint64(at + field, true));
        totals[place] = {
          allocations: total(L.STACK_ALLOCATIONS),
          allocatedBytes: total(L.STACK_ALLOCATED_BYTES),
          temporary: total(L.STACK_TEMPORARIES),
          peakBytes: Number(BigInt.asUintN(64, call.stackTotal(at, constant.ORDER_PEAK))),
        };
      }
      return 0;
    });
    return totals;
  }

  /** Notes the stored totals of the stacks that have births. */
  takeTotals(): void {
    this.#eachStackPiece((first, end) => this.core.call.takeTotals(first, end));
  }

  /** Sum over all stacks of the total at offset `field` of a stack. */
  sumStacks(field: number): bigint {
    let sum = 0n;
    this.#eachStackPiece((first, end) => {
      sum += BigInt.asUintN(64, this.core.call.sumStacks(end - first, field));
      return 0;
    });
    return sum;
  }

  /** Calls `use` for every block of the stacks array, with its elements at PIECE. */
  #eachStackPiece(use: (first: number, end: number) => number): void {
    const total = this.count(L.KIND_STACKS);
    for (let first = 0; first < total; first += STACKS_PER_BLOCK) {
      const end = Math.min(total, first + STACKS_PER_BLOCK);
      const position = this.#position(L.KIND_STACKS, first / STACKS_PER_BLOCK);
      this.#fill(this.core.constant.PIECE, (end - first) * L.STACK_BYTES, position);
      this.core.checked(use(first, end));
    }
  }

  /** Calls `ask` until the table block it needs is there. */
  fetch(ask: () => number | bigint): number {
    const { call, constant } = this.core;
    for (;;) {
      const answer = Number(ask());
      if (answer !== constant.MISSING) return this.core.checked(answer);
      const block = call.wantedBlock() >>> 0;
      const place = this.core.address(call.placeBlock());
      this.#fill(place, call.wantedBytes(), block * L.BLOCK_BYTES);
    }
  }

  close(): void {
    this.#source.close();
  }

  /** Reads part of the header block to its place in the core, with zeros behind the end of the file. */
  #header(offset: number, length: number): void {
    const part = this.core.bytes(this.core.constant.HEADER + offset, length);
    part.fill(0, this.#read(part, offset));
  }

  #position(kind: number, ordinal: number): number {
    return (this.core.call.fileBlock(kind, ordinal) >>> 0) * L.BLOCK_BYTES;
  }

  #publishedStacks(): number {
    const count = new DataView(new ArrayBuffer(4));
    this.#read(new Uint8Array(count.buffer), L.HEADER_ARRAYS + L.KIND_STACKS * L.ARRAY_BYTES + L.ARRAY_COUNT);
    return Math.min(count.getUint32(0, true), STACKS_MAX);
  }

  #fill(address: number, length: number, position: number): void {
    if (this.#read(this.core.bytes(address, length), position) < length) {
      throw new StoreError(`${this.#path}: became shorter while it was read; copy it again, whole`);
    }
  }

  #read(target: Uint8Array, position: number): number {
    return this.#attempt(() => this.#source.read(target, position));
  }

  #attempt<T>(operation: () => T): T {
    try {
      return operation();
    } catch (error) {
      throw new StoreError(`${this.#path}: cannot be read (${(error as Error).message})`);
    }
  }
}
