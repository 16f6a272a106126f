// Stores: open one, ask it what is live, and follow its stacks to frames and modules.
//
//   const store = await openStore("/tmp/app.store");
//   const { stacks } = await store.query({ aggregate: true, sort: "size", top: 10 });
//   for (const { stackId } of stacks) console.log(store.frames(stackId).frames);
//
// Reading is synchronous inside, in pieces of 1 MiB. It takes a tenth of a second or two for a million allocations of a
// running process, and a fraction of that when the process is not running. A Store can answer several queries at once:
// each query has a core of its own, and one core keeps the tables that frames() and modules() read.

import * as L from "../../asm/layout.js";
import { StoreError, whyNotOpened } from "../host/errors.js";
import { kindOfFile } from "../host/filekind.js";
import { type ByteSource, openFile } from "../host/host.js";
import { isoTime } from "../host/time.js";
import type {
  Amount,
  Cut,
  ModuleInfo,
  Moment,
  ProcessInfo,
  Query,
  QueryResult,
  RawFrame,
  Totals,
} from "../host/types.js";
import { releaseCore } from "./core.js";
import { type Live, type Reading, StoreImage } from "./image.js";
import { type Liveness, liveness, whereIs } from "./liveness.js";
import {
  allocations,
  matchedRecords,
  matchedStacks,
  orderOf,
  selectIn,
  setFilter,
  stackRows,
  suppressedIn,
} from "./queryrows.js";
import { type Gather, type PlaceRow, StackWalks } from "./stackwalks.js";
import { StoreFrames } from "./storeframes.js";
import { infoOf, type StoreInfo, totalsOf } from "./storeinfo.js";
import { beganAfter, newestInHeader, relativeTime, type StoreNow, timeNow, wallTime } from "./storetime.js";

export { StoreError } from "../host/errors.js";
export type { StoreInfo, TimelineEntry } from "./storeinfo.js";
export type { StoreNow } from "./storetime.js";

const NO_TOP = 0xffff_ffff;
/** A core that has grown beyond this is released after its query. */
const KEEP_BYTES = 64 << 20;

/**
 * Opens the store of a process, running or not. `at`: what it answers about.
 * @throws StoreError when there is none, or it cannot be read, or it is not sound.
 */
export async function openStore(path: string, at?: Moment): Promise<Store> {
  let source: ByteSource;
  try {
    source = openFile(path);
  } catch (error) {
    throw new StoreError(`${path}: ${whyNotOpened(error as NodeJS.ErrnoException)}`);
  }
  try {
    return openSource(source, path, releaseCore(), at);
  } catch (error) {
    if (!(error instanceof StoreError) || kindOfFile(path) !== "snapshot") throw error;
    throw new StoreError(`${error.message} (this one is a snapshot, for memview diff)`);
  }
}

/** The same for bytes that are not a file. The store closes them. `core` is a build of core.wasm. */
export function openSource(
  source: ByteSource,
  path: string,
  core: WebAssembly.Module = releaseCore(),
  at: Moment = "end",
): Store {
  try {
    return new Store(source, path, core, at);
  } catch (error) {
    source.close();
    throw error;
  }
}

export class Store {
  readonly path: string;
  /** What it answers about; where a process has not begun to exit, both are the same. */
  readonly at: Moment;
  readonly #source: ByteSource;
  readonly #module: WebAssembly.Module;
  /** The core with the tables and the newest header. */
  readonly #tables: StoreImage;
  /** Cores that no query uses. */
  readonly #idle: StoreImage[] = [];
  readonly #frames: StoreFrames;
  #liveness: Liveness = "gone";
  #closed = false;
  /** What the last pass over the records found live, without filters. */
  #live: Live | undefined;

  /** Use openStore(). */
  constructor(source: ByteSource, path: string, module: WebAssembly.Module, at: Moment) {
    this.path = path;
    this.at = at;
    this.#source = source;
    this.#module = module;
    this.#tables = new StoreImage(module, source, path);
    this.#frames = new StoreFrames(this.#tables);
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

  /** Sums over the process, as of the last query; reads the records if there was none. */
  totals(): Totals {
    return totalsOf(this.#tables, this.#liveNow());
  }

  /** Allocations that their thread freed before it allocated again, so far; read from all stacks. */
  temporaryCount(): number {
    this.#checkOpen();
    let sum = 0n;
    this.#borrow((image) => {
      image.load(!this.#writing);
      sum = image.sumStacks(L.STACK_TEMPORARIES);
    });
    return Number(sum);
  }

  /** What the process freed while it exited, of what is answered about; null: it has not begun, or that is the end. */
  freedInExit(): Amount | null {
    return this.at === "exit" && this.#tables.u64(L.HEADER_EXIT_TIME) !== 0n ? this.#liveNow().freed : null;
  }

  /** What the process holds by its own sums, which may be a little behind; reads only the header. */
  heldBytes(): number {
    const sum = (field: number) => this.#tables.core.call.sumThreads(field);
    return Math.max(0, Number(sum(L.THREAD_ALLOCATED_BYTES) - sum(L.THREAD_FREED_BYTES)));
  }

  /**
   * Reads all live records and answers with those that match, one by one or summed by stack; with `gather`, summed by
   * what it finds the stacks to have in common.
   * @throws StoreError when the store is damaged or the answer is too large to hold; RangeError for an order that does
   * not fit what is asked.
   */
  async query(query: Query, gather: Gather): Promise<QueryResult & { places: PlaceRow[] }>;
  async query(query: Query, gather?: Gather): Promise<QueryResult & { places?: PlaceRow[] }>;
  async query(query: Query, gather?: Gather): Promise<QueryResult & { places?: PlaceRow[] }> {
    const { aggregate, selectStacks } = query;
    const order = orderOf(query.sort, aggregate);
    this.#checkOpen();
    this.#look();
    const reading: Reading = !this.#writing ? "still" : query.noLock ? "hasty" : "settled";
    const top = query.top === undefined ? NO_TOP : Math.max(0, Math.min(Math.trunc(query.top), NO_TOP - 1));
    const image = this.#take();
    const { call, constant } = image.core;
    setFilter(image, query);
    const withTotals = aggregate && query.sort !== "count" && query.sort !== "size";
    call.forgetBlocks();
    call.beginSums();
    if (aggregate || selectStacks) {
      call.beginScan(constant.COLLECT_SUMS, 0, 0);
      this.#scan(image, reading);
      // There may be stacks by now that the header did not count.
      if ((withTotals || gather) && this.#writing) this.#loadAgain(image);
      if (withTotals && query.freedStacks) image.admitStacks(constant[order]);
      if (selectStacks) await selectIn(image, selectStacks);
    }
    const suppressed = selectStacks ? suppressedIn(image) : undefined;
    const result: QueryResult & { places?: PlaceRow[] } = {
      matched: { count: 0, bytes: 0 },
      ...(suppressed && { suppressed }),
      allocations: [],
      stacks: [],
    };
    if (aggregate) {
      call.beginEntries(gather ? 0 : top);
      call.beginStacks();
      image.collectStacks(constant[order], selectStacks !== undefined, withTotals);
      result.matched = matchedStacks(image, this.#sampled);
      if (gather) {
        image.takeTotals();
        const how = { selected: selectStacks !== undefined, sampled: this.#sampled, atPeak: query.sort === "peak" };
        result.places = await gather(new StackWalks(image, this.#frames, how));
      } else {
        const rows = image.core.address(call.stackRows(constant[order]));
        result.stacks = stackRows(image, rows, this.#sampled, withTotals);
      }
      if (query.totals) {
        const totals = image.stackTotals(result.stacks.map(({ stackId }) => stackId));
        result.stacks.forEach((row, i) => {
          row.totals = totals[i]!;
        });
      }
    } else {
      call.beginEntries(top);
      call.beginScan(constant.COLLECT_ENTRIES, constant[order], Number(selectStacks !== undefined));
      this.#scan(image, reading);
      const rows = image.core.address(call.recordRows(constant[order]));
      result.matched = matchedRecords(image, this.#sampled);
      result.allocations = allocations(image, rows);
    }
    this.#giveBack(image);
    return result;
  }

  /** Calls `use` with all records, a piece at a time, as in the file. The bytes are valid until it returns. */
  eachRecords(use: (records: Uint8Array) => void): void {
    this.#checkOpen();
    this.#look();
    this.#borrow((image) => {
      image.load(!this.#writing);
      image.eachRecordPiece(this.#writing ? "settled" : "still", (_, count) => use(image.piece(count)));
    });
    // They may refer to stacks that were not there when the tables were read last.
    this.#frames.forget();
    this.#tables.load(!this.#writing);
  }

  /** The process's pid here, which differs from the one in its container; undefined if it is not visible. */
  visiblePid(): number | undefined {
    const found = whereIs(this.#tables.identity());
    return typeof found === "number" ? found : undefined;
  }

  /** The process that was this one's parent when the store was made. */
  get parentPid(): number {
    return this.#tables.u32(L.HEADER_PARENT_PID);
  }

  /** Mean bytes between samples; 0 when every allocation is recorded. */
  get sampleBytes(): number {
    return Number(this.#tables.u64(L.HEADER_SAMPLE_BYTES));
  }

  /** Another malloc comes ahead of memhook's and passes nothing on: its blocks are not stored. */
  get bypassed(): boolean {
    return (this.#tables.u32(L.HEADER_FLAGS) & L.FLAG_BYPASSED) !== 0;
  }

  /** The header's contents, as of the last query. */
  info(): StoreInfo {
    return infoOf(this.#tables);
  }

  /** The frames of a stack that a query gave, innermost first. */
  frames(stackId: number): { frames: RawFrame[] } & Cut {
    return this.#frames.frames(stackId);
  }

  /**
   * The positions in `stackIds` of the stacks whose innermost frame is in a
   * module that `chosen` accepts; it is asked once each.
   */
  stacksBeginningIn(stackIds: Uint32Array, chosen: (module: ModuleInfo) => boolean): number[] {
    return this.#frames.beginningIn(stackIds, chosen);
  }

  /** Every file that was mapped into the process, also those unloaded since. */
  modules(): ModuleInfo[] {
    return this.#frames.modules();
  }

  /** A relative time in wall clock time: nanoseconds since 1970. */
  wallTime(relative: bigint): bigint {
    return wallTime(this.#tables, relative);
  }

  /**
   * The relative time of one since 1970: the first with that wall time or a
   * later one, the last with that or an earlier one.
   */
  relativeTime(wall: bigint, which: "earlier" | "later"): bigint {
    return relativeTime(this.#tables, wall, which);
  }

  /** Now, in relative time, for ages. Asks the machine's boot clock, not the wall clock. */
  now(): StoreNow {
    this.#checkOpen();
    const time = timeNow(this.#tables, newestInHeader(this.#tables));
    return time === null ? { time: this.lastWritten(), known: false } : { time, known: true };
  }

  /** Whether the process, or the one that its times go on from, began after `boot` (Clock.boot()) of this machine. */
  beganAfter(boot: bigint): boolean {
    return beganAfter(this.#tables, boot);
  }

  /** The newest relative time in the store. */
  lastWritten(): bigint {
    return newestInHeader(this.#tables, this.#liveNow().newest);
  }

  /** Closes the file. Later queries throw StoreError. */
  close(): void {
    this.#closed = true;
    this.#source.close();
  }

  /** What the last pass over the records found; makes one if there was none. */
  #liveNow(): Live {
    this.#checkOpen();
    if (!this.#live) {
      this.#look();
      this.#borrow((image) => {
        image.core.call.beginScan(image.core.constant.COLLECT_NOTHING, 0, 0);
        this.#scan(image, this.#writing ? "settled" : "still");
      });
    }
    return this.#live!;
  }

  #checkOpen(): void {
    if (this.#closed) throw new StoreError(`${this.path}: was closed; open it again`);
  }

  /** Whether the process noted how it ended. */
  get #ended(): boolean {
    return this.#tables.u32(L.HEADER_END_KIND) !== L.END_NONE;
  }

  /** Whether the store may be written while it is read. */
  get #writing(): boolean {
    return this.#liveness === "running" || (this.#liveness === "invisible" && !this.#ended);
  }

  /** Finds out whether the process is still alive. */
  #look(): void {
    try {
      this.#liveness = liveness(this.#tables.identity());
    } catch (error) {
      // Whoever has ended need not be looked for.
      if (!this.#ended) throw error;
      this.#liveness = "gone";
    }
  }

  /** One pass over the records; afterwards the tables hold everything that the records refer to. */
  #scan(image: StoreImage, reading: Reading): void {
    image.load(!this.#writing);
    image.scanRecords(reading);
    this.#live = image.live();
    if (reading === "still") {
      this.#tables.load(true);
      return;
    }
    this.#frames.forget();
    this.#tables.load(false);
  }

  /** Reads the sizes again, so that the tables and `image` hold everything that the records refer to. */
  #loadAgain(image: StoreImage): void {
    image.load(false);
    this.#frames.forget();
    this.#tables.load(false);
  }

  /** Whether the store has only a sample of the allocations. */
  get #sampled(): boolean {
    return this.sampleBytes !== 0;
  }

  #take(): StoreImage {
    const image = this.#idle.pop() ?? new StoreImage(this.#module, this.#source, this.path);
    image.core.call.setSample(this.sampleBytes);
    image.core.call.setExit(this.at === "exit" ? this.#tables.u64(L.HEADER_EXIT_TIME) : 0n);
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
