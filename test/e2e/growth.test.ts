// Growth from one look: programs of eleven behaviours, all blocks recorded and a sample of them, and what the verdict
// says of each from its store alone. They run at the same time, since each only waits for most of its life.
//
// Runs under Node alone: what it tests is the library, in C, and what its stores tell.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { before, test } from "node:test";
import type { BirthKind } from "../../runtime/reports/growth.js";
import { verdictOn } from "../../runtime/reports/verdict.js";
import { openStore } from "../../runtime/stores/store.js";
import { symbolizerOf } from "../../runtime/symbols/names.js";
import { build, environment, noCompiler } from "../support/programs.js";
import { root, temporaryFolder } from "../support/run.js";

const LIFE_MS = 2000;
const folder = temporaryFolder();
const program = noCompiler ? "" : build("growing.c");

/** The behaviours and what has to be said of them, from the program's opening comment. */
const behaviours = [
  ...readFileSync(join(root, "test/programs/growing.c"), "utf8").matchAll(/^ \* {5}(\w+) +(\w+) {2,}/gm),
].map(([, name, kind]) => ({ name: name!, kind: kind as BirthKind }));

const variants: Record<string, Record<string, string>> = {
  all: {},
  // So small that enough records are left of 2,000 small blocks.
  sampled: { MEMHOOK_SAMPLE: "64" },
};
const storeOf = (name: string, variant: string) => join(folder, `${name}-${variant}.mem`);

before(async () => {
  if (noCompiler) return;
  const runs = behaviours.flatMap(({ name }) =>
    Object.entries(variants).map(([variant, env]) => {
      const child = spawn(program, [name, String(LIFE_MS)], {
        env: environment({ store: storeOf(name, variant), env }),
        stdio: "ignore",
      });
      return new Promise<[number | null, string | null]>((resolve) =>
        child.on("close", (code, signal) => resolve([code, signal])),
      ).then((ended) => assert.deepEqual(ended, name === "killed" ? [null, "SIGKILL"] : [0, null], name));
    }),
  );
  await Promise.all(runs);
});

test("there are eleven behaviours", () => {
  assert.equal(behaviours.length, 11);
});

for (const { name, kind } of behaviours) {
  for (const variant of Object.keys(variants)) {
    test(`${name} is ${kind} (${variant})`, { skip: noCompiler }, async () => {
      const store = await openStore(storeOf(name, variant));
      const { verdict } = await verdictOn(store, symbolizerOf(store), { knownSuppressed: true });
      store.close();
      const own = name === "killed" ? "steady" : name;
      const told = verdict.findings.filter(({ frame }) => frame?.function === own);
      assert.deepEqual(
        told.map((finding) => finding.kind),
        [kind],
        JSON.stringify(told.map(({ births }) => births)),
      );
    });
  }
}
