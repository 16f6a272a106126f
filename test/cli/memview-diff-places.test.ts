// memview diff by place: call stacks that ask for memory at one place are one row and one annotation, and the place is
// the user's own code, as the verdict finds it.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { writeSnapshot } from "../../runtime/snapshots/snapshotfile.js";
import { commandLine, run, temporaryFolder } from "../support/run.js";
import { held, snapshot } from "../support/snapshots.js";

const noScript = spawnSync("script", ["--version"]).status === 0 ? false : "script is not here";
const folder = temporaryFolder();
const main = "main@src/main.c:9";
writeSnapshot(join(folder, "base.snap"), snapshot(held(1, 8, "old@src/old.c:3", main)), false);
const head = snapshot(
  held(1, 8, "old@src/old.c:3", main),
  held(2, 64, "xmalloc@src/util.c:6", "put@src/cache.c:40", "get@src/a.c:1", main),
  held(3, 16, "xmalloc@src/util.c:6", "put@src/cache.c:40", "set@src/b.c:2", main),
  held(1, 24, "leak@src/leak.c:12", main),
);
writeSnapshot(join(folder, "head.snap"), head, false);

const diff = (format: string) => {
  const args = ["diff", "--format", format, "--top", "0", "base.snap", "head.snap"];
  return run("memview", args, { cwd: folder }).stdout;
};

test("as text", () => {
  assert.equal(
    diff("text").split("\n\n")[1],
    "new  +80 bytes in 5 allocations, in 2 call stacks  put at src/cache.c:40\n" +
      "new  +24 bytes in 1 allocation                     leak at src/leak.c:12",
  );
});

test("as text where the rows are too long: each place on a line of its own", { skip: noScript }, () => {
  const words = [...commandLine("memview"), "diff", "--top", "0", "base.snap", "head.snap"];
  const command = words.map((each) => `'${each}'`);
  const { stdout } = spawnSync("script", ["-qec", `stty cols 60; ${command.join(" ")}`, "/dev/null"], {
    ...{ cwd: folder, encoding: "utf8", input: "", env: { ...process.env, TERM: "xterm", NO_COLOR: "1" } },
  });
  assert.equal(
    stdout.replaceAll("\r", "").split("\n\n")[1],
    "new  +80 bytes in 5 allocations, in 2 call stacks\n    put at src/cache.c:40\n" +
      "new  +24 bytes in 1 allocation\n    leak at src/leak.c:12",
  );
});

test("as Markdown", () => {
  assert.match(
    diff("markdown"),
    /\n\| ❌ new \| \+80 \| \+5 \| `put at src\/cache.c:40`, in 2 call stacks \| `app` \|\n\| ❌ new \| \+24 /,
  );
});

test("as annotations: one for a line, with the stack that holds most", () => {
  const annotations = diff("github").match(/^::error .*$/gm)!;
  assert.deepEqual(annotations, [
    "::error file=src/cache.c,line=40,title=memhook%3A new in app::+80 bytes in 5 allocations, in 2 call stacks%0A" +
      "xmalloc at src/util.c:6%0Aput at src/cache.c:40%0Aget at src/a.c:1%0Amain at src/main.c:9",
    "::error file=src/leak.c,line=12,title=memhook%3A new in app::+24 bytes in 1 allocation%0A" +
      "leak at src/leak.c:12%0Amain at src/main.c:9",
  ]);
});

test("--own compares only what goes through the user's own code", () => {
  const interpreter = held(1, 56, "gc_alloc!python3.11", "list_new!python3.11");
  const through = held(1, 24, "leak@src/ext.c:3", "list_new!python3.11");
  writeSnapshot(join(folder, "py.snap"), snapshot(through), false);
  writeSnapshot(join(folder, "py2.snap"), snapshot(through, interpreter), false);
  const args = ["diff", "py.snap", "py2.snap"];
  const run2 = (...more: string[]) => run("memview", [...args, ...more], { cwd: folder });
  assert.equal(run2().code, 1);
  const { code, stdout } = run2("--own");
  assert.deepEqual([code, stdout], [0, "no regression: 1 unchanged call stack\n"]);
});
