// Snapshots of real programs: the same from run to run, across rebuilds and
// folders; a small leak among very many blocks.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { compiler, noCompiler } from "../support/programs.js";
import { root, run, temporaryFolder } from "../support/run.js";

const folder = temporaryFolder();
const skip = noCompiler;

/** Every call stays a call, also for compilers that make jumps of the last ones at -O1. */
const PLAIN = ["-g", "-fno-builtin", "-fno-optimize-sibling-calls"];

/** Compiles test/programs/seeded.c in a folder of its own. */
function seeded(name: string, ...flags: string[]): string {
  const place = join(folder, name);
  mkdirSync(join(place, "src"), { recursive: true });
  copyFileSync(join(root, "test/programs/seeded.c"), join(place, "src/seeded.c"));
  const { c } = compiler("gcc");
  const words = [...PLAIN, ...flags, "-o", "seeded", "src/seeded.c"];
  const { status, stderr } = spawnSync(c[0]!, [...c.slice(1), ...words], { cwd: place, encoding: "utf8" });
  assert.equal(status, 0, stderr);
  return join(place, "seeded");
}

/** Runs it and takes a snapshot. */
function snapshotOf(program: string, name: string, ...args: string[]): string {
  const store = join(folder, `${name}.mem`);
  const output = join(folder, `${name}.snap`);
  const { code } = run("memhook", ["run", "-f", store, "--top", "1", "--", program, ...args]);
  assert.equal(code, 0);
  assert.equal(run("memview", ["snapshot", store, "-o", output]).code, 0);
  return output;
}
const diff = (...args: string[]) => run("memview", ["diff", ...args]);
const LINE =
  1 +
  readFileSync(join(root, "test/programs/seeded.c"), "utf8")
    .split("\n")
    .findIndex((line) => line.includes("the leak */"));

test("snapshot: the same bytes from run to run", { skip }, () => {
  const program = seeded("one", "-O1");
  const [first, second] = [snapshotOf(program, "first"), snapshotOf(program, "second")];
  assert.ok(readFileSync(first).equals(readFileSync(second)));
  const totals = JSON.parse(readFileSync(first, "utf8")).totals;
  assert.deepEqual(totals, { count: 100_000, bytes: seededBytes(), stacks: 5000 });
});

function seededBytes(): number {
  let bytes = 0;
  for (let stack = 0; stack < 5000; stack++) bytes += 20 * (16 + (stack % 64));
  return bytes;
}

test("diff: one block of 24 bytes among 100,000 is found, named, and reported as fixed afterwards", { skip }, () => {
  const program = join(folder, "one/seeded");
  const [clean, leaky] = [join(folder, "first.snap"), snapshotOf(program, "leaky", "leak")];
  const found = diff(clean, leaky);
  assert.equal(found.code, 1);
  assert.match(
    found.stdout,
    new RegExp(
      "^regression: 1 new call stack: \\+24 bytes in 1 allocation\n\nnew {2}\\+24 bytes in 1 allocation {2}leak " +
        `at src/seeded\\.c:${LINE}\n`,
    ),
  );
  const fixed = diff(leaky, clean);
  assert.deepEqual([fixed.code, fixed.stdout.split("\n")[0]], [0, "no regression: 1 fixed call stack, 5000 unchanged"]);
});

test("diff: rebuilt in another folder with a function inserted above, nothing is new", { skip }, () => {
  const program = seeded("two", "-O1", "-DINSERTED");
  const rebuilt = snapshotOf(program, "rebuilt", "leak");
  const { code, stdout } = diff("--fail-on", "any", join(folder, "leaky.snap"), rebuilt);
  assert.deepEqual([code, stdout.split("\n")[0]], [0, "no regression: 5001 unchanged call stacks"]);
});

test("diff: other lines are told as moved", { skip }, () => {
  const place = join(folder, "three");
  mkdirSync(join(place, "src"), { recursive: true });
  const program = join(place, "seeded");
  const { c } = compiler("gcc");
  const moved = `/* one more */\n/* line or two */\n${readFileSync(join(root, "test/programs/seeded.c"), "utf8")}`;
  const words = [...PLAIN, "-O1", "-o", program, "-x", "c", "-"];
  const { status, stderr } = spawnSync(c[0]!, [...c.slice(1), ...words], {
    cwd: place,
    input: moved,
    encoding: "utf8",
  });
  assert.equal(status, 0, stderr);
  const { code, stdout } = diff(join(folder, "leaky.snap"), snapshotOf(program, "moved", "leak"));
  assert.deepEqual([code, stdout.split("\n")[0]], [0, "no regression: 5001 unchanged call stacks"]);
  assert.match(stdout, /^unchanged, moved {2}0 bytes in 0 allocations/m);
  assert.match(stdout, /^unchanged, moved {2}0 bytes in 0 allocations, in 5000 call stacks {2}keep at /m);
});

test("diff: another optimization changes stacks, and is no regression", { skip }, () => {
  const program = seeded("four", "-O2", "-fno-inline", "-foptimize-sibling-calls");
  const plain = snapshotOf(seeded("five", "-O0"), "plain", "leak");
  const optimized = snapshotOf(program, "optimized", "leak");
  const { code, stdout } = run("memview", ["diff", "--format", "json", plain, optimized]);
  const { stacks, base, head, changes } = JSON.parse(stdout);
  // -O2 makes calls in last place into jumps: go, even and odd vanish from
  // stacks. These hold as much as before, and nothing is lost.
  assert.equal(code, 0);
  assert.deepEqual([stacks.new, stacks.fixed], [0, 0], JSON.stringify(stacks));
  assert.deepEqual(base, { count: 100_001, bytes: seededBytes() + 24 });
  assert.deepEqual(head, base);
  const sum = (side: "base" | "head") =>
    changes.reduce(
      (total: number, change: { base: { bytes: number }; head: { bytes: number } }) => total + change[side].bytes,
      0,
    );
  assert.equal(sum("head") - sum("base"), 0);
});
