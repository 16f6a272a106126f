// The input of all exports: call stacks with their costs, from stores and snapshots, in one shape for all formats.
//
//   store ──▶ report() ─┐
//                       ├─▶ Profile ──▶ pprof.ts · dhat.ts · heaptrack.ts · speedscope.ts · folded.ts · massif.ts
//   snapshot ───────────┘
//
// A snapshot knows only what is live. It has no addresses, totals or times.

import { basename } from "node:path";
import type { Amount, Frame, ModuleInfo, Query, Snapshot, SnapshotFrame, StackTotals } from "../host/types.js";
import { type ReportOptions, report } from "../reports/report.js";
import { readableName } from "../snapshots/snapshot.js";
import type { Store } from "../stores/store.js";
import type { TimelineEntry } from "../stores/storeinfo.js";
import type { Names } from "../symbols/symbolize.js";
import { Known } from "./known.js";

/** A module of one process, or all that a snapshot knows of one: its name. */
export interface ProfileModule {
  path: string;
  /** As mapped; null of a snapshot. */
  mapped: { start: bigint; end: bigint; offset: bigint; buildId: string; executable: boolean } | null;
}

/** One call. A physical frame gives one, and one more for each call that was inlined there, which come before it. */
export interface ProfileFrame {
  /** As people write it; where it has no name, its place: "libx.so+0x11f0". */
  name: string;
  /** As in the symbol table, mangled; "" where there is none. */
  symbol: string;
  file: string;
  /** 0 unknown. */
  line: number;
  module: ProfileModule | null;
  /** Of the instruction that called, in the process; 0n of a snapshot. */
  address: bigint;
  /** The call was inlined into the next frame outwards. */
  inlined: boolean;
}

export interface ProfileStack {
  program: string;
  /** Innermost first; empty where the stack is unknown. */
  frames: readonly ProfileFrame[];
  /** Callers are missing. */
  cut: boolean;
  live: Amount;
  /** Null of a snapshot. */
  totals: StackTotals | null;
}

/** The process of a store that stands alone. */
export interface ProfileProcess {
  pid: number;
  command: readonly string[];
  /** Milliseconds since 1970. */
  started: number;
  /** Milliseconds since the start: when it held most, and when the store was written last. */
  peakTime: number;
  endTime: number;
  peakBytes: number;
  timeline: readonly TimelineEntry[];
}

export interface Profile {
  stacks: readonly ProfileStack[];
  modules: readonly ProfileModule[];
  programs: readonly string[];
  /** Null of several stores, and of snapshots. */
  process: ProfileProcess | null;
  /** Allocations that could not be recorded. */
  dropped: number;
  /** Mean bytes between samples, 0 where everything was recorded. */
  sample: number;
}

/** Which allocations of a store to take, and which stacks. */
export interface ProfileOptions {
  query: (store: Store) => Omit<Query, "aggregate" | "sort" | "top" | "freedStacks" | "totals">;
  stacks: Pick<ReportOptions, "module" | "function" | "suppressions" | "knownSuppressed">;
}

/** What stacks are called whose callers nobody knows, where a format has nothing of its own for it. */
export const CALLERS_MISSING = "[callers missing]";
/** And a stack without any frame. */
export const STACK_UNKNOWN = "[stack unknown]";

/**
 * The profile of some stores.
 * @throws StoreError when one cannot be read.
 */
export async function profileOfStores(
  stores: readonly Store[],
  namesOf: (store: Store) => Names,
  options: ProfileOptions,
): Promise<Profile> {
  const parts: Profile[] = [];
  for (const store of stores) parts.push(await profileOfStore(store, namesOf(store), options));
  return together(parts);
}

/** Several as one, in which no process stands alone. */
export function together(parts: readonly Profile[]): Profile {
  const [only, ...more] = parts;
  if (only !== undefined && more.length === 0) return only;
  return {
    stacks: parts.flatMap(({ stacks }) => stacks),
    modules: parts.flatMap(({ modules }) => modules),
    programs: [...new Set(parts.flatMap(({ programs }) => programs))],
    process: null,
    dropped: parts.reduce((sum, { dropped }) => sum + dropped, 0),
    sample: Math.max(0, ...parts.map(({ sample }) => sample)),
  };
}

async function profileOfStore(store: Store, names: Names, { query, stacks }: ProfileOptions): Promise<Profile> {
  // Filters choose among live allocations; without any, stacks with nothing live count too.
  const conditions = query(store);
  const freedStacks = Object.values(conditions).every((condition) => condition === undefined);
  const question: Query = { aggregate: true, sort: "allocations", freedStacks, totals: true, ...conditions };
  const answer = await report(store, question, names, { stacks: true, ...stacks });
  const program = basename(store.process.exe);
  const modules = new Modules(store.modules());
  const known = new Known<Frame, ProfileFrame>();
  const frameOf = (frame: Frame) => known.of(frame, () => profileFrame(frame, modules));
  const rows: ProfileStack[] = [];
  for (const { count, bytes, totals, stack, cut } of answer.stacks ?? []) {
    rows.push({
      program,
      frames: stack.map(frameOf),
      cut,
      live: { count: Math.round(count), bytes: Math.round(bytes) },
      totals: totals ?? null,
    });
  }
  const { timeline, sampleBytes } = store.info();
  const { dropped, peakBytes, peakTime } = store.totals();
  const { pid, command } = store.process;
  const started = Number(store.wallTime(0n) / 1_000_000n);
  const endTime = Number(store.lastWritten() / 1_000_000n);
  return {
    stacks: rows,
    modules: modules.all,
    programs: [program],
    process: {
      pid,
      command,
      started,
      peakTime: Math.min(Math.max(0, Date.parse(peakTime) - started), endTime),
      endTime,
      peakBytes,
      timeline,
    },
    dropped,
    sample: sampleBytes,
  };
}

/** The modules of a process; of several that were at one place, one after the other, the one that has the path. */
class Modules {
  readonly all: ProfileModule[] = [];
  readonly #byPath = new Known<string, ProfileModule[]>();

  constructor(modules: readonly ModuleInfo[]) {
    // The program comes first, as readers of pprof expect.
    for (const info of [...modules].sort((a, b) => Number(b.executable) - Number(a.executable))) {
      const { path, start, end, bias, executable } = info;
      const buildId = Buffer.from(info.buildId).toString("hex");
      const module = { path, mapped: { start, end, offset: start - bias, buildId, executable } };
      this.all.push(module);
      this.#byPath.of(path, () => []).push(module);
    }
  }

  at(path: string, address: bigint): ProfileModule | null {
    const found = this.#byPath.get(path) ?? [];
    return found.find(({ mapped }) => address >= mapped!.start && address <= mapped!.end) ?? found[0] ?? null;
  }
}

function profileFrame(frame: Frame, modules: Modules): ProfileFrame {
  const address = BigInt(frame.address);
  return {
    name: frame.function ?? placeName(basename(frame.module), frame.offset),
    symbol: frame.symbol ?? "",
    file: frame.file ?? "",
    line: frame.line ?? 0,
    module: frame.module === "" ? null : modules.at(frame.module, address),
    // A return address is behind the call.
    address: address > 0n ? address - 1n : 0n,
    inlined: frame.inlined,
  };
}

function placeName(module: string, offset: string): string {
  return module === "" ? offset : `${module}+${offset}`;
}

/** The profile of a snapshot. */
export function profileOfSnapshot(snapshot: Snapshot): Profile {
  const modules = new Known<string, ProfileModule>();
  const moduleOf = (path: string) => (path === "" ? null : modules.of(path, () => ({ path, mapped: null })));
  const known = new Known<string, ProfileFrame>();
  const frameOf = (frame: SnapshotFrame) => known.of(JSON.stringify(frame), () => portableFrame(frame, moduleOf));
  const stacks = snapshot.stacks.map(({ program, count, bytes, cut, stack }) => ({
    program,
    frames: stack.map(frameOf),
    cut,
    live: { count, bytes },
    totals: null,
  }));
  return {
    stacks,
    modules: [...modules.values()],
    programs: [...new Set(stacks.map(({ program }) => program))],
    process: null,
    dropped: snapshot.dropped,
    sample: snapshot.sample,
  };
}

function portableFrame(frame: SnapshotFrame, moduleOf: (path: string) => ProfileModule | null): ProfileFrame {
  const { module, function: name, file, line } = frame;
  const placed = name?.startsWith("+") ?? false;
  return {
    name: readableName(frame) ?? placeName(module, placed ? name!.slice(1) : "?"),
    symbol: placed ? "" : (name ?? ""),
    file: file ?? "",
    line: line ?? 0,
    module: moduleOf(module),
    address: 0n,
    inlined: false,
  };
}

/**
 * The frames of a stack from the outside in, with what stands for what is
 * missing; the program first where there are several.
 */
export function outsideIn(profile: Profile, { program, frames, cut }: ProfileStack): string[] {
  const names = frames.map(({ name }) => name).reverse();
  if (names.length === 0) names.push(STACK_UNKNOWN);
  else if (cut) names.unshift(CALLERS_MISSING);
  if (profile.programs.length > 1) names.unshift(program);
  return names;
}

/** What a profile is of, for formats that say it: a process's command line, otherwise `title`. */
export function commandOf({ process }: Profile, title: string): string {
  return oneLine(process === null ? title : process.command.join(" "));
}

/** For formats in which a line ends something. */
export function oneLine(text: string): string {
  return text.replace(/[\r\n]+/g, " ");
}
