// One connection to memhook-look, which freezes a process and reads its memory. look/README.md describes the protocol.
//
//   const look = await freeze(4711, { method: "auto", longestMs: 50 });
//   await look.read([{ start, end }], (address, bytes) => …);
//   await look.release();

import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import * as L from "../../asm/reach/layout.js";
import { LookError } from "../host/errors.js";

export type Freeze = "auto" | "snapshot" | "stop";

export interface Mapping {
  start: number;
  end: number;
  offset: number;
  /** Device and inode; "" of no file. */
  file: string;
  path: string;
  readable: boolean;
  writable: boolean;
  executable: boolean;
  shared: boolean;
  /** Reading it may do something. */
  device: boolean;
  /** It was mapped without being counted (MAP_NORESERVE). */
  unreserved: boolean;
}

export interface Task {
  tid: number;
  stackPointer: number;
  threadPointer: number;
  programCounter: number;
  /** What all its registers hold, in words of 8 bytes. */
  registers: Uint8Array;
}

export interface Range {
  start: number;
  end: number;
}

/**
 * Is called with bytes of the process in ascending order; missing pages are left out. They are valid until it returns.
 */
export type Sink = (address: number, bytes: Uint8Array) => void;

export interface ReadOptions {
  /** For a private mapping of a file: only the pages that the process has changed. */
  onlyPrivate?: boolean;
  /** Also pages that the process has not touched; only for little, because it makes them. */
  whole?: boolean;
  /** The current contents, not those of the snapshot: it does not contain shared memory. */
  live?: boolean;
}

function helperPath(): string {
  const architecture = process.arch === "arm64" ? "aarch64" : "x86_64";
  // A program has this module bundled into it, one folder less deep.
  const folder = /\/dist\/bin\/[^/]+$/.test(import.meta.url) ? "../../" : "../../../";
  const path = fileURLToPath(new URL(`${folder}build/lib/look-${architecture}/memhook-look`, import.meta.url));
  if (!existsSync(path)) throw new LookError(`memhook-look is not built: ${path} is missing; run ./build.sh`);
  return path;
}

/**
 * Freezes a process.
 * @param longestMs the longest pause that is wanted, 0 of no bound
 * @throws LookError when it cannot be looked at
 */
export async function freeze(pid: number, how: { method: Freeze; longestMs: number }): Promise<Look> {
  const child = spawn(helperPath(), [String(pid), how.method, String(Math.ceil(how.longestMs * 1000))], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const look = new Look(pid, child);
  await look.begin();
  return look;
}

/** A frame's payload; of LOOK_DATA it is good until the next one comes. */
type Listener = (type: number, payload: Uint8Array) => boolean;

export class Look {
  readonly pid: number;
  method: "snapshot" | "stop" = "snapshot";
  /** How long the process stood still; of "stop" it is known when it was released. */
  pauseNs = 0;
  readonly tasks: Task[] = [];
  readonly mappings: Mapping[] = [];
  readonly #child: ChildProcess;
  #head = new Uint8Array(L.LOOK_FRAME_BYTES);
  #headBytes = 0;
  #payload = new Uint8Array(L.LOOK_PAYLOAD_MAX);
  #payloadBytes = 0;
  #length = -1;
  #listener: Listener | undefined;
  #done: (() => void) | undefined;
  #failed: ((error: Error) => void) | undefined;
  #ended: Error | undefined;

  /** Use freeze(). */
  constructor(pid: number, child: ChildProcess) {
    this.pid = pid;
    this.#child = child;
    child.stdout!.on("data", (chunk: Uint8Array) => this.#take(chunk));
    child.stdin!.on("error", () => {});
    const end = (why: string) => this.#fail(new LookError(`process ${pid}: ${why}`));
    child.on("error", (error) => end(`memhook-look cannot be run (${error.message})`));
    child.on("close", () => end("memhook-look ended before it was done"));
  }

  #fail(error: Error): void {
    this.#ended ??= error;
    this.#failed?.(this.#ended);
  }

  #take(chunk: Uint8Array): void {
    for (let at = 0; at < chunk.length; ) {
      if (this.#length < 0) {
        const part = chunk.subarray(at, at + L.LOOK_FRAME_BYTES - this.#headBytes);
        this.#head.set(part, this.#headBytes);
        this.#headBytes += part.length;
        at += part.length;
        if (this.#headBytes < L.LOOK_FRAME_BYTES) return;
        this.#length = new DataView(this.#head.buffer).getUint32(L.LOOK_FRAME_LENGTH, true);
        if (this.#length > L.LOOK_PAYLOAD_MAX) {
          this.#fail(new LookError("memhook-look says what makes no sense"));
          return;
        }
        this.#payloadBytes = 0;
      }
      const part = chunk.subarray(at, at + this.#length - this.#payloadBytes);
      this.#payload.set(part, this.#payloadBytes);
      this.#payloadBytes += part.length;
      at += part.length;
      if (this.#payloadBytes < this.#length) return;
      const type = new DataView(this.#head.buffer).getUint32(L.LOOK_FRAME_TYPE, true);
      const payload = this.#payload.subarray(0, this.#length);
      this.#length = -1;
      this.#headBytes = 0;
      this.#hear(type, payload);
    }
  }

  #hear(type: number, payload: Uint8Array): void {
    if (type === L.LOOK_REFUSED) {
      this.#fail(new LookError(`process ${this.pid}: ${new TextDecoder().decode(payload)}`));
      return;
    }
    try {
      if (this.#listener?.(type, payload)) this.#done?.();
    } catch (error) {
      this.#fail(error as Error);
    }
  }

  /** Waits until `listener` says that a frame was the last one. */
  #until(listener: Listener): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#ended) return reject(this.#ended);
      this.#listener = listener;
      this.#done = resolve;
      this.#failed = reject;
    });
  }

  /** @internal */
  begin(): Promise<void> {
    return this.#until((type, payload) => {
      const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength);
      if (type === L.LOOK_FROZEN) {
        this.method = view.getUint32(L.FROZEN_METHOD, true) === L.METHOD_STOP ? "stop" : "snapshot";
        this.pauseNs = Number(view.getBigUint64(L.FROZEN_PAUSE, true));
      } else if (type === L.LOOK_TASK) {
        this.tasks.push(taskOf(view, payload));
      } else if (type === L.LOOK_MAPPING) {
        this.mappings.push(mappingOf(view, payload));
      }
      return type === L.LOOK_READY;
    });
  }

  /** Reads ranges one after the other. */
  async read(ranges: readonly Range[], sink: Sink, { onlyPrivate, live, whole }: ReadOptions = {}): Promise<void> {
    const wanted = ranges.filter(({ start, end }) => end > start);
    if (wanted.length === 0) return;
    const flags = (onlyPrivate ? L.READ_PRIVATE : 0) | (live ? L.READ_LIVE : 0) | (whole ? L.READ_WHOLE : 0);
    let left = wanted.length;
    const answered = this.#until((type, payload) => {
      if (type === L.LOOK_DATA) {
        const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength);
        sink(Number(view.getBigUint64(L.DATA_ADDRESS, true)), payload.subarray(L.DATA_CONTENTS));
      }
      if (type === L.LOOK_END) left--;
      return left === 0;
    });
    // A few at a time, so that neither side waits for the other to take what it says.
    for (const { start, end } of wanted) this.#say(start, end - start, flags);
    await answered;
  }

  #say(address: number, length: number, flags: number): void {
    const frame = new DataView(new ArrayBuffer(L.LOOK_FRAME_BYTES + L.READ_BYTES));
    frame.setUint32(L.LOOK_FRAME_LENGTH, L.READ_BYTES, true);
    frame.setUint32(L.LOOK_FRAME_TYPE, L.LOOK_READ, true);
    frame.setBigUint64(L.LOOK_FRAME_BYTES + L.READ_ADDRESS, BigInt(address), true);
    frame.setBigUint64(L.LOOK_FRAME_BYTES + L.READ_LENGTH, BigInt(length), true);
    frame.setBigUint64(L.LOOK_FRAME_BYTES + L.READ_FLAGS, BigInt(flags), true);
    this.#child.stdin!.write(new Uint8Array(frame.buffer));
  }

  /** The bytes of one range, zeros where there are none. */
  async get(start: number, length: number, options: ReadOptions = {}): Promise<DataView> {
    const bytes = new Uint8Array(length);
    await this.read([{ start, end: start + length }], (address, part) => bytes.set(part, address - start), {
      ...options,
      whole: true,
    });
    return new DataView(bytes.buffer);
  }

  /** The bytes of several sorted, disjoint ranges; for small amounts. */
  async getAll(ranges: readonly Range[], options: ReadOptions = {}): Promise<DataView[]> {
    const all = ranges.map(({ start, end }) => new Uint8Array(end - start));
    let at = 0;
    const take = (address: number, part: Uint8Array) => {
      while (ranges[at]!.end <= address) at++;
      all[at]!.set(part, address - ranges[at]!.start);
    };
    await this.read(ranges, take, { ...options, whole: true });
    return all.map((bytes) => new DataView(bytes.buffer));
  }

  /** Lets the process go on, if it is stopped, and removes every trace of the look. */
  async release(): Promise<void> {
    if (this.#ended) return;
    const released = this.#until((type, payload) => {
      if (type !== L.LOOK_RELEASED) return false;
      const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength);
      if (this.method === "stop") this.pauseNs = Number(view.getBigUint64(L.RELEASED_PAUSE, true));
      return true;
    });
    const frame = new Uint32Array([0, L.LOOK_RELEASE]);
    this.#child.stdin!.end(new Uint8Array(frame.buffer));
    await released;
  }

  /** The same after an error: closing the connection tells the helper. */
  abandon(): void {
    this.#child.stdin!.destroy();
    this.#child.stdout!.destroy();
  }
}

function taskOf(view: DataView, payload: Uint8Array): Task {
  return {
    tid: view.getUint32(L.TASK_TID, true),
    stackPointer: Number(view.getBigUint64(L.TASK_STACK_POINTER, true)),
    threadPointer: Number(view.getBigUint64(L.TASK_THREAD_POINTER, true)),
    programCounter: Number(view.getBigUint64(L.TASK_PROGRAM_COUNTER, true)),
    registers: payload.slice(L.TASK_REGISTERS),
  };
}

function mappingOf(view: DataView, payload: Uint8Array): Mapping {
  const u64 = (at: number) => view.getBigUint64(at, true);
  const flags = Number(u64(L.MAPPING_FLAGS));
  const inode = u64(L.MAPPING_INODE);
  return {
    start: Number(u64(L.MAPPING_START)),
    end: Number(u64(L.MAPPING_END)),
    offset: Number(u64(L.MAPPING_OFFSET)),
    file: inode === 0n ? "" : `${u64(L.MAPPING_DEVICE)} ${inode}`,
    path: new TextDecoder().decode(payload.subarray(L.MAPPING_PATH)),
    readable: (flags & L.MAPPING_READABLE) !== 0,
    writable: (flags & L.MAPPING_WRITABLE) !== 0,
    executable: (flags & L.MAPPING_EXECUTABLE) !== 0,
    shared: (flags & L.MAPPING_SHARED) !== 0,
    device: (flags & L.MAPPING_DEVICE_MEMORY) !== 0,
    unreserved: (flags & L.MAPPING_UNRESERVED) !== 0,
  };
}
