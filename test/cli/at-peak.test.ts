// What was held at the peak: memview verdict --at peak, and what memhook run says of a peak by itself.

import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { build, noCompiler } from "../support/programs.js";
import { run, temporaryFolder } from "../support/run.js";
import { StoreBuilder } from "../support/store-builder.js";

const folder = temporaryFolder();
const env = { TMPDIR: folder };
const stored = join(folder, "stored.mem");
{
  // Before the newest peak, the second: a stack that has not changed since holds what it held then.
  const store = new StoreBuilder({ peakNumber: 2, peakBytes: 5_000n });
  const app = store.module("/srv/app");
  const stack = (offset: bigint, totals: Parameters<typeof store.stack>[1]) =>
    store.stack([store.frame(app, offset)], totals);
  stack(0x10n, { peakBytes: 4096n, peakNumber: 2 });
  stack(0x20n, { allocatedBytes: 900n, freedBytes: 100n, peakBytes: 7n, peakNumber: 1 });
  const later = stack(0x30n, { allocatedBytes: 3000n, peakBytes: 0n, peakNumber: 2 });
  store.record({ address: 0x1000n, size: 3000, time: 3n, stack: later });
  store.write(stored);
}

test("memview verdict --at peak: of each place what it held then, freed since or not", () => {
  const { code, stdout } = run("memview", ["verdict", "--at", "peak", "--format", "json", stored]);
  assert.equal(code, 0);
  const { matched, findings } = JSON.parse(stdout);
  assert.deepEqual(matched, { bytes: 4896 });
  assert.deepEqual(
    findings.map(({ kind, bytes, stacks, place }: Record<string, unknown> & { place: { offset: string } }) => [
      ...[kind, bytes, stacks, place.offset],
    ]),
    [
      ["peak", 4096, 1, "0x10"],
      ["peak", 800, 1, "0x20"],
    ],
  );
  for (const known of ["count", "rate", "births", "oldest"]) assert.equal(known in findings[0], false, known);
});

test("memview verdict --at peak of a process that held nothing", () => {
  const empty = join(folder, "empty.mem");
  new StoreBuilder({ exe: "/srv/app" }).write(empty);
  assert.equal(
    run("memview", ["verdict", "--at", "peak", empty]).stdout.split("\n").slice(1).join("\n"),
    "Nothing was live at its peak.\n",
  );
});

test("memview verdict: a program that held much for a while", { skip: noCompiler }, () => {
  const store = join(folder, "transient.mem");
  const { stderr } = run("memhook", ["run", "-f", store, "--", build("transient.c")], { env });
  const lines = stderr.split("\n");
  const at = lines.findIndex((line) => line.includes(" more was live at its peak, just before the end:"));
  assert.ok(at > 0 && at < 9, stderr);
  assert.match(lines[at]!, /^ {4}12\.5 MiB more /);
  assert.match(lines[at + 1]!, /^ {6}12\.5 MiB {2}burst {2}\S*transient\.c:8 {2}← main$/);
  assert.match(lines[0]!, / 9\.9 KiB {2}11 blocks {2}hold {2}\S*transient\.c:12 {2}← main$/);

  const peak = run("memview", ["verdict", "--at", "peak", store]).stdout.split("\n");
  assert.match(peak[1]!, /^12\.5 MiB live at its peak, just before the end; 1 place held 100 %\.$/);
  assert.match(peak[3]!, /^ {2}12\.5 MiB {2}burst {2}\S*transient\.c:8 {2}← main$/);
  assert.match(peak[4]!, /^ +9\.9 KiB {2}hold {2}\S*transient\.c:12 {2}← main$/);
  const end = run("memview", ["verdict", "--at", "end", store]).stdout;
  assert.match(end, /^12\.5 MiB more was live at its peak, just before the end\.$/m);
});

test("memhook run --at peak", { skip: noCompiler }, () => {
  const { stderr } = run("memhook", ["run", "--at", "peak", "--top", "1", build("transient.c")], { env });
  assert.match(stderr, /^ {4}12\.5 MiB live at its peak, just before the end; 1 place held 100 %\.$/m);
  assert.match(stderr, /^size=0, times=0, peak=13107200\n {4}burst at \S*transient\.c:8\n/m);
});

test("in a sample the peak is an estimate", { skip: noCompiler }, () => {
  const store = join(folder, "sampled.mem");
  const sampled = { ...env, MEMHOOK_SAMPLE: "64KiB" };
  run("memhook", ["run", "-f", store, "--", build("transient.c")], { env: sampled });
  const { stdout } = run("memview", ["verdict", "--at", "peak", store]);
  const mebibytes = Number(/^about ([\d.]+) MiB live at its peak/m.exec(stdout)?.[1]);
  assert.ok(mebibytes > 8 && mebibytes < 20, stdout);
  assert.match(stdout, /^estimates from a sample of one in 64 KiB$/m);
});

for (const [launcher, args] of [
  ["memview", ["--at", "peak", stored]],
  ["memview", ["snapshot", "--at", "peak", stored]],
  ["memhook", ["run", "--at", "peak", "--baseline", join(folder, "no.snap"), "true"]],
] as const)
  test(`${launcher} ${args[0]} --at peak is refused: single blocks of the peak are not known`, () => {
    const { code, stderr } = run(launcher, args, { env });
    assert.equal(code, 2);
    assert.match(stderr, /--at: 'peak' is unknown; write exit or end|--baseline compares what is live/);
  });
