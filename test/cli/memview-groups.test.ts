// memview --by: one line for each function, module, file, line or thread.

import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import type { Frame } from "../../runtime/host/types.js";
import { groupName } from "../../runtime/reports/groups.js";
import { run, temporaryFolder } from "../support/run.js";
import { StoreBuilder } from "../support/store-builder.js";

const folder = temporaryFolder();
const path = join(folder, "app.mem");
function build(target: string, sampleBytes: bigint): void {
  const store = new StoreBuilder({ sampleBytes });
  const app = store.module("/nowhere/app");
  const lib = store.module("/nowhere/libx.so");
  const main = store.frame(app, 0x30n);
  const inner = store.frame(app, 0x10n);
  const stacks = [
    store.stack([inner, main]),
    store.stack([inner, store.frame(app, 0x40n), main]),
    store.stack([store.frame(app, 0x20n), main]),
    store.stack([store.frame(lib, 0x10n), main]),
    store.stack([store.frame(0, 0x999n)]),
    0,
  ];
  stacks.forEach((stack, i) => {
    store.record({ address: BigInt(i + 1) * 16n, size: 10 ** i, time: BigInt(i), thread: 7 + (i % 2), stack });
  });
  store.write(target);
}
build(path, 0n);

const outputs: [string[], string][] = [
  [
    ["--by", "function", "-s"],
    "size=11, times=2, function=/nowhere/app+0x10\nsize=100, times=1, function=/nowhere/app+0x20\n" +
      "size=1000, times=1, function=/nowhere/libx.so+0x10\nsize=10000, times=1, function=0x999\n" +
      "size=100000, times=1, function=(unknown stack)\n",
  ],
  [
    ["--by=module"],
    "size=1000, times=1, module=/nowhere/libx.so\nsize=10000, times=1, module=(no module)\n" +
      "size=100000, times=1, module=(unknown stack)\nsize=111, times=3, module=/nowhere/app\n",
  ],
  [
    ["--by=place", "-s"],
    "size=11, times=2, place=/nowhere/app+0x10\nsize=100, times=1, place=/nowhere/app+0x20\n" +
      "size=1000, times=1, place=/nowhere/libx.so+0x10\nsize=10000, times=1, place=0x999\n" +
      "size=100000, times=1, place=(unknown stack)\n",
  ],
  [
    ["--by=place", "-s", "--skip-frames=app$"],
    "size=11, times=2, place=/nowhere/app+0x10\nsize=100, times=1, place=/nowhere/app+0x20\n" +
      "size=1000, times=1, place=/nowhere/libx.so+0x10\nsize=10000, times=1, place=0x999\n" +
      "size=100000, times=1, place=(unknown stack)\n",
  ],
  [["--by=module", "--top=1"], "size=111, times=3, module=/nowhere/app\n"],
  [["--by=module", "--top=1", "-s", "--max-size=1000"], "size=1000, times=1, module=/nowhere/libx.so\n"],
  [["--by=module", "--module=libx"], "size=1000, times=1, module=/nowhere/libx.so\n"],
  [["--by", "thread"], "size=10101, times=3, thread=7\nsize=101010, times=3, thread=8\n"],
  [["--by", "thread", "--top", "1", "--max-size=100"], "size=101, times=2, thread=7\n"],
  [["--by", "thread", "--module=libx"], "size=1000, times=1, thread=8\n"],
  [["--by=stack", "-s", "--top=1"], "size=100000, times=1\n"],
  [["--by=function", "-z=1GiB"], "No live allocations match.\n"],
];

for (const [options, expected] of outputs) {
  test(`memview ${options.join(" ")}`, () => {
    const { code, stdout, stderr } = run("memview", [...options, path]);
    assert.equal(stdout, expected);
    assert.equal(code, 0, stderr);
  });
}

test("memview --by --format json", () => {
  const { stdout } = run("memview", ["--by=module", "--top=1", "--format=json", path]);
  assert.deepEqual(JSON.parse(stdout).groups, [
    {
      module: "/nowhere/app",
      bytes: 111,
      count: 3,
      oldest: "2026-03-01T12:00:00.000000000Z",
      newest: "2026-03-01T12:00:00.000000002Z",
    },
  ]);
  const threads = JSON.parse(run("memview", ["--by=thread", "--format=json", path]).stdout).groups;
  assert.deepEqual(
    threads.map((row: { thread: number }) => row.thread),
    [7, 8],
  );
});

test("memview --by of a sample", () => {
  const sampled = join(folder, "sampled.mem");
  build(sampled, 1000n);
  const rows = (by: string) => {
    const { groups, matched } = JSON.parse(run("memview", ["-s", `--by=${by}`, "--format=json", sampled]).stdout);
    assert.ok(
      Math.abs(groups.reduce((sum: number, row: { bytes: number }) => sum + row.bytes, 0) - matched.bytes) <= 5,
    );
    return groups;
  };
  const [first] = rows("function");
  assert.match(
    run("memview", ["-s", "--by=function", sampled]).stdout,
    /^size≈1051 ±\d+, times≈11, function=.*app\+0x20$/m,
  );
  assert.deepEqual(Object.keys(first), ["function", "bytes", "margin", "count", "oldest", "newest"]);
  // One of a byte, of a hundred and of 10000 bytes: 1000.5 + 1050.8 + 10000.5, the last one almost certain.
  const thread = rows("thread").find((row: { thread: number }) => row.thread === 7);
  assert.deepEqual([thread.bytes, thread.count], [12052, 1012]);
  assert.ok(thread.margin > 5000 && thread.margin < 20000, `${thread.margin}`);
});

test("what a stack's innermost frame says", () => {
  const frame: Frame = {
    address: "0x7f01",
    module: "/opt/app",
    offset: "0x11",
    function: "leak",
    file: "/src/a.c",
    line: 12,
    inlined: true,
  };
  assert.deepEqual(
    (["function", "module", "file", "line"] as const).map((by) => groupName(frame, by)),
    ["leak", "/opt/app", "/src/a.c", "/src/a.c:12"],
  );
  const bare = { ...frame, function: null, file: null, line: null };
  assert.deepEqual(
    (["function", "module", "file", "line"] as const).map((by) => groupName(bare, by)),
    ["/opt/app+0x11", "/opt/app", "/opt/app", "/opt/app+0x11"],
  );
});

test("memview refuses what it cannot group or sort by", () => {
  for (const [options, line] of [
    [
      ["--by=colour"],
      /^memview: --by: 'colour' is unknown; write stack or function or module or file or line or place or thread\n$/,
    ],
    [
      ["--by=file", "--sort=peak"],
      /^memview: --sort: 'peak' is an order of call stacks; by file, write count or size\n$/,
    ],
  ] as const) {
    const { code, stderr } = run("memview", [...options, path]);
    assert.equal(code, 2);
    assert.match(stderr, line);
  }
});
