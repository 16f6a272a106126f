// memview watch as users run it, and the text of its looks.

import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { PLAIN } from "../../cli/reports/style.js";
import { lookText } from "../../cli/reports/watch.js";
import { run, temporaryFolder } from "../support/run.js";
import { StoreBuilder } from "../support/store-builder.js";

const path = join(temporaryFolder(), "app.mem");
{
  const store = new StoreBuilder({ dropped: 2n });
  store.record({ address: 0x1000n, size: 16 });
  store.write(path);
}

test("memview watch of a process that has ended is one look", () => {
  const { code, stdout, stderr } = run("memview", ["watch", "--every", "10h", path]);
  assert.deepEqual([code, stderr], [0, ""]);
  const [look, ...verdict] = stdout.split("\n");
  assert.match(look!, /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d, size=16, times=1, the process has ended$/);
  assert.deepEqual(verdict.slice(0, 2), [
    "16 bytes live in 1 block at its end; 1 place holds 100 %; it does not grow.",
    "  filled early  16 bytes  1 block  █▁▁▁▁▁▁▁  (unknown stack)",
  ]);
  assert.match(verdict.slice(2).join("\n"), /^2 allocations were not recorded .*\n$/);
});

test("the text of a look: sums, then the stacks that grew with their frames", () => {
  const stacks = [{ stackId: 3, bytes: 48, count: 3, moreBytes: 16, moreCount: 1 }];
  const look = { time: 0n, running: true, bytes: 100, count: 7, growth: { bytes: -16, count: 0, stacks } };
  const frames = (id: number) => `    frame of ${id}\n    main\n`;
  assert.equal(
    [...lookText(look, "2026-11-22T21:03:14.123456789Z", stacks, frames)].join("").replace(/^.{19}/, "NOW"),
    "NOW, size=100 (-16), times=7 (+0)\n  size=48 (+16), times=3 (+1)\n      frame of 3\n      main\n",
  );
});

test("the text of a look on a terminal", () => {
  const stacks = [{ stackId: 3, bytes: 3072, count: 3, moreBytes: 1536, moreCount: 1 }];
  const look = { time: 0n, running: true, bytes: 4096, count: 7, growth: { bytes: -1024, count: -2, stacks } };
  const style = { ...PLAIN, human: true, colour: true };
  assert.equal(
    [...lookText(look, "2026-11-22T21:03:14.123456789Z", stacks, () => "    main\n", style)]
      .join("")
      .replace(/\d{4}.{15}/, "NOW"),
    "\x1b[1mNOW, size=4.0 KiB (-1.0 KiB), times=7 (-2)\x1b[22m\n  size=3.0 KiB (+1.5 KiB), times=3 (+1)\n      main\n",
  );
});

test("memview watch refuses what it cannot wait for", () => {
  for (const [options, line] of [
    [["--every", "soon"], /^memview: --every: 'soon' is not a duration; /],
    [["--count", "0"], /^memview: --count: '0' is out of range or no number; /],
    [["--top=x"], /^memview: --top: 'x' is out of range/],
  ] as const) {
    const { code, stderr } = run("memview", ["watch", ...options, path]);
    assert.equal(code, 2);
    assert.match(stderr, line);
  }
});
