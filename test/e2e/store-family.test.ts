// One MEMHOOK_FILE for a family of processes: none takes another's store, in
// whatever order they end, and all are in one folder.
// Runs under Node alone: what it tests is the library, in C.

import assert from "node:assert/strict";
import { mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { readReport } from "../support/expectations.js";
import {
  build,
  environment,
  type Finished,
  neighbour,
  noCompiler,
  runProgram,
  runWell,
  which,
} from "../support/programs.js";
import { temporaryFolder } from "../support/run.js";

const folder = temporaryFolder();
const skip = noCompiler;
const shell = which("sh");
const skipWithoutShell = skip || (shell ? false : "no sh");

const OWN_SIZES = [10001, 10003, 20002, 30001];

async function ownSizes(path: string): Promise<number[]> {
  const { allocations } = await readReport(path);
  return allocations.map(({ size }) => size).filter((size) => OWN_SIZES.includes(size));
}

/** Runs a script whose shell is not watched, the program being $0. */
function runUnwatched(script: string, store: string): Promise<Finished> {
  const { LD_PRELOAD } = environment({ store });
  return runProgram(shell!, [
    "-c",
    `export LD_PRELOAD="$1" MEMHOOK_FILE="$2"; ${script}`,
    build("family.c"),
    LD_PRELOAD!,
    store,
  ]);
}

function pidOf(word: string, stdout: string): number {
  return Number(new RegExp(`^${word} (\\d+)$`, "m").exec(stdout)?.[1]);
}

/** Steps of family.c that leave the first process dead when others begin, and what the last one's store has. */
const FAMILIES: [string, string, number[]][] = [
  ["f", "a child of fork that allocates when its parent has ended", [10001, 30001]],
  ["k", "the same, whose parent was killed", [10001, 30001]],
  ["ff", "a child whose parent and grandparent have ended", [10001, 30001]],
  ["kk", "the same, killed", [10001, 30001]],
  ["faff", "a daemon's grandchild, after all others", [10001, 20002, 30001]],
  ["fe", "a child that becomes another program when its parent has ended", [30001]],
  ["kae", "the same, whose parent was killed, and which has a store already", [30001]],
  ["ftfe", "a daemon that becomes another program when those before it have ended", [30001]],
  ["fan", "a program that a daemon starts long after its own parent's end", [30001]],
  ["fas", "the same by way of a shell", [30001]],
  ["fawe", "the same by fork and exec", [30001]],
  ["kawe", "the same of a daemon whose parent was killed", [30001]],
  ["wefe", "a program that goes on while its parents wait", [30001]],
];

/** The same where only the process group, which the first one began, tells whose child it is. */
const GROUPS: [string, string, number[]][] = [
  ["ke", "a child that becomes another program when its parent was killed", [30001]],
  ["ffe", "a grandchild that becomes another program when those before it have ended", [30001]],
  ["fwfe", "the same of a daemon that has not allocated", [30001]],
];

for (const [steps, what, last] of [...FAMILIES, ...GROUPS]) {
  test(`${steps}: ${what}: the first one's store stays`, { skip: skipWithoutShell }, async () => {
    const store = join(folder, `family-${steps}.mem`);
    const leads = GROUPS.some(([one]) => one === steps);
    const { stdout } = await runUnwatched(leads ? `exec "$0" ${steps} /` : `"$0" ${steps} /; :`, store);
    const first = await readReport(store);
    assert.equal(first.process.pid, pidOf("first", stdout), stdout);
    assert.deepEqual(await ownSizes(store), steps.startsWith("w") ? [10001] : [10001, 10003]);
    const theirs = await ownSizes(neighbour(store, pidOf("last", stdout)));
    assert.deepEqual(theirs.sort(), [...last].sort());
  });
}

test("a program started by a shell that ends at once: the shell's store stays", {
  skip: skipWithoutShell,
}, async () => {
  for (let i = 0; i < 5; i++) {
    const store = join(folder, `shell-${i}.mem`);
    const { pid, stdout } = await runProgram(shell!, ["-c", '"$0" "" / & :', build("family.c")], { store });
    assert.equal((await readReport(store)).process.pid, pid);
    assert.deepEqual(await ownSizes(neighbour(store, pidOf("last", stdout))), [10001, 30001]);
  }
});

test("the next run replaces the store, however soon it begins", { skip: skipWithoutShell }, async () => {
  const store = join(folder, "again.mem");
  const { stdout } = await runUnwatched('for i in 1 2 3 4 5 6 7 8; do "$0" "" /; done', store);
  const last = [...stdout.matchAll(/^last (\d+)$/gm)].at(-1)?.[1];
  assert.equal((await readReport(store)).process.pid, Number(last));
  assert.deepEqual(
    readdirSync(folder).filter((name) => name.startsWith("again.")),
    ["again.mem"],
  );
});

test("a shell that becomes the program after another run of it ended", { skip: skipWithoutShell }, async () => {
  const store = join(folder, "entry.mem");
  const { pid } = await runUnwatched('"$0" "" /; exec "$0" a /', store);
  assert.equal((await readReport(store)).process.pid, pid);
  assert.deepEqual(await ownSizes(store), [10001, 20002, 30001]);
});

/** Steps that lead to another folder. The last process is the first one, or another. */
const MOVES: [string, "first" | "other"][] = [
  ...["ce", "cv", "cp", "cq", "cx", "cl"].map((steps): [string, "first"] => [steps, "first"]),
  ...["wc", "fc", "wce", "fcv", "cn", "cN", "cs", "co", "csws", "rcs", "rco"].map((steps): [string, "other"] => [
    steps,
    "other",
  ]),
];

for (const [steps, who] of MOVES) {
  test(`${steps}: a relative path is one folder for the family, also after chdir`, { skip }, async () => {
    const home = join(folder, `home-${steps}`);
    const away = join(home, "away");
    mkdirSync(away, { recursive: true });
    const { stdout } = await runProgram(build("family.c"), [steps, away], { store: "app.mem", cwd: home });
    assert.deepEqual(readdirSync(away), []);
    const last = pidOf("last", stdout);
    assert.equal(last === pidOf("first", stdout), who === "first", stdout);
    const store = join(home, "app.mem");
    assert.ok((await ownSizes(who === "first" ? store : neighbour(store, last))).includes(30001));
  });
}

test("a shell that goes elsewhere and starts the program there", { skip: skipWithoutShell }, async () => {
  const home = join(folder, "shell-home");
  mkdirSync(join(home, "away"), { recursive: true });
  const script = 'cd away; "$0" "" /; exec "$0" a /';
  const { pid, stdout } = await runWell(shell!, ["-c", script, build("family.c")], { store: "./app.mem", cwd: home });
  assert.deepEqual(readdirSync(join(home, "away")), []);
  assert.deepEqual(await ownSizes(join(home, "app.mem")), [10001, 20002, 30001]);
  assert.equal((await readReport(join(home, "app.mem"))).process.pid, pid);
  assert.deepEqual(await ownSizes(neighbour(join(home, "app.mem"), pidOf("last", stdout))), [10001, 30001]);
});

test("the environment of what is started: MEMHOOK_FILE alone is another, and only where it was relative", {
  skip: which("env") ? skip : "no env",
}, async () => {
  const lines = async (store: string) => {
    const { stdout } = await runWell(which("env")!, [which("env")!], { store, cwd: folder });
    return stdout.split("\n").filter((line) => /^(MEMHOOK|HOME|LC_ALL)/.test(line));
  };
  const absolute = join(folder, "env-%p.mem");
  assert.deepEqual(await lines("env-%p.mem"), await lines(absolute));
});
