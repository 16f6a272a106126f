// Two users of one machine: what another user tells memdb does not become what memdb knows of its own user's processes,
// whatever process that one claims to be; and what others put where memdb keeps files is not touched.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, chownSync, existsSync, linkSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import * as L from "../../asm/layout.js";
import { askStatus } from "../../runtime/memdb/wirestatus.js";
import { ownIdentity } from "../../runtime/stores/liveness.js";
import { openStore } from "../../runtime/stores/store.js";
import { temporaryFolder } from "../support/run.js";
import type { Process } from "../wire/stream.js";
import { starter } from "./running.js";
import { NOBODY, oneUser, Stranger } from "./stranger.js";

const folder = temporaryFolder();
const start = starter(folder);
const options = { skip: oneUser, timeout: 10_000 };

const self = ownIdentity();
/** This process as the library would say it. */
const alive: Process = {
  pid: self.pid,
  processStart: self.start,
  bootId: self.bootId,
  pidNamespace: self.namespace,
};
/** One of this machine that is gone, and one of another machine. */
const gone: Process = { ...alive, pid: 1, processStart: 1n };
const elsewhere: Process = { pid: 77, bootId: new Uint8Array(16).fill(9) };

function processOf(pid: number): Process {
  const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
  return { ...alive, pid, processStart: BigInt(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19]!) };
}

async function sizes(path: string): Promise<number[]> {
  const store = await openStore(path);
  try {
    const { allocations } = await store.query({ aggregate: false, sort: "size" });
    return allocations.map(({ size }) => size);
  } finally {
    store.close();
  }
}

for (const [what, victim] of Object.entries({ alive, gone, elsewhere })) {
  test(
    `another user says that it is a process of memdb's user (${what}): its session and store stay`,
    options,
    async () => {
      const { memdb, client, path, where, logged } = await start();
      const program = await client().shake();
      program.stream.process(victim).records([[1, { address: 1n, size: 111 }]]);
      await program.commit();
      await memdb.flush();

      const forger = new Stranger(where as { port: number });
      forger.stream.hello().process({ ...victim, exe: "/usr/bin/forged" });
      forger.stream.records([[1, { address: 2n, size: 222 }]]).commit();
      forger.send();
      if (victim === alive) {
        const { code, text } = await forger.refusal();
        assert.equal(code, L.WIRE_ERROR_USER);
        assert.match(text, /process \d+ is another one's than user 65534's/);
        await logged("refused");
        assert.equal(memdb.sessions.size, 1);
      } else {
        // Whether it was that process nobody can tell any more; so it is another one beside it.
        await forger.until(L.WIRE_ACK);
        assert.equal(memdb.sessions.size, 2);
      }
      program.stream.records([[2, { address: 3n, size: 112 }]]);
      await program.commit();
      await memdb.flush();
      assert.deepEqual(await sizes(path), [111, 112]);

      // Nor afterwards, when the store is that of a process that has ended.
      await program.commit(true);
      await program.cut();
      const again = new Stranger(where as { port: number });
      again.stream.hello().process({ ...victim, pid: victim === alive ? 1 : victim.pid! });
      again.stream.records([[1, { address: 2n, size: 222 }]]).commit();
      again.send();
      await again.until(L.WIRE_ACK);
      await memdb.flush();
      assert.deepEqual(await sizes(path), [111, 112]);
      again.end();
      forger.end();
    },
  );
}

test("a parent that another user claims to be does not move its child's store", options, async () => {
  const { memdb, client, path, where } = await start();
  const child = await client().shake();
  child.stream.process({ ...elsewhere, parentPid: 70 }).records([[1, { address: 1n, size: 111 }]]);
  await child.commit();
  const forger = new Stranger(where as { port: number });
  forger.stream
    .hello()
    .process({ ...elsewhere, pid: 70 })
    .commit();
  forger.send();
  await forger.until(L.WIRE_ACK);
  await memdb.flush();
  assert.deepEqual(await sizes(path), [111]);
  forger.end();
});

test("root's memdb works for programs of others: each has its store, and PATH is its own user's", options, async () => {
  const { memdb, client, path, where } = await start();
  const other = new Stranger(where as { port: number });
  const its = () => other.stream.hello().process(processOf(other.pid));
  its()
    .records([[1, { address: 1n, size: 222 }]])
    .commit();
  other.send();
  await other.until(L.WIRE_ACK);
  await memdb.flush();
  assert.deepEqual(await sizes(path), [222]);

  const program = await client().shake();
  program.stream.process(alive).records([[1, { address: 1n, size: 111 }]]);
  await program.commit();
  await memdb.flush();
  const moved = path.replace(".mem", `.${other.pid}.mem`);
  assert.deepEqual([await sizes(path), await sizes(moved)], [[111], [222]]);
  assert.equal(statSync(moved).mode & 0o777, 0o600);
  assert.equal(statSync(moved).uid, process.geteuid!());
  other.end();
});

test("the state of memdb is for its user and root", options, async () => {
  const { where } = await start();
  assert.deepEqual((await askStatus(where)).sessions, []);
  const curious = new Stranger(where as { port: number });
  curious.stream.hello().frame(L.WIRE_STATUS, new Uint8Array(0));
  curious.send();
  assert.equal((await curious.refusal()).code, L.WIRE_ERROR_USER);
  curious.end();
});

test("the token speaks for its holder, whoever that is", options, async () => {
  const { where } = await start({ token: Buffer.from("a token of good length") });
  const without = new Stranger(where as { port: number });
  without.stream.hello().process(gone).commit();
  without.send();
  assert.equal((await without.refusal()).code, L.WIRE_ERROR_TOKEN);
  without.end();
});

test("who opens connections and says nothing does not keep others out", options, async () => {
  const { client, where } = await start({ limits: { connections: 16 } });
  const silent = Array.from({ length: 8 }, () => new Stranger(where as { port: number }));
  const more = Array.from({ length: 6 }, () => new Stranger(where as { port: number }));
  const refused = await Promise.race([...silent, ...more].map((each) => each.refusal()));
  assert.deepEqual(refused, { code: L.WIRE_ERROR_LIMIT, text: "a limit is reached: 8 connections without a process" });
  // One of two users, and not the one that has more of them, gets in.
  const program = await client().shake();
  program.stream.process();
  assert.equal(await program.commit(), 1n);
  for (const each of [...silent, ...more]) each.end();
});

test("another user's processes do not take all sessions", options, async () => {
  const { client, where } = await start({ limits: { sessions: 4 } });
  const strangers: Stranger[] = [];
  for (const pid of [1, 2, 3]) {
    const stranger = new Stranger(where as { port: number });
    strangers.push(stranger);
    stranger.stream
      .hello()
      .process({ ...elsewhere, pid })
      .commit();
    stranger.send();
    if (pid < 3) await stranger.until(L.WIRE_ACK);
    else assert.match((await stranger.refusal()).text, /2 sessions of user 65534/);
  }
  const program = await client().shake();
  program.stream.process();
  assert.equal(await program.commit(), 1n);
  for (const each of strangers) each.end();
});

test("a Unix socket lets no other user in", options, async () => {
  const unix = join(folder, "socket");
  await start({ unix });
  chmodSync(folder, 0o711);
  assert.equal(statSync(unix).mode & 0o777, 0o600);
  // To connect is to write to it.
  const may = (path: string) => spawnSync("test", ["-w", path], { uid: NOBODY, gid: NOBODY }).status === 0;
  assert.equal(may(unix), false);
  assert.equal(may("/dev/null"), true);
});

// ── What others have put there ───────────────────────────────────────────────────────────────────

const planted: Record<string, (path: string) => void> = {
  "another user's": (path) => chownSync(path, NOBODY, NOBODY),
  "writable by all": (path) => chmodSync(path, 0o666),
  "under a second name": (path) => linkSync(path, `${path}.link`),
};

for (const [what, plant] of Object.entries(planted)) {
  test(`a file that is ${what} is no store and no lock of memdb's`, {
    skip: what === "another user's" && oneUser,
  }, async () => {
    const { client, memdb, path } = await start();
    const put = (at: string) => {
      writeFileSync(at, "", { mode: 0o600 });
      plant(at);
      return statSync(at).ino;
    };
    const first = put(path);
    const second = put(path.replace(".mem", ".77.mem"));
    const program = await client().shake();
    program.stream.process(elsewhere).records([[1, { address: 1n, size: 111 }]]);
    await program.commit();
    await memdb.close();
    assert.deepEqual(await sizes(path.replace(".mem", ".77.2.mem")), [111]);
    assert.deepEqual([statSync(path).ino, statSync(path.replace(".mem", ".77.mem")).ino], [first, second]);
    await assert.rejects(start({ store: path }), /is no store of this user's alone/);

    const other = join(folder, `locked ${what}.mem`);
    const lock = put(`${other}.lock`);
    await assert.rejects(start({ store: other }), /something that is no memdb's/);
    assert.equal(statSync(`${other}.lock`).ino, lock);
    assert.equal(existsSync(other), false);
  });
}
