// Sampling with the real library: the estimates that memview prints of a program whose live bytes are known.
//
//   MEMHOOK_TEST_SAMPLING_RUNS=100 node --test dist/test/e2e/sampling.test.js     the whole proof, about a minute
//
// A margin says 99.9 %: of the twenty largest stacks, all are within theirs in 98 runs of 100. The suite makes a few
// runs and allows for one of its hundred estimates to be off; whoever asks for 100 runs gets the whole condition.
// Runs under Node alone: what it tests is the library, in C.

import assert from "node:assert/strict";
import { mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { readReport } from "../support/expectations.js";
import { build, noCompiler, runWell } from "../support/programs.js";
import { run, temporaryFolder } from "../support/run.js";

const RUNS = Number(process.env.MEMHOOK_TEST_SAMPLING_RUNS ?? 5);
const LARGEST = 20;
const folder = temporaryFolder();
const skip = noCompiler;

test("estimates of the twenty largest stacks are within their margins", { skip }, async (context) => {
  const program = build("sampled.c");
  const store = join(folder, "sampled.mem");
  let outside = 0;
  let runsWithin = 0;
  let ratio = 0;
  for (let i = 0; i < RUNS; i++) {
    const { stdout } = await runWell(program, [], { store, env: { MEMHOOK_SAMPLE: "512KiB" } });
    const truth = [...stdout.matchAll(/^(\w+) (\d+) \d+$/gm)]
      .map(([, name, bytes]) => ({ name: name!, bytes: Number(bytes) }))
      .sort((a, b) => b.bytes - a.bytes);
    assert.equal(truth.length, 24);
    const report = await readReport(store, { aggregate: true, sort: "size" });
    assert.equal(report.sample?.bytes, 524288);
    const rows = new Map(report.stacks!.map((row) => [row.stack[0]?.function, row]));
    const missed = truth.slice(0, LARGEST).filter(({ name, bytes }) => {
      const row = rows.get(name);
      return row === undefined || Math.abs(row.bytes - bytes) > row.margin!;
    });
    outside += missed.length;
    if (missed.length === 0) runsWithin++;

    const sum = truth.reduce((total, { bytes }) => total + bytes, 0);
    const estimate = truth.reduce((total, { name }) => total + (rows.get(name)?.bytes ?? 0), 0);
    ratio += estimate / sum / RUNS;
    // What the library counted itself is weighted too: all its bytes, a third of which were freed.
    const allocated = (sum * 4) / 3;
    assert.ok(Math.abs(report.totals.allocatedBytes / allocated - 1) < 0.25, `${report.totals.allocatedBytes}`);
  }
  context.diagnostic(
    `${RUNS} runs, all within in ${runsWithin}, ${outside} of ${RUNS * LARGEST} outside, ratio ${ratio}`,
  );
  if (RUNS >= 100) assert.ok(runsWithin >= 0.95 * RUNS, `all within in ${runsWithin} of ${RUNS} runs`);
  assert.ok(outside <= 1 + RUNS * LARGEST * 0.004, `${outside} of ${RUNS * LARGEST} estimates are outside`);
  // One run is off by 4 % (a standard deviation) in its sum; a weight that is
  // forgotten or wrong by more than that shows.
  assert.ok(Math.abs(ratio - 1) < 0.2 / Math.sqrt(RUNS), `estimates are ${ratio} of the truth on average`);
});

test("memview of a sampled program says so", { skip }, async () => {
  const store = join(folder, "said.mem");
  await runWell(build("sampled.c"), [], { store, env: { MEMHOOK_SAMPLE: "512KiB" } });
  const text = run("memview", ["-ac", "-s", "--top=3", store]).stdout;
  assert.match(
    text,
    /^(size≈\d+ ±\d+, times≈\d+\n( {4}.*\n)+){3}estimates from a sample of one in 512 KiB; in all about /,
  );
  const list = run("memview", ["--top=3", store]).stdout;
  assert.match(
    list,
    /^(0x[0-9a-f]+, size=\d+, ts=.*\n){3}only the allocations that were recorded, a sample of one in 512 KiB; /,
  );
  const { sample, matched, totals } = JSON.parse(run("memview", ["-a", "--format=json", store]).stdout);
  assert.deepEqual(sample, { bytes: 524288, confidence: 0.999 });
  assert.ok(matched.margin > 0 && matched.bytes === totals.liveBytes);
  assert.match(run("memview", ["info", store]).stdout, /^sample: +one in 512 KiB; /m);
});

test("without sampling the same program's numbers are exact", { skip }, async () => {
  const store = join(folder, "exact.mem");
  const { stdout } = await runWell(build("sampled.c"), [], { store });
  const report = await readReport(store, { aggregate: true, sort: "size" });
  assert.equal(report.sample, undefined);
  for (const [, name, bytes, count] of stdout.matchAll(/^(\w+) (\d+) (\d+)$/gm)) {
    const row = report.stacks!.find(({ stack }) => stack[0]?.function === name)!;
    assert.deepEqual([row.bytes, row.count, row.margin], [Number(bytes), Number(count), undefined], name!);
  }
});

// Each child leaks 100 KiB, so that a sample of one in 512 KiB falls into it with
// probability 1 − e^(−25 / 128), 0.177. Of 150 such children that draw by themselves, 3
// to 65 are seen but for one run in 10 to the 9th; of such as draw alike all or none.
for (const way of ["fork", "_Fork", "syscall"]) {
  test(`children of ${way} do not sample alike`, { skip }, async () => {
    const stores = join(folder, way);
    mkdirSync(stores);
    const env = { MEMHOOK_SAMPLE: "512KiB" };
    await runWell(build("forked_samples.c"), [way, "150", "25"], { store: join(stores, "child.mem"), env });
    const seen = readdirSync(stores).filter((name) => name !== "child.mem").length;
    assert.ok(seen >= 3 && seen <= 65, `${seen} of 150 children`);
  });
}

// A child that is noticed by its first hook has its first sample in common with its siblings, and no other: in 12 MB
// another 23 or so fall. That all of 12 children have the same number is as likely as 1 in 10 to the 10th.
test("children of which libc knows nothing do not sample alike behind the first sample", { skip }, async () => {
  const store = join(folder, "clone", "child.mem");
  mkdirSync(join(folder, "clone"));
  const env = { MEMHOOK_SAMPLE: "512KiB", MEMHOOK_CHILDREN: "fresh" };
  await runWell(build("forked_samples.c"), ["clone", "12", "3000"], { store, env });
  const { stores }: { stores: { path: string; liveBytes: number }[] } = JSON.parse(
    run("memview", ["list", "--format=json", store]).stdout,
  );
  const amounts = stores.filter(({ path }) => path !== store).map(({ liveBytes }) => liveBytes);
  assert.equal(amounts.length, 12);
  assert.ok(new Set(amounts).size > 1, `${amounts}`);
});
