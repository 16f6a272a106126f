// The library's snapshots, and what it says of their changes: the same as the files and verdicts of memview.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import {
  diff,
  openStore,
  readSnapshot,
  type Snapshot,
  SnapshotError,
  type Store,
  snapshot,
  writeSnapshot,
} from "../../api/memhook.js";
import { growth, type Look, regressions, watch } from "../../api/memview.js";
import { run, temporaryFolder } from "../support/run.js";
import { StoreBuilder } from "../support/store-builder.js";

const folder = temporaryFolder();

/** A program that holds so many blocks of 100 bytes at each of its places. */
function program(name: string, ...counts: number[]): string {
  const builder = new StoreBuilder({ exe: "/opt/app" });
  const app = builder.module("/opt/app");
  let address = 0x1000n;
  counts.forEach((count, place) => {
    const stack = builder.stack([builder.frame(app, BigInt(place + 1) * 16n)]);
    for (let i = 0; i < count; i++) {
      address += 128n;
      builder.record({ address, size: 100, stack });
    }
  });
  const path = join(folder, `${name}.mem`);
  builder.write(path);
  return path;
}

const base = program("base", 2, 3, 1);
const head = program("head", 2, 5, 0, 4);

async function taken(path: string) {
  const store = await openStore(path);
  const shot = await snapshot(store);
  store.close();
  return shot;
}

test("snapshot: written as memview snapshot writes it, read back equal", async () => {
  for (const name of ["base.snap", "base.snap.gz"]) {
    const path = join(folder, name);
    await writeSnapshot(path, await taken(base));
    const text = run("memview", ["snapshot", base]).stdout;
    if (name === "base.snap") assert.equal(readFileSync(path, "utf8"), text);
    else assert.deepEqual([...readFileSync(path).subarray(0, 2)], [0x1f, 0x8b]);
    assert.deepEqual(
      diff(await readSnapshot(path), await taken(base)).changes.map(({ status }) => status),
      ["unchanged", "unchanged", "unchanged"],
    );
  }
});

test("snapshot: of several stores, and with a filter", async () => {
  const stores = [await openStore(base), await openStore(head)];
  const both = await snapshot(stores);
  assert.deepEqual([both.count, both.bytes, both.stacks.length], [17, 1700, 4]);
  assert.equal((await snapshot(stores, { minSize: 101 })).count, 0);
  for (const store of stores) store.close();
});

test("diff and regressions: what is new and grown, as memview diff judges", async () => {
  const changes = diff(await taken(base), await taken(head));
  assert.deepEqual(
    changes.changes.map(({ status, base: was, head: is }) => [status, was.count, is.count]),
    [
      ["new", 0, 4],
      ["grown", 3, 5],
      ["unchanged", 2, 2],
      ["fixed", 1, 0],
    ],
  );
  const found = (limits: Parameters<typeof regressions>[1]) =>
    regressions(changes, limits).map(({ row }) => row.stack[0]!.function);
  assert.deepEqual(found({ failOn: new Set(["new", "grown"]) }), ["+0x40", "+0x20"]);
  assert.deepEqual(found({ failOn: new Set(["grown"]), maxGrowth: { percent: 70 } }), []);
  const told = JSON.parse(run("memview", ["diff", "--format", "json", base, head]).stdout);
  assert.deepEqual(
    told.changes.map((change: { status: string; regression: boolean }) => [change.status, change.regression]),
    [
      ["new", true],
      ["grown", true],
      ["fixed", false],
    ],
  );
});

test("growth: a steady leak, and too few looks", async () => {
  const looks: { time: number; snapshot: Snapshot }[] = [];
  for (const [time, blocks] of [1, 2, 3, 4].entries()) {
    looks.push({ time: time * 3_600_000, snapshot: await taken(program(`look${time}`, blocks, 2)) });
  }
  assert.deepEqual(
    growth(looks).map(({ kind, bytes, slope }) => [kind, bytes, slope]),
    [
      ["growing", [100, 200, 300, 400], 100],
      ["flat", [200, 200, 200, 200], 0],
    ],
  );
  assert.throws(() => growth(looks.slice(2)), { name: "RangeError", message: /^2 looks are too few/ });
  assert.throws(() => growth(looks.toReversed()), { name: "RangeError", message: /^look 1 is not later/ });
});

test("watch: a process that has ended is looked at once", async () => {
  const store = await openStore(base);
  const looks: Look[] = [];
  for await (const look of watch(store)) looks.push(look);
  assert.deepEqual(
    looks.map(({ time: _, ...look }) => look),
    [{ running: false, bytes: 600, count: 6 }],
  );
  assert.match(looks[0]!.time, /^\d{4}-.*Z$/);
  store.close();
});

test("snapshots that are none", async () => {
  await assert.rejects(readSnapshot(base), (error) => {
    assert.ok(error instanceof SnapshotError);
    assert.match(error.message, /^[^\n]+base\.mem: [^\n]+$/);
    return true;
  });
  await assert.rejects(writeSnapshot(join(folder, "no/such/folder.snap"), await taken(base)), SnapshotError);
  await assert.rejects(snapshot(base as unknown as Store), {
    name: "TypeError",
    message: "this is no store; openStore() gives one",
  });
});
