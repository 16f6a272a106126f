// memdb against peers that are wrong, silent, too many or too slow, and against a disk that is full: only the one
// connection ends, with one entry in the log, and all others go on.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import * as L from "../../asm/layout.js";
import type { Memdb } from "../../runtime/memdb/serve.js";
import { WireError } from "../../runtime/memdb/wire.js";
import { SessionImage } from "../../runtime/memdb/wireimage.js";
import { openStore } from "../../runtime/stores/store.js";
import { after } from "../support/after.js";
import { temporaryFolder } from "../support/run.js";
import { Stream } from "../wire/stream.js";
import type { Client } from "./client.js";
import { starter, until } from "./running.js";

const folder = temporaryFolder();
const start = starter(folder);
let stores = 0;
const next = () => join(folder, `${++stores}.mem`);

async function live(path: string): Promise<number> {
  const store = await openStore(path);
  try {
    return (await store.query({ aggregate: true, sort: "size" })).matched.count;
  } finally {
    store.close();
  }
}

/** Sends records one by one through the life of `disturb`, and checks that none of them is lost. */
async function undisturbed(memdb: Memdb, path: string, program: Client, disturb: () => Promise<void>): Promise<void> {
  program.stream.process().records([[1, { address: 1n, size: 1 }]]);
  await program.commit();
  await disturb();
  program.stream.records([[2, { address: 2n, size: 1 }]]);
  await program.commit();
  await memdb.flush();
  assert.equal(await live(path), 2);
}

const words = (...values: number[]) => new Uint8Array(Uint32Array.from(values).buffer);

const first: Record<string, [bytes: Uint8Array, code: number]> = {
  "a browser": [Buffer.from("GET / HTTP/1.1\r\nHost: x\r\n\r\n"), L.WIRE_ERROR_MAGIC],
  zeros: [new Uint8Array(100), L.WIRE_ERROR_MAGIC],
  "the longest length": [words(0xffffffff, L.WIRE_HELLO), L.WIRE_ERROR_MAGIC],
  "a wrong magic": [words(L.WIRE_HELLO_BYTES, L.WIRE_HELLO, 1, 2, ...new Array(10).fill(0)), L.WIRE_ERROR_MAGIC],
  "a newer version": [
    words(L.WIRE_HELLO_BYTES, L.WIRE_HELLO, L.WIRE_MAGIC_LOW, L.WIRE_MAGIC_HIGH, 2, ...new Array(9).fill(0)),
    L.WIRE_ERROR_VERSION,
  ],
  "an older version": [
    words(L.WIRE_HELLO_BYTES, L.WIRE_HELLO, L.WIRE_MAGIC_LOW, L.WIRE_MAGIC_HIGH, ...new Array(10).fill(0)),
    L.WIRE_ERROR_VERSION,
  ],
  "records before the process": [
    new Stream()
      .hello()
      .records([[1, { address: 1n, size: 1 }]])
      .take(),
    L.WIRE_ERROR_ORDER,
  ],
  "the longest length after hello": [
    new Stream().hello().raw(words(0xfffffff8, L.WIRE_PROCESS)).take(),
    L.WIRE_ERROR_LENGTH,
  ],
  "a process without a header": [
    new Stream().hello().frame(L.WIRE_PROCESS, new Uint8Array(8)).take(),
    L.WIRE_ERROR_LENGTH,
  ],
  "a process whose path is longer than it": [
    new Stream().hello().frame(L.WIRE_PROCESS, new Uint8Array(L.WIRE_HEADER_BYTES).fill(255)).take(),
    L.WIRE_ERROR_LENGTH,
  ],
};

test("who begins wrong is refused, alone", async () => {
  const path = next();
  const { memdb, client, log } = await start({ store: path });
  await undisturbed(memdb, path, await client().shake(), async () => {
    for (const [what, [bytes, code]] of Object.entries(first)) {
      const peer = client();
      peer.socket.write(bytes);
      assert.equal((await peer.refusal()).code, code, what);
    }
  });
  const refused = log.filter(({ event }) => event === "refused");
  assert.equal(refused.length, Object.keys(first).length);
  for (const { peer, reason } of refused) assert.match(`${peer} ${reason}`, /^127\.0\.0\.1:\d+ \w/);
});

test("before the proof of the token nothing is kept: a wrong frame ends it by its first eight bytes", async () => {
  const token = Buffer.from("a token of good length");
  const { client } = await start({ store: next(), token });
  const heads: [head: Uint8Array, code: number][] = [
    [words(L.WIRE_PAYLOAD_MAX, L.WIRE_PROCESS), L.WIRE_ERROR_TOKEN],
    [words(L.WIRE_PAYLOAD_MAX, L.WIRE_PROOF), L.WIRE_ERROR_TOKEN],
    [words(0, L.WIRE_PROOF), L.WIRE_ERROR_TOKEN],
    [words(0, L.WIRE_STATUS), L.WIRE_ERROR_TOKEN],
    [words(L.WIRE_HELLO_BYTES, L.WIRE_HELLO), L.WIRE_ERROR_TOKEN],
  ];
  for (const [head, code] of heads) {
    const peer = client();
    peer.socket.write(new Stream().hello().raw(head).take());
    assert.equal((await peer.refusal()).code, code);
  }
  // Nor behind it more than a process can say of itself.
  const holder = await client().shake(token);
  holder.socket.write(words(L.WIRE_PAYLOAD_MAX, L.WIRE_PROCESS));
  assert.equal((await holder.refusal()).code, L.WIRE_ERROR_LENGTH);
});

test("a bad store version is refused", async () => {
  const path = next();
  const { client, log } = await start({ store: path });
  const peer = await client().shake();
  const bytes = peer.stream.process().take();
  new DataView(bytes.buffer, bytes.byteOffset).setUint16(L.WIRE_FRAME_BYTES + L.HEADER_VERSION_MAJOR, 2, true);
  peer.socket.write(bytes);
  assert.equal((await peer.refusal()).code, L.WIRE_ERROR_VERSION);
  assert.equal(log.filter(({ event }) => event === "closed").length, 1);
});

test("garbage after a valid start ends that session and keeps what was good", async () => {
  const path = next();
  const { memdb, client, log } = await start({ store: path });
  const bad = await client().shake();
  bad.stream.process({ pid: 9 }).records([[1, { address: 9n, size: 9 }]]);
  await bad.commit();
  await undisturbed(memdb, path.replace(".mem", ".4242.mem"), await client().shake(), async () => {
    bad.socket.write(Buffer.from("garbage, as it comes out of a broken sender..."));
    assert.equal((await bad.refusal()).code, L.WIRE_ERROR_LENGTH);
  });
  assert.equal(await live(path), 1);
  assert.deepEqual(
    log.filter(({ event }) => event === "closed").map(({ pid, reason }) => `${pid}: ${reason}`),
    [`9: a length that cannot be: in type ${Buffer.from("age,").readUInt32LE()}`],
  );
});

test("500 connections that say nothing end one by one, and nobody notices", async () => {
  const path = next();
  const { memdb, client, log } = await start({ store: path, limits: { handshakeMs: 300 } });
  await undisturbed(memdb, path, await client().shake(), async () => {
    const silent = Array.from({ length: 500 }, client);
    const half = silent.slice(0, 100);
    for (const peer of half) peer.socket.write(new Stream().hello().take().subarray(0, 20));
    for (const peer of silent) assert.equal((await peer.refusal()).code, L.WIRE_ERROR_TIMEOUT);
  });
  assert.equal(log.filter(({ event }) => event === "refused").length, 500);
});

test("limits of connections and sessions", async () => {
  const path = next();
  const { client } = await start({ store: path, limits: { connections: 4, sessions: 2 } });
  const programs = [];
  for (const pid of [1, 2]) {
    const program = await client().shake();
    program.stream.process({ pid });
    await program.commit();
    programs.push(program);
  }
  const third = await client().shake();
  third.stream.process({ pid: 3 });
  third.send();
  assert.deepEqual(await third.refusal(), { code: L.WIRE_ERROR_LIMIT, text: "a limit is reached: 2 sessions" });
  const idle = [await client().shake(), await client().shake()];
  const fifth = client();
  assert.deepEqual(await fifth.refusal(), { code: L.WIRE_ERROR_LIMIT, text: "a limit is reached: 4 connections" });
  for (const peer of [...idle, ...programs]) await peer.cut();
});

test("who never reads is cut off", async () => {
  const { client, logged } = await start({ store: next() });
  const program = await client().shake();
  program.socket.pause();
  program.stream.process();
  let cut = false;
  program.socket.on("close", () => {
    cut = true;
  });
  // 24 bytes of commit bring 16 of acknowledgement: after some megabytes the buffers of the system are full.
  while (!cut && program.socket.writable) {
    for (let i = 0; i < 10_000; i++) program.stream.commit();
    await new Promise<void>((resolve) => program.socket.write(program.stream.take(), () => resolve()));
  }
  assert.match((await logged("closed")).reason!, /does not read its acknowledgements/);
  await program.cut();
});

test("a full store says so once and drops", async () => {
  const path = next();
  const { memdb, client, log } = await start({ store: path, size: 8 << 20 });
  const program = await client().shake();
  program.stream.process();
  const perBlock = L.BLOCK_BYTES / L.RECORD_BYTES;
  for (let first = 1; first < 3 * perBlock; first += 4096) {
    program.stream.records(Array.from({ length: 4096 }, (_, i) => [first + i, { address: 1n, size: 1 }] as const));
    if (first % 3 === 0) program.stream.header().commit();
  }
  program.stream.header();
  program.stream.commit();
  program.send();
  await until(() => [...memdb.sessions.values()].some(({ image }) => image.received >= 3 * perBlock - 4096));
  await memdb.flush();
  const store = await openStore(path);
  assert.ok(store.totals().dropped > 0);
  assert.equal(store.totals().liveCount, 2 * perBlock - 1);
  store.close();
  assert.ok(log.filter(({ event }) => event === "full").length <= 1);
});

// ── A disk that is full ──────────────────────────────────────────────────────────────────────────

// A folder of its own, because one in which a file system is mounted cannot be removed.
const disk = mkdtempSync(join(tmpdir(), "memhook-disk-"));
const mounted = spawnSync("mount", ["-t", "tmpfs", "-o", "size=4m", "none", disk]).status === 0;
after(() => {
  if (mounted) spawnSync("umount", ["-l", disk]);
  rmdirSync(disk);
});

test("a full disk is said once, and all is there when space returns", {
  skip: !mounted && "cannot mount a tmpfs",
}, async () => {
  const path = join(disk, "x.mem");
  const { memdb, client, log } = await start({ store: path });
  const program = await client().shake();
  program.stream.process().records([[1, { address: 1n, size: 1 }]]);
  await program.commit();
  await memdb.flush();
  assert.equal(await live(path), 1);

  const ballast = join(disk, "ballast");
  assert.throws(() => writeFileSync(ballast, new Uint8Array(8 << 20)), /ENOSPC|no space/i);
  let sent = 1;
  for (let round = 0; round < 5; round++) {
    program.stream.records(
      Array.from({ length: 5000 }, () => [++sent, { address: BigInt(sent) << 4n, size: 1 }] as const),
    );
    await program.commit();
    await memdb.flush();
    const readable = await live(path);
    assert.ok(readable >= 1 && readable < sent);
  }
  const said = log.filter(({ event }) => event === "trouble");
  assert.equal(said.length, 1);
  assert.match(said[0]!.reason!, /ENOSPC|no space/i);

  rmSync(ballast);
  await memdb.flush();
  assert.equal(await live(path), sent);
  assert.equal(log.filter(({ event }) => event === "recovered").length, 1);
});

// ── Fuzzing ──────────────────────────────────────────────────────────────────────────────────────

// MEMHOOK_FUZZ sets the number of streams, MEMHOOK_FUZZ_SEED the first; both are in the name of the test that fails.
const FUZZ_COUNT = Number(process.env.MEMHOOK_FUZZ ?? 20_000);
const FUZZ_SEED = Number(process.env.MEMHOOK_FUZZ_SEED ?? 1);

/** Mulberry32: small, seeded, good enough to break things. */
function random(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
}

function sample(): Uint8Array {
  const stream = new Stream().process();
  const module = stream.module("/opt/app");
  const stacks = [stream.stack(module, 1n, 2n, 3n), stream.stack(module, 4n)];
  stream.records(stacks.map((stack, i) => [1 + i * 5, { address: 16n + BigInt(i), size: 10, stack }] as const));
  stream
    .header()
    .commit()
    .removed(1)
    .records([[9, { address: 7n, size: 7, stack: 1 }]]);
  stream.elements(L.WIRE_KIND_THREADS, 1, 1, new Uint8Array(L.THREAD_BYTES));
  return new Uint8Array(stream.header({ endKind: 1 }).commit(true).take());
}

const INTERESTING = [
  0,
  1,
  7,
  8,
  0x7fffffff,
  0x80000000,
  0xfffffff8,
  0xffffffff,
  L.WIRE_PAYLOAD_MAX,
  L.WIRE_PAYLOAD_MAX + 8,
];

test(`${FUZZ_COUNT} mutated streams from seed ${FUZZ_SEED} end in an error or in a sound store`, async () => {
  const whole = sample();
  const image = new SessionImage(8 << 20);
  // More than it may use, and never more than that.
  const reserved = image.view(0, 0).buffer.byteLength;
  let refused = 0;
  let checked = 0;
  const path = join(folder, "fuzzed.mem");
  for (let seed = FUZZ_SEED; seed < FUZZ_SEED + FUZZ_COUNT; seed++) {
    const pick = random(seed);
    const bytes = whole.slice();
    const view = new DataView(bytes.buffer);
    for (let changes = 1 + pick(4); changes > 0; changes--) {
      const at = pick(bytes.length / 4) * 4;
      const how = pick(4);
      if (how === 0) bytes[at + pick(4)]! ^= 1 << pick(8);
      else if (how === 1) view.setUint32(at, INTERESTING[pick(INTERESTING.length)]!, true);
      else if (how === 2) view.setUint32(at, view.getUint32(at, true) + (pick(2) ? 1 : -1), true);
      else bytes.copyWithin(at, pick(bytes.length / 8) * 8, Math.min(bytes.length, pick(bytes.length)));
    }
    image.reset(8 << 20);
    let sound = true;
    try {
      const cut = pick(bytes.length);
      image.feed(bytes.subarray(0, cut), () => {});
      image.feed(bytes.subarray(cut), () => {});
    } catch (error) {
      // Anything else, a trap above all, is a bug.
      assert.ok(error instanceof WireError, `seed ${seed}: ${error}`);
      refused++;
      sound = false;
    }
    assert.ok(image.memoryBytes <= 12 << 20, `seed ${seed}: ${image.memoryBytes} bytes`);
    assert.equal(image.view(0, 0).buffer.byteLength, reserved, `seed ${seed}: the memory grew`);
    // Also after an error: what had come until then is in the file. Checking
    // takes longer than making: only now and then.
    if (pick(100) === 0 && image.received > 0) {
      await soundStore(path, image, seed);
      if (sound) checked++;
    }
  }
  assert.ok(checked > 0, "no mutated stream was accepted and checked");
  assert.ok(refused > FUZZ_COUNT / 10 && refused < FUZZ_COUNT, `${refused} of ${FUZZ_COUNT} refused`);
});

/** The store of an image that took a mutated stream can be read in every part. */
async function soundStore(path: string, image: SessionImage, seed: number): Promise<void> {
  const pieces: [Uint8Array, number][] = [];
  let length = 0;
  image.write(
    {
      write: (bytes, offset) => pieces.push([bytes.slice(), offset]),
      extend: (bytes) => {
        length = bytes;
      },
    },
    Number.POSITIVE_INFINITY,
  );
  const file = new Uint8Array(length);
  for (const [bytes, offset] of pieces) file.set(bytes, offset);
  writeFileSync(path, file);
  try {
    const store = await openStore(path);
    const { allocations } = await store.query({ aggregate: false, sort: "address" });
    assert.equal(allocations.length, image.liveCount);
    for (const { stackId } of allocations) store.frames(stackId);
    store.close();
  } catch (error) {
    // A sender may state a limit and then exceed it; counting the depth of every node would only find that out.
    if (/more frames than the depth limit/.test(String(error))) return;
    assert.fail(`seed ${seed}: ${error}`);
  }
}
