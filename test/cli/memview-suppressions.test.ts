// memview --suppressions and the built-in list: what is left out, and that it is counted.

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { run, temporaryFolder } from "../support/run.js";
import { StoreBuilder } from "../support/store-builder.js";

const folder = temporaryFolder();
const path = join(folder, "app.mem");
{
  const store = new StoreBuilder();
  const app = store.module("/nowhere/app");
  const plugin = store.module("/nowhere/libplugin.so");
  const cxx = store.module("/usr/lib/nowhere/libstdc++.so.6");
  const loader = store.module("/lib64/nowhere/ld-linux-x86-64.so.2");
  const leak = store.stack([store.frame(app, 0x10n)]);
  const register = store.stack([store.frame(plugin, 0x20n), store.frame(app, 0x30n)]);
  const pool = store.stack([store.frame(cxx, 0x40n), store.frame(loader, 0x50n)]);
  store.record({ address: 0x1000n, size: 16, stack: leak });
  store.record({ address: 0x2000n, size: 100, stack: register });
  store.record({ address: 0x3000n, size: 200, stack: register });
  store.record({ address: 0x4000n, size: 73728, stack: pool });
  store.write(path);
}
const list = join(folder, "known.txt");
writeFileSync(list, "# no way to free it\nleak:libplugin\n");
const nothing = join(folder, "nothing.txt");
writeFileSync(nothing, "leak:nothing_at_all\n");

const LEAK = "size=16, times=1\n";
const PLUGIN = "size=300, times=2\n";
const POOL = "size=73728, times=1\n";
const line = (bytes: number, allocations: string) =>
  `${bytes} bytes in ${allocations} suppressed (--no-default-suppressions shows what the C and C++ runtimes keep)\n`;
const listed = (bytes: number, allocations: string) => `${bytes} bytes in ${allocations} suppressed by --suppressions`;
const POOL_GONE = line(73728, "1 allocation");
const ALL_SHOWN = "--no-default-suppressions";

const outputs: [string[], string][] = [
  [["-as"], LEAK + PLUGIN + POOL_GONE],
  [["-as", ALL_SHOWN], LEAK + PLUGIN + POOL],
  [["-as", `${ALL_SHOWN}=0`], LEAK + PLUGIN + POOL_GONE],
  [["-as", "--suppressions", list], `${LEAK}${listed(300, "2 allocations")}, ${POOL_GONE}`],
  [["-as", "--suppressions", list, ALL_SHOWN], `${LEAK}${POOL}${listed(300, "2 allocations")}\n`],
  [["-as", "--suppressions", nothing, ALL_SHOWN], LEAK + PLUGIN + POOL],
  // What the filters leave out is not suppressed, and the largest are those of what is left.
  [["-as", "--top=1"], PLUGIN + POOL_GONE],
  [["-as", "--max-size=150"], `${LEAK}size=100, times=1\n`],
  [["-as", "--max-size=150", "--suppressions", list], `${LEAK}${listed(100, "1 allocation")}\n`],
  [["-as", "--module=app", "--suppressions", list], `${LEAK}${listed(300, "2 allocations")}\n`],
  [["-z=1000"], `No live allocations match.\n${POOL_GONE}`],
  [["-z=1000", ALL_SHOWN], "0x4000, size=73728, ts=2026-03-01 12:00:00.000000000\n"],
];

for (const [options, expected] of outputs) {
  test(`memview ${options.map((option) => option.replace(folder, "…")).join(" ")}`, () => {
    const { code, stdout, stderr } = run("memview", [...options, path]);
    assert.equal(stdout, expected);
    assert.equal(code, 0, stderr);
  });
}

test("memview --format json counts what is suppressed, and live bytes stay the truth", () => {
  const json = (...options: string[]) => JSON.parse(run("memview", ["-a", "--format=json", ...options, path]).stdout);
  const hidden = json();
  assert.deepEqual(hidden.suppressed, { count: 1, bytes: 73728 });
  assert.deepEqual(hidden.matched, { count: 3, bytes: 316 });
  assert.equal(hidden.totals.liveBytes, 74044);
  assert.equal(hidden.stacks.length, 2);
  const both = json("--suppressions", list);
  assert.deepEqual(both.suppressed, { count: 3, bytes: 74028, listed: { count: 2, bytes: 300 } });
  const whole = json(ALL_SHOWN);
  assert.equal("suppressed" in whole, false);
  assert.deepEqual(whole.matched, { count: 4, bytes: 74044 });
  assert.equal(whole.totals.liveBytes, 74044);
});

test("memview refuses a list that it cannot read", () => {
  const wrong = join(folder, "wrong.txt");
  writeFileSync(wrong, "leak:one\nrace:two\n");
  for (const [file, message] of [
    [wrong, `memview: ${wrong}: line 2, 'race:two', is no suppression; write leak:PATTERN\n`],
    [join(folder, "missing.txt"), /^memview: --suppressions: .*missing\.txt cannot be read \(.*\)\n$/],
  ] as const) {
    const { code, stdout, stderr } = run("memview", ["--suppressions", file, path]);
    assert.deepEqual([code, stdout], [2, ""]);
    if (typeof message === "string") assert.equal(stderr, message);
    else assert.match(stderr, message);
  }
});
