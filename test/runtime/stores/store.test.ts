// Questions to a store: a stored vector with the exact answers, random stores against an answer worked out the plain
// way, and what happens at the edges of a question. Every question is asked of both builds of the core.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { gunzipSync } from "node:zlib";
import * as L from "../../../asm/layout.js";
import type { Query, RawAllocation, RawStackRow } from "../../../runtime/host/types.js";
import { openSource, openStore, type Store, StoreError } from "../../../runtime/stores/store.js";
import { sharedMemoryPath } from "../../../runtime/stores/storenames.js";
import { after } from "../../support/after.js";
import { decode } from "../../support/decode.js";
import { StoreBuilder } from "../../support/store-builder.js";
import { putRecord } from "../../support/store-fields.js";
import {
  coreBuilds,
  everything,
  memorySource,
  randomNumbers,
  repeatedRecords,
  sampleStore,
} from "../../support/stores.js";

const folder = mkdtempSync(join(tmpdir(), "memhook-store-"));
after(() => rmSync(folder, { recursive: true }));

function written(name: string, store: StoreBuilder): string {
  const path = join(folder, name);
  store.write(path);
  return path;
}

// ── The vector ───────────────────────────────────────────────────────────────────────────────────

for (const [build, core] of Object.entries(coreBuilds)) {
  test(`the vector gives exactly what is written down (${build})`, async () => {
    const vectors = new URL("../../../../test/vectors/stores/", import.meta.url);
    const image = gunzipSync(readFileSync(new URL("sample.store.gz", vectors)));
    const expected = JSON.parse(readFileSync(new URL("sample.json", vectors), "utf8"));
    const store = openSource(memorySource(image), "sample.store", core);
    assert.deepEqual(await everything(store), expected);
    store.close();
  });
}

test("the same contents in blocks of another order give the same answers", async () => {
  const [plain, mixed] = [sampleStore(), sampleStore().interleaveBlocks()].map((builder) =>
    openSource(memorySource(builder.image()), "a.store"),
  );
  assert.deepEqual(await everything(mixed!), await everything(plain!));
});

test("a store read from a file agrees with the plain reader", async () => {
  const path = written("sample.store", sampleStore());
  const plain = decode(path);
  const store = await openStore(path);
  const { allocations } = await store.query({ aggregate: false, sort: "time" });
  plain.records.sort((a, b) => Number(a.time - b.time));
  assert.deepEqual(
    allocations.map((one) => ({
      ...{ address: one.address, size: BigInt(one.size), time: one.time, thread: one.thread },
      kind: ["heap", "mmap", "custom"].indexOf(one.kind),
      stack: store.frames(one.stackId).frames.map(({ module, offset, exact }) => ({
        ...{ module: module?.path ?? "", offset, exact },
      })),
    })),
    plain.records,
  );
  assert.equal(store.totals().dropped, Number(plain.dropped));
  store.close();
});

// ── Random stores against a plain answer ─────────────────────────────────────────────────────────

type Plain = RawAllocation;

const kinds = ["heap", "mmap", "custom"] as const;

/** Records in two blocks, of stacks that lie far apart, with many equal sizes and times. */
function randomStore(seed: number): { store: Store[]; records: Plain[] } {
  const random = randomNumbers(seed);
  const builder = new StoreBuilder();
  const frame = builder.frame(builder.module("/app"), 1n);
  for (let i = 0; i < 5000; i++) {
    const totals = { allocations: BigInt(random(50)), temporaries: BigInt(random(9)), peakBytes: BigInt(random(4)) };
    builder.stack([frame], totals);
  }
  const records: Plain[] = [];
  for (let i = 0; i < 40_000; i++) {
    if (random(5) === 0) {
      builder.freeSlot();
      continue;
    }
    const kind = random(3);
    const record = {
      address: BigInt(i * 48 + 16),
      size: random(300),
      time: BigInt(random(20_000)),
      thread: 100 + random(4),
      stack: random(3) ? random(40) : random(5001),
    };
    builder.record({ ...record, kind });
    const { stack, ...rest } = record;
    records.push({ ...rest, kind: kinds[kind]!, stackId: stack });
  }
  const image = builder.interleaveBlocks().image();
  return { store: Object.values(coreBuilds).map((core) => openSource(memorySource(image), "a.store", core)), records };
}

function plainMatches(records: Plain[], query: Query): Plain[] {
  return records.filter(
    ({ size, time, thread, kind }) =>
      size >= (query.minSize ?? 0) &&
      size <= (query.maxSize ?? Infinity) &&
      time >= (query.minTime ?? 0n) &&
      (query.maxTime === undefined || time <= query.maxTime) &&
      (query.thread === undefined || thread === query.thread) &&
      (query.kind === undefined || kind === query.kind),
  );
}

function byKeys<T>(...keys: ((row: T) => bigint | number)[]): (a: T, b: T) => number {
  return (a, b) => {
    for (const key of keys) {
      if (key(a) < key(b)) return -1;
      if (key(a) > key(b)) return 1;
    }
    return 0;
  };
}

const recordOrders: Record<string, (a: Plain, b: Plain) => number> = {
  time: byKeys(
    (r) => r.time,
    (r) => r.address,
  ),
  size: byKeys(
    (r) => r.size,
    (r) => r.time,
    (r) => r.address,
  ),
  address: byKeys((r) => r.address),
};

function plainStacks(records: Plain[]): RawStackRow[] {
  const rows = new Map<number, RawStackRow>();
  for (const { stackId, size, time } of records) {
    const row = rows.get(stackId) ?? { stackId, count: 0, bytes: 0, oldest: time, newest: time };
    row.count++;
    row.bytes += size;
    if (time < row.oldest) row.oldest = time;
    if (time > row.newest) row.newest = time;
    rows.set(stackId, row);
  }
  return [...rows.values()];
}

const stackOrders: Record<string, (a: RawStackRow, b: RawStackRow) => number> = {
  count: byKeys(
    (r) => r.count,
    (r) => r.bytes,
    (r) => r.stackId,
  ),
  size: byKeys(
    (r) => r.bytes,
    (r) => r.count,
    (r) => r.stackId,
  ),
};

test("random questions are answered as the plain way answers them", async () => {
  const { store: stores, records } = randomStore(5);
  const random = randomNumbers(6);
  const maybe = <T>(value: T) => (random(3) === 0 ? value : undefined);
  for (let i = 0; i < 30; i++) {
    const aggregate = random(2) === 0;
    const selected = random(3) === 0;
    const query: Query = {
      aggregate,
      sort: aggregate ? (["count", "size"] as const)[random(2)]! : (["time", "size", "address"] as const)[random(3)]!,
      top: maybe([0, 1, 10, 999, 1e9][random(5)]!),
      minSize: maybe(random(200)),
      maxSize: maybe(100 + random(250)),
      minTime: maybe(BigInt(random(15_000))),
      maxTime: maybe(BigInt(5_000 + random(20_000))),
      thread: maybe(100 + random(5)),
      kind: maybe(kinds[random(3)]!),
      selectStacks: selected ? async (ids) => Uint8Array.from(ids, (id) => Number(id % 3 === 1)) : undefined,
    };
    const matches = plainMatches(records, query).filter(({ stackId }) => !selected || stackId % 3 === 1);
    const rows = aggregate
      ? plainStacks(matches).sort(stackOrders[query.sort])
      : [...matches].sort(recordOrders[query.sort]);
    const expected = query.top === undefined ? rows : rows.slice(Math.max(0, rows.length - query.top));
    for (const store of stores) {
      const result = await store.query(query);
      const what = `question ${i}: ${Object.entries(query).join(" ")}`;
      const bytes = matches.reduce((sum, record) => sum + record.size, 0);
      assert.deepEqual(result.matched, { count: matches.length, bytes }, what);
      assert.deepEqual(aggregate ? result.stacks : result.allocations, expected, what);
      assert.equal((aggregate ? result.allocations : result.stacks).length, 0);
    }
  }
});

// ── The edges of a question ──────────────────────────────────────────────────────────────────────

function sample(): Store {
  return openSource(memorySource(sampleStore().image()), "a.store");
}

test("bounds beyond 64 bits match nothing, or bound nothing", async () => {
  const store = sample();
  const count = async (query: Partial<Query>) =>
    (await store.query({ aggregate: true, sort: "count", ...query })).matched.count;
  assert.equal(await count({}), 60);
  assert.equal(await count({ minTime: -5n, maxTime: 1n << 70n }), 60);
  assert.equal(await count({ minTime: 1n << 64n }), 0);
  assert.equal(await count({ maxTime: -1n }), 0);
  assert.equal(await count({ minSize: -3, maxSize: Infinity }), 60);
  assert.equal(await count({ minSize: Infinity }), 0);
  assert.equal(await count({ maxSize: -1 }), 0);
  assert.equal(await count({ minSize: 0x2_0000_0000 }), 6);
  assert.equal(await count({ minSize: 15.5, maxSize: 16.5 }), await count({ minSize: 16, maxSize: 16 }));
});

test("selectStacks gets the stacks that match otherwise, once each, ascending", async () => {
  const store = sample();
  const asked: number[][] = [];
  const query: Query = {
    ...{ aggregate: false, sort: "time", minTime: 30_000_000_000n, kind: "custom" },
    async selectStacks(ids) {
      asked.push([...ids]);
      // The store can be asked meanwhile.
      await store.query({ aggregate: true, sort: "count" });
      store.frames(ids[0]!);
      return new Uint8Array(ids.length).fill(1);
    },
  };
  const all = await store.query({ ...query, selectStacks: undefined });
  assert.deepEqual(await store.query(query), all);
  assert.deepEqual(asked, [[...new Set(all.allocations.map((one) => one.stackId))].sort((a, b) => a - b)]);
});

test("selectStacks that answers for another number of stacks", async () => {
  await assert.rejects(
    sample().query({ aggregate: true, sort: "count", selectStacks: async () => new Uint8Array(1) }),
    RangeError,
  );
});

test("questions at the same time do not meet", async () => {
  const { store: stores, records } = randomStore(9);
  const store = stores[0]!;
  let release = () => {};
  const gate = new Promise<void>((resolve) => {
    release = resolve;
  });
  const slow = store.query({
    ...{ aggregate: true, sort: "size", thread: 101 },
    async selectStacks(ids) {
      await gate;
      return new Uint8Array(ids.length).fill(1);
    },
  });
  const quick = await store.query({ aggregate: true, sort: "size", thread: 102 });
  release();
  const expected = (thread: number) => plainStacks(plainMatches(records, { thread } as Query)).sort(stackOrders.size);
  assert.deepEqual(quick.stacks, expected(102));
  assert.deepEqual((await slow).stacks, expected(101));
});

test("an order that does not fit what is asked", async () => {
  const store = sample();
  await assert.rejects(store.query({ aggregate: true, sort: "time" }), RangeError);
  await assert.rejects(store.query({ aggregate: false, sort: "count" }), RangeError);
});

test("a list that is too long says what to do, and its top can still be had", async () => {
  const block = new DataView(new ArrayBuffer(L.BLOCK_BYTES));
  for (let i = 0; i < L.BLOCK_BYTES / L.RECORD_BYTES; i++) {
    putRecord(block, i * L.RECORD_BYTES, { address: BigInt(i + 1), size: i, time: 5n, stack: 1 });
  }
  const store = openSource(repeatedRecords(new Uint8Array(block.buffer), 129), "large.store");
  await assert.rejects(store.query({ aggregate: false, sort: "time" }), {
    name: "StoreError",
    message: /^large\.store: has more matching rows than can be listed; the most is 4194304; use --top, -a or /,
  });
  const { matched, allocations } = await store.query({ aggregate: false, sort: "size", top: 200 });
  assert.equal(matched.count, 129 * 32768);
  assert.equal(allocations.filter((one) => one.size === 32767).length, 129);
  assert.equal(allocations[0]!.size, 32766);
  const { stacks } = await store.query({ aggregate: true, sort: "count" });
  assert.deepEqual(stacks, [{ stackId: 1, count: 129 * 32768, bytes: 129 * (32767 * 16384), oldest: 5n, newest: 5n }]);
});

test("a store without a single allocation", async () => {
  for (const core of Object.values(coreBuilds)) {
    const store = openSource(memorySource(new StoreBuilder().image()), "a.store", core);
    for (const query of [
      { aggregate: true, sort: "size" } as const,
      { aggregate: false, sort: "time", top: 3 } as const,
    ]) {
      const nothing = { matched: { count: 0, bytes: 0 }, allocations: [], stacks: [] };
      assert.deepEqual(await store.query(query), nothing);
    }
    assert.deepEqual(store.modules(), []);
    assert.deepEqual(store.frames(0), { frames: [], cut: false });
    assert.equal(store.totals().peakBytes, 0);
  }
});

test("totals: the peak is what is live when that is more, at the newest allocation", () => {
  const builder = new StoreBuilder({ peakBytes: 100n, peakTime: 7n, startWall: 0n });
  builder.record({ address: 16n, size: 60, time: 3_000_000_000n });
  builder.record({ address: 32n, size: 50, time: 2_000_000_000n });
  const totals = openSource(memorySource(builder.image()), "a.store").totals();
  assert.equal(totals.peakBytes, 110);
  assert.equal(totals.peakTime, "1970-01-01T00:00:03.000000000Z");
});

test("a frame that does not exist", () => {
  assert.throws(() => sample().frames(6), { name: "StoreError", message: /there is no stack 6/ });
  assert.throws(() => sample().frames(0xffffffff), { name: "StoreError", message: /there is no stack 4294967295/ });
});

test("a timeline that was caught while it was halved keeps what is in order", () => {
  const builder = new StoreBuilder();
  for (const time of [2n, 4n, 6n, 4n, 5n, 6n, 7n, 8n]) {
    builder.timeline({ time, liveBytes: time * 10n, liveCount: time, allocations: time });
  }
  const { timeline } = openSource(memorySource(builder.image()), "a.store").info();
  assert.deepEqual(
    timeline.map((entry) => [entry.time, entry.liveBytes]),
    [2, 4, 6, 7, 8].map((time) => [BigInt(time), time * 10]),
  );
});

// ── Files that are no stores ─────────────────────────────────────────────────────────────────────

test("files that cannot be opened", async () => {
  const path = (name: string) => join(folder, name);
  writeFileSync(path("empty"), "");
  writeFileSync(path("text"), "no store\n".repeat(1000));
  writeFileSync(path("short"), "MEMHOOK\n");
  mkdirSync(path("folder"));
  execFileSync("mkfifo", [path("pipe")]);
  const refused: [name: string, message: RegExp][] = [
    ["missing", /no such file; start the program under memhook, or name its store$/],
    ["text/below", /no such file; /],
    ["empty", /holds no memhook store, or none yet; name the file/],
    ["text", /is not a memhook store; name the file/],
    ["short", /is truncated, the header is not complete; copy it again, whole$/],
    ["folder", /is not a regular file; name the store itself$/],
    ["pipe", /is not a regular file; name the store itself$/],
  ];
  for (const [name, message] of refused) {
    await assert.rejects(openStore(path(name)), (error: Error) => {
      assert.ok(error instanceof StoreError);
      assert.equal(error.message.split("\n").length, 1);
      assert.ok(error.message.startsWith(`${path(name)}: `), error.message);
      assert.match(error.message, message);
      return true;
    });
  }
});

test("a file that may not be read", { skip: process.getuid?.() === 0 && "root may read everything" }, async () => {
  const path = written("secret.store", sampleStore());
  chmodSync(path, 0);
  await assert.rejects(openStore(path), { name: "StoreError", message: /not allowed to read it; use the account/ });
});

test("the path of a name in shared memory", () => {
  assert.equal(sharedMemoryPath("ShmMemHook"), "/dev/shm/ShmMemHook");
  assert.equal(sharedMemoryPath("/ShmMemHook"), "/dev/shm/ShmMemHook");
});
