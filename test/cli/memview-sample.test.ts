// memview of a store that has a sample: every output says that its numbers are estimates, and how far they may be off.

import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { run, temporaryFolder } from "../support/run.js";
import { StoreBuilder } from "../support/store-builder.js";

const folder = temporaryFolder();

// With one sample in 1000 bytes, a block of 1000 bytes stands for 1/(1 − 1/e) = 1.582 blocks, one of 100 for 10.508.
const path = join(folder, "sample.mem");
{
  const store = new StoreBuilder({ sampleBytes: 1000n, dropped: 1n });
  const large = store.stack([store.frame(0, 0x20n)], { allocations: 12n });
  store.record({ address: 0x1000n, size: 1000, stack: large });
  store.record({ address: 0x2000n, size: 5000, stack: large, kind: 1 });
  store.record({ address: 0x3000n, size: 100 });
  store.record({ address: 0x4000n, size: 100 });
  store.write(path);
}

const TIME = "2026-03-01 12:00:00.000000000";
const DROPPED =
  "1 allocation was not recorded and missing here: the store was full (MEMHOOK_SIZE makes it larger, where its " +
  "disk has room) or busy, or a signal handler made it inside of another\n";

test("memview of a sample: rows are estimates with margins", () => {
  const { stdout } = run("memview", ["-as", path]);
  assert.equal(
    stdout,
    `size≈2102 ±12083, times≈21
size≈6582 ±7610, times≈3
estimates from a sample of one in 1000 bytes; in all about 8684 ±12767 bytes in 24 allocations (99.9 % within ±)
${DROPPED}`,
  );
  assert.match(
    run("memview", ["-a", "--sort=allocations", "--top=1", path]).stdout,
    /^size≈6582 ±7610, times≈3, allocations≈12\n/,
  );
});

test("memview of a sample: allocations are those that were recorded, with their sizes", () => {
  const { stdout } = run("memview", ["-s", "--max-size=1000", "--top=2", path]);
  assert.equal(
    stdout,
    `0x4000, size=100, ts=${TIME}
0x1000, size=1000, ts=${TIME}
only the allocations that were recorded, a sample of one in 1000 bytes; \
they stand for about 3684 ±12767 bytes in 23 allocations (99.9 % within ±)
${DROPPED}`,
  );
});

test("memview of a sample: JSON", () => {
  const { sample, matched, stacks, totals } = JSON.parse(run("memview", ["-a", "--format=json", path]).stdout);
  assert.deepEqual(sample, { bytes: 1000, confidence: 0.999 });
  assert.deepEqual(matched, { count: 24, bytes: 8684, margin: 12767 });
  assert.deepEqual([totals.liveCount, totals.liveBytes], [24, 8684]);
  assert.deepEqual(Object.keys(stacks[0]), ["bytes", "margin", "count", "oldest", "newest", "stack"]);
  const { stdout } = run("memview", ["--format=json", path]);
  const lines = stdout.split("\n");
  const after = lines.findIndex((line) => line.startsWith('"totals":')) + 1;
  assert.deepEqual(lines.slice(after, after + 3), [
    '"sample":{"bytes":1000,"confidence":0.999},',
    '"matched":{"count":24,"bytes":8684,"margin":12767},',
    '"allocations":[',
  ]);
  assert.equal(JSON.parse(stdout).allocations[0].size, 1000);
});

test("memview info of a sample", () => {
  const { stdout } = run("memview", ["info", path]);
  assert.match(stdout, /^sample: +one in 1000 bytes; what is counted below are estimates from it\nlive: +8684 bytes/m);
});

test("nothing is said of samples when everything was recorded", () => {
  const whole = join(folder, "whole.mem");
  const store = new StoreBuilder();
  store.record({ address: 0x1000n, size: 1000 });
  store.write(whole);
  for (const options of [[], ["-ac"], ["--format=json"], ["-a", "--format=json"]]) {
    assert.doesNotMatch(run("memview", [...options, whole]).stdout, /sample|margin|≈|±/);
  }
});
