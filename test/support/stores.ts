// Stores for tests: a small store with something of everything; bytes as a source; and a reader that looks at
// everything in a store and checks that the answers agree with each other.

import assert from "node:assert/strict";
import { readFileSync, readlinkSync } from "node:fs";
import * as L from "../../asm/layout.js";
import type { ByteSource } from "../../runtime/host/host.js";
import type { Query } from "../../runtime/host/types.js";
import type { Store } from "../../runtime/stores/store.js";
import { StoreBuilder } from "./store-builder.js";
import type { HeaderFields } from "./store-fields.js";

/** The builds of core.wasm: the one that is published, and the one with assertions. */
export const coreBuilds = {
  release: new WebAssembly.Module(readFileSync(new URL("../../../build/core.wasm", import.meta.url))),
  debug: new WebAssembly.Module(readFileSync(new URL("../../../build/core.debug.wasm", import.meta.url))),
};

/** Bytes as a file; it ends at `length`. */
export function memorySource(image: Uint8Array, length = image.length): ByteSource {
  return {
    size: () => length,
    read(target, position) {
      const bytes = image.subarray(Math.min(position, length), Math.min(position + target.length, length));
      target.set(bytes);
      return bytes.length;
    },
    close() {},
  };
}

/**
 * A program with a leak: two modules and the vDSO, shared and cut stacks, an unknown stack, a frame outside of all
 * modules, every kind of memory, free slots between the records, several threads and a timeline.
 */
export function sampleStore(): StoreBuilder {
  const store = new StoreBuilder({
    pid: 1234,
    parentPid: 1000,
    exe: "/opt/shop/bin/shop",
    command: ["shop", "--port", "80", "", "Größe"],
    endStatus: 3,
    peakBytes: 1_000_000n,
    peakTime: 30_500_000_000n,
    dropped: 2n,
    droppedBytes: 48n,
    reservedBytes: 1n << 30n,
  });
  const app = store.module("/opt/shop/bin/shop", {
    bias: 0x5555_5555_0000n,
    executable: true,
    buildId: Uint8Array.from({ length: 20 }, (_, i) => i * 7),
  });
  const libc = store.module("/usr/lib/libc.so.6", { bias: 0x7f00_0000_0000n, buildId: new Uint8Array([1, 2, 3]) });
  const plugin = store.module("/opt/shop/plugin.so", {
    file: { inode: 4711n, bytes: 54321n, written: 1_799_999_999_000_000_001n, layout: 0xfedc_ba98_7654_3210n },
    bias: 0x7e00_0000_0000n,
    loaded: 5n,
    unloaded: 9n,
    generation: 2,
  });
  const vdso = store.module("[vdso]", { bias: 0x7fff_0000_0000n, vdso: true });
  const [main, serve, parse, copy] = [0x1100n, 0x1200n, 0x1300n, 0x1400n].map((at) => store.frame(app, at)) as number[];
  const start = store.frame(libc, 0x29d90n);
  const signal = store.frame(vdso, 0x600n, true);
  const load = store.frame(plugin, 0x77n);
  const generated = store.frame(0, 0x7d00_1234_5678n);
  const stacks = [
    0,
    store.stack([copy!, parse!, serve!, main!, start], { allocations: 1000n, temporaries: 5n, peakBytes: 300n }),
    store.stack([parse!, serve!, main!, start], { allocations: 10n, temporaries: 900n, peakBytes: 200n }),
    store.stack([load, main!, start], { allocations: 500n, temporaries: 50n, peakBytes: 7000n }),
    store.stack([generated, signal, serve!], { cut: true, allocations: 3n, temporaries: 2n, peakBytes: 1n }),
    store.stack([start], { allocations: 99n }),
  ];
  for (let i = 0; i < 60; i++) {
    if (i % 7 === 3) store.freeSlot();
    store.record({
      address: 0x7d00_0000_0000n + BigInt((i * 37) % 64) * 0x100n,
      size: i % 10 === 9 ? 0x2_0000_0000 : 16 + ((i * 11) % 50),
      time: BigInt((i * 13) % 60) * 1_000_000_000n + BigInt(i),
      thread: 1234 + (i % 3),
      kind: i % 10 === 9 ? L.MEMORY_MMAP : i % 12 === 5 ? L.MEMORY_CUSTOM : L.MEMORY_HEAP,
      // The last stack has nothing live.
      stack: stacks[(i * 3 + (i >> 4)) % 5]!,
    });
  }
  store.thread({ tid: 0, state: L.THREAD_SHARED, allocations: 10n, allocatedBytes: 1000n, frees: 3n, freedBytes: 90n });
  store.thread({ tid: 1234, allocations: 500n, allocatedBytes: 60_000_000_000n, frees: 440n, freedBytes: 300n });
  store.thread({ tid: 0, state: L.THREAD_FREE, allocations: 7n, allocatedBytes: 70n, frees: 7n, freedBytes: 70n });
  for (let i = 1; i <= 4; i++) {
    const time = BigInt(i) * 1_000_000_000n;
    store.timeline({ time, liveBytes: BigInt(i * 100), liveCount: BigInt(i), allocations: BigInt(i * 10) });
  }
  return store;
}

/** Everything a store says, as JSON: bigints as "5n", bytes in hex. */
export async function everything(store: Store): Promise<unknown> {
  const queries: Query[] = [
    { aggregate: false, sort: "time" },
    { aggregate: false, sort: "size", top: 7, kind: "heap" },
    { aggregate: false, sort: "address", thread: 1235, minTime: 10_000_000_000n, maxTime: 40_000_000_000n },
    { aggregate: true, sort: "count" },
    { aggregate: true, sort: "size", minSize: 20, maxSize: 60 },
    { aggregate: true, sort: "allocations" },
    { aggregate: true, sort: "temporary" },
    { aggregate: true, sort: "peak", top: 2 },
  ];
  const answers = [];
  for (const query of queries) answers.push({ query, result: await store.query(query) });
  const stacks = Array.from({ length: store.info().counts.stacks }, (_, id) => {
    const { frames, cut } = store.frames(id);
    return { cut, frames: frames.map(({ module, offset, exact }) => [module?.path ?? null, offset, exact]) };
  });
  const all = { process: store.process, totals: store.totals(), info: store.info(), modules: store.modules() };
  return JSON.parse(
    JSON.stringify({ ...all, answers, stacks }, (_, value) => {
      if (typeof value === "bigint") return `${value}n`;
      return value instanceof Uint8Array ? Buffer.from(value).toString("hex") : value;
    }),
  );
}

/** Looks at everything. Whatever the store says, the answers have to agree, and to be bounded by its depth limit. */
export async function exhaust(store: Store): Promise<void> {
  const info = store.info();
  assert.ok(info.timeline.every((entry, i) => i === 0 || entry.time > info.timeline[i - 1]!.time));
  assert.equal(typeof store.process.startTime, "string");
  const all = await store.query({ aggregate: false, sort: "time" });
  const totals = store.totals();
  assert.deepEqual([all.matched.count, all.matched.bytes], [totals.liveCount, totals.liveBytes]);
  const sampled = info.sampleBytes !== 0;
  assert.equal(all.matched.margin === undefined, !sampled);
  // What was recorded stands for more.
  const least = sampled ? (a: number, b: number) => assert.ok(a <= b) : assert.equal;
  least(all.allocations.length, all.matched.count);
  least(sum(all.allocations, "size"), all.matched.bytes);
  assert.ok(totals.peakBytes >= totals.liveBytes);

  const grouped = await store.query({ aggregate: true, sort: "size" });
  // Sums of doubles in another order differ in their last digits.
  const slack = (value: number) => (sampled ? 1 + Math.abs(value) * 1e-9 : 0);
  for (const key of ["count", "bytes", "margin"] as const) {
    const [a, b] = [grouped.matched[key] ?? 0, all.matched[key] ?? 0];
    assert.ok(Math.abs(a - b) <= slack(b), `${key}: ${a} and ${b}`);
  }
  // Rows of estimates are rounded one by one.
  for (const key of ["count", "bytes"] as const) {
    const off = Math.abs(sum(grouped.stacks, key) - all.matched[key]);
    assert.ok(off <= grouped.stacks.length * slack(all.matched[key]), `${key} off by ${off}`);
  }
  assert.ok(grouped.stacks.every((row, i) => i === 0 || row.bytes >= grouped.stacks[i - 1]!.bytes));

  // Followed to frame 2 or to their ends, and summed by the frame.
  const { places } = await store.query({ aggregate: true, sort: "size", births: 1n }, async (walks) => {
    await walks.search(
      (module) => module?.id === 2,
      async (frames) => frames.map(({ id }) => id === 2),
    );
    const { found } = walks.spots();
    return walks.gather(Uint32Array.from(found), 2);
  });
  for (const key of ["count", "bytes"] as const) {
    assert.ok(Math.abs(sum(places, key) - all.matched[key]) <= 2 * slack(all.matched[key]), `${key} by place`);
  }

  const some = await store.query({
    aggregate: false,
    sort: "size",
    top: 5,
    minTime: 20_000_000_000n,
    selectStacks: async (ids) => ids.map((id) => id & 1) as unknown as Uint8Array,
  });
  if (!sampled) assert.equal(some.allocations.length, Math.min(5, some.matched.count));
  assert.ok(some.allocations.every((one) => one.time >= 20_000_000_000n && one.stackId % 2 === 1));
  await store.query({ aggregate: true, sort: "temporary", kind: "heap", top: 3 });

  for (const { stackId } of grouped.stacks) assert.ok(store.frames(stackId).frames.length <= info.depthLimit);
  for (const module of store.modules()) assert.ok(module.start <= module.end);
}

function sum<K extends string>(rows: Record<K, number>[], key: K): number {
  return rows.reduce((total, row) => total + row[key], 0);
}

/** A trap is caught and reported as damage, but every trap is a check that is missing. */
export function isTrap(error: Error): boolean {
  return /: is damaged \(/.test(error.message);
}

/** Header fields that make a store this very process's. */
export function ownIdentity(): Pick<HeaderFields, "pid" | "processStart" | "bootId" | "pidNamespace" | "endKind"> {
  const stat = readFileSync("/proc/self/stat", "latin1");
  const bootId = readFileSync("/proc/sys/kernel/random/boot_id", "latin1").trim().replaceAll("-", "");
  return {
    pid: process.pid,
    processStart: BigInt(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19]!),
    bootId: new Uint8Array(Buffer.from(bootId, "hex")),
    pidNamespace: BigInt(/\d+/.exec(readlinkSync("/proc/self/ns/pid"))![0]),
    endKind: L.END_NONE,
  };
}

/** A store whose records are one full block of records again and again, without being that large anywhere. */
export function repeatedRecords(block: Uint8Array, times: number): ByteSource {
  assert.equal(block.length, L.BLOCK_BYTES);
  const store = new StoreBuilder();
  store.stack([store.frame(store.module("/app"), 1n)]);
  const image = store.image();
  const view = new DataView(image.buffer);
  const first = view.getUint32(L.HEADER_BLOCK_COUNT, true) - 1;
  const records = L.HEADER_ARRAYS + L.KIND_RECORDS * L.ARRAY_BYTES;
  const count = (times * L.BLOCK_BYTES) / L.RECORD_BYTES;
  view.setUint32(records + L.ARRAY_COUNT, count, true);
  view.setUint32(records + L.ARRAY_COMMITTED, count, true);
  view.setUint32(records + L.ARRAY_BLOCKS, times, true);
  view.setUint32(L.HEADER_BLOCK_COUNT, first + times, true);
  for (let ordinal = 0; ordinal < times; ordinal++) {
    const entry = (L.KIND_RECORDS << L.BLOCK_ENTRY_KIND_SHIFT) | ordinal;
    view.setUint32(L.BLOCK_TABLE_OFFSET + (first + ordinal) * L.BLOCK_ENTRY_BYTES, entry, true);
  }
  const whole = memorySource(image);
  return {
    ...whole,
    size: () => (first + times) * L.BLOCK_BYTES,
    read(target, position) {
      if (position < first * L.BLOCK_BYTES) return whole.read(target, position);
      const start = position % L.BLOCK_BYTES;
      target.set(block.subarray(start, start + target.length));
      return target.length;
    },
  };
}

/** Numbers from 0 to below what is asked, the same ones for the same seed. */
export function randomNumbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}
