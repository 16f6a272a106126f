// The API in the bundle of a program that uses it: nothing has to be found
// beside it. One suite does this for all runtimes: Node's.

import assert from "node:assert/strict";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { build, noCompiler, runWell } from "../support/programs.js";
import { onceIsEnough, RUNTIMES, root, runTool, temporaryFolder } from "../support/run.js";

const skip = onceIsEnough || noCompiler;
const folder = temporaryFolder();

const USER = `
import { libraryPath, openStore } from "memhook";
const store = await openStore(process.argv[2]);
const { totals, stacks } = await store.stacks({ sort: "size", top: 1 });
console.log(totals.liveBytes, stacks[0].stack[0].function);
try {
  libraryPath();
} catch (error) {
  console.log(error.name, /leave the package memhook out of the bundle/.test(error.message));
}
store.close();
`;

test("a bundled program reads a store and demangles its names, wherever the bundle is", { skip }, async () => {
  const store = join(folder, "operators.mem");
  await runWell(build("operators.cc"), [], { store });
  const project = join(folder, "project");
  mkdirSync(join(project, "node_modules"), { recursive: true });
  symlinkSync(root, join(project, "node_modules/memhook"));
  writeFileSync(join(project, "user.mjs"), USER);
  const plain = await runTool(["node", "user.mjs", store], project);
  assert.match(plain, /^\d+ \w+.*\n$/);

  const bun = RUNTIMES.bun![0]!;
  const elsewhere = join(folder, "elsewhere/deep");
  mkdirSync(elsewhere, { recursive: true });
  const bundled = `${plain}LaunchError true\n`;
  const bundle = join(elsewhere, "user.mjs");
  await runTool([bun, "build", "--target=node", "user.mjs", "--outfile", bundle], project);
  for (const [name, runtime] of Object.entries(RUNTIMES))
    assert.equal(await runTool([...runtime, bundle, store], elsewhere), bundled, name);
  await runTool([bun, "build", "--compile", "user.mjs", "--outfile", join(elsewhere, "user")], project);
  assert.equal(await runTool([join(elsewhere, "user"), store], elsewhere), bundled);
});
