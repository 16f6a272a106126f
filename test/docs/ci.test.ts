// The recipes of docs/ci.md for runners of tests, as they stand there: an unchanged tree passes, and a leak of 24 bytes
// fails with its place.
//
// Runs under Node alone: what differs are the runners, and memhook run is tested under each runtime elsewhere.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { compiler, noCompiler, which } from "../support/programs.js";
import { root, temporaryFolder } from "../support/run.js";

const page = readFileSync(join(root, "docs/ci.md"), "utf8");

/** What runs the tests in the first shell block under a heading, without what builds them. */
function recipe(heading: string): string {
  const section = page.split(/^## /m).find((text) => text.startsWith(`${heading}\n`))!;
  return /```sh\n([\s\S]*?)\n```/.exec(section)![1]!.replace(/^cmake .*\n/m, "");
}

const bin = temporaryFolder();
writeFileSync(join(bin, "memhook"), `#!/bin/sh\nexec '${process.execPath}' '${join(root, "memhook")}' "$@"\n`);
chmodSync(join(bin, "memhook"), 0o755);

/** Runs a recipe in a folder; the tests leak if `leak` is set. */
function check(folder: string, command: string, leak: boolean) {
  const run = spawnSync("sh", ["-c", command], {
    cwd: folder,
    encoding: "utf8",
    env: { ...process.env, PATH: `${bin}:${process.env.PATH}`, ...(leak ? { LEAK: "1" } : {}) },
  });
  return { code: run.status, stderr: run.stderr, all: `${run.stdout}\n${run.stderr}` };
}

function compile(folder: string, source: string, name: string, flags: string[]): void {
  writeFileSync(join(folder, `${name}.c`), source);
  const [program, ...before] = compiler("gcc", "clang").c;
  const args = [...before, "-g", "-O1", ...flags, `${name}.c`];
  const { status, stderr } = spawnSync(program!, args, { cwd: folder, encoding: "utf8" });
  assert.equal(status, 0, stderr);
}

/** Three runs: the first writes the baseline, the second finds it unchanged, the third leaks. */
function holds(folder: string, command: string, place: RegExp): void {
  const written = check(folder, command, false);
  assert.equal(written.code, 0, written.all);
  assert.match(written.stderr, /tests\.snap: was not there, /);
  const same = check(folder, command, false);
  assert.equal(same.code, 0, same.all);
  assert.match(same.stderr, /^no regression: /m);
  const leaking = check(folder, command, true);
  assert.equal(leaking.code, 1, leaking.all);
  assert.match(leaking.stderr, place);
}

const LEAK = '#include <stdlib.h>\nvoid *volatile kept;\nvoid leak(void) { if (getenv("LEAK")) kept = malloc(24); }\n';
const noCtest = noCompiler || (which("ctest") === undefined && "ctest is not here");

test("ctest", { skip: noCtest }, () => {
  const folder = temporaryFolder();
  mkdirSync(join(folder, "build"));
  compile(folder, `${LEAK}int main(void) { leak(); }\n`, "tests", ["-o", "build/tests"]);
  // What cmake would write for two tests.
  const program = join(folder, "build/tests");
  writeFileSync(join(folder, "build/CTestTestfile.cmake"), `add_test(a "${program}")\nadd_test(b "${program}")\n`);
  holds(folder, recipe("ctest"), /^new {2}\+48 bytes in 2 allocations {2}leak at \S*tests\.c:3$/m);
});

const hasPytest = spawnSync("python3", ["-m", "pytest", "--version"]).status === 0;
const noPytest = noCompiler || (!hasPytest && "pytest is not here");

test("pytest", { skip: noPytest }, () => {
  const folder = temporaryFolder();
  compile(folder, LEAK, "extension", ["-shared", "-fPIC", "-o", "extension.so"]);
  writeFileSync(
    join(folder, "test_it.py"),
    "import ctypes, os\n\ndef test_it():\n" +
      "    ctypes.CDLL(os.path.join(os.path.dirname(__file__), 'extension.so')).leak()\n",
  );
  holds(folder, recipe("pytest"), /^new {2}\+24 bytes in 1 allocation .*leak at \S*extension\.c:3$/m);
});
