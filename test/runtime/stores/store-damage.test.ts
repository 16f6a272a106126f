// Stores that are damaged: every one gives a StoreError with a clear line, or answers that agree with each other;
// never a trap, never an endless or huge reading.
//
// MEMHOOK_FUZZ=100000 makes the random part longer, MEMHOOK_FUZZ_SEED=7 another one.

import assert from "node:assert/strict";
import { test } from "node:test";
import * as L from "../../../asm/layout.js";
import type { ByteSource } from "../../../runtime/host/host.js";
import { StoreImage } from "../../../runtime/stores/image.js";
import { openSource, StoreError } from "../../../runtime/stores/store.js";
import { coreBuilds, exhaust, isTrap, memorySource, randomNumbers, sampleStore } from "../../support/stores.js";

const image = sampleStore().interleaveBlocks().image();
const view = new DataView(image.buffer);

/** Opens the image as it is now and looks at everything. What came of it: "" or the message. */
async function outcome(what: string, length = image.length): Promise<string> {
  try {
    const store = openSource(memorySource(image, length), "a.store", coreBuilds.debug);
    await exhaust(store);
    store.close();
    return "";
  } catch (error) {
    if (!(error instanceof StoreError)) throw new Error(`${what}: ${(error as Error).stack}`);
    assert.ok(!isTrap(error), `${what}: ${error.message}`);
    assert.match(error.message, /^a\.store: [^\n]+; [^\n]+$/, what);
    return error.message;
  }
}

/** Does something with other bytes at a place, and puts the old ones back. */
async function changed<T>(offset: number, bytes: Uint8Array, then: () => Promise<T>): Promise<T> {
  const before = image.slice(offset, offset + bytes.length);
  image.set(bytes, offset);
  try {
    return await then();
  } finally {
    image.set(before, offset);
  }
}

function number(value: bigint, bytes: number): Uint8Array {
  return Uint8Array.from({ length: bytes }, (_, i) => Number((value >> BigInt(8 * i)) & 0xffn));
}

function read(offset: number, bytes: number): bigint {
  return image.slice(offset, offset + bytes).reduceRight((value, byte) => (value << 8n) | BigInt(byte), 0n);
}

/** Where element `index` of an array is in the image. */
function element(kind: number, index: number, bytes: number): number {
  const blocks = view.getUint32(L.HEADER_BLOCK_COUNT, true);
  for (let block = 1; block < blocks; block++) {
    const entry = view.getUint32(L.BLOCK_TABLE_OFFSET + 4 * block, true);
    if (entry === kind << L.BLOCK_ENTRY_KIND_SHIFT) return block * L.BLOCK_BYTES + index * bytes;
  }
  throw new Error("the sample has no such block");
}

const fields: [name: string, offset: number, bytes: number][] = [];
// The whole header page, its descriptors and the table, number by number whatever they mean; of 64 bits each half.
const headerEnd = L.HEADER_ARRAYS + L.KIND_COUNT * L.ARRAY_BYTES;
for (let at = 0; at < headerEnd; at += 4) fields.push([`header ${at}`, at, 4]);
for (let at = headerEnd; at < L.HEADER_BYTES; at += 256) fields.push([`header ${at}`, at, 4]);
fields.push(["major version", L.HEADER_VERSION_MAJOR, 2], ["minor version", L.HEADER_VERSION_MINOR, 2]);
for (let block = 0; block < 10; block++) fields.push([`table ${block}`, L.BLOCK_TABLE_OFFSET + 4 * block, 4]);
for (let at = 0; at < 2 * L.TIMELINE_BYTES; at += 4) fields.push([`timeline ${at}`, L.TIMELINE_OFFSET + at, 4]);
for (let at = 0; at < L.THREAD_BYTES; at += 4) fields.push([`thread ${at}`, L.THREADS_OFFSET + at, 4]);
const elements: [name: string, kind: number, size: number][] = [
  ["record", L.KIND_RECORDS, L.RECORD_BYTES],
  ["stack", L.KIND_STACKS, L.STACK_BYTES],
  ["node", L.KIND_NODES, L.NODE_BYTES],
  ["frame", L.KIND_FRAMES, L.FRAME_BYTES],
  ["module", L.KIND_MODULES, L.MODULE_BYTES],
];
for (const [name, kind, size] of elements) {
  for (const index of [0, 1, 2]) {
    const start = element(kind, index, size);
    for (let at = 0; at < size; at += 4) fields.push([`${name} ${index}+${at}`, start + at, 4]);
  }
}

test("the sample itself is sound", async () => {
  assert.equal(await outcome("untouched"), "");
});

test("one field at a time: 0, 1, the largest, one more, one less, the sign bit", async () => {
  let refused = 0;
  for (const [name, offset, bytes] of fields) {
    const old = read(offset, bytes);
    const largest = (1n << BigInt(8 * bytes)) - 1n;
    for (const value of new Set([0n, 1n, largest, old + 1n, old - 1n, 1n << BigInt(8 * bytes - 1)])) {
      if (value < 0n || value > largest || value === old) continue;
      const message = await changed(offset, number(value, bytes), () => outcome(`${name} = ${value}`));
      if (message) refused++;
    }
  }
  // Most of the numbers in a header are free to say anything; this only guards against a test that tests nothing.
  assert.ok(refused > 150, `${refused} of the changes were refused`);
});

// What must be refused, and in which words.
const refusals: [name: string, offset: number, bytes: number, value: number, message: RegExp][] = [
  ["magic", L.HEADER_MAGIC, 4, 1, /is not a memhook store/],
  ["no magic yet", L.HEADER_MAGIC, 8, 0, /holds no memhook store, or none yet/],
  ["newer version", L.HEADER_VERSION_MAJOR, 2, 2, /newer memhook, format version 2; update memhook/],
  ["version 0", L.HEADER_VERSION_MAJOR, 2, 0, /there is no format version 0/],
  ["header size", L.HEADER_HEADER_BYTES, 4, 8192, /header's size is wrong/],
  ["block size", L.HEADER_BLOCK_BYTES, 4, 4096, /block size is wrong/],
  ["pointer size", L.HEADER_POINTER_BYTES, 4, 6, /pointer size cannot be 6/],
  ["end kind", L.HEADER_END_KIND, 4, 4, /no process ends in way 4/],
  ["writer", L.HEADER_WRITER, 4, 3, /there is no writer 3/],
  ["depth limit", L.HEADER_DEPTH_LIMIT, 4, 65537, /depth limit cannot be 65537/],
  ["short depth limit", L.HEADER_DEPTH_LIMIT, 4, 2, /more frames than the depth limit, 2/],
  ["exe length", L.HEADER_EXE_LENGTH, 4, L.PROCESS_BYTES, /executable and command are too long/],
  ["command length", L.HEADER_COMMAND_LENGTH, 4, 0xffffffff, /executable and command are too long/],
  ["timeline length", L.HEADER_TIMELINE_COUNT, 4, L.TIMELINE_MAX_COUNT + 1, /timeline is too long, entries 1025/],
  ["thread slots", L.HEADER_THREAD_SLOTS, 4, L.THREADS_MAX_COUNT + 1, /too many thread slots, 1025/],
  ["no blocks", L.HEADER_BLOCK_COUNT, 4, 0, /number of blocks cannot be 0/],
  ["many blocks", L.HEADER_BLOCK_COUNT, 4, L.BLOCK_MAX_COUNT + 1, /number of blocks cannot be 65537/],
  ["fewer blocks", L.HEADER_BLOCK_COUNT, 4, 6, /blocks are missing of array 1/],
  ["block of no kind", L.BLOCK_TABLE_OFFSET + 4, 4, L.KIND_COUNT << 24, /no known array has block 1/],
  ["ordinal", L.BLOCK_TABLE_OFFSET + 4, 4, (L.KIND_STRINGS << 24) | 1, /beyond the end of its array is block 1/],
  ["ordinal twice", L.BLOCK_TABLE_OFFSET + 4, 4, L.KIND_STACKS << 24, /taken twice, again by block/],
  ["unused block", L.BLOCK_TABLE_OFFSET + 4, 4, 0, /blocks are missing of array 6/],
  ["count", descriptor(L.KIND_NODES) + L.ARRAY_COUNT, 4, 1000, /more elements than backing are in array 3/],
  ["committed", descriptor(L.KIND_NODES) + L.ARRAY_COMMITTED, 4, 0xffffffff, /blocks are missing of array 3/],
  ["array blocks", descriptor(L.KIND_NODES) + L.ARRAY_BLOCKS, 4, 0, /blocks are missing of array 3/],
  ["backing", descriptor(L.KIND_RECORDS) + L.ARRAY_COMMITTED, 4, 32768, /is truncated, the file ends before byte/],
  ["record's stack", record(1) + L.RECORD_STACK, 4, 6, /no allocation as in record 1/],
  ["record's kind", record(1) + L.RECORD_SIZE + 7, 1, 3, /no allocation as in record 1/],
  ["record's size", record(1) + L.RECORD_SIZE + 6, 1, 0x20, /no allocation as in record 1/],
  ["stack's node", element(L.KIND_STACKS, 1, L.STACK_BYTES), 4, 1000, /there is no stack node 1000/],
  ["node's parent", element(L.KIND_NODES, 2, L.NODE_BYTES), 4, 2, /caller does not come before stack node 2/],
  ["node's frame", element(L.KIND_NODES, 1, L.NODE_BYTES) + L.NODE_FRAME, 4, 99, /there is no frame 99/],
  ["frame's module", element(L.KIND_FRAMES, 1, L.FRAME_BYTES) + L.FRAME_MODULE, 4, 5, /there is no module of frame 1/],
  ["module's end", element(L.KIND_MODULES, 1, L.MODULE_BYTES) + L.MODULE_END, 8, 0, /wrong way round in module 1/],
  ["path", element(L.KIND_MODULES, 1, L.MODULE_BYTES) + L.MODULE_PATH_LENGTH, 4, 4000, /out of bounds of module 1/],
  [
    "long path",
    element(L.KIND_MODULES, 1, L.MODULE_BYTES) + L.MODULE_PATH_LENGTH,
    4,
    4097,
    /out of bounds of module 1/,
  ],
  ["build id", element(L.KIND_MODULES, 1, L.MODULE_BYTES) + L.MODULE_BUILD_ID_OFFSET, 4, 0xffffffff, /of module 1/],
];

function descriptor(kind: number): number {
  return L.HEADER_ARRAYS + kind * L.ARRAY_BYTES;
}

function record(index: number): number {
  return element(L.KIND_RECORDS, index, L.RECORD_BYTES);
}

for (const [name, offset, bytes, value, message] of refusals) {
  test(`refused: ${name}`, async () => {
    assert.match(await changed(offset, number(BigInt(value), bytes), () => outcome(name)), message);
  });
}

test("a newer minor version is accepted", async () => {
  assert.equal(await changed(L.HEADER_VERSION_MINOR, number(65535n, 2), () => outcome("minor")), "");
});

test("sizes that add up to more than any memory", async () => {
  const size = number((1n << 53n) - 1n, 8);
  const first = record(1) + L.RECORD_SIZE;
  const message = await changed(first, size, () => changed(record(2) + L.RECORD_SIZE, size, () => outcome("sizes")));
  assert.match(message, /larger than any memory/);
});

test("the file cut at every 512 bytes", async () => {
  // One image, loaded again for every length, because twelve thousand stores would take long to make.
  let length = 0;
  const whole = memorySource(image);
  const cut: ByteSource = { ...whole, size: () => length, read: (to, at) => memorySource(image, length).read(to, at) };
  const loaded = new StoreImage(coreBuilds.debug, cut, "a.store");
  for (; length < image.length; length += 512) {
    const message =
      length === 0 ? /holds no memhook store, or none yet/ : /a\.store: is truncated, [^\n]+; copy it again/;
    assert.throws(() => loaded.load(false), { name: "StoreError", message }, `cut at ${length}`);
    if (length % 65536 === 0) assert.match(await outcome(`cut at ${length}`, length), message);
  }
  length = image.length;
  loaded.load(false);
});

test("garbage of many lengths", async () => {
  const random = randomNumbers(99);
  for (const length of [1, 7, 8, 100, 4095, 4096, 5000, 524288, 2_000_000]) {
    const garbage = Uint8Array.from({ length }, () => random(256));
    assert.throws(() => openSource(memorySource(garbage), "a.store"), {
      name: "StoreError",
      message: /^a\.store: is not a memhook store; /,
    });
    // The same behind a good magic.
    garbage.set(image.subarray(0, Math.min(8, length)));
    const behindMagic = length < 8 ? /is not a memhook store/ : /is truncated|is damaged|newer memhook/;
    assert.throws(() => openSource(memorySource(garbage), "a.store"), { name: "StoreError", message: behindMagic });
  }
});

test("random changes", async () => {
  const count = Number(process.env.MEMHOOK_FUZZ ?? 1000);
  const seed = Number(process.env.MEMHOOK_FUZZ_SEED ?? 1);
  const random = randomNumbers(seed);
  const used = [
    [0, 1024],
    [L.PROCESS_OFFSET, 64],
    [L.TIMELINE_OFFSET, 128],
    [L.THREADS_OFFSET, 384],
    [L.BLOCK_TABLE_OFFSET, 32],
    ...elements.map(([, kind, size]) => [element(kind, 0, size), 12 * size]),
    [element(L.KIND_STRINGS, 0, 1), 100],
  ] as [number, number][];
  const special = [0, 1, 2, 127, 128, 255];
  for (let i = 0; i < count; i++) {
    const original: [number, number][] = [];
    const what: string[] = [];
    for (let n = 1 + random(4); n > 0; n--) {
      const [start, length] = used[random(used.length)]!;
      const offset = start + random(length);
      // The magic and the version would end most cases at once.
      if (offset < 12) continue;
      const value = random(3) ? special[random(special.length)]! : random(256);
      original.unshift([offset, image[offset]!]);
      what.push(`[${offset}] = ${value}`);
      image[offset] = value;
    }
    await outcome(`seed ${seed}, change ${i}: ${what.join(", ")}`);
    for (const [offset, value] of original) image[offset] = value;
  }
});
