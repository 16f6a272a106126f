// memview --sort: the same orders as -t, -s and -p, and those by what stacks did over time, with the number shown.

import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { run, temporaryFolder } from "../support/run.js";
import { StoreBuilder } from "../support/store-builder.js";

const path = join(temporaryFolder(), "app.mem");
{
  const store = new StoreBuilder({ peakNumber: 2 });
  const busy = store.stack([store.frame(0, 0x10n)], { allocations: 900n, temporaries: 300n, peakNumber: 1 });
  const big = store.stack([store.frame(0, 0x20n)], { allocations: 2n, peakBytes: 4096n, peakNumber: 2 });
  store.stack([store.frame(0, 0x30n)], { allocations: 70n, temporaries: 69n, peakBytes: 64n, peakNumber: 2 });
  store.record({ address: 0x3000n, size: 16, time: 1n, stack: busy });
  store.record({ address: 0x2000n, size: 24, time: 2n, stack: busy });
  store.record({ address: 0x1000n, size: 32, time: 3n, stack: big });
  store.write(path);
}

const allocation = (address: string, size: number, nanosecond: number) =>
  `${address}, size=${size}, ts=2026-03-01 12:00:00.00000000${nanosecond}\n`;
const [first, second, third] = [
  allocation("0x3000", 16, 1),
  allocation("0x2000", 24, 2),
  allocation("0x1000", 32, 3),
] as const;
const big = "size=32, times=1";
const busy = "size=40, times=2";
const gone = "size=0, times=0";

const outputs: [string[], string][] = [
  [["--sort", "time"], first + second + third],
  [["--sort=size"], first + second + third],
  [["--sort", "address"], third + second + first],
  [["-p", "--sort", "time"], first + second + third],
  [["--sort", "time", "-p"], third + second + first],
  [["-a", "--sort", "count"], `${big}\n${busy}\n`],
  [["-a", "--sort", "size"], `${big}\n${busy}\n`],
  [["-a", "-s", "--sort=count", "--top=1"], `${busy}\n`],
  [["-a", "--sort", "allocations"], `${big}, allocations=2\n${gone}, allocations=70\n${busy}, allocations=900\n`],
  [["-a", "--sort", "temporary"], `${big}, temporary=0\n${gone}, temporary=69\n${busy}, temporary=300\n`],
  // The busy stack did not change since the newest peak, and its totals say that it held nothing.
  [["-a", "--sort", "peak"], `${busy}, peak=0\n${gone}, peak=64\n${big}, peak=4096\n`],
  [["-ac", "--sort", "peak", "--top", "2"], `${gone}, peak=64\n    0x30\n${big}, peak=4096\n    0x20\n`],
  // A filter chooses among what is live.
  [["-a", "--sort", "allocations", "--max-size", "24"], `${busy}, allocations=900\n`],
  [["-a", "--sort", "temporary", "--thread", "1"], `${big}, temporary=0\n${busy}, temporary=300\n`],
];

for (const [options, expected] of outputs) {
  test(`memview ${options.join(" ")}`, () => {
    const { code, stdout, stderr } = run("memview", [...options, path]);
    assert.equal(stdout, expected);
    assert.equal(code, 0, stderr);
  });
}

test("memview --format json has the total that was asked for, and only that", () => {
  const stacks = (...options: string[]) => {
    const { stdout } = run("memview", ["-a", "--format=json", ...options, path]);
    return JSON.parse(stdout).stacks.map(({ stack, oldest, newest, ...row }: Record<string, unknown>) => ({
      ...row,
      live: oldest !== null && newest !== null,
    }));
  };
  assert.deepEqual(stacks("--sort=peak"), [
    { bytes: 40, count: 2, peak: 0, live: true },
    { bytes: 0, count: 0, peak: 64, live: false },
    { bytes: 32, count: 1, peak: 4096, live: true },
  ]);
  assert.deepEqual(stacks("--sort=temporary", "--top=1"), [{ bytes: 40, count: 2, temporary: 300, live: true }]);
  assert.deepEqual(stacks("--sort=allocations", "--top=1"), [{ bytes: 40, count: 2, allocations: 900, live: true }]);
  assert.deepEqual(stacks(), [
    { bytes: 32, count: 1, live: true },
    { bytes: 40, count: 2, live: true },
  ]);
});

test("memview info counts the temporaries of all stacks", () => {
  assert.match(run("memview", ["info", path]).stdout, /^temporary: +369 allocations \(/m);
  assert.equal(JSON.parse(run("memview", ["info", "--format=json", path]).stdout).totals.temporaryCount, 369);
});

test("memview refuses an order that does not fit", () => {
  const line = (...options: string[]) => {
    const { code, stdout, stderr } = run("memview", [...options, path]);
    assert.deepEqual([code, stdout], [2, ""]);
    return stderr;
  };
  assert.equal(line("--sort", "peak"), "memview: --sort: 'peak' is an order of call stacks; write -a too\n");
  assert.equal(
    line("-a", "--sort", "address"),
    "memview: --sort: 'address' is an order of single allocations; leave out -a, or write another one\n",
  );
  assert.match(line("--sort", "age"), /^memview: --sort: 'age' is unknown; write time or size or /);
});
