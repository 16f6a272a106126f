// Hazards of threads and signals: many that come and go, cancelled ones,
// handlers that interrupt our own hooks, profilers, jumps.
// Runs under Node alone: what it tests is the library, in C.

import assert from "node:assert/strict";
import { join } from "node:path";
import test from "node:test";
import { preloadAlways } from "../../runtime/programs/preload.js";
import { Command } from "../memdb/command.js";
import { patience, rounds } from "../support/counts.js";
import { assertTable, expectations, owned, readReport } from "../support/expectations.js";
import { build, library, noCompiler, runProgram, runWell } from "../support/programs.js";
import { run, temporaryFolder } from "../support/run.js";

const folder = temporaryFolder();
const skip = noCompiler;
const sum = (allocations: { size: number }[]) => allocations.reduce((total, { size }) => total + size, 0);

for (const source of ["cancel.c", "crowd.c"]) {
  test(`${source}: the store holds exactly what is in its table`, { skip }, async () => {
    const store = join(folder, `${source}.mem`);
    const program = build(source);
    const args = source === "crowd.c" ? [rounds(32, 10_000)] : [];
    const { stdout } = await runWell(program, args, { store, limit: patience });
    assertTable(await readReport(store), expectations(source), stdout, program);
  });
}

test("crowd.c: memdb gets a difference each millisecond while threads end, and has exactly what is in its table", {
  skip,
}, async () => {
  const store = join(folder, "crowd-memdb.mem");
  const memdb = new Command("-p0", store);
  const { port } = await memdb.listening();
  const program = build("crowd.c");
  const env = {
    LD_PRELOAD: library,
    MEMHOOK_NET_HOST: "127.0.0.1",
    MEMHOOK_NET_PORT: String(port),
    MEMHOOK_CACHE_FLUSH_INTERVAL: "1ms",
  };
  const { stdout } = await runWell(program, [rounds(32, 1000)], { env, limit: patience });
  const report = await readReport(store);
  assertTable(report, expectations("crowd.c"), stdout, program);
  assert.equal(report.totals.dropped, 0);
  memdb.signal("SIGTERM");
  assert.equal(await memdb.exit, 0);
});

/** Our library, and behind it a malloc that may be called, and left, in signal handlers. */
const withSafeMalloc = () => `${library} ${preloadAlways(build("safe_malloc.c", { shared: true }))}`;

// In its own function the handler is like any other code; in a hook of ours it
// finds our tables in the middle of a change.
for (const how of ["return", "above", "disarm", "malloc"]) {
  test(`signal_storm.c ${how}: the program's blocks are exact, the handler's recorded or counted`, {
    skip,
  }, async () => {
    const store = join(folder, `storm-${how}.mem`);
    const program = build("signal_storm.c");
    const env = how === "malloc" ? { LD_PRELOAD: withSafeMalloc() } : {};
    // safe_malloc.c never uses a block again, and has 1 GiB: enough for some 20,000 signals.
    const signals = rounds(3000, how === "malloc" ? 6000 : 20_000);
    const { stdout } = await runWell(program, [how, signals], { store, env, limit: patience });
    const { allocations, totals } = await readReport(store);
    const mine = owned(allocations, program);
    const handlers = mine.filter(({ stack }) => stack[0]?.function?.endsWith("_handler"));
    const others = mine.filter((allocation) => !handlers.includes(allocation));
    assert.equal(`live ${others.length} ${sum(others)}`, /^live.*/m.exec(stdout)?.[0]);
    // A handler that interrupts a hook may find it busy: then its block is not recorded, but counted.
    const left = Number(/^left (\d+)/m.exec(stdout)?.[1]);
    assert.ok(
      handlers.length <= left && handlers.length + totals.dropped >= left,
      `${handlers.length} + ${totals.dropped} of ${left}`,
    );
  });
}

for (const [how, signals] of [
  ["jump", rounds(2000, 20_000)],
  ["free", rounds(2000, 10_000)],
  ["leave", rounds(500, 20_000)],
] as const) {
  test(`signal_storm.c ${how}: after handlers left our own hooks everything is recorded as before`, {
    skip,
  }, async () => {
    for (let round = 0; round < 3; round++) {
      const store = join(folder, `${how}-${round}.mem`);
      const program = build("signal_storm.c");
      const env = how === "free" ? { LD_PRELOAD: withSafeMalloc() } : {};
      await runWell(program, [how, signals], { store, env, limit: patience });
      const { allocations } = await readReport(store);
      const known = allocations.filter(({ stack }) => stack[0]?.function === "afterwards");
      const sizes = known.map(({ size }) => size).sort((a, b) => a - b);
      assert.deepEqual(sizes, [77, 77, 77, ...Array<number>(10).fill(321), 65_536, 131_072, 131_072]);
    }
  });
}

test("failed_exec.c: what an end that did not come counts of running threads stays near the truth", {
  skip,
}, async () => {
  const store = join(folder, "failed-exec.mem");
  await runWell(build("failed_exec.c"), [rounds(200_000, 2_000_000)], { store, limit: patience });
  const info = run("memview", ["info", "--format", "json", store]);
  assert.equal(info.code, 0, info.stderr);
  const { timeline }: { timeline: { liveCount: number }[] } = JSON.parse(info.stdout);
  assert.ok(timeline.length > 1);
  for (const { liveCount } of timeline) {
    const signed = liveCount < 2 ** 63 ? liveCount : liveCount - 2 ** 64;
    assert.ok(Math.abs(signed) < 10_000, `${signed} live`);
  }
});

test("profiler.c: SIGPROF and backtraces all the time, and counts are exact", { skip }, async () => {
  const store = join(folder, "profiler.mem");
  const program = build("profiler.c");
  const samples = rounds(200, 5000);
  const { stdout } = await runWell(program, [samples], { store, limit: patience });
  const { allocations, totals } = await readReport(store);
  const mine = owned(allocations, program);
  assert.equal(`live ${mine.length} ${sum(mine)}`, /^live.*/m.exec(stdout)?.[0]);
  assert.equal(totals.dropped, 0);
  // A few come while the thread starts.
  const reached = Number(/^reached (\d+)/m.exec(stdout)?.[1]);
  assert.ok(reached >= Number(samples) * 0.95, `${reached} of ${samples} backtraces came through`);
});

test("a realloc race in one arena without caches: no lost record, no false leak", { skip }, async () => {
  const store = join(folder, "race.mem");
  const program = build("realloc_race.c");
  const { stdout } = await runProgram(program, [rounds(500_000, 10_000_000)], {
    store,
    env: { GLIBC_TUNABLES: "glibc.malloc.tcache_count=0:glibc.malloc.arena_max=1:glibc.malloc.mxfast=0" },
    limit: patience,
  });
  const { allocations, totals } = await readReport(store);
  const mine = owned(allocations, program);
  assert.equal(`live ${mine.length} ${sum(mine)}\n`, stdout);
  assert.equal(totals.dropped, 0);
});
