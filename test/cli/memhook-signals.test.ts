// memhook run and signals: what is sent to it, or to its process group, reaches
// the program once; what comes later the report survives.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { constants } from "node:os";
import process from "node:process";
import { type TestContext, test } from "node:test";
import { build, noCompiler, Running } from "../support/programs.js";
import { commandLine, temporaryFolder } from "../support/run.js";

const folder = temporaryFolder();
const skip = noCompiler;
const [program, ...before] = commandLine("memhook");

/** Signals that memhook cannot hear, or that are about its own faults and children. */
const OWN = ["SIGKILL", "SIGSTOP", "SIGCHLD", "SIGSEGV", "SIGBUS", "SIGFPE", "SIGILL", "SIGTRAP", "SIGSYS"];
/** Other names of signals, and in some runtimes what cannot be passed on there. */
const BESIDES = ["SIGIOT", "SIGPOLL", "SIGUNUSED"];
const DEAF =
  "bun" in process.versions ? ["SIGSTKFLT", "SIGPWR"] : "deno" in process.versions ? ["SIGTTIN", "SIGTTOU"] : [];

/** memhook with a program, in a session of their own. */
function start(t: TestContext, words: readonly string[]): Running {
  const running = new Running(program!, [...before, "run", ...words], { env: { TMPDIR: folder, NO_COLOR: "1" } });
  t.after(() => running.stop());
  return running;
}

/** Sends a signal to a process, or with a negative number to a group, and waits until the program has heard it. */
async function tell(running: Running, pid: number, name: NodeJS.Signals): Promise<void> {
  process.kill(pid, constants.signals[name]);
  assert.equal(await running.line(), `heard ${constants.signals[name]}`, name);
}

/** Ends heard.c: what it has counted must be these signals. */
async function assertHeard(running: Running, names: readonly NodeJS.Signals[]): Promise<void> {
  running.child.stdin!.end();
  const { status, stdout, stderr } = await running.finished;
  const times = new Map<number, number>();
  for (const name of names) times.set(constants.signals[name], (times.get(constants.signals[name]) ?? 0) + 1);
  assert.deepEqual(
    stdout.split("\n").filter((line) => line.includes(" x ")),
    [...times].sort(([a], [b]) => a - b).map(([number, count]) => `${number} x ${count}`),
  );
  assert.equal(status, 0);
  assert.match(stderr, /^memhook: [^\n]*heard \(pid \d+\) exited with code 0, no live allocations\n$/);
}

test("every signal sent to memhook run reaches the program, once", { skip }, async (t) => {
  const running = start(t, [build("heard.c")]);
  assert.match((await running.line())!, /^ready \d+$/);
  const names = (Object.keys(constants.signals) as NodeJS.Signals[]).filter(
    (name) => ![...OWN, ...BESIDES, ...DEAF].includes(name),
  );
  assert.ok(names.length > 15);
  for (const name of names) await tell(running, running.pid, name);
  // The same again is not taken for the same.
  await tell(running, running.pid, "SIGUSR1");
  await assertHeard(running, [...names, "SIGUSR1"]);
});

test("a signal to the whole process group reaches the program, once", { skip }, async (t) => {
  const running = start(t, [build("heard.c")]);
  assert.match((await running.line())!, /^ready \d+$/);
  const told: NodeJS.Signals[] = [];
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGINT"] as const) {
    await tell(running, -running.pid, name);
    // When this has come, memhook is through with the one before.
    await tell(running, running.pid, "SIGUSR2");
    told.push(name, "SIGUSR2");
  }
  await assertHeard(running, told);
});

test("memhook run stops with the program, and both go on together", { skip }, () => {
  // In a job of a shell; elsewhere the kernel does not stop by SIGTSTP. What
  // stands in /proc is looked at until it is so.
  const script = `set -m
    state() { sed -n 's/^State:\\s*\\(.\\).*/\\1/p' /proc/$1/status; }
    until_both() { until [ "$(state $pid)$(state $app)" = $1 ]; do sleep 0.01; done; echo "$2 $1"; }
    mkfifo pipe; "$@" >pipe & pid=$!; exec 3<pipe; read -r _ app <&3
    until_both SS started
    kill -TSTP $pid; until_both TT stopped
    kill -CONT $pid; until_both SS continued
    kill -TSTP -$pid; until_both TT "group stopped"
    kill -CONT -$pid; until_both SS "group continued"
    kill -TERM $pid; wait $pid; echo "code $?"`;
  const args = ["-c", script, "bash", program!, ...before, "run", build("obedient.c"), "pid", "wait"];
  const { stdout } = spawnSync("bash", args, { cwd: folder, encoding: "utf8", timeout: 30_000 });
  assert.equal(stdout, "started SS\nstopped TT\ncontinued SS\ngroup stopped TT\ngroup continued SS\ncode 143\n");
});

function hasChildren(pid: number): boolean {
  return readdirSync("/proc").some((name) => {
    try {
      return new RegExp(`^PPid:\\s*${pid}$`, "m").test(readFileSync(`/proc/${name}/status`, "utf8"));
    } catch {
      return false;
    }
  });
}

/**
 * A program that has ended, while a child of it makes memhook wait for its store; memhook has been sent SIGINT once.
 */
async function interruptedReport(t: TestContext): Promise<Running> {
  const running = start(t, [build("obedient.c"), "leak", "5", "child", "3", "pid", "wait"]);
  const child = Number(/^pid (\d+)$/.exec((await running.line())!)![1]);
  // It has memhook's standard error.
  running.child.once("exit", () => process.kill(child, "SIGKILL"));
  // It has learned of the end when it has no child any more.
  while (hasChildren(running.pid)) await new Promise(setImmediate);
  process.kill(running.pid, "SIGINT");
  while (!running.stderr.includes("SIGINT")) await new Promise(setImmediate);
  return running;
}

test("a signal does not keep memhook run from reporting", { skip }, async (t) => {
  const running = await interruptedReport(t);
  process.kill(running.pid, "SIGUSR1");
  process.kill(running.pid, "SIGWINCH");
  const { status, stderr } = await running.finished;
  assert.equal(status, 3);
  assert.match(stderr, /^memhook: SIGINT: the program has ended and its report follows; again leaves that out\n/);
  assert.match(stderr, /^memhook: \S*obedient \(pid \d+\) exited with code 3, 5 bytes live in 1 allocation\n/m);
  assert.match(stderr, /^memhook: \S*obedient \(pid \d+\) is still running and has no store: /m);
});

test("a second one does, and nothing stays behind", { skip }, async (t) => {
  const running = await interruptedReport(t);
  process.kill(running.pid, "SIGTERM");
  const { status, stderr } = await running.finished;
  assert.equal(status, 128 + 15);
  assert.doesNotMatch(stderr, /exited with/);
  assert.deepEqual(
    readdirSync(folder).filter((name) => name.startsWith("memhook-")),
    [],
  );
});
