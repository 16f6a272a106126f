// The worked example of test/example, as its README tells it: the baseline holds, a leak fails with its line, and the
// command that the failure prints accepts it.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { compiler, noCompiler } from "../support/programs.js";
import { root, run, temporaryFolder } from "../support/run.js";

const folder = temporaryFolder();
const sources = join(root, "test/example");

/** A checkout of the example, compiled. */
function checkout(name: string, ...flags: string[]): string {
  const place = join(folder, name);
  mkdirSync(place);
  for (const file of readdirSync(sources)) copyFileSync(join(sources, file), join(place, file));
  const { cxx } = compiler("gcc");
  const words = [...cxx.slice(1), "-g", ...flags, "-o", "tests", "registry.cc", "tests.cc"];
  // When Zig first compiles its C++ library, it says a megabyte of warnings about that.
  const { status, stderr } = spawnSync(cxx[0]!, words, { cwd: place, encoding: "utf8", maxBuffer: 1 << 28 });
  assert.equal(status, 0, stderr);
  // The baseline is of g++ and its C++ runtime.
  if (compiler("gcc").name !== "gcc") rmSync(join(place, "tests.snap"));
  return place;
}
const CHECK = ["run", "--baseline", "tests.snap", "--", "./tests"];
const check = (cwd: string, args = CHECK, CI = "") => run("memhook", args, { cwd, env: { CI } });

test("example: the baseline holds, in CI too", { skip: noCompiler }, () => {
  const place = checkout("clean");
  if (compiler("gcc").name !== "gcc") check(place);
  const { code, stdout, stderr } = check(place, CHECK, "true");
  assert.deepEqual(
    { code, stdout, stderr },
    { code: 0, stdout: "tests done\n", stderr: "no regression: 2 unchanged call stacks\n" },
  );
});

test("example: a leak fails, named with its line, and can be accepted", { skip: noCompiler }, () => {
  const clean = join(folder, "clean/tests.snap");
  const place = checkout("leaky", "-DLEAK");
  copyFileSync(clean, join(place, "tests.snap"));
  const { code, stdout, stderr } = check(place, CHECK, "true");
  assert.deepEqual({ code, stdout }, { code: 1, stdout: "tests done\n" });
  assert.match(stderr, /^regression: 2 new call stacks: \+512 bytes in 2 allocations\n/);
  assert.match(
    stderr,
    /^new {2}\+512 bytes in 2 allocations, in 2 call stacks {2}Registry::open\(char const\*\) at registry\.cc:12$/m,
  );

  const accept = /^To accept what is live now: memhook (.*)$/m.exec(stderr)?.[1];
  assert.equal(accept, "run --baseline tests.snap --update -- ./tests");
  assert.equal(check(place, accept!.split(" ")).code, 0);
  assert.equal(check(place, CHECK, "true").code, 0);
  assert.notEqual(readFileSync(join(place, "tests.snap"), "utf8"), readFileSync(clean, "utf8"));
});
