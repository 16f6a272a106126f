// The core cases on this machine's own target, with each compiler that is here;
// and that programs behave as without memhook.
// Runs under Node alone: what it tests is the library, in C.

import assert from "node:assert/strict";
import { join } from "node:path";
import test from "node:test";
import { decode } from "../support/decode.js";
import { assertTable, expectations, readReport } from "../support/expectations.js";
import { build, compilers, neighbour, noCompiler, runProgram, runWell } from "../support/programs.js";
import { run, temporaryFolder } from "../support/run.js";
import { coreCases } from "./core-cases.js";

const folder = temporaryFolder();

if (noCompiler) test("test programs", { skip: noCompiler }, () => {});

for (const compiler of compilers) coreCases(compiler);

for (const flags of [["-DMAP_BY_SYSCALL"], ["-DUNMAP_BY_SYSCALL"], ["-DMAP_BY_SYSCALL", "-DUNMAP_BY_SYSCALL"]]) {
  test(`mmap.c ${flags.join(" ")}: mapped or unmapped by syscall is the same`, { skip: noCompiler }, async () => {
    const store = join(folder, `mmap${flags.join("")}.mem`);
    const program = build("mmap.c", { flags });
    const { stdout } = await runWell(program, [], { store });
    assertTable(await readReport(store), expectations("mmap.c"), stdout, program);
  });
}

for (const flags of [[], ["-DPROTECT_BY_SYSCALL"]]) {
  test(`reserved.c ${flags}: addresses without access are no memory`, { skip: noCompiler }, async () => {
    const store = join(folder, `reserved${flags}.mem`);
    const program = build("reserved.c", { flags });
    const { stdout } = await runWell(program, [], { store });
    assertTable(await readReport(store), expectations("reserved.c"), stdout, program);
    const child = await readReport(neighbour(store, Number(/^child (\d+)$/m.exec(stdout)?.[1])));
    assertTable(child, expectations("reserved.c"), "", program);
    for (const path of [store, neighbour(store, child.process.pid)]) {
      const info = JSON.parse(run("memview", ["info", "--format=json", path]).stdout);
      assert.equal(info.store.reservedBytes, 1048597 * 65536);
    }
  });
}

test("a program's output and exit code are the same without memhook", { skip: noCompiler }, async () => {
  for (const [source, args] of [
    ["churn.c", ["0", "50000", "3"]],
    ["fill.c", ["2000"]],
    ["million.c", []],
  ] as const) {
    const program = build(source);
    const bare = await runProgram(program, [...args]);
    const hooked = await runProgram(program, [...args], { store: join(folder, `same-${source}.mem`) });
    assert.deepEqual({ ...hooked, pid: 0 }, { ...bare, pid: 0 });
  }
});

test("handed_over.c: no stack has held more than the process at its peak", { skip: noCompiler }, async () => {
  const store = join(folder, "handed_over.mem");
  const program = build("handed_over.c");
  const { stdout } = await runWell(program, [], { store });
  assertTable(await readReport(store), expectations("handed_over.c"), stdout, program);
  const { stacks, totals } = await readReport(store, { aggregate: true, sort: "peak", freedStacks: true });
  assert.deepEqual(
    stacks!.filter((row) => row.peak! > totals.peakBytes),
    [],
  );
});

test("peak.c: what was live at most, allocated and freed, to the byte", { skip: noCompiler }, async () => {
  const store = join(folder, "peak.mem");
  const { stdout } = await runWell(build("peak.c"), [], { store });
  const { totals } = await readReport(store);
  const counters = decode(store);
  assert.equal(
    stdout,
    `peak ${totals.peakBytes}\nallocated ${counters.allocations} ${counters.allocatedBytes}\nfreed ` +
      `${counters.frees} ${counters.freedBytes}\n`,
  );
});

test("temporaries.c: how many of its blocks were temporary", { skip: noCompiler }, async () => {
  const store = join(folder, "temporaries.mem");
  const { stdout } = await runWell(build("temporaries.c"), [], { store });
  const { stacks } = await readReport(store, { aggregate: true, sort: "temporary", freedStacks: true });
  assert.equal(stdout, `temporary ${stacks!.reduce((sum, { temporary }) => sum + temporary!, 0)}\n`);
});
