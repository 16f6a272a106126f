// Hazards of processes: fork in all its kinds, starting other programs, every way to end.
// Runs under Node alone: what it tests is the library, in C.

import assert from "node:assert/strict";
import { existsSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import * as layout from "../../asm/layout.js";
import { patience, rounds } from "../support/counts.js";
import { decode } from "../support/decode.js";
import { assertTable, expectations, owned, readReport } from "../support/expectations.js";
import { build, neighbour, noCompiler, runProgram, runWell, which } from "../support/programs.js";
import { temporaryFolder } from "../support/run.js";

const folder = temporaryFolder();
const skip = noCompiler;

for (const kind of ["fork", "_Fork", "clone", "vfork"]) {
  test(`children by ${kind} while threads allocate: no hang, and none writes to the parent's store`, {
    skip,
  }, async () => {
    const store = join(folder, `storm-${kind}.mem`);
    const program = build("fork_storm.c");
    const { stdout, pid } = await runWell(program, [kind, rounds(100, 1000)], { store, limit: patience });
    const { allocations, totals, process } = await readReport(store);
    const mine = owned(allocations, program);
    const said = /^live .*/m.exec(stdout)?.[0];
    assert.equal(`live ${mine.length} ${mine.reduce((sum, { size }) => sum + size, 0)}`, said);
    assert.equal(totals.dropped, 0);
    assert.equal(process.pid, pid);
    assert.equal(decode(store).endKind, layout.END_EXIT);
    const children = [...stdout.matchAll(/^child (\d+) (\d+)$/gm)];
    assert.equal(children.length > 0, kind === "fork");
    for (const [, child, count] of children) {
      const report = await readReport(neighbour(store, Number(child)));
      const inherited = owned(report.allocations, program).filter(({ stack }) => stack[0]?.function === "churn");
      // Four threads, each of which may have been between a call and its count.
      const wrong = Math.abs(inherited.length - Number(count));
      assert.ok(wrong <= 4, `child ${child} found ${count} blocks, its store has ${inherited.length}`);
      const sizes = new Map(inherited.map(({ address, size }) => [address, size]));
      const blocks = stdout.matchAll(new RegExp(`^block ${child} (\\S+) (\\d+)$`, "gm"));
      const others = [...blocks].filter(([, address, size]) => sizes.get(address!) !== Number(size));
      assert.ok(
        others.length <= 4,
        `other blocks in child ${child}: ${others
          .slice(0, 5)
          .map(([line]) => line)
          .join("; ")}`,
      );
      assert.ok(report.totals.dropped <= 4, `${report.totals.dropped} dropped in child ${child}`);
    }
    for (const file of readdirSync(folder)) if (file.startsWith("storm-")) rmSync(join(folder, file));
  });
}

for (const children of ["follow", "fresh", "off"]) {
  test(`MEMHOOK_CHILDREN=${children}: what a forked child's store holds`, { skip }, async () => {
    const store = join(folder, `children-${children}.mem`);
    const program = build("forks.c");
    const { stdout } = await runWell(program, [], { store, env: { MEMHOOK_CHILDREN: children } });
    assertTable(await readReport(store), expectations("forks.c"), "", program);
    const childs = neighbour(store, Number(/^child (\d+)$/m.exec(stdout)?.[1]));
    if (children === "off") {
      assert.ok(!existsSync(childs));
      return;
    }
    const table = expectations("forks.c", "child").filter(
      (row) => children === "follow" || row.function === "in_child",
    );
    const report = await readReport(childs);
    assertTable(report, table, "", program);
    assert.equal(report.process.state, "exited");
  });
}

test("daemon.c: forked twice, with everything that was live at the first fork", { skip }, async () => {
  const store = join(folder, "daemon.mem");
  const program = build("daemon.c");
  const { stdout, pid } = await runWell(program, [], { store });
  const parents = await readReport(store);
  assertTable(parents, expectations("daemon.c"), "", program);
  assert.equal(parents.process.pid, pid);
  const daemon = await readReport(neighbour(store, Number(/^daemon (\d+)$/m.exec(stdout)?.[1])));
  assertTable(daemon, expectations("daemon.c", "daemon"), "", program);
  assert.equal(daemon.process.state, "exited");
  // What was in between never called a hook: it has cost nothing.
  assert.equal(readdirSync(folder).filter((name) => name.startsWith("daemon.")).length, 2);
});

test("prefork.c: each worker's store has what it inherited and its own requests", { skip }, async () => {
  const store = join(folder, "prefork.mem");
  const program = build("prefork.c");
  const { stdout } = await runWell(program, [], { store });
  assertTable(await readReport(store), expectations("prefork.c"), "", program);
  const workers = [...stdout.matchAll(/^worker (\d+) (\d+)$/gm)];
  assert.equal(workers.length, 5);
  for (const [index, [, pid, requests]] of workers.entries()) {
    const path = neighbour(store, Number(pid));
    const expected = expectations("prefork.c", "worker");
    if (requests !== "0") {
      expected.push({ count: Number(requests), size: 77, kind: "heap", function: "serve", via: "" });
    } else if (!existsSync(path)) {
      continue; // it never allocated
    }
    const report = await readReport(path);
    assertTable(report, expected, "", program);
    assert.equal(report.process.state, index === 0 ? "dead" : "exited");
  }
});

test("spawn, system, popen, vfork and exec, an empty environment", {
  skip: which("true") ? skip : "no true",
}, async () => {
  const store = join(folder, "spawning.mem");
  const program = build("spawning.c");
  const { stdout } = await runWell(program, [which("true")!], { store });
  const report = await readReport(store);
  assertTable(report, expectations("spawning.c"), stdout, program);
  assert.equal(report.process.exe, program);
  // The programs started with LD_PRELOAD in their environment have stores of their own.
  assert.ok(readdirSync(folder).filter((name) => /^spawning\.\d+\.mem$/.test(name)).length >= 2);
});

/** How it ends, the status or signal, whether it can say so itself, and as what. */
const ENDINGS: [string, number | string, "exited" | "dead", number][] = [
  ["return", 5, "exited", layout.END_EXIT],
  ["exit", 5, "exited", layout.END_EXIT],
  ["exit-in-thread", 5, "exited", layout.END_EXIT],
  ["main-thread-leaves", 0, "exited", layout.END_EXIT],
  ["return-while-threads-run", 5, "exited", layout.END_EXIT],
  ["quick_exit", 5, "exited", layout.END_IMMEDIATE_EXIT],
  ["_exit", 5, "exited", layout.END_IMMEDIATE_EXIT],
  ["_Exit", 5, "exited", layout.END_IMMEDIATE_EXIT],
  ["exit_group", 5, "exited", layout.END_IMMEDIATE_EXIT],
  ["exit-alone", 5, "exited", layout.END_IMMEDIATE_EXIT],
  ["exit_group-itself", 5, "dead", layout.END_NONE],
  ["abort", "SIGABRT", "dead", layout.END_NONE],
  ["SIGTERM", "SIGTERM", "dead", layout.END_NONE],
  ["SIGKILL", "SIGKILL", "dead", layout.END_NONE],
  ["SIGKILL-group", "SIGKILL", "dead", layout.END_NONE],
  ["SIGSEGV", "SIGSEGV", "dead", layout.END_NONE],
];

for (const [how, outcome, state, kind] of ENDINGS) {
  test(`the end by ${how}: the store is right, and says how it ended`, { skip }, async () => {
    const store = join(folder, `ending-${how}.mem`);
    const program = build("ending.c");
    const { status, signal, stdout, stderr } = await runProgram(program, [how], { store });
    assert.deepEqual({ outcome: signal ?? status, stderr }, { outcome, stderr: "" }, stdout);
    const report = await readReport(store);
    const late = report.allocations.filter(({ size }) => size !== 10);
    assertTable({ ...report, allocations: late }, expectations("ending.c"), stdout, program);
    assert.equal(report.process.state, state);
    const { endKind, endStatus } = decode(store);
    assert.equal(endKind, kind);
    if (kind !== layout.END_NONE) assert.equal(endStatus, outcome);
    const child = /^child (\d+)$/m.exec(stdout);
    if (child) {
      const childs = await readReport(neighbour(store, Number(child[1])));
      assert.deepEqual(childs.allocations.map(({ size }) => size).sort(), [...Array(10).fill(100), 50, 60].sort());
      assert.equal(childs.process.state, "dead");
    }
  });
}
