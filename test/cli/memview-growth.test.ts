// memview growth: text, JSON, and where the times come from.

import assert from "node:assert/strict";
import { utimesSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { writeSnapshot } from "../../runtime/snapshots/snapshotfile.js";
import { run, temporaryFolder } from "../support/run.js";
import { held, snapshot } from "../support/snapshots.js";
import { StoreBuilder } from "../support/store-builder.js";
import { ownIdentity } from "../support/stores.js";

const folder = temporaryFolder();
const memview = (...args: string[]) => run("memview", ["growth", ...args], { cwd: folder });
const START = 1_700_000_000;
for (let i = 0; i < 4; i++) {
  const look = snapshot(
    held(1 + i, 100 * (1 + i), "_ZN4leak4makeEv@src/leak.cc:12", "main@src/main.cc:7"),
    held(1, [10, 990, 1000, 1000][i]!, "cache_put@src/cache.cc:40"),
    held(1, 64, "table@src/table.cc:5"),
  );
  writeSnapshot(join(folder, `${i}.snap`), look, i === 2);
  utimesSync(join(folder, `${i}.snap`), START + i * 1800, START + i * 1800);
}
const TEXT = `4 looks over 1 h 30 min (times of the files)

growing    +200 bytes an hour  100 → 400 bytes  confidence 0.96  leak::make() at src/leak.cc:12
    leak::make() at src/leak.cc:12
    main at src/main.cc:7

levelled   +340 bytes an hour  10 → 1000 bytes  confidence 0.83  cache_put at src/cache.cc:40

flat       1 stack with 64 bytes
`;

test("memview growth: by the times of the files, in whatever order they are named", () => {
  const { code, stdout, stderr } = memview("3.snap", "0.snap", "2.snap", "1.snap");
  assert.deepEqual({ code, stdout, stderr }, { code: 0, stdout: TEXT, stderr: "" });
});

test("memview growth --every: in the order named", () => {
  const { stdout } = memview("--every", "1h", "0.snap", "1.snap", "2.snap", "3.snap");
  assert.match(stdout, /^4 looks over 3 h 0 min \(one every 1h\)\n\ngrowing {4}\+100 bytes an hour/);
});

test("memview growth --format json", () => {
  const { stdout } = memview("--format", "json", "0.snap", "1.snap", "2.snap", "3.snap");
  const { stacks, ...rest } = JSON.parse(stdout);
  assert.deepEqual(rest, { version: 1, looks: 4, hours: 1.5, times: "times of the files" });
  assert.deepEqual(stacks[0], {
    kind: "growing",
    program: "app",
    slope: 200,
    confidence: 23 / 24,
    bytes: [100, 200, 300, 400],
    counts: [1, 2, 3, 4],
    stack: [
      { module: "app", function: "leak::make()", file: "src/leak.cc", line: 12 },
      { module: "app", function: "main", file: "src/main.cc", line: 7 },
    ],
  });
});

test("memview growth: a store is the last look", () => {
  const store = new StoreBuilder({ exe: "/nowhere/tool" });
  store.record({ address: 0x1000n, size: 5000, stack: 0 });
  store.write(join(folder, "app.mem"));
  const { code, stdout } = memview("--format=json", "--every=1h", "app.mem", "0.snap", "1.snap");
  assert.equal(code, 0);
  const unknown = JSON.parse(stdout).stacks.find(({ program }: { program: string }) => program === "tool");
  assert.deepEqual(unknown.bytes, [0, 0, 5000]);
});

const wrong: [string[], string][] = [
  [["0.snap", "1.snap"], "2 looks are too few to see how anything grows; name three or more"],
  [["0.snap", "1.snap", "1.snap"], "two looks have the same time; say how far apart they are with --every"],
  [["--every=0", "0.snap", "1.snap", "2.snap"], "--every: '0' is no time between looks; write one like 10min"],
  [["0.snap", "1.snap", "gone.snap"], "gone.snap: no such file"],
];
for (const [args, expected] of wrong) {
  test(`memview growth ${args.join(" ")}: one line`, () => {
    const { code, stdout, stderr } = memview(...args);
    assert.deepEqual({ code, stdout }, { code: 2, stdout: "" });
    assert.ok(stderr.startsWith(`memview: ${expected}`), stderr);
    assert.equal(stderr.split("\n").length, 2);
  });
}

test("memview growth: copies of a store lie as far apart as what is in them, whatever clock and files say", () => {
  const HOUR = 3_600_000_000_000n;
  for (const hours of [1n, 2n, 3n]) {
    // On a machine that has not been up for so long: nothing is newer than what
    // is written. Put back by five hours in the second one.
    const jumps = hours > 1n ? [{ time: HOUR + HOUR / 2n, wall: 1_772_366_400_000_000_000n - 4n * HOUR }] : [];
    const store = new StoreBuilder({
      ...ownIdentity(),
      startBoottime: 1n << 60n,
      seenTime: hours * HOUR,
      endTime: 0n,
      jumps,
    });
    store.record({ address: 16n, size: 1000 * Number(hours) });
    store.write(join(folder, `copy${hours}.mem`));
    utimesSync(join(folder, `copy${hours}.mem`), START, START);
  }
  const { code, stdout, stderr } = memview("--format=json", "copy2.mem", "copy1.mem", "copy3.mem");
  assert.deepEqual([code, stderr], [0, ""]);
  const { hours, stacks } = JSON.parse(stdout);
  assert.deepEqual([hours, stacks[0].bytes], [2, [1000, 2000, 3000]]);
});

test("memview growth: the store of a program that has ended is as old as its end, whenever it was copied", () => {
  for (const hours of [1, 2, 3]) {
    const store = new StoreBuilder({ endTime: BigInt(hours) * 3_600_000_000_000n });
    store.record({ address: 16n, size: 1000 * hours });
    store.write(join(folder, `ended${hours}.mem`));
    utimesSync(join(folder, `ended${hours}.mem`), START, START);
  }
  const { code, stdout, stderr } = memview("--format=json", "ended2.mem", "ended1.mem", "ended3.mem");
  assert.deepEqual([code, stderr], [0, ""]);
  const { hours, stacks } = JSON.parse(stdout);
  assert.deepEqual([hours, stacks[0].bytes], [2, [1000, 2000, 3000]]);
});

test("memview growth of one store is the verdict on it", () => {
  const path = join(folder, "one.mem");
  const store = new StoreBuilder({ exe: "/srv/app" });
  const stack = store.stack([store.frame(store.module("/srv/app"), 0x10n)]);
  for (let i = 0n; i < 160n; i++)
    store.record({ address: 16n * (i + 1n), size: 1 << 20, time: (i * 60_000_000_000n) / 160n, stack });
  store.write(path);
  const { code, stdout } = memview(path);
  assert.match(
    stdout,
    /\n {2}grows steadily {2}160\.0 MiB {2}160 blocks {2}\+160\.0 MiB\/min {2}████████ {2}app\+0x10\n/,
  );
  assert.deepEqual([code, run("memview", ["verdict", path]).stdout], [0, stdout]);
  assert.equal(JSON.parse(memview("--format=json", path).stdout).findings[0].kind, "growing");
});
