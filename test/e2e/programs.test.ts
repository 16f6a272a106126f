// The core cases on this machine's own target, with each compiler that is here; and that programs behave as without memhook.

import assert from "node:assert/strict";
import { join } from "node:path";
import test from "node:test";
import { build, compilers, noCompiler, runProgram } from "../support/programs.js";
import { temporaryFolder } from "../support/run.js";
import { coreCases } from "./core-cases.js";

const folder = temporaryFolder();

if (noCompiler) test("test programs", { skip: noCompiler }, () => {});

for (const compiler of compilers) coreCases(compiler);

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
