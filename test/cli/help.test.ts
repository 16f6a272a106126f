// What people type who look for help, and settings that are none.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { unknownSettings } from "../../cli/unknown-settings.js";
import { root, run } from "../support/run.js";

const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { version: string };

for (const program of ["memview", "memhook", "memdb"] as const) {
  test(`${program} --version, help and -h`, () => {
    assert.deepEqual(run(program, ["--version"]), {
      code: 0,
      signal: null,
      stdout: `${program} ${version}\n`,
      stderr: "",
    });
    const { stdout } = run(program, ["--help"]);
    for (const typed of ["help", "-h"]) assert.equal(run(program, [typed]).stdout, stdout, typed);
  });
}

test("memview help COMMAND", () => {
  assert.equal(run("memview", ["help", "top"]).stdout, run("memview", ["top", "--help"]).stdout);
  assert.match(run("memhook", ["help", "nothing"]).stderr, /^memhook: unknown command 'help'/);
});

test("settings that are none, with the nearest that is", () => {
  assert.deepEqual(
    unknownSettings({
      MEMHOOK_SIZE_MBS: "1",
      MEMHOOK_SAMPEL: "1",
      MEMHOOK_NOTHING_LIKE_IT: "1",
      MEMHOOK_DEPTH: "1",
      MEMHOOK_SKIP_FRAMES: "x",
      MEMHOOK_TEST_LIBRARY: "x",
      PATH: "x",
    }),
    [
      "MEMHOOK_NOTHING_LIKE_IT is no setting of memhook's: memhook --help lists them all",
      "MEMHOOK_SAMPEL is no setting of memhook's: is MEMHOOK_SAMPLE meant?",
      "MEMHOOK_SIZE_MBS is no setting of memhook's: is MEMHOOK_SIZE_MB meant?",
    ],
  );
});
