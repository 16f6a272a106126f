// Hazards of processes: fork in all its kinds, starting other programs, every way to end.

import assert from "node:assert/strict";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import * as layout from "../../asm/layout.js";
import { decode } from "../support/decode.js";
import {
  assertTable,
  build,
  expectations,
  neighbour,
  noCompiler,
  owned,
  readReport,
  runProgram,
  runWell,
  which,
} from "../support/programs.js";
import { temporaryFolder } from "../support/run.js";

const folder = temporaryFolder();
const skip = noCompiler;

for (const kind of ["fork", "_Fork", "clone", "vfork"]) {
  test(`100 children by ${kind} while threads allocate: no hang, and none writes to the parent's store`, {
    skip,
  }, async () => {
    const store = join(folder, `storm-${kind}.mem`);
    const program = build("fork_storm.c");
    const { stdout, pid } = await runWell(program, [kind, "100"], { store });
    const { allocations, totals, process } = await readReport(store);
    const mine = owned(allocations, program);
    assert.equal(`live ${mine.length} ${mine.reduce((sum, { size }) => sum + size, 0)}\n`, stdout);
    assert.equal(totals.dropped, 0);
    assert.equal(process.pid, pid);
    assert.equal(decode(store).endKind, layout.END_EXIT);
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
  ["exit_group", 5, "dead", layout.END_NONE],
  ["abort", "SIGABRT", "dead", layout.END_NONE],
  ["SIGTERM", "SIGTERM", "dead", layout.END_NONE],
  ["SIGKILL", "SIGKILL", "dead", layout.END_NONE],
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
  });
}
