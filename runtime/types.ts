// The types that runtime/ promises to cli/ and to users of the library: what a store says, in the
// terms of its contract (see README, "JSON"). No code here.

/** Memory an allocation came from: malloc and operator new, anonymous mmap, or memhook_alloc. */
export type MemoryKind = "heap" | "mmap" | "custom";

/** How the process of a store is doing: still there, ended by itself, or gone without saying so. */
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

export interface StackRow {
  bytes: number;
  count: number;
  oldest: string;
  newest: string;
  stack: Frame[];
}

/** What `memview --format json` prints. */
export interface Report {
  version: 1;
  process: ProcessInfo;
  totals: Totals;
  matched: { count: number; bytes: number };
  allocations?: Allocation[];
  stacks?: StackRow[];
}
