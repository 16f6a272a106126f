// A short piece of the soak (bench/soak): what real.test.ts and servers.test.ts do not have. Whoever changes the
// library's hooks should run all of it.
// Runs under Node alone: what it tests is the library, in C.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import process from "node:process";
import test from "node:test";
import { which } from "../support/programs.js";
import { root } from "../support/run.js";

// Nothing in it depends on the runtime, so one of them is enough.
const elsewhere = process.versions.bun || "Deno" in globalThis ? "runs under Node only" : false;

for (const [name, ...needed] of [
  ["nginx", "python3", "curl"],
  ["exceptions", "g++"],
  ["gdb", "gcc"],
]) {
  const absent = [...(name === "exceptions" ? [] : [name!]), ...needed].find((one) => !which(one));
  test(`soak: ${name} does the same under memhook as without, and every store can be read`, {
    skip: elsewhere || (absent ? `${absent} is not on this machine` : false),
    timeout: 300_000,
  }, () => {
    const { status, stdout, stderr } = spawnSync(
      process.execPath,
      [join(root, "dist/bench/soak/main.js"), "--only", `^${name}$`],
      { encoding: "utf8" },
    );
    assert.equal(status, 0, `${stdout}${stderr}`);
  });
}
