// What a store's header says: its writer, its largest size, how the process ended, how its memory grew.

import * as L from "../../asm/layout.js";
import { isoTime } from "../host/time.js";
import type { Totals } from "../host/types.js";
import type { Live, StoreImage } from "./image.js";
import { wallTime } from "./storetime.js";

export interface TimelineEntry {
  /** Relative time, nanoseconds. */
  time: bigint;
  liveBytes: number;
  liveCount: number;
  /** Allocations made until then. */
  allocations: number;
}

/** The header's contents. Bytes and counts are numbers; times are in nanoseconds. */
export interface StoreInfo {
  version: { major: number; minor: number };
  writer: "library" | "memdb";
  unwinder: "libunwind" | "dwarf" | "fp" | "unknown";
  /** The most bytes that the store may take on disk, and how many it takes. */
  sizeLimit: number;
  committedBytes: number;
  /** The length of the file. It has holes, so this is more than it takes on disk. */
  fileBytes: number;
  counts: Record<"records" | "stacks" | "nodes" | "frames" | "modules" | "strings", number>;
  end: { kind: "none" | "exit" | "immediate exit" | "exec"; status: number; time: bigint };
  /** Relative; when it began to exit, 0 if it has not or a store before 1.5 does not say. */
  exitTime: bigint;
  sampleBytes: number;
  dropped: number;
  droppedBytes: number;
  /** Bytes that are mapped without any access; null for a store before 1.4. */
  reservedBytes: number | null;
  depthLimit: number;
  /** memhook switched itself off in the process: the store is incomplete. */
  switchedOff: boolean;
  /** Another malloc comes before memhook's and passes nothing on: its blocks are not stored. */
  bypassed: boolean;
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

/** The header's contents, from an image's core. */
export function infoOf(image: StoreImage): StoreInfo {
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
    exitTime: image.u64(L.HEADER_EXIT_TIME),
    sampleBytes: number(L.HEADER_SAMPLE_BYTES),
    dropped: number(L.HEADER_DROPPED),
    droppedBytes: number(L.HEADER_DROPPED_BYTES),
    reservedBytes: image.u32(L.HEADER_VERSION_MAJOR) >>> 16 < 4 ? null : number(L.HEADER_RESERVED_BYTES),
    depthLimit: image.u32(L.HEADER_DEPTH_LIMIT),
    switchedOff: (image.u32(L.HEADER_FLAGS) & L.FLAG_SWITCHED_OFF) !== 0,
    bypassed: (image.u32(L.HEADER_FLAGS) & L.FLAG_BYPASSED) !== 0,
    pointerBytes: image.u32(L.HEADER_POINTER_BYTES),
    machine: image.u32(L.HEADER_MACHINE),
    timelineStep: image.u64(L.HEADER_TIMELINE_STEP),
    timeline: timelineOf(image),
    startWall: image.u64(L.HEADER_START_WALL),
    startMonotonic: image.u64(L.HEADER_START_MONOTONIC),
    bootId: /^0*$/.test(bootId) ? "" : bootId,
    threadSlots: image.u32(L.HEADER_THREAD_SLOTS),
  };
}

/** Sums over the process. `live`: what the last pass over the records found. */
export function totalsOf(image: StoreImage, live: Live): Totals {
  const sum = (field: number) => Number(BigInt.asUintN(64, image.core.call.sumThreads(field)));
  const peakBytes = Number(image.u64(L.HEADER_PEAK_BYTES));
  // The library notes a peak when it is looked at, so the present may be
  // higher; then it was at its newest allocation.
  const risen = live.bytes > peakBytes;
  return {
    liveCount: live.count,
    liveBytes: live.bytes,
    allocatedCount: sum(L.THREAD_ALLOCATIONS),
    allocatedBytes: sum(L.THREAD_ALLOCATED_BYTES),
    peakBytes: risen ? live.bytes : peakBytes,
    peakTime: isoTime(wallTime(image, risen ? live.newest : image.u64(L.HEADER_PEAK_TIME))),
    dropped: Number(image.u64(L.HEADER_DROPPED)),
  };
}

function timelineOf(image: StoreImage): TimelineEntry[] {
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
