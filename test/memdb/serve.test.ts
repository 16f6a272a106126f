// memdb in this process, programs played by Client: what arrives is what the store reader finds in the files.

import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import * as L from "../../asm/layout.js";
import { askStatus } from "../../runtime/memdb/wirestatus.js";
import { openStore } from "../../runtime/stores/store.js";
import { temporaryFolder } from "../support/run.js";
import { Client } from "./client.js";
import { starter, until } from "./running.js";

const folder = temporaryFolder();
const start = starter(folder);

async function read(path: string) {
  const store = await openStore(path);
  try {
    const { allocations } = await store.query({ aggregate: false, sort: "address" });
    return {
      process: store.process,
      info: store.info(),
      live: allocations.map(({ address, size, stackId }) => `${address.toString(16)} ${size} ${stackId}`),
      stacks: allocations.map(({ stackId }) =>
        store.frames(stackId).frames.map(({ module, offset }) => `${module?.path}+${offset.toString(16)}`),
      ),
      totals: store.totals(),
    };
  } finally {
    store.close();
  }
}

/** A process whose pid is this test's, so that it lives. */
const alive = { pid: process.pid, processStart: startOf(process.pid), bootId: bootId(), pidNamespace: 0n };

function startOf(pid: number): bigint {
  const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
  return BigInt(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19]!);
}

function bootId(): Uint8Array {
  const text = readFileSync("/proc/sys/kernel/random/boot_id", "latin1");
  return Uint8Array.from(Buffer.from(text.trim().replaceAll("-", ""), "hex"));
}

test("what a program sends is what a viewer reads", async () => {
  const { memdb, client, path } = await start();
  const program = await client().shake();
  program.stream.process({ pid: 77, exe: "/opt/app", command: ["app", "-x"] });
  const module = program.stream.module("/opt/app");
  const stack = program.stream.stack(module, 0x1234n, 0x1000n);
  program.stream.records([
    [1, { address: 0x10000n, size: 64, stack, time: 5n }],
    [2, { address: 0x10040n, size: 32, stack, time: 6n }],
    [70_000, { address: 0x20000n, size: 4096, kind: L.MEMORY_MMAP, time: 7n }],
  ]);
  assert.equal(await program.commit(), 1n);
  await memdb.flush();
  const first = await read(path);
  assert.deepEqual(first.live, ["10000 64 1", "10040 32 1", "20000 4096 0"]);
  assert.deepEqual(first.stacks[0], ["/opt/app+1234", "/opt/app+1000"]);
  assert.equal(first.process.pid, 77);
  assert.equal(first.process.exe, "/opt/app");
  assert.deepEqual(first.process.command, ["app", "-x"]);
  assert.equal(first.info.writer, "memdb");

  program.stream.removed(1, 70_000).records([[3, { address: 0x10080n, size: 16, stack, time: 8n }]]);
  program.stream.header({ dropped: 9n, peakBytes: 4192n, endTime: 10n, endKind: L.END_EXIT, endStatus: 3 });
  // The last commit is in the file before it is acknowledged.
  assert.equal(await program.commit(true), 2n);
  const second = await read(path);
  assert.deepEqual(second.live, ["10040 32 1", "10080 16 1"]);
  assert.equal(second.process.state, "exited");
  assert.equal(second.totals.dropped, 9);
  assert.equal(second.totals.peakBytes, 4192);
  assert.equal(statSync(path).mode & 0o777, 0o600);
});

test("a difference shows after the next write, a snapshot only when it is whole", async () => {
  const { memdb, client, path } = await start();
  const program = await client().shake();
  program.stream.process().records([[1, { address: 1n, size: 1 }]]);
  program.send();
  await memdb.flush();
  assert.equal(existsSync(path), false);
  await program.commit();
  await memdb.flush();
  assert.equal((await read(path)).live.length, 1);
  assert.deepEqual(
    readdirSync(folder).filter((name) => name.endsWith(".new")),
    [],
  );
});

test("a process that connects again replaces its store in one step", async () => {
  const { memdb, client, path, logged } = await start();
  const first = await client().shake();
  first.stream.process().records([
    [1, { address: 1n, size: 1 }],
    [2, { address: 2n, size: 2 }],
  ]);
  await first.commit();
  await memdb.flush();
  // A viewer that has the old store open keeps it.
  const viewer = await openStore(path);
  await first.cut();
  await logged("closed");

  const second = await client().shake();
  second.stream.process().records([[2, { address: 0x22n, size: 22 }]]);
  second.send();
  await memdb.flush();
  assert.deepEqual((await read(path)).live, ["1 1 0", "2 2 0"], "half a snapshot must not be seen");
  await second.commit();
  await memdb.flush();
  assert.deepEqual((await read(path)).live, ["22 22 0"]);
  assert.equal((await viewer.query({ aggregate: false, sort: "address" })).matched.count, 2);
  viewer.close();
});

test("half a snapshot is kept only where there is nothing better", async () => {
  const { memdb, client, path, log } = await start();
  const closed = (count: number) => until(() => log.filter(({ event }) => event === "closed").length === count);
  const first = await client().shake();
  first.stream.process().records([[1, { address: 1n, size: 1 }]]);
  first.send();
  await until(() => memdb.sessions.size === 1);
  await first.cut();
  await closed(1);
  assert.deepEqual((await read(path)).live, ["1 1 0"]);
  const second = await client().shake();
  second.stream.process().records([[1, { address: 2n, size: 2 }]]);
  second.send();
  await until(() => memdb.sessions.size === 1);
  await second.cut();
  await closed(2);
  assert.deepEqual((await read(path)).live, ["1 1 0"]);
  assert.equal(existsSync(`${path}.new`), false);
});

test("a connection of a process ends its older one", async () => {
  const { client, path, memdb } = await start();
  const first = await client().shake();
  first.stream.process().records([[1, { address: 1n, size: 1 }]]);
  await first.commit();
  const second = await client().shake();
  second.stream.process().records([[1, { address: 2n, size: 2 }]]);
  await second.commit();
  assert.equal((await first.refusal()).code, L.WIRE_ERROR_REPLACED);
  await memdb.flush();
  assert.deepEqual((await read(path)).live, ["2 2 0"]);
});

// ── Whose path ───────────────────────────────────────────────────────────────────────────────────

test("each process has its own store, and the same one again", async () => {
  const { memdb, client, path } = await start();
  const store = (pid: number) => path.replace(".mem", `.${pid}.mem`);
  for (const pid of [101, 102, 103]) {
    const program = await client().shake();
    program.stream.process({ pid }).records([[1, { address: BigInt(pid), size: 1 }]]);
    await program.commit();
  }
  await memdb.flush();
  assert.deepEqual((await read(path)).live, ["65 1 0"]);
  assert.deepEqual((await read(store(102))).live, ["66 1 0"]);
  assert.deepEqual((await read(store(103))).live, ["67 1 0"]);
  await memdb.close();

  // memdb comes back and they connect in another order; a newcomer is between them.
  const again = await start({ store: path });
  for (const pid of [103, 104, 102, 101]) {
    const program = await again.client().shake();
    program.stream.process({ pid }).records([[1, { address: BigInt(pid + 0x1000), size: 1 }]]);
    await program.commit();
  }
  await again.memdb.flush();
  assert.deepEqual((await read(path)).live, ["1065 1 0"]);
  assert.deepEqual((await read(store(102))).live, ["1066 1 0"]);
  assert.deepEqual((await read(store(103))).live, ["1067 1 0"]);
  assert.deepEqual((await read(store(104))).live, ["1068 1 0"]);
});

test("a child that connects before its parent, or is over by then, does not keep the parent's path", async () => {
  for (const childEnds of [false, true]) {
    const { memdb, client, path } = await start();
    const store = (pid: number) => path.replace(".mem", `.${pid}.mem`);
    const child = await client().shake();
    child.stream.process({ pid: 302, parentPid: 301 }).records([[1, { address: 2n, size: 1 }]]);
    await child.commit();
    await memdb.flush();
    assert.deepEqual((await read(path)).live, ["2 1 0"]);
    if (childEnds) {
      await child.cut();
      while (memdb.sessions.size > 0) await new Promise((resolve) => setImmediate(resolve));
    }
    const parent = await client().shake();
    parent.stream.process({ pid: 301 }).records([[1, { address: 1n, size: 1 }]]);
    await parent.commit();
    if (!childEnds) {
      child.stream.records([[2, { address: 3n, size: 1 }]]);
      await child.commit();
    }
    await memdb.flush();
    assert.deepEqual((await read(path)).live, ["1 1 0"]);
    assert.deepEqual((await read(store(302))).live, childEnds ? ["2 1 0"] : ["2 1 0", "3 1 0"]);
    await memdb.close();
  }
});

test("equal pids of different machines do not meet", async () => {
  const { memdb, client, path } = await start();
  for (const machine of [1, 2, 3]) {
    const program = await client().shake();
    program.stream.process({ pid: 55, bootId: new Uint8Array(16).fill(machine) });
    program.stream.records([[1, { address: BigInt(machine), size: 1 }]]);
    await program.commit();
  }
  await memdb.flush();
  assert.deepEqual((await read(path)).live, ["1 1 0"]);
  assert.deepEqual((await read(path.replace(".mem", ".55.mem"))).live, ["2 1 0"]);
  assert.deepEqual((await read(path.replace(".mem", ".55.2.mem"))).live, ["3 1 0"]);
});

test("a living process's store is left alone, a dead or ended one's is replaced", async () => {
  const { client, path, memdb } = await start();
  const program = await client().shake();
  program.stream.process(alive).records([[1, { address: 1n, size: 1 }]]);
  await program.commit();
  await memdb.close();

  const second = await start({ store: path });
  const newcomer = await second.client().shake();
  newcomer.stream.process({ ...alive, pid: 1, processStart: 1n }).records([[1, { address: 2n, size: 2 }]]);
  await newcomer.commit();
  await second.memdb.close();
  assert.deepEqual((await read(path)).live, ["1 1 0"]);
  const own = path.replace(".mem", ".1.mem");
  assert.deepEqual((await read(own)).live, ["2 2 0"]);

  // Pid 1 with that start time never was: its store is a dead process's.
  const third = await start({ store: own });
  const heir = await third.client().shake();
  heir.stream.process({ ...alive, pid: 2, processStart: 2n }).records([[1, { address: 3n, size: 3 }]]);
  await heir.commit();
  await third.memdb.close();
  assert.deepEqual((await read(own)).live, ["3 3 0"]);
});

test("what is no store is never touched", async () => {
  const target = join(folder, "precious");
  writeFileSync(target, "precious");
  const link = join(folder, "link.mem");
  symlinkSync(target, link);
  for (const path of [target, link, folder]) {
    await assert.rejects(start({ store: path }), /is no store/);
  }
  await assert.rejects(start({ store: join(folder, "no/such/x.mem") }), /there is no folder/);

  // Planted while memdb runs: at the path, and where the new store is prepared.
  const { client, path, memdb } = await start();
  symlinkSync(target, path);
  symlinkSync(target, `${path.replace(".mem", ".9.mem")}.new`);
  const program = await client().shake();
  program.stream.process({ pid: 9 }).records([[1, { address: 1n, size: 1 }]]);
  await program.commit();
  await memdb.flush();
  assert.deepEqual((await read(path.replace(".mem", ".9.mem"))).live, ["1 1 0"]);
  assert.equal(readFileSync(target, "utf8"), "precious");
});

// ── Token and sockets ────────────────────────────────────────────────────────────────────────────

test("only holders of the token get in", async () => {
  const token = Buffer.from("a token of good length");
  const { client, where, log } = await start({ token });
  const program = await client().shake(token);
  program.stream.process();
  assert.equal(await program.commit(), 1n);
  await assert.rejects(client().shake(Buffer.from("another token, as long")), /refused: wrong token/);
  const other = client();
  other.stream.hello().process();
  other.send();
  assert.equal((await other.refusal()).code, L.WIRE_ERROR_TOKEN);
  assert.equal((await askStatus(where, token)).sessions.length, 1);
  await assert.rejects(askStatus(where), /asks for a token/);
  assert.equal(log.filter(({ event }) => event === "refused").length, 2);
});

test("a Unix socket is its owner's alone, is cleared when stale, and gone at the end", async () => {
  const unix = join(folder, "socket");
  const first = await start({ unix });
  assert.equal(statSync(unix).mode & 0o777, 0o600);
  await assert.rejects(start({ unix }), /listens there already/);
  const program = await first.client().shake();
  program.stream.process().records([[1, { address: 1n, size: 1 }]]);
  await program.commit();
  assert.equal((await askStatus({ path: unix })).sessions[0]?.liveCount, 1);
  await first.memdb.close();
  assert.equal(existsSync(unix), false);
  writeFileSync(unix, "");
  await assert.rejects(start({ unix }), /is no socket/);
});

test("beyond loopback needs a token, or the word", async () => {
  const tcp = { host: "0.0.0.0", port: 0 };
  await assert.rejects(start({ tcp }), /--token-file FILE .* or --insecure/);
  await assert.rejects(start({ tcp: { host: "::", port: 0 } }), /--insecure/);
  await start({ tcp, insecure: true });
  await start({ tcp, token: Buffer.from("a token of good length") });
});

test("IPv6 and names", async () => {
  const six = await start({ tcp: { host: "::1", port: 0 } });
  const program = await new Client({ host: "::1", port: six.memdb.address!.port }).shake();
  program.stream.process();
  assert.equal(await program.commit(), 1n);
  await start({ tcp: { host: "localhost", port: 0 } });
});

test("status tells the sessions", async () => {
  const { client, where, path } = await start();
  assert.deepEqual((await askStatus(where)).sessions, []);
  const program = await client().shake();
  program.stream.process({ pid: 12, exe: "/bin/x" }).records([[1, { address: 1n, size: 10 }]]);
  await program.commit();
  const [session] = (await askStatus(where)).sessions;
  assert.equal(session?.pid, 12);
  assert.equal(session?.exe, "/bin/x");
  assert.equal(session?.store, path);
  assert.equal(session?.liveBytes, 10);
  assert.equal(session?.complete, true);
  assert.equal(session?.trouble, null);
});

test("the end of memdb keeps all that it received", async () => {
  const { client, path, memdb } = await start();
  const program = await client().shake();
  program.stream.process();
  for (let block = 0; block < 10; block++) {
    program.stream.records(
      Array.from({ length: 1000 }, (_, i) => [1 + block * 1000 + i, { address: 1n, size: 1 }] as const),
    );
  }
  await program.commit();
  program.stream.records([[20_000, { address: 2n, size: 2 }]]);
  await program.commit();
  await memdb.close();
  assert.equal((await read(path)).live.length, 10_001);
  assert.equal((await program.refusal()).code, L.WIRE_ERROR_CLOSING);
});
