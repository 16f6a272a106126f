// The interface to core.wasm: its functions with their types, views of its memory, and its faults as errors.
//
// core.wasm keeps all state in its own memory and imports nothing. For any input, the result here is an answer or a
// StoreError. Even a trap, which only a bug in the checks can cause, is reported as an error of the file.

import { bytes } from "../../build/wasm/core.js";
import { StoreError } from "../host/errors.js";

interface Functions {
  checkHeader(fileBytes: bigint): number;
  arrayCount(kind: number): number;
  fileBlock(kind: number, ordinal: number): number;
  sumThreads(field: number): bigint;
  tidyTimeline(): number;

  setFilter(minSize: bigint, maxSize: bigint, minTime: bigint, maxTime: bigint, thread: bigint, kind: number): void;
  setExit(time: bigint): void;
  beginScan(collect: number, order: number, selected: number): void;
  setOpen(open: number): void;
  settle(count: number): number;
  scan(first: number, count: number, stacks: number): number;
  liveCount(): number;
  liveBytes(): number;
  freedCount(): number;
  freedBytes(): number;
  newestTime(): bigint;
  matchedCount(): number;
  matchedBytes(): number;
  matchedBytesVariance(): number;
  matchedBytesSpread(): number;

  releaseAll(): void;
  setSample(bytes: number): void;
  setBirths(wanted: number): void;
  setLife(span: bigint): void;
  takeTotals(first: number, end: number): number;
  beginSums(): void;
  listStackIds(): number;
  stackIdCount(): number;
  claimMask(): number;
  selectStacks(list: number, mask: number): void;
  suppressedCount(byte: number): number;
  suppressedBytes(byte: number): number;

  beginSpots(selected: number): number;
  spotCount(): number;
  spotStacks(): number;
  spotStates(): number;
  spotFrames(): number;
  spotOuters(): number;
  spotSizes(): number;
  spotModuleMarks(): number;
  spotFrameMarks(): number;
  spotAsked(): number;
  beginSearch(): void;
  search(): number;
  claimPlaces(): number;
  gather(places: number): number;

  beginEntries(largest: number): void;
  entriesLength(): number;
  beginStacks(): void;
  sumStacks(count: number, field: number): bigint;
  admitStacks(first: number, end: number, order: number): number;
  collectStacks(first: number, end: number, order: number, selected: number): number;
  stacksMatched(): number;
  stacksBytes(): number;
  stacksBytesVariance(): number;
  stacksBytesSpread(): number;
  stackTotal(element: number, order: number): bigint;
  stackRows(order: number): number;
  stackMore(): number;
  recordRows(order: number): number;

  beginWalk(stack: number): number;
  walk(): number;
  walkCut(): number;
  beginInnermostModules(): void;
  innermostModules(count: number): number;
  frameAt(frame: number): bigint;
  moduleAt(module: number): bigint;
  stringAt(offset: number, length: number): bigint;
  forgetBlocks(): void;
  wantedBlock(): number;
  wantedBytes(): number;
  placeBlock(): number;

  faultKind(): number;
  faultText(): number;
  faultTextLength(): number;
  faultNumber(): bigint;
}

type ConstantName =
  | `FAULT_${"UNSUPPORTED" | "NEWER" | "TRUNCATED" | "DAMAGED" | "TOO_MUCH"}`
  | "HEADER"
  | "PIECE"
  | "SECOND"
  | "FRAMES"
  | "FRAMES_MAX"
  | "MISSING"
  | `COLLECT_${"NOTHING" | "SUMS" | "ENTRIES"}`
  | `ORDER_${"TIME" | "SIZE" | "ADDRESS" | "COUNT" | "BYTES" | "ALLOCATIONS" | "TEMPORARIES" | "PEAK"}`
  | `BIRTH_${"STEP" | "COUNTS" | "BYTES" | "SMALLEST" | "LARGEST"}`
  | `BIRTH_${"ALLOCATIONS" | "ALLOCATED_BYTES" | "FREES" | "FREED_BYTES"}`
  | `MARK_${"PASS" | "STOP"}`
  | `SEARCH_${"NEW" | "OPEN" | "FOUND" | "NONE"}`
  | `PLACE_${"BYTES" | "COUNT" | "VARIANCE" | "SPREAD" | "OLDEST" | "NEWEST"}`
  | `PLACE_${"STACKS" | "LARGEST" | "BIRTHS" | "ENTRY"}`
  | `MORE_${"ENTRY" | "TOTAL" | "COUNT" | "BYTES" | "VARIANCE" | "SPREAD"}`
  | `ROW_${"STACK" | "COUNT" | "BYTES" | "OLDEST" | "NEWEST"}`;

const NO_NUMBER = 0xffff_ffff_ffff_ffffn;

let compiled: WebAssembly.Module | undefined;

/** The release build of the core, compiled once. */
export function releaseCore(): WebAssembly.Module {
  compiled ??= new WebAssembly.Module(bytes());
  return compiled;
}

/** One instance of core.wasm, for one store. */
export class Core {
  readonly call: Functions;
  readonly constant: Readonly<Record<ConstantName, number>>;
  readonly #memory: WebAssembly.Memory;
  readonly #path: string;
  #bytes: Uint8Array;
  #view: DataView;

  /** `path` is the store's, for messages. */
  constructor(module: WebAssembly.Module, path: string) {
    const abort = () => {
      throw new WebAssembly.RuntimeError("an assertion failed");
    };
    // Only the build with assertions imports abort.
    const { exports } = new WebAssembly.Instance(module, { env: { abort } });
    this.#path = path;
    this.#memory = exports.memory as WebAssembly.Memory;
    const call: Record<string, unknown> = {};
    const constant: Record<string, number> = {};
    for (const [name, value] of Object.entries(exports)) {
      if (typeof value === "function") call[name] = this.#guarded(value as (...values: never[]) => unknown);
      else if (value !== this.#memory) constant[name] = (value as { value: number }).value;
    }
    this.call = call as unknown as Functions;
    this.constant = constant as Record<ConstantName, number>;
    this.#bytes = new Uint8Array(this.#memory.buffer);
    this.#view = new DataView(this.#memory.buffer);
  }

  #guarded(f: (...values: never[]) => unknown): (...values: never[]) => unknown {
    return (...values) => {
      try {
        return f(...values);
      } catch (error) {
        if (!(error instanceof WebAssembly.RuntimeError)) throw error;
        throw new StoreError(`${this.#path}: is damaged (${error.message}); record the program again`);
      }
    };
  }

  /** The memory as bytes. Growing detaches older views, so take a new one after every call. */
  bytes(address: number, length: number): Uint8Array {
    if (this.#bytes.buffer !== this.#memory.buffer) this.#bytes = new Uint8Array(this.#memory.buffer);
    return this.#bytes.subarray(address >>> 0, (address >>> 0) + length);
  }

  /** The memory as numbers; the same holds. */
  get view(): DataView {
    if (this.#view.buffer !== this.#memory.buffer) this.#view = new DataView(this.#memory.buffer);
    return this.#view;
  }

  /** Returns the status; if it is FAILED, throws what the core has found wrong. */
  checked(status: number): number {
    if (status === -1) throw this.fault();
    return status;
  }

  /** The same for functions that return an address. */
  address(address: number): number {
    if (address === 0) throw this.fault();
    return address >>> 0;
  }

  /** The last fault that the core found. */
  fault(): StoreError {
    const start = this.call.faultText() >>> 0;
    const units = this.call.faultTextLength();
    let text = "";
    for (let i = 0; i < units; i++) text += String.fromCharCode(this.view.getUint16(start + 2 * i, true));
    const number = BigInt.asUintN(64, this.call.faultNumber());
    if (number !== NO_NUMBER) text += ` ${number}`;
    const kind = this.call.faultKind();
    const is = this.constant;
    if (kind === is.FAULT_TRUNCATED) text = `is truncated, ${text}; copy it again, whole`;
    else if (kind === is.FAULT_DAMAGED) text = `is damaged, ${text}; record the program again`;
    else if (kind === is.FAULT_NEWER) text = `${text}; update memhook to read it`;
    else if (kind === is.FAULT_TOO_MUCH) text = `${text}; use --top, -a or narrower filters`;
    else text = `${text}; name the file that MEMHOOK_FILE or memhook run gave`;
    return new StoreError(`${this.#path}: ${text}`);
  }
}
