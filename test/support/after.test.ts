// Nothing stays behind when a file's tests are done, in any runtime, also where a test is skipped.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { onceIsEnough, root, temporaryFolder } from "./run.js";

const folder = temporaryFolder();

const RUNNERS: Record<string, string[]> = {
  node: [process.execPath, "--test"],
  bun: [join(root, "node_modules/.bin/bun"), "test"],
  deno: [join(root, "node_modules/.bin/deno"), "test", "-A", "--no-check"],
};

for (const [name, [runner, ...words]] of Object.entries(RUNNERS)) {
  test(`a folder of a file with a skipped test is removed in ${name}`, { skip: onceIsEnough }, () => {
    const suite = join(folder, `${name}.test.mjs`);
    const made = join(folder, name);
    const support = pathToFileURL(join(root, "dist/test/support/run.js")).href;
    writeFileSync(
      suite,
      `import { test } from "node:test";
import { writeFileSync } from "node:fs";
import { temporaryFolder } from "${support}";
writeFileSync(${JSON.stringify(made)}, temporaryFolder());
test("runs", () => {});
test("is skipped", { skip: "to see what happens" }, () => {});
`,
    );
    const env = { ...process.env };
    delete env.NODE_TEST_CONTEXT;
    const { status, stderr } = spawnSync(runner!, [...words, suite], { cwd: folder, env, encoding: "utf8" });
    assert.equal(status, 0, stderr);
    assert.ok(!existsSync(readFileSync(made, "utf8")));
  });
}
