// The proof of exactness, in its short form: no stack captured in real programs differs from libunwind's.
// Runs under Node alone: what it tests is the library, in C.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import test from "node:test";
import { noCompiler } from "../support/programs.js";
import { root } from "../support/run.js";

// Nothing in it depends on the runtime, so one of them is enough.
const skip = noCompiler || (process.versions.bun || "Deno" in globalThis ? "runs under Node only" : false);

/** All ten mutations take a minute; each is tried once in ten days. */
const mutation = 1 + (Math.floor(Date.now() / 86_400_000) % 10);

for (const mode of [["short"], ["mutations", String(mutation)]]) {
  test(`stacks are exact: run.sh ${mode.join(" ")}`, { skip, timeout: 600_000 }, () => {
    const { status, stdout, stderr } = spawnSync("bash", [join(root, "test/exactness/run.sh"), ...mode], {
      encoding: "utf8",
    });
    assert.equal(status, 0, `${stdout}${stderr}`);
  });
}
