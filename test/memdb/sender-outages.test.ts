// memdb comes late, goes, is killed or stopped, and connections stall: a program under the library does not notice, and
// nothing is missing in the end.

import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { connect, createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { noCompiler } from "../support/programs.js";
import { temporaryFolder } from "../support/run.js";
import { Command } from "./command.js";
import { until } from "./running.js";
import { agree, environment, Steady, senderTime, settled } from "./steady.js";

const folder = temporaryFolder();
const options = { skip: noCompiler };
let stores = 0;
const next = () => join(folder, `${++stores}.mem`);

/** How often memdb is killed; 20 is what the issue asks for. */
const KILLS = Number(process.env.MEMHOOK_KILLS ?? 4);

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
