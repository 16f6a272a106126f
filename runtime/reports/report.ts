// From a store and a question to the report of types.ts.
//
//   store.query() ──▶ rows with stack ids ──▶ frames of those stacks ──▶ symbols ──▶ rows with Frames
//
// Every distinct frame is looked up once, all in one request, however many rows share it. The rows are made while the
// caller iterates, so a million allocations are never a million objects with stacks at one time.

import { isoTime } from "../host/time.js";
import type {
  Allocation,
  Cut,
  Frame,
  ModuleInfo,
  Query,
  RawFrame,
  Report,
  StackRow,
  StackTotals,
} from "../host/types.js";
import { isTooDeep } from "../stores/cut.js";
import { CONFIDENCE } from "../stores/sample.js";
import type { Store } from "../stores/store.js";
import { demangle } from "../symbols/demangle.js";
import type { Names } from "../symbols/symbolize.js";
import { type Group, type Grouping, groupName, groupRows, groupThreads, placeName } from "./groups.js";
import { Places } from "./places.js";
import { isKnown, isListed, isRuntimeModule } from "./suppressions.js";

/** A Report whose rows come one at a time. Each list can be iterated any number of times while the store is open. */
export interface LiveReport extends Omit<Report, "allocations" | "stacks"> {
  allocations?: Iterable<Allocation & Cut>;
  stacks?: Iterable<StackRow & Cut & { totals?: StackTotals }>;
  groups?: Iterable<GroupRow>;
}

/** A row of a report by something coarser than stacks. */
export interface GroupRow extends Omit<Group, "oldest" | "newest"> {
  by: Grouping;
  oldest: string;
  newest: string;
}

export interface ReportOptions {
  /** Fill in the rows' stacks; false leaves them empty and saves all the work on symbols. */
  stacks: boolean;
  /** Only stacks with a frame in a module whose path matches. */
  module?: RegExp | undefined;
  /** Only stacks with a frame, inlined ones included, in a function whose name matches. */
  function?: RegExp | undefined;
  /** Leave out, and count, stacks with a frame that one of these matches; from parseSuppressions(). */
  suppressions?: readonly RegExp[] | undefined;
  /** The same for what the C and C++ runtimes are known to allocate once. */
  knownSuppressed?: boolean | undefined;
  /** Rows for each function, module, file, line or thread; in the order of count or size that the query asks for. */
  by?: Grouping | undefined;
  /** For places: frames that are not the user's own, by function, file or module. */
  skip?: RegExp | undefined;
  /** Mangled names. */
  mangled?: boolean | undefined;
}

/**
 * Asks a store and resolves the answer.
 * @throws StoreError when the store cannot be read.
 */
export async function report(
  store: Store,
  query: Query,
  symbolizer: Names,
  options: ReportOptions,
): Promise<LiveReport> {
  const resolver = new StackResolver(store, symbolizer, options.mangled ?? false);
  const { module, function: name, suppressions = [], knownSuppressed = false } = options;
  const asked = { ...query };
  if (module || name || suppressions.length > 0 || knownSuppressed) {
    asked.selectStacks = (ids) => select(ids, store, resolver, options);
  }
  const { by } = options;
  const ofStacks = query.aggregate && by !== "thread";
  if (by) {
    asked.top = undefined;
    asked.aggregate = ofStacks;
    // Of births only the sizes of blocks are wanted.
    if (by === "place") asked.births = 1n;
    if (!ofStacks) asked.sort = "time";
  }
  const places = by === "place" ? new Places(resolver, options.skip) : undefined;
  const result = await store.query(asked, places && ((walks) => places.gather(walks)));
  const rows = query.aggregate ? result.stacks : result.allocations;
  if (options.stacks && !by) await resolver.load(new Set(rows.map((row) => row.stackId)), true);

  const stackOf = (id: number) => (options.stacks ? resolver.stack(id) : NO_STACK);
  const time = (relative: bigint) => isoTime(store.wallTime(relative));
  const { matched } = result;
  const sample = matched.margin === undefined ? {} : { sample: { bytes: store.sampleBytes, confidence: CONFIDENCE } };
  const suppressed = result.suppressed ? { suppressed: result.suppressed } : {};
  const head = {
    version: 1 as const,
    process: store.process,
    totals: store.totals(),
    ...(store.bypassed ? { bypassed: true as const } : {}),
    ...sample,
    matched,
    ...suppressed,
  };
  if (by) {
    const order = query.sort === "size" ? "size" : "count";
    let groups: Group[];
    if (by === "thread") groups = groupThreads(result.allocations, store.sampleBytes, order, query.top);
    else if (by === "place") {
      groups = groupRows(result.places!, ({ place }) => placeName(places!.all[place]!.frame), order, query.top);
    } else {
      const ids = result.stacks.map((row) => row.stackId);
      await resolver.load(ids, by !== "module", (frames) => frames.slice(0, 1));
      groups = groupRows(result.stacks, ({ stackId }) => groupName(resolver.innermost(stackId), by), order, query.top);
    }
    return {
      ...head,
      groups: each(groups, ({ oldest, newest, ...group }) => ({
        by,
        ...group,
        oldest: time(oldest),
        newest: time(newest),
      })),
    };
  }
  if (query.aggregate) {
    const { sort } = query;
    return {
      ...head,
      stacks: each(result.stacks, ({ stackId, bytes, margin, count, total, totals, oldest, newest }) => {
        const { frames, ...cut } = stackOf(stackId);
        return {
          bytes,
          ...(margin === undefined ? {} : { margin }),
          count,
          ...(total === undefined ? {} : { [sort]: total }),
          ...(totals && { totals }),
          oldest: count === 0 ? null : time(oldest),
          newest: count === 0 ? null : time(newest),
          stack: frames,
          ...cut,
        };
      }),
    };
  }
  return {
    ...head,
    allocations: each(result.allocations, ({ stackId, address, size, time: at, thread, kind }) => {
      const { frames, ...cut } = stackOf(stackId);
      return { address: hex(address), size, time: time(at), thread, kind, stack: frames, ...cut };
    }),
  };
}

/**
 * Which stacks to take: those that the filters match (1), except suppressed ones (2).
 */
export async function select(ids: Uint32Array, store: Store, resolver: StackResolver, options: ReportOptions) {
  const { module, function: name, suppressions = [], knownSuppressed = false } = options;
  if (module || name || suppressions.length > 0) {
    await resolver.load(ids, name !== undefined || suppressions.length > 0);
  }
  const mask = new Uint8Array(ids.length).fill(1);
  if (module || name) {
    ids.forEach((id, i) => {
      if (!matches(resolver.stack(id).frames, options)) mask[i] = 0;
    });
  }
  if (suppressions.length > 0) {
    ids.forEach((id, i) => {
      if (mask[i] === 1 && isListed(resolver.stack(id).frames, suppressions)) mask[i] = 2;
    });
  }
  if (knownSuppressed) {
    // Names only of frames in the runtime, of the few stacks that begin there.
    const inRuntime = (info: ModuleInfo | null) => info !== null && isRuntimeModule(info.path);
    const entered = (frames: RawFrame[]) => {
      const end = frames.findIndex((frame) => !inRuntime(frame.module));
      return end < 0 ? frames : frames.slice(0, end);
    };
    const candidates = new Map<number, number>();
    for (const i of store.stacksBeginningIn(ids, inRuntime)) if (mask[i] === 1) candidates.set(ids[i]!, i);
    await resolver.load(candidates.keys(), true, entered);
    for (const [id, i] of candidates) {
      const { frames, ...cut } = resolver.outline(id);
      if (isKnown(frames, isTooDeep(cut))) mask[i] = 3;
    }
  }
  return mask;
}

interface Stack extends Cut {
  frames: Frame[];
}

const NO_STACK: Stack = { frames: [], cut: false };

/** Stacks kept for the next row that has the same; more would grow with the store. */
const STACKS_KEPT = 16384;

/** The frames of stacks, each resolved once. */
export class StackResolver {
  #store: Store;
  #symbolizer: Names;
  #frames = new Map<number, Frame[]>();
  /** Ids of frames whose names were requested. */
  #named = new Set<number>();
  #stacks = new Map<number, Stack>();

  #mangled: boolean;

  constructor(store: Store, symbolizer: Names, mangled = false) {
    this.#store = store;
    this.#symbolizer = symbolizer;
    this.#mangled = mangled;
  }

  /**
   * Makes stack() ready for these ids; without names, only modules and addresses are filled in. `pick`: only those of
   * the frames, enough for outline() and innermost().
   */
  async load(
    ids: Iterable<number>,
    names: boolean,
    pick: (frames: RawFrame[]) => RawFrame[] = (frames) => frames,
  ): Promise<void> {
    const raws: RawFrame[] = [];
    for (const id of ids) raws.push(...pick(this.#store.frames(id).frames));
    await this.loadFrames(raws, names);
  }

  /** Makes locations() ready for these frames. */
  async loadFrames(raws: Iterable<RawFrame>, names: boolean): Promise<void> {
    const wanted = new Map<number, RawFrame>();
    for (const frame of raws) {
      if (!(names ? this.#named : this.#frames).has(frame.id)) wanted.set(frame.id, frame);
    }
    if (wanted.size === 0) return;
    for (const raw of wanted.values()) this.#frames.set(raw.id, [plainFrame(raw)]);
    this.#stacks.clear();
    if (!names) return;

    const requests = [];
    for (const raw of wanted.values()) {
      this.#named.add(raw.id);
      if (raw.module) requests.push({ id: raw.id, module: raw.module, offset: raw.offset, exact: raw.exact });
    }
    const answers = await this.#symbolizer.symbolize(requests);
    requests.forEach(({ id }, i) => {
      const plain = this.#frames.get(id)![0]!;
      const locations = answers[i] ?? [];
      if (locations.length === 0) return;
      this.#frames.set(
        id,
        locations.map((location) => ({
          ...plain,
          function: location.function === null || this.#mangled ? location.function : demangle(location.function),
          symbol: location.function,
          file: location.file,
          line: location.line,
          inlined: location.inlined,
        })),
      );
    });
  }

  /** The locations of a loaded frame: calls that were inlined there come first. */
  locations({ id }: Pick<RawFrame, "id">): readonly Frame[] {
    return this.#frames.get(id)!;
  }

  /** A stack some of whose frames may not be loaded: of those only modules and addresses are known. */
  outline(id: number): Stack {
    const { frames, ...cut } = this.#store.frames(id);
    return { frames: frames.flatMap((raw) => this.#frames.get(raw.id) ?? [plainFrame(raw)]), ...cut };
  }

  /** The innermost frame of a stack, or the innermost call inlined there; undefined for an unknown stack. */
  innermost(id: number): Frame | undefined {
    const raw = this.#store.frames(id).frames[0];
    return raw && this.#frames.get(raw.id)![0];
  }

  stack(id: number): Stack {
    let stack = this.#stacks.get(id);
    if (!stack) {
      const { frames, ...cut } = this.#store.frames(id);
      stack = { frames: frames.flatMap((raw) => this.#frames.get(raw.id)!), ...cut };
      if (this.#stacks.size >= STACKS_KEPT) this.#stacks.clear();
      this.#stacks.set(id, stack);
    }
    return stack;
  }
}

/** What is known about a frame without symbols. */
function plainFrame({ module, offset }: RawFrame): Frame {
  return {
    address: hex(BigInt.asUintN(64, module ? module.bias + offset : offset)),
    module: module?.path ?? "",
    offset: hex(offset),
    function: null,
    symbol: null,
    file: null,
    line: null,
    inlined: false,
  };
}

function matches(frames: Frame[], options: ReportOptions): boolean {
  const { module, function: name } = options;
  return (
    (!module || frames.some((frame) => frame.module.search(module) >= 0)) &&
    (!name || frames.some((frame) => frame.function !== null && frame.function.search(name) >= 0))
  );
}

/** Rows converted while they are iterated. */
function each<From, To>(rows: readonly From[], convert: (row: From) => To): Iterable<To> {
  return {
    *[Symbol.iterator]() {
      for (const row of rows) yield convert(row);
    },
  };
}

function hex(value: bigint): string {
  return `0x${value.toString(16)}`;
}
