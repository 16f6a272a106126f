// The types that runtime/ promises to cli/ and to users of the library: what a store says, in the
// terms of its contract (see README, "JSON"). No code here.

/** Memory an allocation came from: malloc and operator new, anonymous mmap, or memhook_alloc. */
export type MemoryKind = "heap" | "mmap" | "custom";

/**
 * How the process of a store is doing: still there, ended by itself, or gone
 * without a word: killed, or by a system call that no hook saw.
 */
export type ProcessState = "running" | "exited" | "dead";

export interface ProcessInfo {
  pid: number;
  /** Absolute path of the executable, "" if unknown. */
  exe: string;
  command: string[];
  /** ISO 8601, UTC, nanoseconds: "2026-11-22T21:03:14.123456789Z". */
  startTime: string;
  state: ProcessState;
}

/** Sums over the process, in allocations and bytes. */
export interface Totals {
  liveCount: number;
  liveBytes: number;
  allocatedCount: number;
  allocatedBytes: number;
  peakBytes: number;
  /** ISO 8601, UTC, nanoseconds. */
  peakTime: string;
  /** Allocations that could not be recorded. */
  dropped: number;
}

/** One place in the code. A physical frame gives one Frame, and one more for each call inlined there. */
export interface Frame {
  /** Absolute address as a hex string, "0x7f12…". */
  address: string;
  /** Path of the module, "" when the address is in none. */
  module: string;
  /** Address in the module's own terms, hex string. */
  offset: string;
  /** Demangled name, null if unknown. */
  function: string | null;
  /** The same as in the symbol table, mangled. Not in what memview prints. */
  symbol?: string | null;
  file: string | null;
  line: number | null;
  /** True when this call was inlined into the next frame outwards. */
  inlined: boolean;
}

export interface Allocation {
  address: string;
  size: number;
  /** ISO 8601, UTC, nanoseconds. */
  time: string;
  thread: number;
  kind: MemoryKind;
  /** Innermost first; empty when the stack is unknown. */
  stack: Frame[];
}

/** Whether outer frames are missing: because of the depth limit, or since nobody knows who called the last one. */
export interface Cut {
  cut: boolean;
  /** Only where nobody knows: there is no frame information, or it leads nowhere. */
  lost?: true;
}

export interface StackRow {
  bytes: number;
  /** ± of `bytes`, only when it is an estimate. */
  margin?: number;
  count: number;
  /**
   * Of all allocations of the stack, freed ones included: only the one that the
   * order is by. `peak`: bytes at the process's peak.
   */
  allocations?: number;
  temporary?: number;
  peak?: number;
  /** null when none is live, which only an order by such a total shows. */
  oldest: string | null;
  newest: string | null;
  stack: Frame[];
}

/** What a stack did all the time, freed allocations included. */
export interface StackTotals {
  allocations: number;
  allocatedBytes: number;
  /** Of the allocations, those that were freed before their thread allocated again. */
  temporary: number;
  /** Bytes that it held at the process's peak. */
  peakBytes: number;
}

/** The allocations that a question matched. */
export interface Matched {
  count: number;
  bytes: number;
  /** ± of `bytes`, only when it is an estimate. */
  margin?: number;
}

export interface Sample {
  /** Mean bytes between samples. */
  bytes: number;
  /** How likely the truth is within a margin. */
  confidence: number;
}

/** What `memview --format json` prints. */
export interface Report {
  version: 1;
  process: ProcessInfo;
  totals: Totals;
  /** Only when another malloc comes ahead of memhook's and passes nothing on: its blocks are missing. */
  bypassed?: true;
  /**
   * Only when the store has a sample: counts and bytes are estimates then, single allocations those that were recorded.
   */
  sample?: Sample;
  matched: Matched;
  /** Live allocations that suppressions left out of `matched` and the rows; only when there are any. */
  suppressed?: Suppressed;
  allocations?: Allocation[];
  stacks?: StackRow[];
}

/** One place in the code, as far as it is the same in another build. */
export interface SnapshotFrame {
  /** File name of the module, "" of code that is in none. */
  module: string;
  /**
   * As in the symbol table, mangled. "+0x1234", the place in the module, where
   * no name is known; null where there is neither.
   */
  function: string | null;
  /** Relative to the folder it was compiled in; what lies elsewhere keeps its whole path. */
  file: string | null;
  line: number | null;
}

/** Live allocations in number and bytes. */
export interface Amount {
  count: number;
  bytes: number;
}

export interface SnapshotStack extends Amount, Cut {
  /** File name of the program. */
  readonly program: string;
  /**
   * Innermost first; equal frames may be one object. Of a file it is read when it is asked for. @throws SnapshotError
   */
  readonly stack: readonly SnapshotFrame[];
  /** The first of them, no more than `most`, where the others need not be read for that. @throws SnapshotError */
  innermost?(most: number): readonly SnapshotFrame[];
  /** The same as a file has it. */
  readonly text: string;
}

/** Sums are over the stacks. */
export interface Snapshot extends Amount {
  /** Each program and stack once, in the order of their text. */
  stacks: SnapshotStack[];
  /** Live allocations that suppressions left out. */
  suppressed: Amount;
  /** Allocations that could not be recorded. */
  dropped: number;
  /** Mean bytes between samples; 0: everything was recorded, otherwise amounts are estimates. */
  sample: number;
}

/** What happens in memdb, for people and for machines. */
export interface LogEntry {
  event: "listening" | "session" | "snapshot" | "closed" | "refused" | "trouble" | "recovered" | "full" | "closing";
  /** Address and port, or the Unix socket, that listens or is connected. */
  peer?: string;
  pid?: number;
  exe?: string;
  store?: string;
  reason?: string;
  counts?: { live: number; bytes: number; received: number };
}

// ── Inside runtime/: between the store reader, the symbolizer and the queries ─────────────────────

/** What tells a file from another one at its path. */
export interface FileIdentity {
  inode: bigint;
  /** 0n: only the layout is known, another file was at the path already. */
  bytes: bigint;
  /** When it was written last, nanoseconds since 1970. */
  written: bigint;
  /** When that was looked at. */
  seen: bigint;
  /** Of its segments: a hash of the program headers. */
  layout: bigint;
}

/** A file that was mapped into the process. Addresses are the process's, as unsigned 64-bit. */
export interface ModuleInfo {
  /** Index in the store's modules array, at least 1. */
  id: number;
  path: string;
  /** Raw build id, empty if the module has none. */
  buildId: Uint8Array;
  /** Which file it was; null: the store does not say. */
  file: FileIdentity | null;
  bias: bigint;
  start: bigint;
  end: bigint;
  /** Relative times in nanoseconds; 0n for unloaded means it is still loaded. */
  loaded: bigint;
  unloaded: bigint;
  executable: boolean;
  vdso: boolean;
}

/** One physical frame as the store has it. */
export interface RawFrame {
  /** Index in the store's frames array. */
  id: number;
  module: ModuleInfo | null;
  /** Program counter minus the module's bias; the absolute address when there is no module. */
  offset: bigint;
  /** The instruction itself; otherwise a return address, to be looked up at offset − 1. */
  exact: boolean;
  /** Nobody knows who called it. */
  lost?: boolean;
}

export type SortOrder = "time" | "size" | "address" | "count" | "allocations" | "temporary" | "peak";

/** What is live now or was at the end, or what was when the process began to exit, if it did. */
export type Moment = "end" | "exit";

/** What to read from a store. Times are nanoseconds relative to the process's start; every bound is inclusive. */
export interface Query {
  aggregate: boolean;
  /** Ascending. Single allocations: time, size, address. Stacks: count, size, allocations, temporary, peak. */
  sort: SortOrder;
  /** Keep the N largest in the order asked for (they still come in ascending order). */
  top?: number | undefined;
  minSize?: number | undefined;
  maxSize?: number | undefined;
  minTime?: bigint | undefined;
  maxTime?: bigint | undefined;
  thread?: number | undefined;
  kind?: MemoryKind | undefined;
  /**
   * Chooses among the stacks that match otherwise: gets their ids, returns one byte for each (0: leave out, 1: take,
   * 2: leave out and count as suppressed by the user, 3: by the built-in list).
   */
  selectStacks?: ((stackIds: Uint32Array) => Promise<Uint8Array>) | undefined;
  /** In an order of stacks by a total (allocations, temporary, peak), those with nothing live too. */
  freedStacks?: boolean | undefined;
  /** With the totals of each stack. */
  totals?: boolean | undefined;
  /** Of sums by place: count when what is live was born within a life of so many nanoseconds. */
  births?: bigint | undefined;
  /** Read every piece once, even if the process changes it meanwhile. */
  noLock?: boolean | undefined;
}

export interface RawAllocation {
  address: bigint;
  size: number;
  time: bigint;
  thread: number;
  kind: MemoryKind;
  stackId: number;
}

export interface RawStackRow {
  stackId: number;
  count: number;
  bytes: number;
  /** ± of `bytes`, only when it is an estimate. */
  margin?: number;
  /** Of an order by one: the stack's total. */
  total?: number;
  /** Where they were asked for. */
  totals?: StackTotals;
  /** 0n when nothing matched. */
  oldest: bigint;
  newest: bigint;
}

/** When the live blocks of a stack were born, and what was allocated and freed there all the time. */
export interface Births {
  /** Records and bytes in equal parts of the life; of a sample records are counted, and bytes estimated. */
  counts: readonly number[];
  bytes: readonly number[];
  /** Of the live blocks. */
  smallest: number;
  largest: number;
  /** Totals; of a sample those of its records. */
  allocations: number;
  allocatedBytes: number;
  frees: number;
  freedBytes: number;
}

/** What is left out of an answer because it is known. */
export interface Suppressed extends Amount {
  /** Of it what the user's own list has, if that is any. */
  listed?: Amount;
}

export interface QueryResult {
  matched: Matched;
  /** What selectStacks marked with 2 or 3, if there is any; not in `matched`. */
  suppressed?: Suppressed;
  /** Without aggregate. */
  allocations: RawAllocation[];
  /** With aggregate. */
  stacks: RawStackRow[];
}

/**
 * Where a program counter is in the source: one physical frame has one location, and one more for each inlined call.
 */
export interface CodeLocation {
  /** As in the symbol table, mangled; null if unknown. */
  function: string | null;
  file: string | null;
  line: number | null;
  /** True when this call was inlined into the next location. */
  inlined: boolean;
}
