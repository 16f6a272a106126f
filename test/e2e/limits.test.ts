// A store that fills up, places where no store can be, and settings that make no sense: the program always runs on.
// Runs under Node alone: what it tests is the library, in C.

import assert from "node:assert/strict";
import { chmodSync, mkdirSync, statSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import test from "node:test";
import { owned, readReport } from "../support/expectations.js";
import { build, noCompiler, runProgram, runWell } from "../support/programs.js";
import { run, temporaryFolder } from "../support/run.js";

const folder = temporaryFolder();
const skip = noCompiler;

/** Bytes that a file takes on disk, holes not counted. */
const diskBytes = (path: string) => statSync(path).blocks * 512;

test("a store that fills up: the program is unharmed, drops are counted and said by every output", {
  skip,
}, async () => {
  const store = join(folder, "full.mem");
  const program = build("fill.c");
  const count = 100_000;
  const finished = await runProgram(program, [String(count)], { store, env: { MEMHOOK_SIZE_KB: "256" } });
  assert.deepEqual(
    { status: finished.status, stdout: finished.stdout, stderr: finished.stderr },
    { status: 7, stdout: `allocated ${count} ${count * 32}\n`, stderr: "" },
  );
  assert.ok(diskBytes(store) <= 256 * 1024, `${diskBytes(store)} bytes on disk`);
  const { totals, allocations } = await readReport(store);
  assert.ok(totals.dropped > 0, "nothing was dropped");
  const kept = owned(allocations, program).filter(({ size }) => size === 32).length;
  assert.ok(kept > 1000, `only ${kept} records in 256 KiB`);
  // Those of 100 bytes are freed at once: they are dropped too while there is no room, and leave no other trace.
  const lost = count - kept;
  assert.ok(totals.dropped >= lost && totals.dropped <= 2 * (lost + 1), `${totals.dropped} dropped, ${lost} missing`);
  assert.equal(totals.liveCount, allocations.length);

  const text = run("memview", ["-f", store, "-a"]);
  const said = new RegExp(`^${totals.dropped} allocations were not recorded`, "m");
  assert.match(text.stdout + text.stderr, said);
  assert.equal(
    JSON.parse(run("memview", ["-f", store, "-a", "--format", "json"]).stdout).totals.dropped,
    totals.dropped,
  );
  const info = run("memview", ["info", "-f", store]);
  assert.match(info.stdout + info.stderr, said);
});

test("every size variable sets the limit; the coarsest wins", { skip }, async () => {
  const program = build("fill.c");
  for (const [index, env] of [
    { MEMHOOK_SIZE: String(256 * 1024) },
    { MEMHOOK_SIZE_KB: "256", MEMHOOK_SIZE: "1000000000" },
    { MEMHOOK_SIZE_MB: "1", MEMHOOK_SIZE_KB: "1000000" },
  ].entries()) {
    const store = join(folder, `size-${index}.mem`);
    const finished = await runProgram(program, ["100000"], { store, env });
    assert.equal(finished.status, 7);
    assert.ok(
      diskBytes(store) <= (index === 2 ? 1024 : 256) * 1024,
      `${diskBytes(store)} bytes with ${JSON.stringify(env)}`,
    );
    assert.ok((await readReport(store)).totals.dropped > 0);
  }
});

test("a million live blocks of 16 to 100 bytes take at most 64 bytes of disk each", { skip }, async () => {
  const store = join(folder, "million.mem");
  const { stdout } = await runWell(build("million.c"), [], { store });
  const { totals, stacks } = await readReport(store, { aggregate: true, sort: "count" });
  assert.equal(stdout, `live ${totals.liveCount} ${totals.liveBytes}\n`);
  assert.equal(totals.liveCount, 1_000_000);
  assert.equal(totals.dropped, 0);
  assert.equal(stacks!.at(-1)!.stack[0]!.function, "allocate_one");
  assert.ok(diskBytes(store) <= 64_000_000, `${diskBytes(store)} bytes on disk`);
});

test("a program with little live memory has a small store", { skip }, async () => {
  const store = join(folder, "small.mem");
  await runWell(build("leaks.c"), [], { store });
  assert.ok(diskBytes(store) < 2_000_000, `${diskBytes(store)} bytes on disk`);
});

const BAD_SETTINGS: [string, string][] = [
  ["MEMHOOK_SIZE", "much"],
  ["MEMHOOK_SIZE", "-5"],
  ["MEMHOOK_SIZE_KB", "12x"],
  ["MEMHOOK_SIZE_GB", "99999999999999999999"],
  ["MEMHOOK_DEPTH", "0"],
  ["MEMHOOK_DEPTH", "deep"],
  ["MEMHOOK_UNWIND", "magic"],
  ["MEMHOOK_CHILDREN", "maybe"],
];

for (const [name, value] of BAD_SETTINGS) {
  test(`${name}='${value}': one line that names it, its value and what it accepts`, { skip }, async () => {
    const store = join(folder, `bad-${name}-${value}.mem`);
    const finished = await runProgram(build("leaks.c"), [], { store, env: { [name]: value } });
    assert.equal(finished.status, 0);
    assert.match(finished.stderr, /^memhook: [^\n]+ is not [^\n]+; using the default\n$/);
    assert.ok(finished.stderr.startsWith(`memhook: ${name}='${value}' `), finished.stderr);
    assert.equal((await readReport(store)).totals.liveCount, 18);
  });
}

test("MEMHOOK_DEPTH keeps the inner frames", { skip }, async () => {
  const store = join(folder, "depth.mem");
  await runWell(build("leaks.c"), [], { store, env: { MEMHOOK_DEPTH: "2" } });
  const { allocations } = await readReport(store);
  assert.deepEqual(
    allocations
      .filter(({ size }) => size === 40)
      .map(({ stack }) => stack.map((frame) => frame.function))
      .sort(),
    [
      ["leak_for_two_callers", "first_caller"],
      ["leak_for_two_callers", "second_caller"],
    ],
  );
});

test("no folder, a folder instead of a file, a folder that cannot be written: the program runs on", {
  skip,
}, async () => {
  const closed = join(folder, "closed");
  mkdirSync(closed, { mode: 0o500 });
  const places = [join(folder, "missing/store.mem"), folder, "/dev/null", "/proc/self/store.mem"];
  // Root may write anywhere.
  if (process.getuid?.() !== 0) places.push(join(closed, "store.mem"));
  const args = ["0", "20000", "5"];
  const bare = await runProgram(build("churn.c"), args);
  for (const store of places) {
    const hooked = await runProgram(build("churn.c"), args, { store });
    assert.deepEqual({ ...hooked, pid: 0 }, { ...bare, pid: 0 }, store);
  }
  chmodSync(closed, 0o700);
});
