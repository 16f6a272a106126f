// Snapshots: what of a store goes into one.

import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { portableFile, snapshotOf, takeSnapshot, without, withoutStart } from "../../../runtime/snapshots/snapshot.js";
import { openStore } from "../../../runtime/stores/store.js";
import type { Names } from "../../../runtime/symbols/symbolize.js";
import { temporaryFolder } from "../../support/run.js";
import { held, snapshot } from "../../support/snapshots.js";
import { StoreBuilder } from "../../support/store-builder.js";

const folder = temporaryFolder();

const files: [file: string, folder: string | undefined, expected: string][] = [
  ["/checkout/a/project/src/leak.c", "/checkout/a/project", "src/leak.c"],
  ["/checkout/a/project/src/leak.c", "/checkout/a/project/build/debug", "src/leak.c"],
  ["/checkout/a/project/src/leak.c", undefined, "/checkout/a/project/src/leak.c"],
  ["/srv/shared/pool.h", "/checkout/a/project", "/srv/shared/pool.h"],
  ["/usr/include/c++/12/bits/new_allocator.h", "/usr/local/project", "/usr/include/c++/12/bits/new_allocator.h"],
  ["/usr/src/project/leak.c", "/usr/src/project", "leak.c"],
  ["/build/glibc/string/./strdup.c", "/build/glibc/string", "strdup.c"],
  ["./string/../csu/start.c", "/build", "csu/start.c"],
  ["../../src/leak.c", undefined, "src/leak.c"],
];
for (const [file, folder, expected] of files) {
  test(`snapshot: ${file} compiled in ${folder}`, () => assert.equal(portableFile(file, folder), expected));
}

const names: Names = {
  notes: [],
  buildFolder: () => "/checkout/a/project",
  symbolize: async (requests) =>
    requests.map(({ offset }) =>
      offset === 0x10n
        ? [
            { function: "_ZN3foo3barEi", file: "/checkout/a/project/foo.h", line: 3, inlined: true },
            { function: "leak", file: "/checkout/a/project/src/leak.c", line: 12, inlined: false },
          ]
        : [{ function: null, file: null, line: null, inlined: false }],
    ),
};

function store(exe: string) {
  const builder = new StoreBuilder({ exe, dropped: 2n });
  const app = builder.module(exe);
  const leak = builder.stack([builder.frame(app, 0x10n), builder.frame(app, 0x20n)]);
  builder.record({ address: 0x1000n, size: 16, stack: leak });
  builder.record({ address: 0x2000n, size: 32, stack: leak });
  builder.record({ address: 0x3000n, size: 1, stack: 0 });
  const path = join(folder, `${exe.replaceAll("/", "-")}.mem`);
  builder.write(path);
  return openStore(path);
}

test("snapshot: of two processes of one program, and of another", async () => {
  const stores = [await store("/opt/app"), await store("/srv/app"), await store("/opt/tool")];
  const taken = await takeSnapshot(stores, () => names);
  for (const each of stores) each.close();
  const stack = (module: string) => [
    { module, function: "_ZN3foo3barEi", file: "foo.h", line: 3 },
    { module, function: "leak", file: "src/leak.c", line: 12 },
    { module, function: "+0x20", file: null, line: null },
  ];
  assert.deepEqual(
    taken.stacks.map(({ text: _, ...row }) => row),
    [
      { program: "app", count: 4, bytes: 96, cut: false, stack: stack("app") },
      { program: "app", count: 2, bytes: 2, cut: false, stack: [] },
      { program: "tool", count: 2, bytes: 48, cut: false, stack: stack("tool") },
      { program: "tool", count: 1, bytes: 1, cut: false, stack: [] },
    ],
  );
  const { count, bytes, suppressed, dropped, sample } = taken;
  assert.deepEqual(
    { count, bytes, suppressed, dropped, sample },
    { count: 9, bytes: 147, suppressed: { count: 0, bytes: 0 }, dropped: 6, sample: 0 },
  );
});

test("snapshot: what is left out is counted as suppressed", () => {
  const all = snapshot(held(1, 8, "_ZN3foo3barEi@a.c:1"), held(2, 32, "x!libx.so.1"), held(1, 4, "y@y.c:2"));
  const left = without(all, [/foo::bar/], /^libx/);
  assert.deepEqual(left.suppressed, { count: 3, bytes: 40 });
  assert.deepEqual(
    left.stacks.map(({ stack }) => stack[0]!.function),
    ["y"],
  );
  assert.deepEqual({ count: left.count, bytes: left.bytes }, { count: 1, bytes: 4 });
  assert.equal(without(all, [], undefined), all);
});

const starts: [string[], number][] = [
  [["leak@a.c:1", "main@a.c:2", "+0x27249!libc.so.6", "__libc_start_main!libc.so.6", "_start"], 2],
  [["strdup!libc.so.6", "work@a.c:1", "start_thread!libc.so.6", "clone3!libc.so.6"], 2],
  [["init@a.c:1", "call_init!ld-linux-x86-64.so.2", "_start!ld-linux-x86-64.so.2"], 1],
  [["malloc_inside!libc.so.6", "_start"], 1],
  [["leak@a.c:1", "callback!libx.so.1"], 2],
  [[], 0],
];
for (const [frames, left] of starts) {
  test(`snapshot: what calls the program is left out of ${frames.join(" < ") || "nothing"}`, () => {
    const { stack } = held(1, 1, ...frames);
    assert.deepEqual(withoutStart(stack), stack.slice(0, left));
  });
}

test("snapshot: the order does not depend on the order of the rows", () => {
  const rows = [held(1, 8, "b@b.c:1"), held(1, 8, "a@a.c:2"), { ...held(1, 8, "a@a.c:2"), cut: true }, held(2, 2)];
  const expected = snapshotOf(rows).stacks.map(({ text, cut }) => `${text} ${cut}`);
  assert.deepEqual(
    snapshotOf(rows.toReversed()).stacks.map(({ text, cut }) => `${text} ${cut}`),
    expected,
  );
});
