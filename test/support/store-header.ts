// The header block of a built store (store-builder.ts), field by field, as in asm/FORMAT.md.

import * as L from "../../asm/layout.js";
import type { HeaderFields, ThreadFields, TimelineFields } from "./store-fields.js";

/** Which block of the file holds what: entry i of a plan describes block i + 1. */
export interface BlockPlan {
  kind: number;
  ordinal: number;
  used: number;
}

export const DEFAULTS: HeaderFields = {
  pid: 4242,
  parentPid: 1,
  exe: "/usr/bin/app",
  command: ["app"],
  processStart: 0n,
  bootId: new Uint8Array(16),
  pidNamespace: 0n,
  // 2026-03-01T12:00:00Z
  startWall: 1_772_366_400_000_000_000n,
  startMonotonic: 1_000_000_000n,
  startBoottime: 0n,
  startSuspended: 0n,
  suspended: 0n,
  seenTime: 0n,
  jumps: [],
  endTime: 60_000_000_000n,
  endKind: L.END_EXIT,
  endStatus: 0,
  sizeLimit: 8n << 30n,
  committedBytes: 0n,
  pointerBytes: 8,
  machine: 62,
  writer: L.WRITER_PRELOAD,
  flags: 0,
  pageBytes: 4096,
  depthLimit: 256,
  sampleBytes: 0n,
  reservedBytes: 0n,
  peakNumber: 0,
  peakBytes: 0n,
  peakTime: 0n,
  timelineStep: 1_000_000_000n,
  unwinder: L.UNWINDER_DWARF,
  dropped: 0n,
  droppedBytes: 0n,
  versionMajor: L.STORE_VERSION_MAJOR,
  versionMinor: L.STORE_VERSION_MINOR,
};

/** The first block of a store. `counts` has the elements of each kind. */
export function headerBlock(
  h: HeaderFields,
  plan: readonly BlockPlan[],
  counts: ReadonlyMap<number, number>,
  threads: readonly ThreadFields[],
  timeline: readonly TimelineFields[],
): Uint8Array {
  const bytes = new Uint8Array(plan.length === 0 ? L.BLOCK_TABLE_OFFSET + L.BLOCK_TABLE_BYTES : L.BLOCK_BYTES);
  const view = new DataView(bytes.buffer);
  const u16 = (offset: number, value: number) => view.setUint16(offset, value, true);
  const u32 = (offset: number, value: number) => view.setUint32(offset, value, true);
  const u64 = (offset: number, value: bigint) => view.setBigUint64(offset, value, true);
  const exe = new TextEncoder().encode(h.exe);
  const command = new TextEncoder().encode(h.command.map((argument) => `${argument}\0`).join(""));
  if (exe.length + command.length > L.PROCESS_BYTES) throw new RangeError("executable and command are too long");

  u32(L.HEADER_MAGIC, L.STORE_MAGIC_LOW);
  u32(L.HEADER_MAGIC + 4, L.STORE_MAGIC_HIGH);
  u16(L.HEADER_VERSION_MAJOR, h.versionMajor);
  u16(L.HEADER_VERSION_MINOR, h.versionMinor);
  u32(L.HEADER_HEADER_BYTES, L.HEADER_BYTES);
  u32(L.HEADER_BLOCK_BYTES, L.BLOCK_BYTES);
  u32(L.HEADER_POINTER_BYTES, h.pointerBytes);
  u32(L.HEADER_PID, h.pid);
  u32(L.HEADER_PARENT_PID, h.parentPid);
  u64(L.HEADER_PROCESS_START, h.processStart);
  bytes.set(h.bootId, L.HEADER_BOOT_ID);
  u64(L.HEADER_START_WALL, h.startWall);
  u64(L.HEADER_START_MONOTONIC, h.startMonotonic);
  u64(L.HEADER_START_BOOTTIME, h.startBoottime);
  u64(L.HEADER_START_SUSPENDED, h.startSuspended);
  u64(L.HEADER_SEEN_TIME, h.seenTime);
  u64(L.HEADER_SUSPENDED, h.suspended);
  u64(L.HEADER_JUMP_COUNT, BigInt(h.jumps.length));
  for (const [i, { time, wall }] of h.jumps.entries()) {
    u64(L.HEADER_JUMPS + i * L.JUMP_BYTES + L.JUMP_TIME, time);
    u64(L.HEADER_JUMPS + i * L.JUMP_BYTES + L.JUMP_WALL, wall);
  }
  u64(L.HEADER_RESERVED_BYTES, h.reservedBytes);
  u64(L.HEADER_END_TIME, h.endTime);
  u32(L.HEADER_END_KIND, h.endKind);
  u32(L.HEADER_END_STATUS, h.endStatus);
  u64(L.HEADER_SIZE_LIMIT, h.sizeLimit);
  const used = plan.reduce((sum, block) => sum + block.used, L.BLOCK_BYTES);
  u64(L.HEADER_COMMITTED_BYTES, h.committedBytes || BigInt(used));
  u32(L.HEADER_BLOCK_COUNT, plan.length + 1);
  u32(L.HEADER_MACHINE, h.machine);
  u32(L.HEADER_WRITER, h.writer);
  u32(L.HEADER_FLAGS, h.flags);
  u32(L.HEADER_PAGE_BYTES, h.pageBytes);
  u32(L.HEADER_DEPTH_LIMIT, h.depthLimit);
  u64(L.HEADER_SAMPLE_BYTES, h.sampleBytes);
  u32(L.HEADER_PEAK_NUMBER, h.peakNumber);
  u64(L.HEADER_PEAK_BYTES, h.peakBytes);
  u64(L.HEADER_PEAK_TIME, h.peakTime);
  u64(L.HEADER_PID_NAMESPACE, h.pidNamespace);
  u32(L.HEADER_EXE_LENGTH, exe.length);
  u32(L.HEADER_COMMAND_LENGTH, command.length);
  u64(L.HEADER_TIMELINE_STEP, h.timelineStep);
  u32(L.HEADER_UNWINDER, h.unwinder);
  u64(L.HEADER_DROPPED, h.dropped);
  u64(L.HEADER_DROPPED_BYTES, h.droppedBytes);
  bytes.set(exe, L.PROCESS_OFFSET);
  bytes.set(command, L.PROCESS_OFFSET + exe.length);

  u32(L.HEADER_TIMELINE_COUNT, timeline.length);
  for (const [i, entry] of timeline.entries()) {
    const at = L.TIMELINE_OFFSET + i * L.TIMELINE_BYTES;
    u64(at + L.TIMELINE_TIME, entry.time);
    u64(at + L.TIMELINE_LIVE_BYTES, entry.liveBytes);
    u64(at + L.TIMELINE_LIVE_COUNT, entry.liveCount);
    u64(at + L.TIMELINE_ALLOCATIONS, entry.allocations);
  }

  u32(L.HEADER_THREAD_SLOTS, threads.length);
  for (const [i, thread] of threads.entries()) {
    const at = L.THREADS_OFFSET + i * L.THREAD_BYTES;
    u32(at + L.THREAD_TID, thread.tid ?? 0);
    u32(at + L.THREAD_STATE, thread.state ?? L.THREAD_LIVE);
    u64(at + L.THREAD_ALLOCATIONS, thread.allocations);
    u64(at + L.THREAD_ALLOCATED_BYTES, thread.allocatedBytes);
    u64(at + L.THREAD_FREES, thread.frees ?? 0n);
    u64(at + L.THREAD_FREED_BYTES, thread.freedBytes ?? 0n);
  }

  for (const [kind, count] of counts) {
    const at = L.HEADER_ARRAYS + kind * L.ARRAY_BYTES;
    u32(at + L.ARRAY_COUNT, count);
    u32(at + L.ARRAY_COMMITTED, count);
    u32(at + L.ARRAY_BLOCKS, plan.filter((block) => block.kind === kind).length);
  }
  for (const [i, { kind, ordinal }] of plan.entries()) {
    u32(L.BLOCK_TABLE_OFFSET + (i + 1) * L.BLOCK_ENTRY_BYTES, ((kind << L.BLOCK_ENTRY_KIND_SHIFT) | ordinal) >>> 0);
  }
  return bytes;
}
