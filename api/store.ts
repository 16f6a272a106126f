// Stores for users of the library: queries in the terms of memview's options, answers as plain objects in the shapes of
// its JSON.

import type {
  Allocation,
  Cut,
  Matched,
  MemoryKind,
  ProcessInfo,
  Query,
  Sample,
  Snapshot,
  StackRow,
  Suppressed,
  Totals,
} from "../runtime/host/types.js";
import { type ReportOptions, report } from "../runtime/reports/report.js";
import { parseSuppressions } from "../runtime/reports/suppressions.js";
import { takeSnapshot } from "../runtime/snapshots/snapshot.js";
import { timeBounds } from "../runtime/stores/ages.js";
import { openStore as open, type Store as RuntimeStore } from "../runtime/stores/store.js";
import { symbolizerOf } from "../runtime/symbols/names.js";
import { AMOUNT, COUNT, checkMembers, type Kind, oneOf, PATTERN, SWITCH, TEXT, TIME } from "./members.js";

/**
 * Which live allocations; all conditions hold together. The names are those of memview's options. Sizes are bytes,
 * durations milliseconds, and every bound is inclusive.
 */
export interface Filter {
  minSize?: number | undefined;
  maxSize?: number | undefined;
  /** The least and the largest age. */
  minTimeFromNow?: number | undefined;
  maxTimeFromNow?: number | undefined;
  /** Allocated at least, or at most, this long after the process's start. */
  minTimeFromStart?: number | undefined;
  maxTimeFromStart?: number | undefined;
  /** Allocated at this time or later, or at this time or earlier. */
  minTime?: Date | undefined;
  maxTime?: Date | undefined;
  /** The kernel thread id of the thread that allocated. */
  thread?: number | undefined;
  kind?: MemoryKind | undefined;
  /** Matches the path of a module, or the name of a function, of some frame of the call stack. */
  module?: RegExp | undefined;
  function?: RegExp | undefined;
  /**
   * Leave out, and count as `suppressed`, what this text in LeakSanitizer's format lists: lines like "leak:PATTERN".
   */
  suppressions?: string | undefined;
  /** Include what the C and C++ runtimes are known to allocate once, which is otherwise left out. */
  noDefaultSuppressions?: boolean | undefined;
}

export interface AllocationQuestion extends Filter {
  /** Ascending; "time" by default. */
  sort?: "time" | "size" | "address" | undefined;
  /** Only the N largest in that order, which still come in ascending order. */
  top?: number | undefined;
}

export interface StackQuestion extends Filter {
  /**
   * Ascending; "count" if nothing is said. By "allocations", "temporary" and "peak", which count freed memory too, rows
   * have that number as well, and those with nothing live are among them unless there is a filter.
   */
  sort?: "count" | "size" | "allocations" | "temporary" | "peak" | undefined;
  /** Only the N largest in that order, which still come in ascending order. */
  top?: number | undefined;
}

/** @internal */
export const FILTER: Readonly<Record<keyof Filter, Kind>> = {
  minSize: AMOUNT,
  maxSize: AMOUNT,
  minTimeFromNow: TIME,
  maxTimeFromNow: TIME,
  minTimeFromStart: TIME,
  maxTimeFromStart: TIME,
  minTime: TIME,
  maxTime: TIME,
  thread: COUNT,
  kind: oneOf("heap", "mmap", "custom"),
  module: PATTERN,
  function: PATTERN,
  suppressions: TEXT,
  noDefaultSuppressions: SWITCH,
};
const ALLOCATION_QUESTION: Readonly<Record<keyof AllocationQuestion, Kind>> = {
  ...FILTER,
  sort: oneOf("time", "size", "address"),
  top: COUNT,
};
const STACK_QUESTION: Readonly<Record<keyof StackQuestion, Kind>> = {
  ...FILTER,
  sort: oneOf("count", "size", "allocations", "temporary", "peak"),
  top: COUNT,
};

/** What every answer says about the process, as of that query. */
export interface Summary {
  process: ProcessInfo;
  totals: Totals;
  /** Present only if the store has a sample: counts and bytes are then estimates. */
  sample?: Sample;
}

export interface Report extends Summary {
  matched: Matched;
  /** What suppressions left out of `matched` and the rows; present only if they left something out. */
  suppressed?: Suppressed;
}

export interface AllocationReport extends Report {
  allocations: (Allocation & Cut)[];
}

export interface StackReport extends Report {
  stacks: (StackRow & Cut)[];
}

/**
 * The store of a process, running or not. Every question is answered as of now, without stopping
 * the process; several may be asked at once. All of them throw StoreError when the store is
 * damaged, was closed, or the answer is too large to hold; TypeError for a member of a question
 * that there is none, RangeError for a value that is none of its kind; and SuppressionsError.
 */
export interface Store {
  readonly path: string;
  /** Why names are missing so far: one line for each module and reason; empty if none are. */
  readonly notes: readonly string[];
  /** Sums over the process, without rows. */
  summary(): Promise<Summary>;
  /**
   * What is live, one by one: as `memview -c --format json`. An object for
   * each, so ask for a `top` where there are millions.
   */
  allocations(question?: AllocationQuestion): Promise<AllocationReport>;
  /** What is live, by call stack, like `memview -ac --format json`. */
  stacks(question?: StackQuestion): Promise<StackReport>;
  /** Closes the store's file and the files that names were read from. Closing it again does nothing. */
  close(): void;
}

/**
 * Opens a store: a file that MEMHOOK_FILE, memhook run or memdb made, or /dev/shm/NAME.
 * @throws StoreError when there is none, or it cannot be read, or it is not sound.
 */
export async function openStore(path: string): Promise<Store> {
  return new OpenStore(await open(path));
}

/**
 * What is live in stores, for diff() and for a file: without addresses, process ids and times, so that another run and
 * another build can be compared with it. Several stores, such as a program's and its children's, become one snapshot.
 * @throws StoreError when one cannot be read; TypeError, RangeError and
 * SuppressionsError for a filter that makes no sense.
 */
export async function snapshot(stores: Store | readonly Store[], filter: Filter = {}): Promise<Snapshot> {
  checkMembers("filter", filter, FILTER);
  const names = new Map([stores].flat().map((store) => [insideOf(store).inside, insideOf(store).names]));
  return takeSnapshot([...names.keys()], (store) => names.get(store)!, {
    query: (store) => conditions(store, filter),
    stacks: stackConditions(filter),
  });
}

/** @internal */
export function insideOf(store: Store): OpenStore {
  if (store instanceof OpenStore) return store;
  throw new TypeError("this is no store; openStore() gives one");
}

class OpenStore implements Store {
  readonly path: string;
  readonly inside: RuntimeStore;
  readonly names: ReturnType<typeof symbolizerOf>;

  constructor(inside: RuntimeStore) {
    this.path = inside.path;
    this.inside = inside;
    this.names = symbolizerOf(inside);
  }

  get notes(): readonly string[] {
    return this.names.notes;
  }

  async summary(): Promise<Summary> {
    const query: Query = { aggregate: false, sort: "time", top: 0 };
    const { process, totals, sample } = await report(this.inside, query, this.names, { stacks: false });
    return { process, totals, ...(sample && { sample }) };
  }

  async allocations(question: AllocationQuestion = {}): Promise<AllocationReport> {
    checkMembers("question", question, ALLOCATION_QUESTION);
    const { sort = "time", top, ...filter } = question;
    const { allocations, ...head } = await this.#ask({ aggregate: false, sort, top }, filter);
    return { ...head, allocations: [...allocations!] };
  }

  async stacks(question: StackQuestion = {}): Promise<StackReport> {
    checkMembers("question", question, STACK_QUESTION);
    const { sort = "count", top, ...filter } = question;
    const { stacks, ...head } = await this.#ask({ aggregate: true, sort, top }, filter);
    return { ...head, stacks: [...stacks!] };
  }

  async #ask(order: Pick<Query, "aggregate" | "sort" | "top">, filter: Filter) {
    const chosen = conditions(this.inside, filter);
    const freedStacks = Object.values(chosen).every((condition) => condition === undefined);
    const query = { ...order, ...chosen, freedStacks };
    const options = { stacks: true, ...stackConditions(filter) };
    const { version: _, ...answer } = await report(this.inside, query, this.names, options);
    return answer;
  }

  close(): void {
    this.names.close();
    this.inside.close();
  }
}

/**
 * The part of a filter that the store answers.
 * @internal
 */
export function conditions(store: RuntimeStore, filter: Filter): Omit<Query, "aggregate" | "sort" | "top"> {
  const { minSize, maxSize, thread, kind } = filter;
  const time = (name: `${"min" | "max"}Time${"FromNow" | "FromStart" | ""}`) => nanoseconds(name, filter[name]);
  return {
    minSize,
    maxSize,
    thread,
    kind,
    ...timeBounds(store, {
      minTimeFromNow: time("minTimeFromNow"),
      maxTimeFromNow: time("maxTimeFromNow"),
      minTimeFromStart: time("minTimeFromStart"),
      maxTimeFromStart: time("maxTimeFromStart"),
      minTime: time("minTime"),
      maxTime: time("maxTime"),
    }),
  };
}

/**
 * The part that needs the stacks.
 * @internal
 */
export function stackConditions(filter: Filter): Omit<ReportOptions, "stacks"> {
  return {
    module: filter.module,
    function: filter.function,
    suppressions: parseSuppressions(filter.suppressions ?? "", "suppressions"),
    knownSuppressed: !filter.noDefaultSuppressions,
  };
}

function nanoseconds(name: string, time: number | Date | undefined): bigint | undefined {
  if (time === undefined) return undefined;
  const milliseconds = Number(time);
  if (!Number.isFinite(milliseconds)) throw new RangeError(`${name}: ${time} is no time; give milliseconds or a Date`);
  // Apart, because nanoseconds since 1970 are more than a number can hold exactly.
  const whole = Math.floor(milliseconds);
  return BigInt(whole) * 1_000_000n + BigInt(Math.round((milliseconds - whole) * 1e6));
}
