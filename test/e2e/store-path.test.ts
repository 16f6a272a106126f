// Which process writes to which file: %p and %e, several processes with one MEMHOOK_FILE, exec, shared memory.
// Runs under Node alone: what it tests is the library, in C.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { basename, join } from "node:path";
import process from "node:process";
import test from "node:test";
import { assertTable, expectations, readReport } from "../support/expectations.js";
import { build, library, neighbour, noCompiler, Running, runProgram, runWell, which } from "../support/programs.js";
import { commandLine, run, temporaryFolder } from "../support/run.js";

const folder = temporaryFolder();
const skip = noCompiler;
const shell = which("sh");
const skipWithoutShell = skip || (shell ? false : "no sh");
const containing = ["-rpf", "--mount-proc", "--kill-child"];
const skipWithoutContainers =
  skipWithoutShell ||
  (which("unshare") && spawnSync("unshare", [...containing, "true"]).status === 0
    ? false
    : "cannot make namespaces (unshare -rp)");

test("%p is the process id, %e the program's name, another % itself", { skip }, async () => {
  const program = build("leaks.c");
  const { pid } = await runWell(program, [], { store: join(folder, "at-%p-%e-100%.mem") });
  assert.equal((await readReport(join(folder, `at-${pid}-leaks-100%.mem`))).process.pid, pid);
});

test("a relative path is relative to where the program started", { skip }, async () => {
  const { pid } = await runWell(build("leaks.c"), [], { store: "relative.mem", cwd: folder });
  assert.equal((await readReport(join(folder, "relative.mem"))).process.pid, pid);
});

test("a living owner keeps its store: the newcomer takes stem.PID.ext", { skip }, async (t) => {
  const store = join(folder, "living.mem");
  const owner = new Running(build("counting.c"), ["steps", "0", "1"], { store });
  t.after(() => owner.stop());
  const line = await owner.line();
  const newcomer = await runWell(build("leaks.c"), [], { store });
  assert.equal((await readReport(neighbour(store, newcomer.pid))).totals.liveCount, 18);
  const owners = await readReport(store);
  assert.equal(owners.process.pid, owner.pid);
  assert.equal(`${owners.totals.liveCount} ${owners.totals.liveBytes}`, line);
  owner.child.stdin!.end();
  await owner.finished;
});

test("a process whose main thread has ended keeps its store", { skip }, async (t) => {
  const store = join(folder, "main-ended.mem");
  const program = build("main_ended.c");
  const owner = new Running(program, [], { store });
  t.after(() => owner.stop());
  assert.equal(await owner.line(), "ready");
  const newcomer = await runWell(build("leaks.c"), [], { store });
  assert.equal((await readReport(neighbour(store, newcomer.pid))).totals.liveCount, 18);
  assert.equal((await readReport(store)).process.state, "running");
  owner.child.stdin!.end();
  await owner.finished;
  assertTable(await readReport(store), expectations("main_ended.c"), "", program);
});

test("a path without an extension, and one whose folder has a dot", { skip }, async (t) => {
  const store = join(folder, "no.extension.here", "store");
  mkdirSync(join(folder, "no.extension.here"));
  const owner = new Running(build("counting.c"), ["steps", "0", "1"], { store });
  t.after(() => owner.stop());
  await owner.line();
  const newcomer = await runWell(build("leaks.c"), [], { store });
  assert.equal((await readReport(`${store}.${newcomer.pid}`)).totals.liveCount, 18);
  owner.child.stdin!.end();
  await owner.finished;
});

// Seconds that the machine has been up for, and that it was not suspended, more in there.
const elsewhen = ["--boottime", "100000", "--monotonic", "50000"];
const canBeElsewhen =
  which("unshare") && spawnSync("unshare", ["-rTf", ...elsewhen, "--kill-child", "true"]).status === 0;
const skipWithoutTime = skip || (canBeElsewhen ? false : "cannot make time namespaces (unshare -rT)");

test("in and out of time namespaces a process is the same, and so is now", { skip: skipWithoutTime }, async (t) => {
  const within = ["-rTf", ...elsewhen, "--kill-child"];
  const store = join(folder, "elsewhen.mem");
  const settings = ["env", `LD_PRELOAD=${library}`, `MEMHOOK_FILE=${store}`];
  const owner = new Running("unshare", [...within, ...settings, build("counting.c"), "steps", "0", "1"]);
  t.after(() => owner.stop());
  await owner.line();
  for (const namespace of [[], ["unshare", ...within]]) {
    const looking = [...namespace, ...commandLine("memview"), "--format=json", "--top=1", store];
    const look = (...options: string[]) => {
      const { stdout, stderr } = spawnSync(looking[0]!, [...looking.slice(1), ...options], { encoding: "utf8" });
      assert.equal(stderr, "");
      return JSON.parse(stdout);
    };
    assert.equal(look().process.state, "running");
    assert.equal(look("--max-time-from-now", "2h").matched.count, look().matched.count);
    assert.equal(look("--min-time-from-now", "2h").matched.count, 0);
  }
  // It is not replaced by a newcomer, either.
  const newcomer = await runWell(build("leaks.c"), [], { store });
  assert.equal((await readReport(neighbour(store, newcomer.pid))).totals.liveCount, 18);
  owner.child.stdin!.end();
  await owner.finished;
});

test("processes with one id, of several containers, have a store each", { skip: skipWithoutContainers }, async (t) => {
  mkdirSync(join(folder, "volume"));
  const store = join(folder, "volume", "app.mem");
  const counting = [build("counting.c"), "steps", "0", "1"];
  async function start(...command: string[]): Promise<Running> {
    const settings = [`LD_PRELOAD=${library}`, `MEMHOOK_FILE=${store}`];
    const container = new Running("unshare", [...containing, "env", ...settings, ...command]);
    t.after(() => container.stop());
    await container.line();
    return container;
  }
  async function end(container: Running): Promise<void> {
    container.child.stdin!.end();
    assert.equal((await container.finished).status, 3);
  }
  const first = await start(...counting);
  const second = await start(...counting);
  const third = await start(shell!, "-c", 'echo; read go; exec "$@"', "sh", ...counting);
  const fourth = await start(...counting);
  const names = ["app.1.2.mem", "app.1.3.mem", "app.1.mem", "app.mem"];
  assert.deepEqual(readdirSync(join(folder, "volume")).sort(), names);
  // Its own store comes before a better name that is free by now.
  await end(first);
  third.tell("go\n");
  await third.line();
  assert.deepEqual(readdirSync(join(folder, "volume")).sort(), names);
  assert.deepEqual((await readReport(join(folder, "volume", "app.1.2.mem"))).process.command, counting);
  for (const container of [second, third, fourth]) await end(container);
  const { stores } = JSON.parse(run("memview", ["list", "--format=json", store]).stdout);
  assert.equal(stores.length, 4);
});

test("a program keeps its name when its file is gone", { skip }, async () => {
  const program = join(folder, "upgraded");
  copyFileSync(build("moved.c"), program);
  chmodSync(program, 0o755);
  const { stdout } = await runWell(program, [program], { store: join(folder, "of-%e.mem") });
  const parents = await readReport(join(folder, "of-upgraded.mem"));
  const childs = await readReport(
    neighbour(join(folder, "of-upgraded.mem"), Number(/^child (\d+)$/m.exec(stdout)?.[1])),
  );
  assert.deepEqual([parents.process.exe, childs.process.exe], [program, program]);
  assert.deepEqual([parents.totals.liveCount, childs.totals.liveCount], [1, 2]);
});

test("the store of a dead owner is replaced, whether it exited or was killed", { skip }, async (t) => {
  const store = join(folder, "dead.mem");
  const program = build("leaks.c");
  const first = await runWell(program, [], { store });
  const second = await runWell(program, [], { store });
  assert.notEqual(first.pid, second.pid);
  assert.equal((await readReport(store)).process.pid, second.pid);

  const killed = new Running(build("counting.c"), ["steps", "0", "1"], { store });
  t.after(() => killed.stop());
  await killed.line();
  await killed.killGroup();
  assert.equal((await readReport(store)).process.pid, killed.pid);
  const third = await runWell(program, [], { store });
  assert.equal((await readReport(store)).process.pid, third.pid);
  assert.ok(!existsSync(neighbour(store, third.pid)));
});

test("a file that is no store is not overwritten", { skip }, async () => {
  const store = join(folder, "precious.txt");
  writeFileSync(store, "not a store\n");
  const finished = await runProgram(build("leaks.c"), [], { store });
  assert.equal(finished.status, 0);
  assert.equal(readFileSync(store, "utf8"), "not a store\n");
});

test("sh -c 'PROGRAM; true': the shell and the program have a store each", { skip: skipWithoutShell }, async () => {
  const store = join(folder, "shell.mem");
  const program = build("images.c");
  const { stdout, pid } = await runWell(shell!, ["-c", '"$0" 0; true', program], { store });
  const inner = Number(/^pid (\d+)$/m.exec(stdout)?.[1]);
  assert.notEqual(inner, pid);
  const shells = await readReport(store);
  assert.equal(shells.process.pid, pid);
  assert.equal(shells.process.exe.endsWith("sh"), true, shells.process.exe);
  const programs = await readReport(neighbour(store, inner));
  assert.equal(programs.process.pid, inner);
  assert.equal(programs.process.exe, program);
  assert.equal(programs.totals.liveCount, 3);
});

test("env X=1 PROGRAM: the store at the end is the program's", { skip: which("env") ? skip : "no env" }, async () => {
  const store = join(folder, "env.mem");
  const program = build("images.c");
  const { pid } = await runWell(which("env")!, ["X=1", program, "0"], { store });
  const report = await readReport(store);
  assert.equal(report.process.pid, pid);
  assert.equal(report.process.exe, program);
  assert.deepEqual(report.process.command, [program, "0"]);
  assert.equal(report.totals.liveCount, 3);
  assert.ok(!existsSync(neighbour(store, pid)));
});

test("a chain of execs through two shells ends with the program's store", { skip: skipWithoutShell }, async () => {
  const store = join(folder, "chain-%e.mem");
  const program = build("images.c");
  const { pid } = await runWell(shell!, ["-c", 'exec "$0" -c \'exec "$0" 1\' "$1"', shell!, program], { store });
  const report = await readReport(join(folder, "chain-images.mem"));
  assert.equal(report.process.pid, pid);
  assert.equal(report.totals.liveCount, 3);
});

test("MEMHOOK_SHM_NAME: a store in shared memory, ShmMemHook when it is not set", { skip }, async () => {
  const name = `memhook-test-${process.pid}`;
  const path = `/dev/shm/${name}`;
  try {
    const finished = await runProgram(build("leaks.c"), [], { env: { LD_PRELOAD: library, MEMHOOK_SHM_NAME: name } });
    assert.deepEqual({ status: finished.status, stderr: finished.stderr }, { status: 0, stderr: "" });
    assert.equal((await readReport(path)).totals.liveCount, 18);
  } finally {
    for (const file of readdirSync("/dev/shm")) {
      if (file.startsWith(basename(path))) rmSync(join("/dev/shm", file));
    }
  }
});
