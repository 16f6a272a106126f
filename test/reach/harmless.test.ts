// Who is looked at does not notice: no call returns, no child ends, no pipe stays open, whatever becomes of the helper.
// Runs under Node alone: what it tests is memhook-look, in C.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import process from "node:process";
import test from "node:test";
import { freeze, type Look } from "../../runtime/reach/helper.js";
import { build } from "../support/programs.js";
import { run } from "../support/run.js";
import { cannotLook, type Started, start } from "./ready.js";

const METHODS = ["snapshot", "stop"] as const;
const skipOf = (method: string) =>
  cannotLook || (method === "snapshot" && process.arch !== "x64" && "snapshots are made on x86-64");

/** Reads all that can be written to. */
async function readAll(look: Look): Promise<number> {
  let bytes = 0;
  const ranges = look.mappings.filter(({ writable, shared, device }) => writable && !shared && !device);
  await look.read(ranges, (_, part) => {
    bytes += part.length;
  });
  return bytes;
}

/** Asks until what a helper leaves in order is in order. */
async function untilFine(program: Started, line: string): Promise<string> {
  let answer = "";
  for (let tries = 0; tries < 100 && answer !== "fine"; tries++) {
    answer = await program.ask(line);
    if (answer !== "fine") await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return answer;
}

for (const method of METHODS) {
  test(`a look by ${method} leaves every call, child and descriptor as it was`, { skip: skipOf(method) }, async (t) => {
    const program = await start(t, [build("reach/waiting.c")]);
    for (let times = 0; times < 3; times++) {
      const look = await freeze(program.pid, { method, longestMs: 0 });
      assert.equal(look.method, method);
      assert.equal(look.tasks.length, 14);
      assert.ok((await readAll(look)) > 50_000);
      // A picture leaves the program free meanwhile.
      if (method === "snapshot") assert.equal(await program.ask("while it is looked at"), "fine");
      await look.release();
      assert.ok(look.pauseNs > 0);
      assert.equal(await program.ask("how are you"), "fine");
      assert.equal(await program.ask("clones"), "fine");
    }
    const look = await freeze(program.pid, { method, longestMs: 0 });
    if (method === "stop") await look.release();
    assert.equal(await program.ask("eof"), "fine");
    if (method === "snapshot") await look.release();
    assert.equal(await program.end(), 0);
  });

  test(`nor when the helper is killed in the middle of a look by ${method}`, { skip: skipOf(method) }, async (t) => {
    const program = await start(t, [build("reach/waiting.c")]);
    for (const when of [0, 1, 2, 3, 5, 8, 12, 20, 30, 50]) {
      const looking = freeze(program.pid, { method, longestMs: 0 }).then(
        (look) => look,
        // It was killed before it had frozen anything, or there is another one still.
        () => undefined,
      );
      await new Promise((resolve) => setTimeout(resolve, when));
      for (const pid of helpersOf(process.pid)) process.kill(pid, "SIGKILL");
      (await looking)?.abandon();
      assert.equal(await program.ask("how are you"), "fine");
    }
    assert.equal(await untilFine(program, "clones"), "fine");
    assert.equal(await program.end(), 0);
  });
}

/** The helpers that a process has started. */
function helpersOf(parent: number): number[] {
  try {
    return execFileSync("pgrep", ["-P", String(parent), "-x", "memhook-look"], { encoding: "utf8" })
      .trim()
      .split("\n")
      .map(Number);
  } catch {
    return [];
  }
}

test("a sandboxed program makes no call of ours: it is stopped", { skip: cannotLook }, async (t) => {
  const program = await start(t, [build("reach/waiting.c"), "sandboxed"]);
  const look = await freeze(program.pid, { method: "auto", longestMs: 0 });
  assert.equal(look.method, "stop");
  await look.release();
  assert.equal(await program.ask("how are you"), "fine");
});

test("one tracer is enough: another look says who has it", { skip: cannotLook }, async (t) => {
  const program = await start(t, [build("reach/waiting.c")]);
  const look = await freeze(program.pid, { method: "stop", longestMs: 0 });
  const { code, stdout, stderr } = run("memview", ["lost", "--pid", String(program.pid)]);
  assert.deepEqual([code, stdout], [2, ""]);
  assert.match(
    stderr,
    /process \d+: is traced by process \d+ already, and a process has one tracer; end that one first$/m,
  );
  await look.release();
  assert.equal(await program.ask("how are you"), "fine");
});

test("what cannot be looked at is one line", { skip: cannotLook }, async (t) => {
  const program = await start(t, [build("reach/waiting.c")]);
  for (const [args, said] of [
    [["--pid", "4194304"], /process 4194304: has ended, or there is no such process/],
    [["--pid", "0"], /--pid: '0'/],
    [["--pid", String(program.pid), "--freeze", "stop", "--max-pause", "1ms"], /(longer than|does not stop)/],
    [["--freeze", "glacier"], /--freeze: 'glacier'/],
    [["--show", "lots"], /--show: 'lots'/],
    [["--pid", "1", "app.mem"], /--pid is for a process without a store/],
  ] as const) {
    const { code, stdout, stderr } = run("memview", ["lost", ...args]);
    assert.deepEqual([code, stdout], [2, ""], args.join(" "));
    assert.match(stderr, said);
    assert.equal(stderr.trim().split("\n").length, 1);
  }
  assert.equal(await program.ask("how are you"), "fine");
});
