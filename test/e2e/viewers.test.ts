// The store of a real program, seen by every viewer: memview under each runtime prints the same bytes, the core agrees
// with the simple decoder of test/support, and `memhook run` and `./build.sh run` print the leaks.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { decode } from "../support/decode.js";
import { readReport } from "../support/expectations.js";
import { build, environment, noCompiler, runWell, which } from "../support/programs.js";
import { onceIsEnough, RUNTIMES, root, run, temporaryFolder } from "../support/run.js";

const folder = temporaryFolder();
const skip = noCompiler;

const QUESTIONS: string[][] = [
  [],
  ["-c0"],
  ["-s", "--top", "5"],
  ["-p", "--kind", "mmap"],
  ["-a"],
  ["-a", "-c", "-s"],
  ["-a", "--min-size", "1000"],
  ["--format", "json"],
  ["--format", "json", "-a"],
  ["--get-storage-info"],
];

for (const source of ["threads.c", "mmap.c", "operators.cc"]) {
  test(`${source}: memview prints the same bytes under Node, Bun and Deno`, {
    skip: skip || onceIsEnough,
  }, async () => {
    const store = join(folder, `${source}.mem`);
    await runWell(build(source), [], { store });
    for (const question of [...QUESTIONS.map((options) => [...options, "-f", store]), ["info", "-f", store]]) {
      const answers = Object.entries(RUNTIMES).map(([name, runtime]) => {
        const { code, stdout, stderr } = run("memview", question, { runtime });
        assert.equal(code, 0, `${name} ${question.join(" ")}: ${stderr}`);
        assert.notEqual(stdout, "", question.join(" "));
        return { stdout, stderr };
      });
      for (const answer of answers) assert.deepEqual(answer, answers[0], question.join(" "));
    }
  });
}

test("the core and the simple decoder read the same from a store with every kind of memory", { skip }, async () => {
  const store = join(folder, "decoded.mem");
  await runWell(build("churn.c"), ["4", "50000", "11"], { store });
  const simple = decode(store);
  const { allocations, totals, process } = await readReport(store);
  assert.equal(process.pid, simple.pid);
  assert.equal(totals.allocatedCount, Number(simple.allocations));
  assert.equal(totals.allocatedBytes, Number(simple.allocatedBytes));
  assert.equal(totals.liveCount, Number(simple.allocations - simple.frees));
  assert.equal(totals.liveBytes, Number(simple.allocatedBytes - simple.freedBytes));
  const line = (address: bigint, size: unknown, kind: string, thread: number, frames: string[]) =>
    `0x${address.toString(16)} ${size} ${kind} ${thread} ${frames.join(" ")}`;
  assert.deepEqual(
    allocations.map(({ address, size, kind, thread, stack }) => {
      const physical = stack.filter((frame) => !frame.inlined);
      return line(
        BigInt(address),
        size,
        kind,
        thread,
        physical.map((frame) => `${frame.module}+${frame.offset}`),
      );
    }),
    simple.records
      .sort((a, b) => (a.address < b.address ? -1 : 1))
      .map(({ address, size, kind, thread, stack }) =>
        line(
          address,
          size,
          ["heap", "mmap", "custom"][kind]!,
          thread,
          stack.map((frame) => `${frame.module}+0x${frame.offset.toString(16)}`),
        ),
      ),
  );
});

/** The program's own output, and a summary that names its leaks. */
function assertSummary(stdout: string, stderr: string): void {
  assert.equal(stdout.match(/^live /gm)?.length, 18);
  for (const name of ["leak_large", "leak_hundreds", "leak_in_a_loop"])
    assert.ok(stderr.includes(name), `${name} is not in\n${stderr}`);
  assert.ok(stderr.includes("300000"), stderr);
}

test("memhook run: the program's own output, and its leaks on standard error", { skip }, () => {
  const { code, stdout, stderr } = run("memhook", ["run", "--", build("leaks.c")]);
  assert.equal(code, 0, stderr);
  assertSummary(stdout, stderr);
});

test("memhook run: the program's exit code, its input and its signals", { skip: which("sh") ? skip : "no sh" }, () => {
  assert.equal(run("memhook", ["run", "--", build("fill.c"), "10"]).code, 7);
  assert.equal(run("memhook", ["run", "--", "cat"], { input: "through and through" }).stdout, "through and through");
  const killed = run("memhook", ["run", "--", "sh", "-c", "kill -TERM $$"]);
  assert.equal(killed.code ?? killed.signal, killed.code === null ? "SIGTERM" : 128 + 15);
});

test("memhook run --exit-code makes leaks an exit code", { skip }, () => {
  assert.equal(run("memhook", ["run", "--exit-code", "33", "--", build("leaks.c")]).code, 33);
});

test("memhook run: a program that is not there is one line and exit code 2", () => {
  const { code, stderr } = run("memhook", ["run", "--", join(folder, "not-there")]);
  assert.equal(code, 2);
  assert.match(stderr, /^[^\n]*not-there[^\n]*\n$/);
});

test("memhook lib prints the path of the library", () => {
  const { code, stdout } = run("memhook", ["lib"]);
  assert.equal(code, 0);
  assert.ok(existsSync(stdout.trim()) && stdout.trim().endsWith("/libmemhook.so"), stdout);
});

test("./build.sh run PROGRAM prints its leaks", { skip: which("bash") ? skip : "no bash" }, () => {
  const program = build("leaks.c");
  const { status, stdout, stderr } = spawnSync(join(root, "build.sh"), ["run", program], {
    encoding: "utf8",
    env: environment({}),
  });
  assert.equal(status, 0, stderr);
  assertSummary(stdout, stderr);
});
