// A sender written a second time, in TypeScript and without the library, so that memdb can be tested with streams known
// to the last byte. test/wire/wire.test.ts holds it against the C encoder.
//
//   const stream = new Stream().hello().process({ pid: 42 });
//   const stack = stream.stackOf(0x1234n);                       module, frame, node and stack, each sent once
//   stream.records([[1, { address: 0x1000n, size: 64, stack }]]).header().commit();

import * as L from "../../asm/layout.js";
import { frame, helloFrame } from "../../runtime/memdb/wire.js";

export interface Process {
  pid?: number;
  parentPid?: number;
  processStart?: bigint;
  bootId?: Uint8Array;
  pidNamespace?: bigint;
  startWall?: bigint;
  startMonotonic?: bigint;
  exe?: string;
  command?: string[];
}

export interface Totals {
  dropped?: bigint;
  droppedBytes?: bigint;
  peakBytes?: bigint;
  peakTime?: bigint;
  timelineCount?: number;
  threadSlots?: number;
  endTime?: bigint;
  endKind?: number;
  endStatus?: number;
}

export interface LiveRecord {
  address: bigint;
  size: number;
  kind?: number;
  time?: bigint;
  thread?: number;
  stack?: number;
}

const encoder = new TextEncoder();

export class Stream {
  #pieces: Uint8Array[] = [];
  #header = new Uint8Array(L.WIRE_HEADER_BYTES);
  #counts = new Map<number, number>();
  #sequence = 0n;

  /** Everything that was added and not taken yet. */
  take(): Uint8Array {
    const bytes = Buffer.concat(this.#pieces);
    this.#pieces = [];
    return bytes;
  }

  raw(bytes: Uint8Array): this {
    this.#pieces.push(bytes);
    return this;
  }

  frame(type: number, payload: Uint8Array): this {
    const { bytes } = frame(type, payload.length);
    bytes.set(payload, L.WIRE_FRAME_BYTES);
    return this.raw(bytes);
  }

  hello(nonce: Uint8Array = new Uint8Array(L.WIRE_NONCE_BYTES)): this {
    return this.raw(helloFrame(nonce));
  }

  process(fields: Process = {}): this {
    const exe = encoder.encode(fields.exe ?? "/usr/bin/app");
    const command = encoder.encode((fields.command ?? ["app", "-v"]).map((argument) => `${argument}\0`).join(""));
    const view = new DataView(this.#header.buffer);
    view.setUint32(L.HEADER_MAGIC, L.STORE_MAGIC_LOW, true);
    view.setUint32(L.HEADER_MAGIC + 4, L.STORE_MAGIC_HIGH, true);
    view.setUint16(L.HEADER_VERSION_MAJOR, L.STORE_VERSION_MAJOR, true);
    view.setUint16(L.HEADER_VERSION_MINOR, L.STORE_VERSION_MINOR, true);
    view.setUint32(L.HEADER_HEADER_BYTES, L.HEADER_BYTES, true);
    view.setUint32(L.HEADER_BLOCK_BYTES, L.BLOCK_BYTES, true);
    view.setUint32(L.HEADER_POINTER_BYTES, 8, true);
    view.setUint32(L.HEADER_PID, fields.pid ?? 4242, true);
    view.setUint32(L.HEADER_PARENT_PID, fields.parentPid ?? 1, true);
    view.setBigUint64(L.HEADER_PROCESS_START, fields.processStart ?? 123456n, true);
    this.#header.set(fields.bootId ?? Uint8Array.from({ length: 16 }, (_, i) => i + 1), L.HEADER_BOOT_ID);
    view.setBigUint64(L.HEADER_START_WALL, fields.startWall ?? 1_772_366_400_000_000_000n, true);
    view.setBigUint64(L.HEADER_START_MONOTONIC, fields.startMonotonic ?? 1_000_000_000n, true);
    view.setBigUint64(L.HEADER_SIZE_LIMIT, 8n << 30n, true);
    view.setUint32(L.HEADER_MACHINE, 62, true);
    view.setUint32(L.HEADER_WRITER, L.WRITER_PRELOAD, true);
    view.setUint32(L.HEADER_PAGE_BYTES, 4096, true);
    view.setUint32(L.HEADER_DEPTH_LIMIT, 256, true);
    view.setBigUint64(L.HEADER_PID_NAMESPACE, fields.pidNamespace ?? 4_026_531_836n, true);
    view.setUint32(L.HEADER_EXE_LENGTH, exe.length, true);
    view.setUint32(L.HEADER_COMMAND_LENGTH, command.length, true);
    view.setBigUint64(L.HEADER_TIMELINE_STEP, 1_000_000_000n, true);
    view.setUint32(L.HEADER_UNWINDER, L.UNWINDER_DWARF, true);
    return this.frame(L.WIRE_PROCESS, Buffer.concat([this.#header, exe, command]));
  }

  header(totals: Totals = {}): this {
    const view = new DataView(this.#header.buffer);
    const { dropped, droppedBytes, peakBytes, peakTime, timelineCount, threadSlots, endTime, endKind, endStatus } =
      totals;
    if (timelineCount !== undefined) view.setUint32(L.HEADER_TIMELINE_COUNT, timelineCount, true);
    if (threadSlots !== undefined) view.setUint32(L.HEADER_THREAD_SLOTS, threadSlots, true);
    if (dropped !== undefined) view.setBigUint64(L.HEADER_DROPPED, dropped, true);
    if (droppedBytes !== undefined) view.setBigUint64(L.HEADER_DROPPED_BYTES, droppedBytes, true);
    if (peakBytes !== undefined) view.setBigUint64(L.HEADER_PEAK_BYTES, peakBytes, true);
    if (peakTime !== undefined) view.setBigUint64(L.HEADER_PEAK_TIME, peakTime, true);
    if (endTime !== undefined) view.setBigUint64(L.HEADER_END_TIME, endTime, true);
    if (endKind !== undefined) view.setUint32(L.HEADER_END_KIND, endKind, true);
    if (endStatus !== undefined) view.setUint32(L.HEADER_END_STATUS, endStatus, true);
    return this.frame(L.WIRE_HEADER, this.#header);
  }

  /** Elements of a kind from `first` on; `data` holds `count` of them. */
  elements(kind: number, first: number, count: number, data: Uint8Array): this {
    const payload = new Uint8Array(L.WIRE_ELEMENTS_DATA + data.length);
    const view = new DataView(payload.buffer);
    view.setUint32(L.WIRE_ELEMENTS_KIND, kind, true);
    view.setUint32(L.WIRE_ELEMENTS_FIRST, first, true);
    view.setUint32(L.WIRE_ELEMENTS_COUNT, count, true);
    payload.set(data, L.WIRE_ELEMENTS_DATA);
    this.#counts.set(kind, Math.max(this.#counts.get(kind) ?? 1, first + count));
    return this.frame(L.WIRE_ELEMENTS, payload);
  }

  /** Adds `count` elements behind those there are; returns the first one's index. */
  append(kind: number, count: number, data: Uint8Array): number {
    const first = this.#counts.get(kind) ?? 1;
    this.elements(kind, first, count, data);
    return first;
  }

  /** A module without a build id. */
  module(path: string, bias = 0x400000n): number {
    const bytes = encoder.encode(path);
    const name = this.append(L.KIND_STRINGS, bytes.length, bytes);
    const view = new DataView(new ArrayBuffer(L.MODULE_BYTES));
    view.setBigUint64(L.MODULE_BIAS, bias, true);
    view.setBigUint64(L.MODULE_START, bias, true);
    view.setBigUint64(L.MODULE_END, bias + 0x100000n, true);
    view.setUint32(L.MODULE_PATH_OFFSET, name, true);
    view.setUint32(L.MODULE_PATH_LENGTH, bytes.length, true);
    return this.append(L.KIND_MODULES, 1, new Uint8Array(view.buffer));
  }

  /** A new stack of new frames at these offsets in a module, innermost first. */
  stack(module: number, ...offsets: bigint[]): number {
    let parent = 0;
    for (const offset of offsets.toReversed()) {
      const view = new DataView(new ArrayBuffer(L.FRAME_BYTES));
      view.setBigUint64(L.FRAME_OFFSET, offset, true);
      view.setUint32(L.FRAME_MODULE, module, true);
      const id = this.append(L.KIND_FRAMES, 1, new Uint8Array(view.buffer));
      parent = this.append(L.KIND_NODES, 1, new Uint8Array(Uint32Array.of(parent, id).buffer));
    }
    const view = new DataView(new ArrayBuffer(L.STACK_BYTES));
    view.setUint32(L.STACK_NODE, parent, true);
    return this.append(L.KIND_STACKS, 1, new Uint8Array(view.buffer));
  }

  /** One WIRE_RECORDS frame; slots that follow one another share a run. */
  records(slots: readonly (readonly [slot: number, record: LiveRecord])[]): this {
    const runs: (readonly [number, LiveRecord])[][] = [];
    for (const entry of slots) {
      const run = runs.at(-1);
      if (run && run.at(-1)![0] + 1 === entry[0]) run.push(entry);
      else runs.push([entry]);
    }
    const view = new DataView(new ArrayBuffer(runs.length * L.WIRE_RUN_BYTES + slots.length * L.RECORD_BYTES));
    let at = 0;
    for (const run of runs) {
      view.setUint32(at + L.WIRE_RUN_FIRST, run[0]![0], true);
      view.setUint32(at + L.WIRE_RUN_COUNT, run.length, true);
      at += L.WIRE_RUN_BYTES;
      for (const [, record] of run) {
        const kind = BigInt(record.kind ?? L.MEMORY_HEAP) << BigInt(L.RECORD_KIND_SHIFT);
        view.setBigUint64(at + L.RECORD_ADDRESS, record.address, true);
        view.setBigUint64(at + L.RECORD_SIZE, BigInt(record.size) | kind, true);
        view.setBigUint64(at + L.RECORD_TIME, record.time ?? 0n, true);
        view.setUint32(at + L.RECORD_THREAD, record.thread ?? 4242, true);
        view.setUint32(at + L.RECORD_STACK, record.stack ?? 0, true);
        at += L.RECORD_BYTES;
      }
    }
    return this.frame(L.WIRE_RECORDS, new Uint8Array(view.buffer));
  }

  removed(...slots: number[]): this {
    return this.frame(L.WIRE_REMOVED, new Uint8Array(Uint32Array.from(slots).buffer));
  }

  commit(last = false): this {
    const view = new DataView(new ArrayBuffer(L.WIRE_COMMIT_BYTES));
    view.setBigUint64(L.WIRE_COMMIT_SEQUENCE, ++this.#sequence, true);
    view.setUint32(L.WIRE_COMMIT_FLAGS, last ? L.WIRE_COMMIT_LAST : 0, true);
    return this.frame(L.WIRE_COMMIT, new Uint8Array(view.buffer));
  }
}

/** The bytes that a vector file spells out: hexadecimal, `#` up to the end of a line is a comment. */
export function fromHex(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text.replaceAll(/#.*$/gm, "").replaceAll(/\s/g, ""), "hex"));
}
