// Another user who listens where a program expects its memdb learns nothing of
// the program: neither over TCP nor on a Unix socket.
// Runs under Node alone: what it tests is the library, in C.

import assert from "node:assert/strict";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { test } from "node:test";
import * as L from "../../asm/layout.js";
import { acceptFrame, challengeFrame } from "../../runtime/memdb/wire.js";
import { after } from "../support/after.js";
import { build, library, noCompiler, runProgram } from "../support/programs.js";
import { temporaryFolder } from "../support/run.js";
import { NOBODY, oneUser } from "./stranger.js";

const folder = temporaryFolder();
const noRuntime = () =>
  spawnSync(process.execPath, ["-e", "0"], { uid: NOBODY, gid: NOBODY }).status !== 0 &&
  "another user cannot run this runtime";
const skip = noCompiler || oneUser || noRuntime();
const HELLO_BYTES = L.WIRE_FRAME_BYTES + L.WIRE_HELLO_BYTES;

const running = new Set<ChildProcess>();
after(() => {
  for (const child of running) child.kill("SIGKILL");
});

/** Agrees to everything, and says on standard output where it listens, then how many bytes each connection brought. */
const LISTENER = `
  process.umask(0);
  const answer = Buffer.from(process.argv[2], "hex");
  const server = require("node:net").createServer((socket) => {
    let bytes = 0;
    socket.on("data", (chunk) => {
      if (bytes === 0) socket.write(answer);
      else socket.destroy();
      bytes += chunk.length;
    });
    socket.on("error", () => {});
    socket.on("close", () => console.log(bytes));
  });
  const { address, path } = JSON.parse(process.argv[1]);
  server.listen(path ? { path } : { host: address, port: 0 }, () => console.log(path ? 0 : server.address().port));`;

class Listener {
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;

  constructor(where: { address?: string; path?: string }, uid: number) {
    const zeros = new Uint8Array(L.WIRE_NONCE_BYTES);
    const answer = Buffer.concat([challengeFrame(L.WIRE_SCHEME_NONE, zeros), acceptFrame(zeros)]).toString("hex");
    const stdio = ["ignore", "pipe", "inherit"] as const;
    const words = ["-e", LISTENER, JSON.stringify(where), answer];
    this.#child = spawn(process.execPath, words, { uid, gid: uid, stdio: [...stdio] });
    running.add(this.#child);
    this.#lines = createInterface({ input: this.#child.stdout! })[Symbol.asyncIterator]();
  }

  async number(): Promise<number> {
    return Number((await this.#lines.next()).value);
  }

  end(): void {
    this.#child.kill("SIGKILL");
    running.delete(this.#child);
  }
}

let logs = 0;

/** How many bytes a listener of user `uid` gets from a program of user `as`, and what the program's log says. */
async function told(where: { address?: string; path?: string }, host: string, uid: number, as: number) {
  const listener = new Listener(where, uid);
  const port = await listener.number();
  const log = join(open, `${++logs}.log`);
  const env = {
    LD_PRELOAD: library,
    MEMHOOK_NET_HOST: host,
    MEMHOOK_NET_PORT: String(port || 1),
    MEMHOOK_LOG: log,
  };
  const { status } = await runProgram(build("leaks.c"), [], { env, uid: as });
  assert.equal(status, 0);
  const bytes = await listener.number();
  listener.end();
  return { bytes, log: readFileSync(log, "utf8") };
}

const open = join(folder, "open");
if (!skip) {
  chmodSync(folder, 0o711);
  mkdirSync(open);
  chmodSync(open, 0o777);
}

const REFUSED = /another user's, and no token is set/;
const ways: [at: string, host: string][] = [
  ["127.0.0.1", "127.0.0.1"],
  ["::", "127.0.0.1"],
  ["::1", "::1"],
  ["::", "::ffff:127.0.0.1"],
];
for (const [address, host] of ways) {
  test(`over TCP, ${host} to ${address}: root's and one's own memdb are told, another user's is not`, {
    skip,
  }, async () => {
    const other = await told({ address }, host, NOBODY, 0);
    assert.equal(other.bytes, HELLO_BYTES);
    assert.match(other.log, REFUSED);
    assert.equal(other.log.match(/another user's/g)?.length, 1);
    for (const [uid, as] of [
      [0, 0],
      [0, NOBODY],
      [NOBODY, NOBODY],
    ] as const) {
      const own = await told({ address }, host, uid, as);
      assert.ok(own.bytes > HELLO_BYTES, `${uid} ${as}: ${own.log}`);
      assert.doesNotMatch(own.log, REFUSED);
    }
    const third = await told({ address }, host, NOBODY, NOBODY - 1);
    assert.equal(third.bytes, HELLO_BYTES);
  });
}

test("the same on a Unix socket", { skip }, async () => {
  const path = (uid: number) => join(open, `socket${uid}${Math.random()}`);
  for (const [uid, as, refused] of [
    [NOBODY, 0, true],
    [NOBODY, NOBODY - 1, true],
    [NOBODY, NOBODY, false],
    [0, NOBODY, false],
    [0, 0, false],
  ] as const) {
    const where = { path: path(uid) };
    const { bytes, log } = await told(where, `unix:${where.path}`, uid, as);
    assert.equal(bytes > HELLO_BYTES, !refused, `${uid} ${as}: ${log}`);
    assert.equal(REFUSED.test(log), refused);
  }
});
