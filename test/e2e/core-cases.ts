// The core cases, as tests for one compiler and what it compiles for: the test programs
// under memhook, one after the other. What the store says is live at the end must be the
// table in the program's opening comment, and the addresses and sizes that it printed.

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { assertTable, expectations, owned, readReport } from "../support/expectations.js";
import { build, type Compiler, neighbour, runWell } from "../support/programs.js";
import { temporaryFolder } from "../support/run.js";

const TABLES = [
  "leaks.c",
  "functions.c",
  "operators.cc",
  "realloc.c",
  "threads.c",
  "mmap.c",
  "lifecycle.c",
  "lifecycle_cxx.cc",
  "crowd.c",
  "signals.c",
  "pool.c",
];

/** Declares the tests. With `skip` they do not run, and say why. */
export function coreCases(compiler: Compiler, skip: string | false = false): void {
  const { target } = compiler;
  const folder = temporaryFolder();
  const storeFor = (name: string) => join(folder, `${name}-${compiler.name}.mem`);
  const skipFor = (source: string) =>
    skip || (source.endsWith(".cc") && compiler.cxx.length === 0 && `${compiler.name} compiles no C++`);

  for (const source of TABLES) {
    test(`${source} with ${compiler.name}: the store holds exactly what is in its table`, {
      skip: skipFor(source),
    }, async () => {
      const program = build(source, { compiler });
      const store = storeFor(source);
      const { stdout, pid } = await runWell(program, [], { store, target });
      const report = await readReport(store);
      assert.equal(report.process.pid, pid);
      assert.equal(report.process.exe, program);
      assert.deepEqual(report.process.command, [program]);
      assert.equal(report.process.state, "exited");
      assertTable(report, expectations(source, "", target), stdout, program);
    });
  }

  test(`threads.c with ${compiler.name}: each block names the thread that allocated it`, { skip }, async () => {
    const program = build("threads.c", { compiler });
    const store = storeFor("threads-ids");
    const { stdout, pid } = await runWell(program, [], { store, target });
    const { allocations } = await readReport(store);
    const threads = [...stdout.matchAll(/^thread (\d+)$/gm)].map((match) => Number(match[1])).sort();
    const leaking = owned(allocations, program).filter((allocation) => allocation.size === 64);
    const counts = new Map<number, number>();
    for (const { thread } of leaking) counts.set(thread, (counts.get(thread) ?? 0) + 1);
    assert.equal(threads.length, 8);
    assert.deepEqual([...counts.keys()].sort(), threads);
    assert.deepEqual(new Set(counts.values()), new Set([100]));
    assert.deepEqual(
      owned(allocations, program)
        .filter((allocation) => allocation.size === 1000)
        .map(({ thread }) => thread),
      [pid],
    );
  });

  test(`leaks.c with ${compiler.name}: stacks go out to main, times are between start and end`, { skip }, async () => {
    const program = build("leaks.c", { compiler });
    const store = storeFor("leaks-stacks");
    const before = Date.now() - 1000;
    await runWell(program, [], { store, target });
    const after = Date.now() + 1000;
    const { allocations, totals } = await readReport(store);
    const callers = allocations
      .filter((allocation) => allocation.size === 40)
      .map((allocation) => allocation.stack.slice(0, 3).map((frame) => frame.function));
    assert.deepEqual(callers.sort(), [
      ["leak_for_two_callers", "first_caller", "main"],
      ["leak_for_two_callers", "second_caller", "main"],
    ]);
    for (const { time } of allocations) {
      assert.ok(Date.parse(time) >= before && Date.parse(time) <= after, `${time} is not in this run`);
    }
    // 18 leaks, three rounds of a thousand twice; nothing else allocates in this program.
    assert.equal(totals.allocatedCount, 18 + 6000);
    assert.equal(totals.allocatedBytes, 1 + 0 + 300 + 240 + 300000 + 80 + 6 * 499500);
    assert.equal(totals.liveCount, 18);
    assert.equal(totals.liveBytes, 1 + 0 + 300 + 240 + 300000 + 80);
    assert.ok(totals.peakBytes >= totals.liveBytes, "peak below what is live at the end");
  });

  test(`pool.c with ${compiler.name}, not position independent: the pool is heard, too`, { skip }, async () => {
    const program = build("pool.c", { compiler, flags: ["-fno-pie", "-no-pie"] });
    const store = storeFor("pool-fixed");
    const { stdout } = await runWell(program, [], { store, target });
    const report = await readReport(store);
    assertTable(report, expectations("pool.c", "", target), stdout, program);
    const callers = report.allocations
      .filter(({ kind }) => kind === "custom")
      .map(({ size, stack }) => [size, stack[0]!.function, stack[1]!.function]);
    assert.deepEqual(callers.sort(), [
      [24, "pool_get", "main"],
      [64, "pool_get", "forget"],
      [64, "pool_get", "forget"],
      [64, "pool_get", "forget"],
    ]);
  });

  for (const [plugin, prefix] of [
    ["plugin.c", ""],
    ["plugin_cxx.cc", "c++"],
  ] as const) {
    test(`dlopen.c of ${plugin} with ${compiler.name}: leaks of an unloaded library keep their names`, {
      skip: skipFor(plugin),
    }, async () => {
      const program = build("dlopen.c", { compiler });
      const library = build(plugin, { compiler, shared: true });
      const store = storeFor(plugin);
      const { stdout } = await runWell(program, [library], { store, target });
      const common = expectations("dlopen.c", "", target).filter((row) => row.size !== 333);
      const table = prefix
        ? [...common, ...expectations("dlopen.c", prefix, target)]
        : expectations("dlopen.c", "", target);
      assertTable(await readReport(store), table, stdout, program, library);
    });
  }

  const noExec = target.emulator.length > 0 && "an emulated program cannot start another one";
  test(`images.c with ${compiler.name}: after exec the store is that of the new image`, {
    skip: skip || noExec,
  }, async () => {
    const program = build("images.c", { compiler });
    const store = storeFor("images");
    const { stdout, pid } = await runWell(program, ["2"], { store, target });
    const last = stdout.slice(stdout.lastIndexOf(`pid ${pid}\n`));
    const report = await readReport(store);
    assertTable(report, expectations("images.c", "", target), last, program);
    assert.equal(report.process.pid, pid);
    assert.equal(report.totals.liveCount, 3);
    assert.ok(!existsSync(neighbour(store, pid)), "the image before the exec counted as a living owner");
  });

  test(`forks.c with ${compiler.name}: the child has a store of its own, the parent's is untouched`, {
    skip,
  }, async () => {
    const program = build("forks.c", { compiler });
    const store = storeFor("forks");
    const { stdout, pid } = await runWell(program, [], { store, target });
    const child = Number(/^child (\d+)$/m.exec(stdout)?.[1]);
    const parents = await readReport(store);
    assertTable(parents, expectations("forks.c", "", target), "", program);
    assert.equal(parents.process.pid, pid);
    const children = await readReport(neighbour(store, child));
    assertTable(children, expectations("forks.c", "child", target), "", program);
    assert.equal(children.process.pid, child);
  });

  for (const [threads, operations] of [
    [0, 200_000],
    [1, 100_000],
    [4, 100_000],
  ] as const) {
    test(`churn.c with ${compiler.name}, ${threads} threads: the program's own count, to the block and byte`, {
      skip,
    }, async () => {
      const program = build("churn.c", { compiler });
      for (const seed of [1, 2]) {
        const store = storeFor(`churn-${threads}-${seed}`);
        const { stdout } = await runWell(program, [String(threads), String(operations), String(seed)], {
          store,
          target,
        });
        const { allocations, totals, matched } = await readReport(store);
        const mine = owned(allocations, program);
        const bytes = mine.reduce((sum, { size }) => sum + size, 0);
        assert.equal(`live ${mine.length} ${bytes}\n`, stdout);
        assert.equal(totals.dropped, 0);
        assert.equal(totals.liveCount, matched.count);
        assert.equal(totals.liveBytes, matched.bytes);
        // Without threads there is nobody else who would allocate.
        if (threads === 0) assert.equal(`live ${totals.liveCount} ${totals.liveBytes}\n`, stdout);
      }
    });
  }
}
