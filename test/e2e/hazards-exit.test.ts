// What was live when a program began to exit, and what is at its end: by each way to exit, in a store of its own and in
// memdb's, whole and sampled.
// Runs under Node alone: what it tests is the library, in C.

import assert from "node:assert/strict";
import { join } from "node:path";
import test from "node:test";
import type { Moment } from "../../runtime/host/types.js";
import { openStore } from "../../runtime/stores/store.js";
import { Symbolizer } from "../../runtime/symbols/symbolize.js";
import { Command } from "../memdb/command.js";
import { build, library, noCompiler, runWell } from "../support/programs.js";
import { run, temporaryFolder } from "../support/run.js";

const folder = temporaryFolder();
const skip = noCompiler;
const WAYS = ["return", "exit", "quick_exit", "thread", "fork"];
const MIB = 1 << 20;

/** Blocks of each size that exiting.c's own functions have allocated; the stack of one of them. */
async function blocks(path: string, at: Moment) {
  const store = await openStore(path, at);
  const symbolizer = new Symbolizer();
  try {
    const { allocations } = await store.query({ aggregate: false, sort: "size" });
    const sizes: Record<number, number> = {};
    const main = /\/exiting$/;
    let stack: string[] = [];
    for (const { size, stackId } of allocations) {
      const { frames } = store.frames(stackId);
      if (!frames.slice(0, 2).some(({ module }) => main.test(module?.path ?? ""))) continue;
      sizes[size] = (sizes[size] ?? 0) + 1;
      if (size === 100) stack = frames.map(({ module }) => module?.path ?? "?");
    }
    return { sizes, stack, totals: store.totals(), freed: store.freedInExit() };
  } finally {
    symbolizer.close();
    store.close();
  }
}

const AT_EXIT = { 100: 10, 200: 10, 300: 10, 400: 1, 500: 10, [MIB]: 1 };
const AT_END = { 30: 10, 40: 10, 100: 10, 400: 1, [MIB / 2]: 1 };

for (const how of WAYS) {
  test(`exiting.c ${how}: what is freed from then on was live when it began to exit`, { skip }, async () => {
    const store = join(folder, `${how}.mem`);
    await runWell(build("exiting.c"), [how], { store });
    const exit = await blocks(store, "exit");
    const end = await blocks(store, "end");
    assert.deepEqual(exit.sizes, AT_EXIT);
    assert.deepEqual(end.sizes, AT_END);
    assert.deepEqual([exit.totals.dropped, end.totals.dropped], [0, 0]);
    assert.deepEqual(exit.freed, { count: 31, bytes: 10 * (200 + 300 + 500) + MIB });
    // No frame of memhook's stands below main.
    assert.ok(
      exit.stack.every((path) => !path.includes("memhook")),
      exit.stack.join(" "),
    );
    assert.match(exit.stack.at(-1)!, /\/exiting$/);
  });
}

test("exiting.c fork: the child does not exit because its parent does", { skip }, async () => {
  const store = join(folder, "parent.mem");
  await runWell(build("exiting.c"), ["fork"], { store });
  const { stdout } = run("memview", ["list", "--format", "json", store]);
  const { stores } = JSON.parse(stdout) as { stores: { path: string }[] };
  const child = stores.map(({ path }) => path).find((path) => !path.endsWith("/parent.mem"));
  assert.ok(child, stdout);
  const { sizes, freed } = await blocks(child, "exit");
  assert.equal(freed, null);
  assert.equal(sizes[100], undefined);
});

for (const how of ["return", "exit", "quick_exit", "_exit"]) {
  test(`quiet_child.c ${how}: a child that only ends makes no store`, { skip }, async () => {
    const store = join(folder, `quiet-${how}.mem`);
    await runWell(build("quiet_child.c"), [how], { store });
    const { stdout } = run("memview", ["list", "--format", "json", store]);
    assert.deepEqual(
      (JSON.parse(stdout) as { stores: { path: string }[] }).stores.map(({ path }) => path),
      [store],
    );
  });
}

test("exiting.c, sent to memdb: its store knows both", { skip }, async () => {
  const store = join(folder, "memdb.mem");
  const memdb = new Command("-p0", store);
  const { port } = await memdb.listening();
  await runWell(build("exiting.c"), ["exit"], {
    env: { LD_PRELOAD: library, MEMHOOK_NET_HOST: "127.0.0.1", MEMHOOK_NET_PORT: String(port) },
  });
  memdb.signal("SIGTERM");
  assert.equal(await memdb.exit, 0);
  assert.deepEqual((await blocks(store, "exit")).sizes, AT_EXIT);
  const end = await blocks(store, "end");
  assert.deepEqual(end.sizes, AT_END);
  assert.equal(end.totals.liveBytes, end.totals.allocatedBytes - 10 * (200 + 300 + 500) - MIB);
});

test("exiting.c: memhook run and memview say which of the two they tell", { skip }, () => {
  const program = build("exiting.c");
  const store = join(folder, "told.mem");
  const told = (text: string) => [...text.matchAll(/^ {4}(\w+) at .*exiting\.c:/gm)].map(([, name]) => name!);
  const both = run("memhook", ["run", "-f", store, "--", program]);
  assert.match(both.stderr, /, \d+ bytes live in 43 allocations when it began to exit, and freed \d+ bytes of that$/m);
  assert.ok(told(both.stderr).includes("freed"), both.stderr);
  const end = run("memhook", ["run", "--at", "end", "--", program]).stderr;
  assert.match(end, /, \d+ bytes live in 33 allocations$/m);
  assert.ok(!told(end).includes("freed"), end);
  assert.ok(!told(run("memview", ["-ac", store]).stdout).includes("freed"));
  assert.ok(told(run("memview", ["-ac", "--at", "exit", store]).stdout).includes("freed"));
  const verdict = run("memview", ["verdict", store]).stdout;
  assert.match(verdict, /^1\.0 MiB live in 42 blocks when it began to exit; /m);
  assert.match(verdict, /^1\.0 MiB of that it freed while it exited: --at end leaves that out\.$/m);
  assert.match(run("memview", ["verdict", "--at", "end", store]).stdout, /live in 32 blocks at its end; /);
  assert.match(run("memview", ["snapshot", "--at", "exit", store]).stdout, /"freed"/);
  assert.equal(run("memview", ["--at", "noon", store]).code, 2);
  // A check is one of what is left.
  const freeing = ["run", "--exit-code", "7", "--", build("freeing.c")];
  assert.equal(run("memhook", freeing).code, 0);
  assert.equal(run("memhook", [...freeing.slice(0, 3), "--at", "exit", ...freeing.slice(3)]).code, 7);
});
