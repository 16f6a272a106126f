// The wire: the C encoder, the TypeScript one of the tests and the decoder in memdb.wasm against the same bytes.
//
//     encode.c ─┐
//               ├═ test/vectors/wire/NAME.hex ──▶ decoder ──▶ dump ═ NAME.txt
//     Stream  ──┘

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import * as L from "../../asm/layout.js";
import { memdbMac, senderMac, WireError } from "../../runtime/memdb/wire.js";
import { dump } from "../../runtime/memdb/wiredump.js";
import { SessionImage } from "../../runtime/memdb/wireimage.js";
import { compiler, noCompiler } from "../support/programs.js";
import { root, temporaryFolder } from "../support/run.js";
import { fromHex, Stream } from "./stream.js";

const folder = temporaryFolder();
const vectors = join(root, "test/vectors/wire");

function vector(name: string): Uint8Array {
  return fromHex(readFileSync(join(vectors, `${name}.hex`), "utf8"));
}

/** A C program of this folder together with what it needs of preload/. */
function compile(name: string, ...sources: string[]): string {
  const output = join(folder, name);
  const [command, ...flags] = compiler("zig", "clang", "gcc").c;
  const files = [`test/wire/${name}.c`, ...sources.map((source) => `preload/send/${source}`)];
  const { status, stderr } = spawnSync(
    command!,
    [...flags, "-std=gnu11", "-O1", "-Wall", "-Wextra", "-Ibuild", ...files, "-o", output],
    {
      cwd: root,
      encoding: "utf8",
    },
  );
  assert.equal(status, 0, stderr);
  return output;
}

function encode(program: string, scene: string): Uint8Array {
  const { status, stdout, stderr } = spawnSync(program, [scene], { maxBuffer: 1 << 26 });
  assert.equal(status, 0, String(stderr));
  return stdout;
}

test("the C encoder writes the vectors", { skip: noCompiler }, () => {
  const program = compile("encode", "wire.c", "sha256.c");
  for (const name of ["handshake", "session"]) {
    assert.equal(Buffer.from(encode(program, name)).toString("hex"), Buffer.from(vector(name)).toString("hex"), name);
  }
});

test("the C encoder fills buffers of any size and loses nothing", { skip: noCompiler }, () => {
  const text = [...dump([encode(compile("encode", "wire.c", "sha256.c"), "pieces")])].join("");
  const frames = [...text.matchAll(/^ +(\d+): module=0 offset=0x([0-9a-f]+)/gm)];
  assert.equal(frames.length, 20000);
  for (const [i, match] of frames.entries()) assert.deepEqual(match.slice(1), [String(i + 1), i.toString(16)]);
  const records = [...text.matchAll(/^ +slot=(\d+) address=0x([0-9a-f]+) size=(\d+)/gm)];
  assert.equal(records.length, 20000);
  const slot = (i: number) => 1 + i + Math.floor(i / 4) * 3;
  for (const [i, match] of records.entries()) {
    assert.deepEqual(match.slice(1), [String(slot(i)), (0x1000 + i * 16).toString(16), String(i)]);
  }
  const removed = [...text.matchAll(/ REMOVED slots=(.*)/g)].flatMap((match) => match[1]!.split(","));
  assert.deepEqual(
    removed,
    Array.from({ length: Math.ceil(20000 / 3) }, (_, i) => String(slot(3 * i))),
  );
});

test("a stream written a second time, in TypeScript, is the vector", () => {
  const stream = new Stream().hello().process();
  stream.append(L.KIND_STRINGS, 12, Buffer.from("/usr/bin/app"));
  stream.append(L.KIND_STRINGS, 4, Uint8Array.of(0xde, 0xad, 0xbe, 0xef));
  const words = (...values: bigint[]) => new Uint8Array(BigUint64Array.from(values).buffer);
  const pair = (low: number, high: number) => BigInt(low) | (BigInt(high) << 32n);
  const module = (unloaded: bigint) =>
    words(0x400000n, 0x400000n, 0x500000n, pair(1, 12), pair(13, 4), 5n, unloaded, pair(1, L.MODULE_FLAG_EXECUTABLE));
  stream.append(L.KIND_MODULES, 1, module(0n));
  stream.append(L.KIND_FRAMES, 2, words(0x1234n, pair(1, 0), 0x7f0000002000n, pair(0, L.FRAME_FLAG_EXACT)));
  stream.append(L.KIND_NODES, 3, words(pair(0, 1), pair(1, 2), pair(1, 1)));
  const first = (frees: bigint) => words(pair(2, 0), 4n, 4208n, frees, 48n, 1n, 4208n, 0n);
  stream.append(
    L.KIND_STACKS,
    2,
    Buffer.concat([first(1n), words(pair(3, L.STACK_FLAG_CUT), 1n, 7n, 0n, 0n, 0n, 0n, 0n)]),
  );
  stream.records([
    [1, { address: 0x7f0000001000n, size: 64, time: 5_000_000_000n, stack: 1 }],
    [2, { address: 0x7f0000001040n, size: 0, time: 5_000_000_001n, stack: 1 }],
    [3, { address: 0x7f0000002000n, size: 4096, kind: L.MEMORY_MMAP, time: 5_000_000_002n, stack: 1 }],
    [40000, { address: 0x7f0000009000n, size: 7, kind: L.MEMORY_CUSTOM, time: 5_000_000_003n, stack: 2 }],
    [40002, { address: 0n, size: 0 }],
  ]);
  stream.header().commit();
  stream.records([[4, { address: 0x7f0000001040n, size: 128, time: 7_000_000_000n }]]);
  stream.removed(2, 40000, 5);
  stream.elements(L.KIND_STACKS, 1, 1, first(2n));
  stream.elements(L.KIND_MODULES, 1, 1, module(6_000_000_000n));
  const thread = new Uint8Array(L.THREAD_BYTES);
  thread.set(words(pair(4242, L.THREAD_LIVE), 6n, 4343n, 3n, 55n));
  stream.elements(L.WIRE_KIND_THREADS, 1, 1, thread);
  stream.elements(L.WIRE_KIND_TIMELINE, 0, 1, words(1_000_000_000n, 100n, 2n, 3n));
  stream
    .header({
      timelineCount: 1,
      threadSlots: 2,
      dropped: 3n,
      droppedBytes: 300n,
      peakBytes: 4208n,
      peakTime: 5_000_000_003n,
      endTime: 8_000_000_000n,
      endKind: L.END_EXIT,
      endStatus: 9,
    })
    .commit(true);
  // The vector's second record has thread 4242 and a free slot has none.
  const bytes = Buffer.from(stream.take());
  const free = bytes.indexOf(Buffer.from(Uint32Array.of(40002, 1).buffer));
  bytes.writeUInt32LE(4242, free + L.WIRE_RUN_BYTES + L.RECORD_THREAD);
  assert.equal(bytes.toString("hex"), Buffer.from(vector("session")).toString("hex"));
});

for (const name of ["handshake", "session"]) {
  test(`${name} decodes to its text`, () => {
    assert.equal([...dump([vector(name)])].join(""), readFileSync(join(vectors, `${name}.txt`), "utf8"));
  });
}

test("the decoder does not care where a stream is cut", () => {
  const bytes = vector("session").subarray(L.WIRE_FRAME_BYTES + L.WIRE_HELLO_BYTES);
  const result = (pieces: Iterable<Uint8Array>) => {
    const image = new SessionImage(1 << 27);
    const commits: string[] = [];
    for (const piece of pieces) image.feed(piece, (sequence, last) => commits.push(`${sequence} ${last}`));
    const pages: string[] = [];
    image.write(
      { write: (page, offset) => pages.push(`${offset} ${Buffer.from(page).toString("base64")}`), extend: () => {} },
      Infinity,
    );
    return { commits, pages, live: image.liveCount, bytes: image.liveBytes, received: image.received };
  };
  const whole = result([bytes]);
  assert.deepEqual(whole.commits, ["1 false", "2 true"]);
  assert.equal(whole.live, 3);
  assert.equal(whole.bytes, 64 + 4096 + 128);
  for (const step of [1, 7, 8, 1000]) {
    const pieces = Array.from({ length: Math.ceil(bytes.length / step) }, (_, i) =>
      bytes.subarray(i * step, (i + 1) * step),
    );
    assert.deepEqual(result(pieces), whole, `in pieces of ${step}`);
  }
});

// ── What a decoder must refuse ───────────────────────────────────────────────────────────────────

const record = { address: 0x1000n, size: 1 };
const words = (...values: number[]) => new Uint8Array(Uint32Array.from(values).buffer);
const runs =
  (...values: number[]) =>
  (stream: Stream) =>
    stream.frame(L.WIRE_RECORDS, words(...values));

const wrong: Record<string, [code: number, stream: (stream: Stream) => Stream]> = {
  "a frame before PROCESS": [L.WIRE_ERROR_ORDER, () => new Stream().removed(1)],
  "PROCESS twice": [L.WIRE_ERROR_ORDER, (stream) => stream.process()],
  "an unknown type": [L.WIRE_ERROR_TYPE, (stream) => stream.frame(77, new Uint8Array(8))],
  "HELLO in the data": [L.WIRE_ERROR_TYPE, (stream) => stream.hello()],
  "the longest length": [L.WIRE_ERROR_LENGTH, (stream) => stream.raw(words(0xffffffff, L.WIRE_RECORDS))],
  "a length just too long": [
    L.WIRE_ERROR_LENGTH,
    (stream) => stream.raw(words(L.WIRE_PAYLOAD_MAX + 8, L.WIRE_RECORDS)),
  ],
  "an odd length": [L.WIRE_ERROR_LENGTH, (stream) => stream.raw(words(12, L.WIRE_REMOVED))],
  "a commit too short": [L.WIRE_ERROR_LENGTH, (stream) => stream.frame(L.WIRE_COMMIT, new Uint8Array(8))],
  "a commit out of sequence": [L.WIRE_ERROR_ORDER, (stream) => stream.frame(L.WIRE_COMMIT, words(2, 0, 0, 0))],
  "anything after the last commit": [L.WIRE_ERROR_ORDER, (stream) => stream.commit(true).removed(1)],
  "another process in the header": [
    L.WIRE_ERROR_IDENTITY,
    (stream) => {
      const other = new Stream().process({ pid: 43 });
      other.take();
      return stream.raw(other.header().take());
    },
  ],
  "too many thread slots": [
    L.WIRE_ERROR_REFERENCE,
    (stream) => stream.header({ threadSlots: L.THREADS_MAX_COUNT + 1 }),
  ],
  "a process that ended in no known way": [L.WIRE_ERROR_VALUE, (stream) => stream.header({ endKind: 4 })],
  "an unknown kind of memory": [L.WIRE_ERROR_VALUE, (stream) => stream.records([[1, { ...record, kind: 3 }]])],
  "more live bytes than a number holds": [
    L.WIRE_ERROR_VALUE,
    (stream) => stream.records([1, 2].map((slot) => [slot, { ...record, size: 2 ** 52 }] as const)),
  ],
  "a module that ends before it starts": [
    L.WIRE_ERROR_REFERENCE,
    (stream) => stream.elements(L.KIND_MODULES, 1, 1, words(0, 0, 1, ...new Array(13).fill(0))),
  ],
  "slot 0": [L.WIRE_ERROR_REFERENCE, (stream) => stream.records([[0, record]])],
  "a stack that was not sent": [L.WIRE_ERROR_REFERENCE, (stream) => stream.records([[1, { ...record, stack: 1 }]])],
  "an empty run": [L.WIRE_ERROR_LENGTH, runs(1, 0)],
  "a run longer than its frame": [L.WIRE_ERROR_LENGTH, runs(1, 2, 0, 0, 0, 0, 0, 0, 0, 0)],
  "a run of 2^32-1": [L.WIRE_ERROR_LENGTH, runs(1, 0xffffffff, 0, 0)],
  "slots beyond 2^32": [
    L.WIRE_ERROR_REFERENCE,
    (stream) =>
      stream.records([
        [0xfffffffe, record],
        [0xffffffff, record],
      ]),
  ],
  "elements of no kind": [L.WIRE_ERROR_REFERENCE, (stream) => stream.elements(9, 1, 1, new Uint8Array(8))],
  "records as elements": [
    L.WIRE_ERROR_REFERENCE,
    (stream) => stream.elements(L.KIND_RECORDS, 1, 1, new Uint8Array(32)),
  ],
  "no elements": [L.WIRE_ERROR_LENGTH, (stream) => stream.elements(L.KIND_FRAMES, 1, 0, new Uint8Array(0))],
  "more elements than bytes": [
    L.WIRE_ERROR_LENGTH,
    (stream) => stream.elements(L.KIND_FRAMES, 1, 2, new Uint8Array(16)),
  ],
  "a gap in the frames": [L.WIRE_ERROR_ORDER, (stream) => stream.elements(L.KIND_FRAMES, 2, 1, new Uint8Array(16))],
  "a frame again": [
    L.WIRE_ERROR_ORDER,
    (stream) =>
      stream.elements(L.KIND_FRAMES, 1, 1, new Uint8Array(16)).elements(L.KIND_FRAMES, 1, 1, new Uint8Array(16)),
  ],
  "element 0 of the modules": [
    L.WIRE_ERROR_ORDER,
    (stream) => stream.elements(L.KIND_MODULES, 0, 1, new Uint8Array(64)),
  ],
  "a node that is its own parent": [
    L.WIRE_ERROR_REFERENCE,
    (stream) => stream.elements(L.KIND_NODES, 1, 1, words(1, 0)),
  ],
  "a node of an unknown frame": [L.WIRE_ERROR_REFERENCE, (stream) => stream.elements(L.KIND_NODES, 1, 1, words(0, 1))],
  "a frame in an unknown module": [
    L.WIRE_ERROR_REFERENCE,
    (stream) => stream.elements(L.KIND_FRAMES, 1, 1, words(0, 0, 1, 0)),
  ],
  "a module with an unknown path": [
    L.WIRE_ERROR_REFERENCE,
    (stream) => stream.elements(L.KIND_MODULES, 1, 1, words(0, 0, 0, 0, 0, 0, 1, 5, 0, 0, 0, 0, 0, 0, 0, 0)),
  ],
  "a path beyond 2^32": [
    L.WIRE_ERROR_REFERENCE,
    (stream) => stream.elements(L.KIND_MODULES, 1, 1, words(0, 0, 0, 0, 0, 0, 0, 0xffffffff, 0, 0, 0, 0, 0, 0, 0, 0)),
  ],
  "a stack of an unknown node": [
    L.WIRE_ERROR_REFERENCE,
    (stream) => stream.elements(L.KIND_STACKS, 1, 1, words(1, ...new Array(15).fill(0))),
  ],
  "a thread slot beyond the last": [
    L.WIRE_ERROR_REFERENCE,
    (stream) => stream.elements(L.WIRE_KIND_THREADS, L.THREADS_MAX_COUNT, 1, new Uint8Array(128)),
  ],
  "a timeline entry at 2^32-1": [
    L.WIRE_ERROR_REFERENCE,
    (stream) => stream.elements(L.WIRE_KIND_TIMELINE, 0xffffffff, 1, new Uint8Array(32)),
  ],
};

for (const [what, [code, build]] of Object.entries(wrong)) {
  test(`the decoder refuses ${what}`, () => {
    const image = new SessionImage(1 << 26);
    assert.throws(
      () => image.feed(build(new Stream().process()).take(), () => {}),
      (error) => error instanceof WireError && error.code === code,
    );
  });
}

test("a full image drops what does not fit, counts it, and stays valid", () => {
  // Block 0, one for each of the six arrays, and one more.
  const image = new SessionImage(8 << 20);
  const stream = new Stream().process();
  const perBlock = L.BLOCK_BYTES / L.RECORD_BYTES;
  const many = Array.from({ length: 2 * perBlock + 10 }, (_, i): [number, typeof record] => [i + 1, record]);
  for (let i = 0; i < many.length; i += 8000) stream.records(many.slice(i, i + 8000));
  // No block is left for a second one of nodes; the stack refers to one that is not kept.
  const nodes = L.BLOCK_BYTES / L.NODE_BYTES;
  for (let i = 1; i < nodes + 100; i += 30000) {
    const count = Math.min(30000, nodes + 100 - i);
    stream.append(L.KIND_NODES, count, new Uint8Array(count * L.NODE_BYTES));
  }
  const stack = stream.append(L.KIND_STACKS, 1, words(nodes + 50, ...new Array(15).fill(0)));
  stream.records([[5, { ...record, size: 7, stack } as typeof record]]);
  stream.header({ dropped: 5n }).commit();
  image.feed(stream.take(), () => {});
  assert.equal(image.full, true);
  assert.equal(image.liveCount, 2 * perBlock - 1);
  const header = new DataView(image.view(0, L.HEADER_BYTES).slice().buffer);
  assert.equal(header.getBigUint64(L.HEADER_DROPPED, true), 5n + 11n);
  image.write({ write: () => {}, extend: () => {} }, Infinity);
  const sealed = new DataView(image.view(0, L.HEADER_BYTES).slice().buffer);
  const count = (kind: number) => sealed.getUint32(L.HEADER_ARRAYS + kind * L.ARRAY_BYTES + L.ARRAY_COUNT, true);
  assert.equal(count(L.KIND_RECORDS), 2 * perBlock);
  assert.equal(count(L.KIND_STACKS), 1);
  assert.ok(count(L.KIND_NODES) <= nodes);
});

// ── Token ────────────────────────────────────────────────────────────────────────────────────────

test("HMAC-SHA-256 gives the published values, in C and here", { skip: noCompiler }, () => {
  const { status, stdout, stderr } = spawnSync(compile("hmac", "sha256.c"), { encoding: "utf8" });
  assert.equal(status, 0, stderr);
  assert.match(stdout, /^\d+ vectors\n$/);
});

test("both sides of the handshake have their own proof", () => {
  const token = Buffer.from("correct horse battery staple");
  const ours = Uint8Array.from({ length: 32 }, (_, i) => i);
  const theirs = Uint8Array.from({ length: 32 }, (_, i) => 255 - i);
  // What the C side computed for the same nonces.
  const proof = vector("handshake").subarray(-L.WIRE_MAC_BYTES);
  assert.deepEqual(Buffer.from(senderMac(token, theirs, ours)), Buffer.from(proof));
  assert.notDeepEqual(memdbMac(token, theirs, ours), senderMac(token, theirs, ours));
});
