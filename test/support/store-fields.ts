// The parts of a built store (store-builder.ts): the fields of its header and of the elements of its arrays.

import * as L from "../../asm/layout.js";
import type { FileIdentity } from "../../runtime/host/types.js";

/** Header fields; what is left out gets a plausible value. Times are nanoseconds. */
export interface HeaderFields {
  pid: number;
  parentPid: number;
  exe: string;
  command: string[];
  /** Clock ticks since boot; 0 unknown. */
  processStart: bigint;
  bootId: Uint8Array;
  pidNamespace: bigint;
  startWall: bigint;
  startMonotonic: bigint;
  /** By the boot clock; 0 unknown, as in stores before 1.4. */
  startBoottime: bigint;
  /** How long the machine had been suspended by the start, and by `seenTime`, which is relative. */
  startSuspended: bigint;
  suspended: bigint;
  seenTime: bigint;
  /** Of the wall clock: relative time, and what it said from then on. */
  jumps: { time: bigint; wall: bigint }[];
  endTime: bigint;
  endKind: number;
  endStatus: number;
  sizeLimit: bigint;
  committedBytes: bigint;
  pointerBytes: number;
  machine: number;
  writer: number;
  flags: number;
  pageBytes: number;
  depthLimit: number;
  sampleBytes: bigint;
  reservedBytes: bigint;
  /** How many peaks were noted; a stack's peakNumber of this many says that its peakBytes are those of the newest. */
  peakNumber: number;
  peakBytes: bigint;
  peakTime: bigint;
  timelineStep: bigint;
  unwinder: number;
  dropped: bigint;
  droppedBytes: bigint;
  versionMajor: number;
  versionMinor: number;
}

export interface ModuleFields {
  buildId?: Uint8Array;
  file?: Omit<FileIdentity, "seen">;
  bias?: bigint;
  start?: bigint;
  end?: bigint;
  loaded?: bigint;
  unloaded?: bigint;
  generation?: number;
  executable?: boolean;
  vdso?: boolean;
}

export interface StackFields {
  cut?: boolean;
  allocations?: bigint;
  allocatedBytes?: bigint;
  frees?: bigint;
  freedBytes?: bigint;
  temporaries?: bigint;
  peakBytes?: bigint;
  peakNumber?: number;
}

export interface RecordFields {
  address: bigint;
  size: number | bigint;
  time?: bigint;
  thread?: number;
  kind?: number;
  stack?: number;
}

export interface ThreadFields {
  tid?: number;
  state?: number;
  allocations: bigint;
  allocatedBytes: bigint;
  frees?: bigint;
  freedBytes?: bigint;
}

export interface TimelineFields {
  time: bigint;
  liveBytes: bigint;
  liveCount: bigint;
  allocations: bigint;
}

/** Records made while the file is written, so that a store larger than memory can be built. */
export interface RecordSource {
  /** Records after element 0, which is always free. */
  count: number;
  /** Writes record `index` (1…count) at `offset` of `view`. */
  fill(view: DataView, offset: number, index: number): void;
}

/** Writes one record at `offset` of `view`. */
export function putRecord(view: DataView, offset: number, fields: RecordFields): void {
  view.setBigUint64(offset + L.RECORD_ADDRESS, fields.address, true);
  const kind = BigInt(fields.kind ?? L.MEMORY_HEAP) << BigInt(L.RECORD_KIND_SHIFT);
  view.setBigUint64(offset + L.RECORD_SIZE, BigInt(fields.size) | kind, true);
  view.setBigUint64(offset + L.RECORD_TIME, fields.time ?? 0n, true);
  view.setUint32(offset + L.RECORD_THREAD, fields.thread ?? 1, true);
  view.setUint32(offset + L.RECORD_STACK, fields.stack ?? 0, true);
}
