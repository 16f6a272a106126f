// Stores: open one, ask it what is live, and follow its stacks to frames and modules.
//
//   const store = await openStore("/tmp/app.store");
//   const { stacks } = await store.query({ aggregate: true, sort: "size", top: 10 });
//   for (const { stackId } of stacks) console.log(store.frames(stackId).frames);
//
// Reading is synchronous inside, in pieces of a MiB: a tenth of a second or two for a million allocations of a process that is
// running, a fraction of that when it is not. A Store may be asked several things at once; each query has a core of its own, and one core keeps the
// tables that frames() and modules() look at.

import * as L from "../asm/layout.js";
import { releaseCore } from "./core.js";
import { StoreError } from "./errors.js";
import { type ByteSource, openFile } from "./host.js";
import { type Reading, StoreImage } from "./image.js";
import { type Liveness, liveness } from "./liveness.js";
import { margin } from "./sample.js";
import { isoTime } from "./time.js";
import type {
  Matched,
  MemoryKind,
  ModuleInfo,
  ProcessInfo,
  Query,
  QueryResult,
  RawAllocation,
  RawFrame,
  RawStackRow,
  SortOrder,
  Totals,
} from "./types.js";

export { StoreError } from "./errors.js";

export interface TimelineEntry {
  /** Relative time, nanoseconds. */
  time: bigint;
  liveBytes: number;
  liveCount: number;
  /** Allocations made until then. */
  allocations: number;
}

/** What the header knows. Bytes and counts are numbers, times nanoseconds. */
export interface StoreInfo {
  version: { major: number; minor: number };
  writer: "library" | "memdb";
  unwinder: "libunwind" | "dwarf" | "fp" | "unknown";
  /** Most bytes the store may take on disk, and what it has taken. */
  sizeLimit: number;
  committedBytes: number;
  /** Length of the file; more than it takes on disk, as it has holes. */
  fileBytes: number;
  counts: Record<"records" | "stacks" | "nodes" | "frames" | "modules" | "strings", number>;
  end: { kind: "none" | "exit" | "immediate exit" | "exec"; status: number; time: bigint };
  sampleBytes: number;
  dropped: number;
  droppedBytes: number;
  depthLimit: number;
  /** memhook switched itself off in the process: what is stored is not all. */
  switchedOff: boolean;
  /** The process was linked for pointers of this size. */
  pointerBytes: number;
  /** ELF machine: 62 x86-64, 183 aarch64. */
  machine: number;
  timelineStep: bigint;
  timeline: TimelineEntry[];
  /** Since 1970, and on CLOCK_MONOTONIC; relative times count from there. */
  startWall: bigint;
  startMonotonic: bigint;
  /** Hex digits, "" if unknown. */
  bootId: string;
  threadSlots: number;
}

const WRITERS = { [L.WRITER_PRELOAD]: "library", [L.WRITER_MEMDB]: "memdb" } as const;
const UNWINDERS: Record<number, StoreInfo["unwinder"]> = {
  [L.UNWINDER_LIBUNWIND]: "libunwind",
  [L.UNWINDER_DWARF]: "dwarf",
  [L.UNWINDER_FRAME_POINTER]: "fp",
};
const END_KINDS = {
  [L.END_NONE]: "none",
  [L.END_EXIT]: "exit",
  [L.END_IMMEDIATE_EXIT]: "immediate exit",
  [L.END_EXEC]: "exec",
} as const;
const MEMORY_KINDS: MemoryKind[] = [];
MEMORY_KINDS[L.MEMORY_HEAP] = "heap";
MEMORY_KINDS[L.MEMORY_MMAP] = "mmap";
MEMORY_KINDS[L.MEMORY_CUSTOM] = "custom";

const RECORD_ORDERS = { time: "ORDER_TIME", size: "ORDER_SIZE", address: "ORDER_ADDRESS" } as const;
const STACK_ORDERS = {
  count: "ORDER_COUNT",
  size: "ORDER_BYTES",
  allocations: "ORDER_ALLOCATIONS",
  temporary: "ORDER_TEMPORARIES",
  peak: "ORDER_PEAK",
} as const;

const MAX_U64 = 0xffff_ffff_ffff_ffffn;
const NO_TOP = 0xffff_ffff;
/** A core that has grown beyond this is given back to the system after its query. */
const KEEP_BYTES = 64 << 20;

/** The file behind a name in shared memory. */
export function sharedMemoryPath(name: string): string {
  return `/dev/shm/${name.replace(/^\/+/, "")}`;
}

/**
 * Opens the store of a process, running or not.
 * @throws StoreError when there is none, or it cannot be read, or it is not sound.
 */
export async function openStore(path: string): Promise<Store> {
  let source: ByteSource;
  try {
    source = openFile(path);
  } catch (error) {
    throw new StoreError(`${path}: ${whyNotOpened(error as NodeJS.ErrnoException)}`);
  }
  return openSource(source, path);
}

/** The same for bytes that are not a file. The store closes them. `core` is a build of core.wasm. */
export function openSource(source: ByteSource, path: string, core: WebAssembly.Module = releaseCore()): Store {
  try {
    return new Store(source, path, core);
  } catch (error) {
    source.close();
    throw error;
  }
}

function whyNotOpened(error: NodeJS.ErrnoException): string {
  switch (error.code) {
    case "ENOENT":
    case "ENOTDIR":
      return "no such file; start the program under memhook, or name its store";
    case "EACCES":
    case "EPERM":
      return "not allowed to read it; use the account that the program runs under";
    case "ENOTFILE":
      return "is not a regular file; name the store itself";
    default:
      return `cannot be opened (${error.message})`;
  }
}

export class Store {
  readonly path: string;
  readonly #source: ByteSource;
  readonly #module: WebAssembly.Module;
  /** The core with the tables and the newest header. */
  readonly #tables: StoreImage;
  /** Cores that no query uses at the moment. */
  readonly #idle: StoreImage[] = [];
  readonly #modules = new Map<number, ModuleInfo>();
  readonly #frames = new Map<number, RawFrame>();
  #liveness: Liveness = "gone";
  /** What the last pass over the records found live, all filters aside. */
  #live: { count: number; bytes: number; newest: bigint } | undefined;

  /** Use openStore(). */
  constructor(source: ByteSource, path: string, module: WebAssembly.Module) {
    this.path = path;
    this.#source = source;
    this.#module = module;
    this.#tables = new StoreImage(module, source, path);
    this.#tables.load(false);
    this.#look();
    // What was written between the header and the end of the process is only in the header of now.
    if (!this.#writing) this.#tables.load(true);
  }

  /** The process; its state is that of the last query. */
  get process(): ProcessInfo {
    const exeBytes = this.#tables.u32(L.HEADER_EXE_LENGTH);
    const exe = this.#tables.headerBytes(L.PROCESS_OFFSET, exeBytes);
    const command = this.#tables.headerBytes(L.PROCESS_OFFSET + exeBytes, this.#tables.u32(L.HEADER_COMMAND_LENGTH));
    const decoder = new TextDecoder();
    const args = decoder.decode(command).split("\0");
    if (args.at(-1) === "") args.pop();
    return {
      pid: this.#tables.u32(L.HEADER_PID),
      exe: decoder.decode(exe),
      command: args,
      startTime: isoTime(this.wallTime(0n)),
      state: this.#ended ? "exited" : this.#liveness === "running" ? "running" : "dead",
    };
  }

  /** Sums over the process, as of the last query; reads the records when there was none. */
  totals(): Totals {
    if (!this.#live) {
      this.#look();
      this.#borrow((image) => {
        image.core.call.beginScan(image.core.constant.COLLECT_NOTHING, 0, 0);
        this.#scan(image, this.#writing ? "settled" : "still");
      });
    }
    const live = this.#live!;
    const tables = this.#tables;
    const sum = (field: number) => Number(BigInt.asUintN(64, tables.core.call.sumThreads(field)));
    const peakBytes = Number(tables.u64(L.HEADER_PEAK_BYTES));
    // The library notes a peak when it is looked at, so the present may be higher; then it was at its newest allocation.
    const risen = live.bytes > peakBytes;
    return {
      liveCount: live.count,
      liveBytes: live.bytes,
      allocatedCount: sum(L.THREAD_ALLOCATIONS),
      allocatedBytes: sum(L.THREAD_ALLOCATED_BYTES),
      peakBytes: risen ? live.bytes : peakBytes,
      peakTime: isoTime(this.wallTime(risen ? live.newest : tables.u64(L.HEADER_PEAK_TIME))),
      dropped: Number(tables.u64(L.HEADER_DROPPED)),
    };
  }

  /** Allocations that their thread freed before it allocated again, so far; read from all stacks. */
  temporaryCount(): number {
    let sum = 0n;
    this.#borrow((image) => {
      image.load(!this.#writing);
      sum = image.sumStacks(L.STACK_TEMPORARIES);
    });
    return Number(sum);
  }

  /** What the header knows, as of the last query. */
  info(): StoreInfo {
    const image = this.#tables;
    const number = (offset: number) => Number(image.u64(offset));
    const bootId = Buffer.from(image.headerBytes(L.HEADER_BOOT_ID, 16)).toString("hex");
    return {
      version: {
        major: image.u32(L.HEADER_VERSION_MAJOR) & 0xffff,
        minor: image.u32(L.HEADER_VERSION_MAJOR) >>> 16,
      },
      writer: WRITERS[image.u32(L.HEADER_WRITER) as keyof typeof WRITERS],
      unwinder: UNWINDERS[image.u32(L.HEADER_UNWINDER)] ?? "unknown",
      sizeLimit: number(L.HEADER_SIZE_LIMIT),
      committedBytes: number(L.HEADER_COMMITTED_BYTES),
      fileBytes: image.size(),
      counts: {
        records: image.count(L.KIND_RECORDS),
        stacks: image.count(L.KIND_STACKS),
        nodes: image.count(L.KIND_NODES),
        frames: image.count(L.KIND_FRAMES),
        modules: image.count(L.KIND_MODULES),
        strings: image.count(L.KIND_STRINGS),
      },
      end: {
        kind: END_KINDS[image.u32(L.HEADER_END_KIND) as keyof typeof END_KINDS],
        status: image.u32(L.HEADER_END_STATUS),
        time: image.u64(L.HEADER_END_TIME),
      },
      sampleBytes: this.sampleBytes,
      dropped: number(L.HEADER_DROPPED),
      droppedBytes: number(L.HEADER_DROPPED_BYTES),
      depthLimit: image.u32(L.HEADER_DEPTH_LIMIT),
      switchedOff: (image.u32(L.HEADER_FLAGS) & L.FLAG_SWITCHED_OFF) !== 0,
      pointerBytes: image.u32(L.HEADER_POINTER_BYTES),
      machine: image.u32(L.HEADER_MACHINE),
      timelineStep: image.u64(L.HEADER_TIMELINE_STEP),
      timeline: this.#timeline(),
      startWall: image.u64(L.HEADER_START_WALL),
      startMonotonic: image.u64(L.HEADER_START_MONOTONIC),
      bootId: /^0*$/.test(bootId) ? "" : bootId,
      threadSlots: image.u32(L.HEADER_THREAD_SLOTS),
    };
  }

  #timeline(): TimelineEntry[] {
    const image = this.#tables;
    return Array.from({ length: image.core.call.tidyTimeline() }, (_, i) => {
      const at = L.TIMELINE_OFFSET + i * L.TIMELINE_BYTES;
      return {
        time: image.u64(at + L.TIMELINE_TIME),
        liveBytes: Number(image.u64(at + L.TIMELINE_LIVE_BYTES)),
        liveCount: Number(image.u64(at + L.TIMELINE_LIVE_COUNT)),
        allocations: Number(image.u64(at + L.TIMELINE_ALLOCATIONS)),
      };
    });
  }

  /**
   * Reads all live records and answers with those that match, one by one or summed by stack.
   * @throws StoreError when the store is damaged or the answer is too large to hold; RangeError for an order that does
   * not fit what is asked.
   */
  async query(query: Query): Promise<QueryResult> {
    const { aggregate, selectStacks } = query;
    const order = orderOf(query.sort, aggregate);
    this.#look();
    const reading: Reading = !this.#writing ? "still" : query.noLock ? "hasty" : "settled";
    const top = query.top === undefined ? NO_TOP : Math.max(0, Math.min(Math.trunc(query.top), NO_TOP - 1));
    const image = this.#take();
    const { call, constant } = image.core;
    setFilter(image, query);
    const withTotals = aggregate && query.sort !== "count" && query.sort !== "size";
    call.releaseAll();
    call.beginSums();
    if (aggregate || selectStacks) {
      call.beginScan(constant.COLLECT_SUMS, 0, 0);
      this.#scan(image, reading);
      // There may be stacks by now that the header did not count.
      if (withTotals && this.#writing) image.load(false);
      if (withTotals && query.freedStacks) image.admitStacks(constant[order]);
      if (selectStacks) await this.#select(image, selectStacks);
    }
    const left = { count: selectStacks ? call.suppressedCount() : 0, bytes: selectStacks ? call.suppressedBytes() : 0 };
    const suppressed = left.count > 0 ? { suppressed: left } : {};
    let result: QueryResult;
    if (aggregate) {
      call.beginEntries(top);
      call.beginStacks();
      image.collectStacks(constant[order], selectStacks !== undefined, withTotals);
      const rows = image.core.address(call.stackRows(constant[order]));
      result = {
        matched: this.#matched(
          call.stacksMatched(),
          call.stacksBytes(),
          call.stacksBytesVariance(),
          call.stacksBytesSpread(),
        ),
        ...suppressed,
        allocations: [],
        stacks: stackRows(image, rows, this.#sampled, withTotals),
      };
    } else {
      call.beginEntries(top);
      call.beginScan(constant.COLLECT_ENTRIES, constant[order], Number(selectStacks !== undefined));
      this.#scan(image, reading);
      const rows = image.core.address(call.recordRows(constant[order]));
      result = {
        matched: this.#matched(
          call.matchedCount(),
          call.matchedBytes(),
          call.matchedBytesVariance(),
          call.matchedBytesSpread(),
        ),
        ...suppressed,
        allocations: allocations(image, rows),
        stacks: [],
      };
    }
    this.#giveBack(image);
    return result;
  }

  #matched(count: number, bytes: number, variance: number, spread: number): Matched {
    return this.#sampled ? { count, bytes, margin: margin(variance, spread) } : { count, bytes };
  }

  async #select(image: StoreImage, choose: NonNullable<Query["selectStacks"]>): Promise<void> {
    const { core } = image;
    const list = core.address(core.call.listStackIds());
    const count = core.call.stackIdCount();
    const bytes = core.bytes(list, count * 4).slice();
    const ids = new Uint32Array(bytes.buffer, 0, count);
    const chosen = await choose(ids);
    if (chosen.length !== count) throw new RangeError(`selectStacks chose among ${chosen.length} of ${count} stacks`);
    const mask = core.address(core.call.claimMask());
    core.bytes(mask, count).set(chosen);
    core.call.selectStacks(list, mask);
  }

  /** The process that was this one's parent when the store was made. */
  get parentPid(): number {
    return this.#tables.u32(L.HEADER_PARENT_PID);
  }

  /** Mean bytes between samples; 0 when every allocation is recorded. */
  get sampleBytes(): number {
    return Number(this.#tables.u64(L.HEADER_SAMPLE_BYTES));
  }

  /** The frames of a stack that a query gave, innermost first; `cut`: outer frames are missing because of the depth limit. */
  frames(stackId: number): { frames: RawFrame[]; cut: boolean } {
    const { core } = this.#tables;
    this.#tables.fetch(() => core.call.beginWalk(stackId));
    const count = this.#tables.fetch(() => core.call.walk());
    const cut = core.call.walkCut() !== 0;
    // Copied: looking a frame up may need memory, and make views old.
    const ids = core.bytes(core.constant.FRAMES, count * 4).slice();
    return { frames: Array.from(new Uint32Array(ids.buffer, 0, count), (id) => this.#frame(id)), cut };
  }

  /** The modules of the innermost frames of stacks; null if a frame is in none or a stack is unknown. */
  innermostModules(stackIds: Uint32Array): (ModuleInfo | null)[] {
    const { core } = this.#tables;
    const { FRAMES, FRAMES_MAX } = core.constant;
    const modules: (ModuleInfo | null)[] = [];
    for (let first = 0; first < stackIds.length; first += FRAMES_MAX) {
      const piece = stackIds.subarray(first, first + FRAMES_MAX);
      core.bytes(FRAMES, piece.byteLength).set(new Uint8Array(piece.buffer, piece.byteOffset, piece.byteLength));
      core.call.beginInnermostModules();
      this.#tables.fetch(() => core.call.innermostModules(piece.length));
      const ids = core.bytes(FRAMES, piece.byteLength).slice();
      for (const id of new Uint32Array(ids.buffer)) modules.push(id === 0 ? null : this.#moduleInfo(id));
    }
    return modules;
  }

  #frame(id: number): RawFrame {
    let frame = this.#frames.get(id);
    if (!frame) {
      if (id === 0) {
        frame = { id, module: null, offset: 0n, exact: true };
      } else {
        const at = this.#tables.fetch(() => this.#tables.core.call.frameAt(id));
        const { view } = this.#tables.core;
        const module = view.getUint32(at + L.FRAME_MODULE, true);
        const offset = view.getBigUint64(at + L.FRAME_OFFSET, true);
        const exact = (view.getUint32(at + L.FRAME_FLAGS, true) & L.FRAME_FLAG_EXACT) !== 0;
        frame = { id, module: module === 0 ? null : this.#moduleInfo(module), offset, exact };
      }
      this.#frames.set(id, frame);
    }
    return frame;
  }

  /** Every file that was mapped into the process, also those unloaded since. */
  modules(): ModuleInfo[] {
    const count = this.#tables.count(L.KIND_MODULES);
    return Array.from({ length: Math.max(0, count - 1) }, (_, i) => this.#moduleInfo(i + 1));
  }

  #moduleInfo(id: number): ModuleInfo {
    let module = this.#modules.get(id);
    if (!module) {
      const at = this.#tables.fetch(() => this.#tables.core.call.moduleAt(id));
      const { view } = this.#tables.core;
      const u32 = (field: number) => view.getUint32(at + field, true);
      const u64 = (field: number) => view.getBigUint64(at + field, true);
      const path = [u32(L.MODULE_PATH_OFFSET), u32(L.MODULE_PATH_LENGTH)] as const;
      const buildId = [u32(L.MODULE_BUILD_ID_OFFSET), u32(L.MODULE_BUILD_ID_LENGTH)] as const;
      const flags = u32(L.MODULE_FLAGS);
      const numbers = {
        bias: u64(L.MODULE_BIAS),
        start: u64(L.MODULE_START),
        end: u64(L.MODULE_END),
        loaded: u64(L.MODULE_LOADED),
        unloaded: u64(L.MODULE_UNLOADED),
        executable: (flags & L.MODULE_FLAG_EXECUTABLE) !== 0,
        vdso: (flags & L.MODULE_FLAG_VDSO) !== 0,
      };
      module = { id, path: new TextDecoder().decode(this.#string(path)), buildId: this.#string(buildId), ...numbers };
      this.#modules.set(id, module);
    }
    return module;
  }

  #string([offset, length]: readonly [number, number]): Uint8Array {
    const at = this.#tables.fetch(() => this.#tables.core.call.stringAt(offset, length));
    return this.#tables.core.bytes(at, length).slice();
  }

  /** A relative time as nanoseconds since 1970. */
  wallTime(relative: bigint): bigint {
    return this.#tables.u64(L.HEADER_START_WALL) + relative;
  }

  close(): void {
    this.#source.close();
  }

  /** Whether the process has said how it ended. */
  get #ended(): boolean {
    return this.#tables.u32(L.HEADER_END_KIND) !== L.END_NONE;
  }

  /** Whether somebody may write into the store while it is read. */
  get #writing(): boolean {
    return this.#liveness === "running" || (this.#liveness === "invisible" && !this.#ended);
  }

  /** Asks whether the process is still there. */
  #look(): void {
    this.#liveness = liveness({
      pid: this.#tables.u32(L.HEADER_PID),
      start: this.#tables.u64(L.HEADER_PROCESS_START),
      namespace: this.#tables.u64(L.HEADER_PID_NAMESPACE),
      bootId: this.#tables.headerBytes(L.HEADER_BOOT_ID, 16),
    });
  }

  /** One pass over the records; afterwards the tables hold everything that the records refer to. */
  #scan(image: StoreImage, reading: Reading): void {
    image.load(!this.#writing);
    image.scanRecords(reading);
    const { call } = image.core;
    this.#live = {
      count: call.liveCount(),
      bytes: call.liveBytes(),
      newest: BigInt.asUintN(64, call.newestTime()),
    };
    if (reading === "still") {
      this.#tables.load(true);
      return;
    }
    this.#tables.core.call.forgetBlocks();
    this.#modules.clear();
    this.#frames.clear();
    this.#tables.load(false);
  }

  /** Whether the store has only a sample of the allocations. */
  get #sampled(): boolean {
    return this.sampleBytes !== 0;
  }

  #take(): StoreImage {
    const image = this.#idle.pop() ?? new StoreImage(this.#module, this.#source, this.path);
    image.core.call.setSample(this.sampleBytes);
    return image;
  }

  #giveBack(image: StoreImage): void {
    if (image.core.view.byteLength <= KEEP_BYTES) this.#idle.push(image);
  }

  #borrow(use: (image: StoreImage) => void): void {
    const image = this.#take();
    use(image);
    this.#giveBack(image);
  }
}

type OrderName = (typeof RECORD_ORDERS)[keyof typeof RECORD_ORDERS] | (typeof STACK_ORDERS)[keyof typeof STACK_ORDERS];

function orderOf(sort: SortOrder, aggregate: boolean): OrderName {
  const orders: Partial<Record<SortOrder, OrderName>> = aggregate ? STACK_ORDERS : RECORD_ORDERS;
  const order = orders[sort];
  if (!order) throw new RangeError(`${aggregate ? "stacks" : "allocations"} have no order by ${sort}`);
  return order;
}

function setFilter(image: StoreImage, query: Query): void {
  const size = (bytes: number, unbounded: bigint) => (bytes === Infinity ? unbounded : BigInt(Math.ceil(bytes)));
  let minSize = query.minSize === undefined ? 0n : size(query.minSize, MAX_U64);
  let maxSize = query.maxSize === undefined ? MAX_U64 : size(Math.floor(query.maxSize), MAX_U64);
  let minTime = query.minTime ?? 0n;
  let maxTime = query.maxTime ?? MAX_U64;
  // Bounds beyond what 64 bits can say: outside of everything, or no bounds at all.
  if (minSize > MAX_U64 || maxSize < 0n || minTime > MAX_U64 || maxTime < 0n) [minSize, maxSize] = [1n, 0n];
  const clamp = (value: bigint) => (value < 0n ? 0n : value > MAX_U64 ? MAX_U64 : value);
  [minSize, maxSize, minTime, maxTime] = [clamp(minSize), clamp(maxSize), clamp(minTime), clamp(maxTime)];
  const thread = query.thread === undefined ? -1n : BigInt(query.thread);
  const kind = query.kind === undefined ? -1 : MEMORY_KINDS.indexOf(query.kind);
  image.core.call.setFilter(minSize, maxSize, minTime, maxTime, thread, kind);
}

function stackRows(image: StoreImage, rows: number, sampled: boolean, withTotals: boolean): RawStackRow[] {
  const { call, constant, view } = image.core;
  const more = call.stackMore() >>> 0;
  return Array.from({ length: call.entriesLength() >>> 0 }, (_, i) => {
    const at = rows + i * 32;
    const row: RawStackRow = {
      stackId: view.getUint32(at + constant.ROW_STACK, true),
      count: view.getUint32(at + constant.ROW_COUNT, true),
      bytes: Number(view.getBigUint64(at + constant.ROW_BYTES, true)),
      oldest: view.getBigUint64(at + constant.ROW_OLDEST, true),
      newest: view.getBigUint64(at + constant.ROW_NEWEST, true),
    };
    const beside = more + i * constant.MORE_ENTRY;
    const estimate = (field: number) => view.getFloat64(beside + field, true);
    if (withTotals) row.total = Number(view.getBigUint64(beside + constant.MORE_TOTAL, true));
    if (sampled) {
      row.count = estimate(constant.MORE_COUNT);
      row.bytes = estimate(constant.MORE_BYTES);
      row.margin = margin(estimate(constant.MORE_VARIANCE), estimate(constant.MORE_SPREAD));
    }
    return row;
  });
}

function allocations(image: StoreImage, rows: number): RawAllocation[] {
  const { call, view } = image.core;
  return Array.from({ length: call.entriesLength() >>> 0 }, (_, i) => {
    const record = rows + i * L.RECORD_BYTES;
    const size = view.getBigUint64(record + L.RECORD_SIZE, true);
    return {
      address: view.getBigUint64(record + L.RECORD_ADDRESS, true),
      size: Number(BigInt.asUintN(L.RECORD_KIND_SHIFT, size)),
      time: view.getBigUint64(record + L.RECORD_TIME, true),
      thread: view.getUint32(record + L.RECORD_THREAD, true),
      kind: MEMORY_KINDS[Number(size >> BigInt(L.RECORD_KIND_SHIFT))]!,
      stackId: view.getUint32(record + L.RECORD_STACK, true),
    };
  });
}
