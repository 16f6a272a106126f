// Programs under the library with memdb: what memdb stores is what the library would have stored itself, and the
// program does not notice. sender-outages.test.ts has what becomes of it when memdb or the connection fails.

import assert from "node:assert/strict";
import { readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { assertTable, expectations, readReport } from "../support/expectations.js";
import { build, neighbour, noCompiler, Running, runProgram } from "../support/programs.js";
import { temporaryFolder } from "../support/run.js";
import { Command } from "./command.js";
import { agree, environment, holds, Steady, stored } from "./steady.js";

const folder = temporaryFolder();
const options = { skip: noCompiler };
let stores = 0;
const next = () => join(folder, `${++stores}.mem`);

test("a process does not take the path of a parent that has ended, the next run does", options, async (t) => {
  const path = next();
  const memdb = new Command("-p0", path);
  const { port } = await memdb.listening();
  for (const steps of ["ifai", "ifei", "ai"]) {
    const program = new Running(build("family.c"), [steps, "/"], { env: environment("127.0.0.1", port) });
    t.after(() => program.stop());
    // Each waits until memdb has its store: the first one at the path, the other beside it.
    let first = 0;
    for (let line = await program.line(); line !== undefined; line = await program.line()) {
      const pid = Number(/^waits (\d+)$/.exec(line)?.[1]);
      if (!pid) continue;
      first ||= pid;
      await holds(pid === first ? path : neighbour(path, pid), pid);
      await holds(path, first);
      program.tell("\n");
    }
    assert.equal((await program.finished).status, 0);
    await holds(path, first);
  }
  memdb.signal("SIGTERM");
  assert.equal(await memdb.exit, 0);
});

for (const source of ["leaks.c", "functions.c", "realloc.c", "mmap.c", "threads.c", "lifecycle.c", "operators.cc"]) {
  test(`${source}: memdb's store holds what the library's own does`, options, async () => {
    const program = build(source);
    const [own, collected] = [next(), next()];
    const memdb = new Command("-p0", collected);
    const { port } = await memdb.listening();
    const local = await runProgram(program, [], { store: own });
    // A flush interval of hours: everything is sent at the start and at the end.
    const remote = await runProgram(program, [], {
      env: environment("127.0.0.1", port, { MEMHOOK_CACHE_FLUSH_INTERVAL: "5h" }),
    });
    assert.deepEqual([remote.status, remote.stderr], [local.status, local.stderr]);
    const [a, b] = [await readReport(own), await readReport(collected)];
    assertTable(b, expectations(source), remote.stdout, program);
    const lines = ({ allocations }: typeof a) =>
      allocations
        .map(
          ({ size, kind, stack }) =>
            `${size} ${kind} ${stack.map((frame) => `${frame.module}+${frame.offset}`).join(" ")}`,
        )
        .sort();
    assert.deepEqual(lines(b), lines(a));
    assert.deepEqual([b.totals.liveCount, b.totals.liveBytes], [a.totals.liveCount, a.totals.liveBytes]);
    assert.deepEqual(
      [b.totals.allocatedCount, b.totals.allocatedBytes],
      [a.totals.allocatedCount, a.totals.allocatedBytes],
    );
    assert.equal(b.process.state, "exited");
    assert.deepEqual(b.process.command, a.process.command);
    memdb.signal("SIGTERM");
    assert.equal(await memdb.exit, 0);
  });
}

test("a child of fork has its own store, with what was live at the fork", options, async () => {
  const path = next();
  const memdb = new Command("-p0", path);
  const program = new Steady(environment("127.0.0.1", (await memdb.listening()).port));
  const answer = await program.tell("allocate 10");
  await agree(path, answer);
  const child = Number(await program.tell("fork"));
  // Blocks 11, 12 and 13 are of 5010, 5011 and 5012 bytes.
  const [, count, bytes] = answer.split(" ").map(Number);
  await agree(neighbour(path, child), `live ${count! + 3} ${bytes! + 3 * 5011}`);
  assert.equal((await readReport(neighbour(path, child))).process.state, "exited");
  await agree(path, await program.tell("release 2"));
  await program.end();
  memdb.signal("SIGTERM");
  await memdb.exit;
});

test("a program that becomes others by exec: one store, the last one's", options, async () => {
  const path = next();
  const memdb = new Command("-p0", path);
  const program = build("images.c");
  const env = environment("127.0.0.1", (await memdb.listening()).port);
  const { status, stdout, stderr, pid } = await runProgram(program, ["3"], { env });
  assert.deepEqual([status, stderr], [0, ""]);
  // What the last image printed.
  const last = stdout.slice(stdout.lastIndexOf(`pid ${pid}\n`));
  const report = await readReport(path);
  assertTable(report, expectations("images.c"), last, program);
  assert.deepEqual(report.process.command, [program, "0"]);
  assert.equal(report.process.state, "exited");
  memdb.signal("SIGTERM");
  assert.equal(await memdb.exit, 0);
  assert.deepEqual(
    readdirSync(folder).filter((name) => name.startsWith(`${stores}.`)),
    [`${stores}.mem`],
  );
});

// ── Ways to connect ──────────────────────────────────────────────────────────────────────────────

test("names, IPv6, the token; without the token a program only runs", options, async () => {
  const token = join(folder, "token");
  const wrong = join(folder, "wrong");
  writeFileSync(token, "a token of good length\n");
  writeFileSync(wrong, "another token, as long\n");
  const path = next();
  const memdb = new Command("-p0", "-h", "::1", "--token-file", token, path);
  const { port } = await memdb.listening();
  const cases: [host: string, file: string, comesIn: boolean][] = [
    ["::1", token, true],
    ["0:0:0::1", token, true],
    ["::1", wrong, false],
    ["::1", "", false],
    ["::1", join(folder, "none"), false],
    ["no.such.name.invalid", token, false],
    ["not a name", token, false],
  ];
  for (const [i, [host, file, comesIn]] of cases.entries()) {
    const program = new Steady(environment(host, port, file ? { MEMHOOK_NET_TOKEN_FILE: file } : {}));
    // A number of its own, so that nobody's store is taken for another's.
    const answer = await program.tell(`allocate ${7 + i}`);
    if (comesIn) await agree(path, answer);
    await program.end();
    if (!comesIn) assert.match(await stored(path), /^live 8 /, host);
    assert.equal(program.running.stderr, "");
  }
  memdb.signal("SIGTERM");
  await memdb.exit;
  // The second of the good ones took the place of the first, which had ended.
  const own = readdirSync(folder).filter((name) => name.startsWith(`${stores}.`));
  assert.deepEqual(own, [`${stores}.mem`]);

  const plain = next();
  const other = new Command("-p0", plain);
  const { port: open } = await other.listening();
  const named = new Steady(environment("localhost", open));
  await agree(plain, await named.tell("allocate 7"));
  await named.end();
  // One that was given a token does not talk to a memdb that wants none.
  const careful = new Steady(environment("127.0.0.1", open, { MEMHOOK_NET_TOKEN_FILE: token }));
  await careful.tell("allocate 9");
  await careful.end();
  assert.match(await stored(plain), /^live 7 /);
  other.signal("SIGTERM");
  await other.exit;
});

test("few records a flush: all of them come in the end", options, async () => {
  const path = next();
  const memdb = new Command("-p0", path);
  const { port } = await memdb.listening();
  const program = new Steady(environment("127.0.0.1", port, { MEMHOOK_CACHE_FLUSH_MAX_ITEMS: "100" }));
  await agree(path, await program.tell("allocate 10"));
  await agree(path, await program.tell("allocate 5000"));
  await agree(path, await program.tell("churn 1000"));
  const last = await program.tell("release 2000");
  await program.end();
  await agree(path, last);
  memdb.signal("SIGTERM");
  await memdb.exit;
});

test("a setting that cannot be is one line, and the program runs", options, async () => {
  const { status, stderr } = await runProgram(build("leaks.c"), [], {
    env: environment("127.0.0.1", 1, { MEMHOOK_CACHE_FLUSH_INTERVAL: "soon", MEMHOOK_NET_PORT: "0" }),
  });
  assert.equal(status, 0);
  const [interval, port, rest] = stderr.split("\n").sort().slice(1);
  assert.match(interval!, /^memhook: MEMHOOK_CACHE_FLUSH_INTERVAL='soon' is not a time like 10s/);
  assert.match(port!, /^memhook: MEMHOOK_NET_PORT='0' is not a port/);
  assert.equal(rest, undefined);
});

// ── A thread that does not show ──────────────────────────────────────────────────────────────────

test("what only a process of one thread may do, and closing every descriptor", options, async () => {
  const path = next();
  const socket = join(folder, "alone.sock");
  const memdb = new Command("--unix", socket, path);
  await memdb.listening();
  const bare = new Running(build("steady.c"), [], {});
  bare.tell("unshare\nexit 0\n");
  const allowed = await bare.line();
  await bare.finished;
  const program = new Steady(environment(`unix:${socket}`));
  await agree(path, await program.tell("allocate 100"));
  await program.tell("close");
  await agree(path, await program.tell("allocate 3000"));
  assert.equal(await program.tell("unshare"), allowed);
  await agree(path, await program.tell("churn 1000"));
  await program.end();
  memdb.signal("SIGTERM");
  await memdb.exit;
});

test("a program that gives up root takes the sender along", {
  skip: noCompiler || (process.getuid?.() !== 0 && "needs root"),
}, async () => {
  const path = next();
  const memdb = new Command("-p0", path);
  const { port } = await memdb.listening();
  const program = new Steady(environment("127.0.0.1", port));
  await agree(path, await program.tell("allocate 100"));
  program.running.tell("drop\n");
  await agree(path, await program.tell("allocate 100"));
  const users = (await program.tell("users")).trim().split(" ");
  assert.deepEqual(users, ["65534", "65534"]);
  await program.end();
  memdb.signal("SIGTERM");
  await memdb.exit;
  rmSync(path);
});
