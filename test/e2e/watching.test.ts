// Programs that are watched while they run, and killed: the store is true at every instant.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { owned, readReport } from "../support/expectations.js";
import { build, noCompiler, Running } from "../support/programs.js";
import { run, temporaryFolder } from "../support/run.js";

const folder = temporaryFolder();
const skip = noCompiler;

/** The totals of the store as memview itself prints them. */
function memviewTotals(store: string): { liveCount: number; liveBytes: number } {
  const { code, stdout, stderr } = run("memview", ["--format", "json", "-a", "-f", store]);
  assert.equal(code, 0, stderr);
  return JSON.parse(stdout).totals;
}

test("memview shows what is live now, step by step, while the program runs", { skip }, async (t) => {
  const store = join(folder, "steps.mem");
  const program = build("counting.c");
  const running = new Running(program, ["steps", "0", "1"], { store });
  t.after(() => running.stop());
  for (let step = 0; step < 5; step++) {
    const [count, bytes] = (await running.line())!.split(" ").map(Number);
    const report = await readReport(store);
    assert.equal(report.process.state, "running");
    assert.deepEqual(
      { count: report.totals.liveCount, bytes: report.totals.liveBytes },
      { count, bytes },
      `step ${step}, in process`,
    );
    const { liveCount, liveBytes } = memviewTotals(store);
    assert.deepEqual({ liveCount, liveBytes }, { liveCount: count, liveBytes: bytes }, `step ${step}, memview`);
    running.tell("\n");
  }
  running.child.stdin!.end();
  assert.equal((await running.finished).status, 3);
  assert.equal((await readReport(store)).process.state, "exited");
});

test("after kill -9 of the whole group the store shows what was live at the kill", { skip }, async (t) => {
  const program = build("counting.c");
  for (let steps = 1; steps <= 4; steps++) {
    const store = join(folder, `killed-${steps}.mem`);
    const running = new Running(program, ["steps", "0", "1"], { store });
    t.after(() => running.stop());
    let line = await running.line();
    for (let step = 1; step < steps; step++) {
      running.tell("\n");
      line = await running.line();
    }
    assert.equal((await running.killGroup()).signal, "SIGKILL");
    const report = await readReport(store);
    assert.equal(report.process.state, "dead");
    assert.equal(`${report.totals.liveCount} ${report.totals.liveBytes}`, line);
    const mine = owned(report.allocations, program);
    assert.equal(`${mine.length} ${mine.reduce((sum, { size }) => sum + size, 0)}`, line);
  }
});

const SLOT_BYTES = 24;
const SLOTS = 1024;
const ALLOCATING = 1n;
const LIVE = 2n;

test("killed at any moment, only what was inside a call is uncertain", { skip }, async (t) => {
  const program = build("counting.c");
  for (let round = 0; round < 12; round++) {
    const threads = 1 + (round % 4);
    const store = join(folder, `any-moment-${round}.mem`);
    const oracle = join(folder, `any-moment-${round}.oracle`);
    const running = new Running(program, ["free", String(threads), oracle], { store });
    t.after(() => running.stop());
    assert.equal(await running.line(), "at work");
    await running.killGroup();
    const { allocations } = await readReport(store);
    const recorded = new Map(owned(allocations, program).map(({ address, size }) => [BigInt(address), BigInt(size)]));

    const truth = readFileSync(oracle);
    let uncertain = 0;
    let certain = 0;
    for (let slot = 0; slot < threads * SLOTS; slot++) {
      const [address, size, state] = [0, 8, 16].map((field) => truth.readBigUInt64LE(slot * SLOT_BYTES + field));
      if (state === LIVE) {
        assert.equal(recorded.get(address!), size, `live block 0x${address!.toString(16)}`);
        recorded.delete(address!);
        certain++;
      } else if (state !== 0n) {
        uncertain++;
        // A block in flight may be there or not; its address is unknown until malloc has returned.
        if (state !== ALLOCATING) recorded.delete(address!);
      }
    }
    assert.ok(certain > 0, "nothing was live");
    assert.ok(uncertain <= threads, `${uncertain} calls in flight by ${threads} threads`);
    assert.ok(recorded.size <= uncertain, `${recorded.size} records of blocks that are free`);
  }
});
