// Programs under the library with memdb: what memdb stores is what the library would have stored itself, whatever
// becomes of memdb and of the connection meanwhile, and the program does not notice.

import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import process from "node:process";
import { after, test } from "node:test";
import { askStatus } from "../../runtime/memdb/wirestatus.js";
import { openStore } from "../../runtime/stores/store.js";
import {
  assertTable,
  build,
  expectations,
  library,
  neighbour,
  noCompiler,
  Running,
  readReport,
  runProgram,
} from "../support/programs.js";
import { temporaryFolder } from "../support/run.js";
import { Command } from "./command.js";
import { until } from "./running.js";

const folder = temporaryFolder();
const options = { skip: noCompiler };
let stores = 0;
const next = () => join(folder, `${++stores}.mem`);

/** How often memdb is killed; 20 is what the issue asks for. */
const KILLS = Number(process.env.MEMHOOK_KILLS ?? 4);

function environment(host: string, port = 0, more: Record<string, string> = {}): Record<string, string> {
  const env: Record<string, string> = {
    LD_PRELOAD: library,
    MEMHOOK_NET_HOST: host,
    MEMHOOK_CACHE_FLUSH_INTERVAL: "50ms",
  };
  if (port) env.MEMHOOK_NET_PORT = String(port);
  return { ...env, ...more };
}

const programs: Steady[] = [];
after(() => {
  for (const program of programs) program.running.stop();
});

/** steady.c, told what to do. */
class Steady {
  readonly running: Running;

  constructor(env: Record<string, string>) {
    this.running = new Running(build("steady.c"), [], { env });
    programs.push(this);
  }

  async tell(command: string): Promise<string> {
    this.running.tell(`${command}\n`);
    const line = await this.running.line();
    assert.ok(line !== undefined, `ended at '${command}': ${this.running.stderr}`);
    return line;
  }

  async end(): Promise<void> {
    this.running.tell("exit 3\n");
    assert.equal((await this.running.finished).status, 3);
  }
}

/** "live COUNT BYTES" by the store, of the blocks that steady.c counts; why not, while there is no such store. */
async function stored(path: string): Promise<string> {
  try {
    const store = await openStore(path);
    try {
      const { matched } = await store.query({
        aggregate: true,
        sort: "size",
        minSize: 5000,
        maxSize: 5999,
        kind: "heap",
      });
      return `live ${matched.count} ${matched.bytes}`;
    } finally {
      store.close();
    }
  } catch (error) {
    return String(error);
  }
}

/** Waits until the store says what the program says: a flush and a write away. */
async function agree(path: string, expected: string): Promise<void> {
  const deadline = Date.now() + 30_000;
  for (;;) {
    const found = await stored(path);
    if (found === expected) return;
    assert.ok(Date.now() < deadline, `${path}: ${found} instead of ${expected}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Waits until the store at the path is this process's. */
async function holds(path: string, pid: number): Promise<void> {
  const deadline = Date.now() + 10_000;
  for (;;) {
    const found = existsSync(path) ? (await readReport(path)).process.pid : undefined;
    if (found === pid) return;
    assert.ok(Date.now() < deadline, `${path}: of process ${found} instead of ${pid}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** The stores of these processes, once memdb has all of them. */
async function settled(socket: string, pids: number[]): Promise<string[]> {
  const deadline = Date.now() + 30_000;
  for (;;) {
    const { sessions } = await askStatus({ path: socket });
    const stores = pids.map((pid) => sessions.find((session) => session.pid === pid && session.complete)?.store);
    if (!stores.includes(undefined)) return stores as string[];
    assert.ok(Date.now() < deadline, `not all of ${pids} have connected again`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Milliseconds of processor time that a process's sender thread has used. */
function senderTime(pid: number): number {
  const tasks = readdirSync(`/proc/${pid}/task`).map((task) => `/proc/${pid}/task/${task}`);
  const sender = tasks.find((task) => readFileSync(`${task}/comm`, "latin1") === "memhook\n");
  return Number(readFileSync(`${sender}/schedstat`, "latin1").split(" ")[0]) / 1e6;
}

// ── The same as without memdb ────────────────────────────────────────────────────────────────────

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

// ── memdb comes and goes ─────────────────────────────────────────────────────────────────────────

test("memdb may come later, go and come again: nothing is missing, and the log says it", options, async () => {
  const path = next();
  const socket = join(folder, "later.sock");
  const log = join(folder, "later.log");
  const program = new Steady(environment(`unix:${socket}`, 0, { MEMHOOK_LOG: log }));
  await program.tell("allocate 1000");
  const absent = `memhook: no connection to memdb at unix:${socket} (there is no such socket), trying again`;
  await until(() => existsSync(log) && readFileSync(log, "utf8").includes(`${absent}\n`));
  for (let life = 0; life < 2; life++) {
    const memdb = new Command("--unix", socket, path);
    await memdb.listening();
    await agree(path, await program.tell("churn 100"));
    await agree(path, await program.tell("release 50"));
    memdb.signal(life === 0 ? "SIGKILL" : "SIGTERM");
    await memdb.exit;
    await program.tell("churn 100");
  }
  await program.end();
  // Once, however often it tried.
  const lines = readFileSync(log, "utf8").split("\n");
  const connected = `memhook: connected to memdb at unix:${socket}`;
  assert.deepEqual(lines.slice(1, 4), [absent, connected, `memhook: connection lost to memdb at unix:${socket}`]);
});

test(
  `kill -9 of memdb, ${KILLS} times, under 4 programs: every store agrees with its program again`,
  options,
  async () => {
    const path = next();
    const socket = join(folder, "killed.sock");
    let memdb = new Command("--unix", socket, path);
    await memdb.listening();
    const four = Array.from({ length: 4 }, () => new Steady(environment(`unix:${socket}`)));
    await Promise.all(four.map((program) => program.tell("allocate 2000")));
    for (let kill = 0; kill < KILLS; kill++) {
      const work = four.map((program) => program.tell("churn 20000"));
      // In the middle of that, at no particular moment.
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 200));
      memdb.signal("SIGKILL");
      await memdb.exit;
      await Promise.all(work);
      memdb = new Command("--unix", socket, path);
      await memdb.listening();
    }
    const answers = await Promise.all(four.map((program) => program.tell("churn 10")));
    const pids = four.map(({ running }) => running.pid);
    const paths = await settled(socket, pids);
    assert.equal(new Set(paths).size, 4);
    for (const [i, answer] of answers.entries()) await agree(paths[i]!, answer);
    for (const program of four) await program.end();
    memdb.signal("SIGTERM");
    assert.equal(await memdb.exit, 0);
  },
);

test("a stopped memdb stops nobody, and catches up", options, async () => {
  const path = next();
  const memdb = new Command("-p0", path);
  const { port } = await memdb.listening();
  const program = new Steady(environment("127.0.0.1", port));
  await agree(path, await program.tell("allocate 1000"));
  memdb.signal("SIGSTOP");
  const before = performance.now();
  const used = senderTime(program.running.pid);
  for (let i = 0; i < 20; i++) await program.tell("churn 5000");
  const answer = await program.tell("allocate 50000");
  await new Promise((resolve) => setTimeout(resolve, 500));
  const passed = performance.now() - before;
  const waiting = senderTime(program.running.pid) - used;
  assert.ok(waiting < passed / 10, `the sender worked for ${waiting} of ${passed} ms while it could only wait`);
  memdb.signal("SIGCONT");
  await agree(path, answer);
  await program.end();
  memdb.signal("SIGTERM");
  await memdb.exit;
});

test("a program ends although memdb is stopped, or is not there", { ...options, timeout: 60_000 }, async () => {
  const path = next();
  const memdb = new Command("-p0", path);
  const { port } = await memdb.listening();
  const program = new Steady(environment("127.0.0.1", port));
  await agree(path, await program.tell("allocate 10"));
  memdb.signal("SIGSTOP");
  await program.end();
  memdb.signal("SIGKILL");
  await memdb.exit;
  const alone = new Steady(environment("127.0.0.1", port));
  await alone.tell("allocate 10");
  await alone.end();
});

/** A relay to memdb whose connections can be cut, slowed down and stalled. */
class Relay {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  /** Milliseconds for a chunk. */
  delay = 0;

  constructor(port: number) {
    this.#server = createServer((near) => {
      const far = connect({ host: "127.0.0.1", port });
      this.#join(near, far);
      this.#join(far, near);
    });
  }

  #join(from: Socket, to: Socket): void {
    this.#sockets.add(from);
    from.on("error", () => {});
    from.on("close", () => {
      this.#sockets.delete(from);
      to.destroy();
    });
    from.on("data", (chunk: Uint8Array) => {
      to.write(chunk);
      if (this.delay === 0) return;
      from.pause();
      setTimeout(() => from.resume(), this.delay);
    });
  }

  listen(): Promise<number> {
    return new Promise((resolve) =>
      this.#server.listen(0, "127.0.0.1", () => resolve((this.#server.address() as { port: number }).port)),
    );
  }

  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  close(): void {
    this.cut();
    this.#server.close();
  }
}

test("a connection that is slow, stalls and is cut", options, async () => {
  const path = next();
  const memdb = new Command("-p0", path);
  const relay = new Relay((await memdb.listening()).port);
  const program = new Steady(environment("127.0.0.1", await relay.listen()));
  await program.tell("allocate 5000");
  for (const delay of [0, 5, 1000, 0]) {
    relay.delay = delay;
    await program.tell("churn 5000");
    await new Promise((resolve) => setTimeout(resolve, 100));
    relay.cut();
  }
  await agree(path, await program.tell("release 2500"));
  await program.end();
  relay.close();
  memdb.signal("SIGTERM");
  await memdb.exit;
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
