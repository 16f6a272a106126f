// Stores that change while they are read. Most cases are a source that plays a writer, so that each change comes
// between the two reads that it is about; the last one has a real process that writes all the time.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import * as L from "../../../asm/layout.js";
import { type ByteSource, scriptCommand } from "../../../runtime/host/host.js";
import type { Query } from "../../../runtime/host/types.js";
import { openSource, openStore, type Store } from "../../../runtime/stores/store.js";
import { StoreBuilder } from "../../support/store-builder.js";
import { putRecord, type RecordFields } from "../../support/store-fields.js";
import { CHURNING, STABLE, sizeOf, threadOf } from "../../support/store-writer.js";
import { coreBuilds, memorySource, ownIdentity } from "../../support/stores.js";

const query: Query = { aggregate: false, sort: "address" };

/** A running process's store with records 1…n, and what the plays below need of it. */
function running(records: RecordFields[], header = ownIdentity()) {
  const builder = new StoreBuilder(header);
  const frame = builder.frame(builder.module("/app"), 1n);
  for (let i = 0; i < 3; i++) builder.stack([frame]);
  for (const record of records) builder.record(record);
  const image = builder.image();
  const view = new DataView(image.buffer);
  let recordsStart = 0;
  for (let block = 1; block < view.getUint32(L.HEADER_BLOCK_COUNT, true); block++) {
    const entry = view.getUint32(L.BLOCK_TABLE_OFFSET + 4 * block, true);
    if (entry === L.KIND_RECORDS << L.BLOCK_ENTRY_KIND_SHIFT) recordsStart = block * L.BLOCK_BYTES;
  }
  const put = (index: number, record: RecordFields) => putRecord(view, recordsStart + index * L.RECORD_BYTES, record);
  return { image, view, recordsStart, put };
}

/** A source that calls `before(n)` before the n-th read (from 1) of the piece of records. */
function played({ image, recordsStart }: ReturnType<typeof running>, before: (n: number) => void) {
  const plain = memorySource(image);
  const played = {
    ...plain,
    reads: 0,
    read(target: Uint8Array, position: number) {
      if (position === recordsStart) before(++played.reads);
      return plain.read(target, position);
    },
  };
  return played;
}

function open(source: ByteSource): Store {
  return openSource(source, "live.store", coreBuilds.debug);
}

const kept: RecordFields = { address: 16n, size: 7, time: 1n, stack: 1 };
const half: RecordFields = { address: 32n, size: 8, time: 2n, stack: 0x7fffffff };
const good: RecordFields = { address: 32n, size: 8, time: 2n, stack: 2 };

async function addresses(store: Store, more: Partial<Query> = {}): Promise<bigint[]> {
  return (await store.query({ ...query, ...more })).allocations.map((one) => one.address);
}

test("a record that becomes complete between two reads is taken complete", async () => {
  const stage = running([kept, half]);
  const source = played(stage, (read) => read === 2 && stage.put(2, good));
  const store = open(source);
  assert.equal(store.process.state, "running");
  assert.deepEqual(await addresses(store), [16n, 32n]);
  // Once more, as the record was not the same in two reads before.
  assert.equal(source.reads, 3);
});

test("a record that is removed between two reads is not there", async () => {
  const stage = running([kept, good]);
  const source = played(stage, (read) => read === 2 && stage.put(2, { ...good, address: 0n }));
  assert.deepEqual(await addresses(open(source)), [16n]);
  assert.equal(source.reads, 2);
});

test("a record that never holds still is taken if it makes sense", async () => {
  const stage = running([kept, good]);
  const source = played(stage, (read) => stage.put(2, { ...good, time: BigInt(read) }));
  const { allocations } = await open(source).query(query);
  assert.deepEqual(
    allocations.map((one) => [one.address, one.time]),
    [
      [16n, 1n],
      [32n, 5n],
    ],
  );
  assert.equal(source.reads, 5);
});

test("a record that never holds still and makes no sense is left out", async () => {
  const stage = running([kept, half]);
  const source = played(stage, (read) => stage.put(2, { ...half, time: BigInt(read) }));
  assert.deepEqual(await addresses(open(source)), [16n]);
});

test("a record that holds still and makes no sense is damage, also in a running process's store", async () => {
  const store = open(played(running([kept, half]), () => {}));
  await assert.rejects(store.query(query), { name: "StoreError", message: /no allocation as in record 2/ });
});

test("noLock reads once and leaves out what makes no sense", async () => {
  const source = played(running([kept, half]), () => {});
  assert.deepEqual(await addresses(open(source), { noLock: true }), [16n]);
  assert.equal(source.reads, 1);
});

test("the store of a process that is gone is read once", async () => {
  const stage = running([kept, good], { ...ownIdentity(), processStart: 1n });
  const source = played(stage, () => {});
  const store = open(source);
  assert.equal(store.process.state, "dead");
  assert.deepEqual(await addresses(store), [16n, 32n]);
  assert.equal(source.reads, 1);
});

test("stacks that are new since the header was read have their frames", async () => {
  const stage = running([kept]);
  const descriptor = L.HEADER_ARRAYS + L.KIND_STACKS * L.ARRAY_BYTES;
  const count = stage.view.getUint32(descriptor + L.ARRAY_COUNT, true);
  // The last stack is not published at first.
  stage.view.setUint32(descriptor + L.ARRAY_COUNT, count - 1, true);
  const source = played(stage, (read) => {
    if (read !== 1) return;
    stage.view.setUint32(descriptor + L.ARRAY_COUNT, count, true);
    stage.put(1, { ...kept, stack: count - 1 });
  });
  const store = open(source);
  const { stacks } = await store.query({ aggregate: true, sort: "temporary" });
  assert.deepEqual(
    stacks.map((row) => row.stackId),
    [count - 1],
  );
  assert.equal(store.frames(count - 1).frames.length, 1);
});

test("a header in the middle of growth is read again", async () => {
  const stage = running([kept]);
  const plain = memorySource(stage.image);
  const descriptor = L.HEADER_ARRAYS + L.KIND_NODES * L.ARRAY_BYTES;
  const committed = stage.view.getUint32(descriptor + L.ARRAY_COMMITTED, true);
  let reads = 0;
  const source: ByteSource = {
    ...plain,
    read(target, position) {
      if (position === 0 && target.length === L.HEADER_BYTES) {
        stage.view.setUint32(descriptor + L.ARRAY_COMMITTED, ++reads === 1 ? 0 : committed, true);
      }
      return plain.read(target, position);
    },
  };
  assert.deepEqual(await addresses(open(source)), [16n]);
});

test("what was written last before the end is seen", async () => {
  const stage = running([kept, good]);
  const plain = memorySource(stage.image);
  const descriptor = L.HEADER_ARRAYS + L.KIND_RECORDS * L.ARRAY_BYTES;
  stage.view.setUint32(L.HEADER_PID, 0x7ffffff0, true);
  stage.view.setUint32(descriptor + L.ARRAY_COUNT, 2, true);
  let reads = 0;
  const source: ByteSource = {
    ...plain,
    read(target, position) {
      // Published while the first header was read.
      if (++reads === 3) stage.view.setUint32(descriptor + L.ARRAY_COUNT, 3, true);
      return plain.read(target, position);
    },
  };
  assert.deepEqual(await addresses(open(source)), [16n, 32n]);
});

test("a file that becomes shorter while it is read", async () => {
  const stage = running([kept]);
  const source = memorySource(stage.image);
  let length = stage.image.length;
  const read = (target: Uint8Array, position: number) => memorySource(stage.image, length).read(target, position);
  const store = open({ ...source, read });
  length = stage.recordsStart;
  await assert.rejects(store.query(query), { name: "StoreError", message: /became shorter while it was read; copy/ });
});

test("a process that writes all the time: what stays is always there, and nothing is ever mixed up", async () => {
  const folder = mkdtempSync(join(tmpdir(), "memhook-live-"));
  const path = join(folder, "churn.store");
  const script = fileURLToPath(new URL("../../support/store-writer.js", import.meta.url));
  const [program, ...args] = scriptCommand(script);
  const writer = spawn(program, [...args, path], { stdio: ["pipe", "pipe", "inherit"] });
  try {
    await new Promise((resolve, reject) => {
      writer.stdout.once("data", resolve);
      writer.once("exit", reject);
    });
    const store = await openStore(path);
    assert.equal(store.process.state, "running");
    let churning = 0;
    for (let round = 0; round < 40; round++) {
      const { allocations } = await store.query({ aggregate: false, sort: "address" });
      const stable = allocations.filter((one) => one.address < CHURNING);
      assert.equal(stable.length, STABLE, `round ${round}`);
      for (const one of allocations) {
        assert.equal(one.size, sizeOf(one.time), `round ${round}: size at time ${one.time}`);
        assert.equal(one.thread, threadOf(one.time), `round ${round}: thread at time ${one.time}`);
        assert.equal(store.frames(one.stackId).frames.length, 1);
      }
      churning += allocations.length - STABLE;
    }
    assert.ok(churning > 0, "the writer wrote nothing that was seen");
    const ended = new Promise((resolve) => writer.once("exit", resolve));
    writer.kill("SIGKILL");
    await ended;
    assert.equal((await store.query(query)).allocations.length >= STABLE, true);
    assert.equal(store.process.state, "dead");
    store.close();
  } finally {
    writer.kill("SIGKILL");
    rmSync(folder, { recursive: true });
  }
});
