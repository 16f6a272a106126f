// Hazards of allocators in the place of libc's: what they do inside of their
// own calls is not the program's, with a sample or without.
// Runs under Node alone: what it tests is the library, in C.

import assert from "node:assert/strict";
import { join } from "node:path";
import test from "node:test";
import { preloadAlways } from "../../runtime/programs/preload.js";
import { expectations, lines, readReport, rows } from "../support/expectations.js";
import { build, compilers, library, noCompiler, runWell } from "../support/programs.js";
import { temporaryFolder } from "../support/run.js";

const folder = temporaryFolder();

const HOW: [mode: string[], dropped: number][] = [
  [["map"], 0],
  [["helper"], 0],
  [["syscall"], 0],
  [["libc"], 0],
  [["free"], 0],
  [["thread"], 0],
  [["raise", "nothing"], 0],
  [["raise", "allocate"], 1],
  [["raise", "map"], 1],
  [["raise", "copy"], 1],
];

for (const compiler of compilers) {
  for (const [mode, dropped] of HOW) {
    for (const sample of ["", "4KiB"]) {
      const name = `allocating.c ${mode.join(" ")}${sample && `, sampled`}, with ${compiler.name}`;
      test(`${name}: the mappings are the program's, ${dropped} dropped`, { skip: noCompiler }, async () => {
        const store = join(folder, `${mode.join("-")}-${sample}-${compiler.name}.mem`);
        const allocator = build("allocator.c", { compiler, shared: true });
        const helper = build("allocator.c", { compiler, shared: true, flags: ["-DHELPER"] });
        const program = build("allocating.c", { compiler });
        const preload = [library, allocator, helper].map((path) => preloadAlways(path)).join(" ");
        await runWell(program, mode, { store, env: { LD_PRELOAD: preload, MEMHOOK_SAMPLE: sample } });
        const { allocations, totals } = await readReport(store);
        const table = expectations("allocating.c").filter(({ kind }) => kind === "mmap" || !sample);
        const seen = rows(allocations, [program], table);
        assert.deepEqual(lines(sample ? seen.filter(({ kind }) => kind === "mmap") : seen), lines(table));
        const mapped = allocations.filter(({ kind }) => kind === "mmap").map(({ size }) => size);
        assert.deepEqual(mapped.sort(), [196608, 262144]);
        assert.equal(totals.dropped, dropped);
      });
    }
  }
}
