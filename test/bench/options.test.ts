// A bench that is called wrongly says so in one line, and measures nothing.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import process from "node:process";
import test from "node:test";
import { root } from "../support/run.js";

const elsewhere = process.versions.bun || "Deno" in globalThis ? "benches run under Node" : false;

for (const [script, name] of [
  ["dist/bench/hazards/main.js", "bench/hazards/main"],
  ["dist/bench/peers/main.js", "bench/peers/run"],
  ["dist/bench/soak/main.js", "bench/soak/run"],
  ["bench/programs/main.mjs", "bench/programs/run"],
] as const) {
  for (const wrong of ["--bogus", "--only=(", "--seconds=0", "--seconds=1.5", "--seconds=", "stray"]) {
    test(`${name} ${wrong}: one line, and exit code 2`, { skip: elsewhere }, () => {
      const { status, stdout, stderr } = spawnSync(process.execPath, [join(root, script), wrong], { encoding: "utf8" });
      assert.equal(status, 2);
      assert.equal(stdout, "");
      assert.match(stderr, new RegExp(`^${name}: [^\\n]+\\n$`));
    });
  }
}
