// Builds store files without the C library, so that readers and reports can be tested with contents that are known to
// the last byte. asm/FORMAT.md describes what it writes. The code is deliberately simple, because the tests rely on it.
//
//   const store = new StoreBuilder({ pid: 42, exe: "/usr/bin/app", command: ["app", "-v"] });
//   const app = store.module("/usr/bin/app", { bias: 0x400000n, executable: true });
//   const stack = store.stack([store.frame(app, 0x1234n), store.frame(app, 0x1000n)]);   // innermost first
//   store.record({ address: 0x7f00_0000_1000n, size: 64, time: 5_000_000_000n, stack });
//   store.write("/tmp/app.store");

import { closeSync, ftruncateSync, openSync, writeSync } from "node:fs";
import * as L from "../../asm/layout.js";
import type { FileIdentity } from "../../runtime/host/types.js";
import {
  type HeaderFields,
  type ModuleFields,
  putRecord,
  type RecordFields,
  type RecordSource,
  type StackFields,
  type ThreadFields,
  type TimelineFields,
} from "./store-fields.js";
import { type BlockPlan, DEFAULTS, headerBlock } from "./store-header.js";

const ELEMENT_BYTES: Record<number, number> = {
  [L.KIND_RECORDS]: L.RECORD_BYTES,
  [L.KIND_STACKS]: L.STACK_BYTES,
  [L.KIND_NODES]: L.NODE_BYTES,
  [L.KIND_FRAMES]: L.FRAME_BYTES,
  [L.KIND_MODULES]: L.MODULE_BYTES,
  [L.KIND_STRINGS]: 1,
};

// The order in which arrays get their blocks; records last, as they are what grows.
const KINDS = [L.KIND_STRINGS, L.KIND_MODULES, L.KIND_FRAMES, L.KIND_NODES, L.KIND_STACKS, L.KIND_RECORDS];

/** An appendable array in blocks of 1 MiB; element 0 exists from the start and is zero. */
class BlockArray {
  count = 1;
  readonly blocks: DataView[] = [];
  readonly #perBlock: number;
  readonly #elementBytes: number;

  constructor(elementBytes: number) {
    this.#elementBytes = elementBytes;
    this.#perBlock = L.BLOCK_BYTES / elementBytes;
    this.at(0);
  }

  at(index: number): { view: DataView; offset: number } {
    const ordinal = Math.floor(index / this.#perBlock);
    while (this.blocks.length <= ordinal) this.blocks.push(new DataView(new ArrayBuffer(L.BLOCK_BYTES)));
    return { view: this.blocks[ordinal]!, offset: (index % this.#perBlock) * this.#elementBytes };
  }

  append(): { index: number; view: DataView; offset: number } {
    const index = this.count++;
    return { index, ...this.at(index) };
  }
}

export class StoreBuilder {
  readonly #header: HeaderFields;
  readonly #arrays = new Map(KINDS.map((kind) => [kind, new BlockArray(ELEMENT_BYTES[kind]!)]));
  readonly #strings = new Map<string, { offset: number; length: number }>();
  readonly #nodes = new Map<string, number>();
  readonly #threads: ThreadFields[] = [];
  readonly #timeline: TimelineFields[] = [];
  #records: RecordSource | undefined;
  #roundRobin = false;
  #liveCount = 0n;
  #liveBytes = 0n;

  constructor(header: Partial<HeaderFields> = {}) {
    this.#header = { ...DEFAULTS, ...header };
  }

  /** Gives the arrays their blocks in turns, so that no array lies in one piece. */
  interleaveBlocks(): this {
    this.#roundRobin = true;
    return this;
  }

  /** Adds a string (UTF-8) or raw bytes; equal ones are shared. A string never crosses a block's border. */
  string(value: string | Uint8Array): { offset: number; length: number } {
    const bytes = typeof value === "string" ? new TextEncoder().encode(value) : value;
    const key = `${typeof value}:${bytes.join(",")}`;
    const known = this.#strings.get(key);
    if (known) return known;
    if (bytes.length > L.BLOCK_BYTES) throw new RangeError("a string is longer than a block");
    const strings = this.#arrays.get(L.KIND_STRINGS)!;
    if ((strings.count % L.BLOCK_BYTES) + bytes.length > L.BLOCK_BYTES) {
      strings.count = Math.ceil(strings.count / L.BLOCK_BYTES) * L.BLOCK_BYTES;
    }
    const at = { offset: strings.count, length: bytes.length };
    strings.count += bytes.length;
    const { view, offset } = strings.at(at.offset);
    new Uint8Array(view.buffer).set(bytes, offset);
    this.#strings.set(key, at);
    return at;
  }

  /** Adds a module; returns its id. */
  module(path: string, fields: ModuleFields = {}): number {
    const name = this.string(path);
    const id = fields.buildId ?? new Uint8Array(0);
    const identity = Uint8Array.of(...id, ...(fields.file ? fileBytes(fields.file) : []));
    const buildId = { offset: identity.length ? this.string(identity).offset : 0, length: id.length };
    const { index, view, offset } = this.#arrays.get(L.KIND_MODULES)!.append();
    const bias = fields.bias ?? 0n;
    const start = fields.start ?? (bias === 0n ? 0x400000n : bias);
    view.setBigUint64(offset + L.MODULE_BIAS, bias, true);
    view.setBigUint64(offset + L.MODULE_START, start, true);
    view.setBigUint64(offset + L.MODULE_END, fields.end ?? start + 0x100000n, true);
    view.setUint32(offset + L.MODULE_PATH_OFFSET, name.offset, true);
    view.setUint32(offset + L.MODULE_PATH_LENGTH, name.length, true);
    view.setUint32(offset + L.MODULE_BUILD_ID_OFFSET, buildId.offset, true);
    view.setUint32(offset + L.MODULE_BUILD_ID_LENGTH, buildId.length, true);
    view.setBigUint64(offset + L.MODULE_LOADED, fields.loaded ?? 0n, true);
    view.setBigUint64(offset + L.MODULE_UNLOADED, fields.unloaded ?? 0n, true);
    view.setUint32(offset + L.MODULE_GENERATION, fields.generation ?? 0, true);
    const flags =
      (fields.executable ? L.MODULE_FLAG_EXECUTABLE : 0) |
      (fields.vdso ? L.MODULE_FLAG_VDSO : 0) |
      (fields.file ? L.MODULE_FLAG_FILE : 0);
    view.setUint32(offset + L.MODULE_FLAGS, flags, true);
    return index;
  }

  /** Adds a frame (module 0: `offset` is an absolute address); returns its id. */
  frame(module: number, offset: bigint, exact = false, lost = false): number {
    const { index, view, offset: at } = this.#arrays.get(L.KIND_FRAMES)!.append();
    view.setBigUint64(at + L.FRAME_OFFSET, offset, true);
    view.setUint32(at + L.FRAME_MODULE, module, true);
    view.setUint32(at + L.FRAME_FLAGS, (exact ? L.FRAME_FLAG_EXACT : 0) | (lost ? L.FRAME_FLAG_LOST : 0), true);
    return index;
  }

  /** The node of `frame` called from `parent` (0: outermost frame); equal ones are shared. */
  node(parent: number, frame: number): number {
    const key = `${parent},${frame}`;
    const known = this.#nodes.get(key);
    if (known !== undefined) return known;
    const { index, view, offset } = this.#arrays.get(L.KIND_NODES)!.append();
    view.setUint32(offset + L.NODE_PARENT, parent, true);
    view.setUint32(offset + L.NODE_FRAME, frame, true);
    this.#nodes.set(key, index);
    return index;
  }

  /** Adds a call stack, frames innermost first; returns its id. */
  stack(frames: number[], fields: StackFields = {}): number {
    let node = 0;
    for (let i = frames.length - 1; i >= 0; i--) node = this.node(node, frames[i]!);
    const { index, view, offset } = this.#arrays.get(L.KIND_STACKS)!.append();
    view.setUint32(offset + L.STACK_NODE, node, true);
    view.setUint32(offset + L.STACK_FLAGS, fields.cut ? L.STACK_FLAG_CUT : 0, true);
    view.setBigUint64(offset + L.STACK_ALLOCATIONS, fields.allocations ?? 0n, true);
    view.setBigUint64(offset + L.STACK_ALLOCATED_BYTES, fields.allocatedBytes ?? 0n, true);
    view.setBigUint64(offset + L.STACK_FREES, fields.frees ?? 0n, true);
    view.setBigUint64(offset + L.STACK_FREED_BYTES, fields.freedBytes ?? 0n, true);
    view.setBigUint64(offset + L.STACK_TEMPORARIES, fields.temporaries ?? 0n, true);
    view.setBigUint64(offset + L.STACK_PEAK_BYTES, fields.peakBytes ?? 0n, true);
    view.setUint32(offset + L.STACK_PEAK_NUMBER, fields.peakNumber ?? 0, true);
    return index;
  }

  /** Adds a live allocation; returns its slot. */
  record(fields: RecordFields): number {
    const { index, view, offset } = this.#arrays.get(L.KIND_RECORDS)!.append();
    putRecord(view, offset, fields);
    this.#liveCount += 1n;
    this.#liveBytes += BigInt(fields.size);
    return index;
  }

  /** Adds a free slot between records, with what a removed record leaves behind. */
  freeSlot(): number {
    const { index, view, offset } = this.#arrays.get(L.KIND_RECORDS)!.append();
    putRecord(view, offset, { address: 0n, size: 0xdead, time: 1n, stack: 0x7fffffff });
    return index;
  }

  /** Takes the records from a source instead of from `record`; give thread slots as well then. */
  recordSource(source: RecordSource): this {
    this.#records = source;
    return this;
  }

  /** Adds a thread slot. Without any, one slot is made that has allocated what is live. */
  thread(fields: ThreadFields): this {
    this.#threads.push(fields);
    return this;
  }

  timeline(fields: TimelineFields): this {
    this.#timeline.push(fields);
    return this;
  }

  /** The file's pieces in ascending order, and its length. The piece's bytes are only good until the next one. */
  *#pieces(): Generator<{ position: number; bytes: Uint8Array }> {
    const plan = this.#plan();
    const counts = new Map(KINDS.map((kind) => [kind, this.#count(kind)]));
    const threads = this.#threads.length
      ? this.#threads
      : [{ allocations: this.#liveCount, allocatedBytes: this.#liveBytes, state: L.THREAD_SHARED }];
    yield { position: 0, bytes: headerBlock(this.#header, plan, counts, threads, this.#timeline) };
    const scratch = new DataView(new ArrayBuffer(this.#records ? L.BLOCK_BYTES : 0));
    for (const [i, { kind, ordinal, used }] of plan.entries()) {
      const position = (i + 1) * L.BLOCK_BYTES;
      if (kind === L.KIND_RECORDS && this.#records) {
        const first = (ordinal * L.BLOCK_BYTES) / L.RECORD_BYTES;
        for (let at = 0; at < used; at += L.RECORD_BYTES) {
          const index = first + at / L.RECORD_BYTES;
          if (index === 0) new Uint8Array(scratch.buffer, 0, L.RECORD_BYTES).fill(0);
          else this.#records.fill(scratch, at, index);
        }
        yield { position, bytes: new Uint8Array(scratch.buffer, 0, used) };
      } else {
        yield { position, bytes: new Uint8Array(this.#arrays.get(kind)!.blocks[ordinal]!.buffer, 0, used) };
      }
    }
  }

  #count(kind: number): number {
    return kind === L.KIND_RECORDS && this.#records ? this.#records.count + 1 : this.#arrays.get(kind)!.count;
  }

  #plan(): BlockPlan[] {
    const plan = KINDS.flatMap((kind) => {
      const bytes = this.#count(kind) * ELEMENT_BYTES[kind]!;
      return Array.from({ length: Math.ceil(bytes / L.BLOCK_BYTES) }, (_, ordinal) => ({
        kind,
        ordinal,
        used: Math.min(L.BLOCK_BYTES, bytes - ordinal * L.BLOCK_BYTES),
      }));
    });
    if (this.#roundRobin) plan.sort((a, b) => a.ordinal - b.ordinal);
    return plan;
  }

  /** The whole file in memory. */
  image(): Uint8Array {
    const last = this.#plan().at(-1);
    const blocks = this.#plan().length;
    const image = new Uint8Array(last ? blocks * L.BLOCK_BYTES + last.used : L.BLOCK_BYTES);
    for (const { position, bytes } of this.#pieces()) image.set(bytes, position);
    return image;
  }

  /** Writes the file, block by block, with holes where nothing is used. */
  write(path: string): void {
    const file = openSync(path, "w");
    try {
      let end = 0;
      for (const { position, bytes } of this.#pieces()) {
        writeSync(file, bytes, 0, bytes.length, position);
        end = position + bytes.length;
      }
      ftruncateSync(file, end);
    } finally {
      closeSync(file);
    }
  }
}

function fileBytes({ inode, bytes, written, layout }: Omit<FileIdentity, "seen">): Uint8Array {
  const view = new DataView(new ArrayBuffer(L.FILE_BYTES));
  view.setBigUint64(L.FILE_INODE, inode, true);
  view.setBigUint64(L.FILE_SIZE, bytes, true);
  view.setBigUint64(L.FILE_TIME, written, true);
  view.setBigUint64(L.FILE_LAYOUT, layout, true);
  return new Uint8Array(view.buffer);
}
