// symbols.wasm by itself, in the build with assertions: what the host hands over is checked before it is used.

import assert from "node:assert";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { ENTRY_ADDRESS, ENTRY_BYTES, ENTRY_EXECUTABLE, ENTRY_SIZE, SYMBOL_NAME } from "../../../asm/symbols/layout.js";
import { SymbolCore } from "../../../runtime/symbols/symbolcore.js";

const build = (name: string) =>
  new WebAssembly.Module(readFileSync(new URL(`../../../../build/${name}.wasm`, import.meta.url)));

function core(): SymbolCore {
  return new SymbolCore(build("symbols.debug"));
}

/** Bytes in the module's memory. */
function put(target: SymbolCore, bytes: Uint8Array): number {
  const address = target.reserve(Math.max(bytes.length, 1));
  target.bytes(address, bytes.length).set(bytes);
  return address;
}

test("the release build has no imports", () => {
  const module = build("symbols") as unknown as object;
  const imports = (WebAssembly.Module as unknown as { imports(module: object): unknown[] }).imports(module);
  assert.deepStrictEqual(imports, []);
});

test("crc32 is the one of gzip, in pieces of any length", () => {
  const target = core();
  assert.strictEqual(target.call.crc32(put(target, Buffer.from("123456789")), 9, 0) >>> 0, 0xcbf43926);
  const bytes = Uint8Array.from({ length: 1000 }, (_, index) => (index * 167) ^ (index >> 3));
  const address = put(target, bytes);
  const whole = target.call.crc32(address, bytes.length, 0);
  for (const cut of [0, 1, 7, 8, 9, 500, 999, 1000]) {
    const first = target.call.crc32(address, cut, 0);
    assert.strictEqual(target.call.crc32(address + cut, bytes.length - cut, first), whole);
  }
});

test("memory that is released is used again, and what cannot be had is refused", () => {
  const target = core();
  const first = target.scoped(() => target.reserve(1000));
  assert.strictEqual(
    target.scoped(() => target.reserve(10)),
    first,
  );
  assert.strictEqual(first % 16, 0);
  assert.throws(() => target.reserve(0xfffffff0), /out of memory/);
  assert.throws(() => target.reserve(2 ** 40), /out of memory/);
  assert.ok(target.reserve(1 << 20) > 0);
});

test("headers that are too short or of another kind are refused", () => {
  const header = new Uint8Array(64);
  header.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  header[58] = 64;
  const accepts = (change: (bytes: Uint8Array) => Uint8Array | undefined) => {
    const target = core();
    const bytes = header.slice();
    const changed = change(bytes) ?? bytes;
    return target.call.elfHeader(put(target, changed), changed.length) !== 0;
  };
  const set = (at: number, value: number) => (bytes: Uint8Array) => {
    bytes[at] = value;
    return bytes;
  };
  assert.ok(accepts((bytes) => bytes));
  for (const [at, value] of [
    [0, 0],
    [4, 0],
    [4, 3],
    [5, 2],
    [6, 0],
  ] as const) {
    assert.ok(!accepts(set(at, value)), `byte ${at} is ${value}`);
  }
  for (let bytes = 0; bytes < 64; bytes++) assert.ok(!accepts((all) => all.subarray(0, bytes)));
  // Entries of the section table too short for what is read of them.
  assert.ok(!accepts((bytes) => set(58, 63)(set(60, 1)(bytes))));
});

test("symbols whose ends overflow cover what is in front of the end of the address space", () => {
  const target = core();
  const addresses = new BigUint64Array([0x1000n, 0xffffffffffffff00n]);
  const entries = new DataView(new ArrayBuffer(ENTRY_BYTES * 2));
  entries.setBigUint64(ENTRY_BYTES + ENTRY_ADDRESS, 0n, true);
  entries.setBigUint64(ENTRY_BYTES + ENTRY_SIZE, 0xffffffffffffffffn, true);
  entries.setUint32(ENTRY_BYTES + ENTRY_EXECUTABLE, 1, true);
  const symbols = new DataView(new ArrayBuffer(48));
  for (const [index, [name, value, size]] of [
    [1, 0x800n, 0xffffffffffffffffn],
    [2, 0xfffffffffffffe00n, 0xfffn],
  ].entries() as IterableIterator<[number, [number, bigint, bigint]]>) {
    symbols.setUint32(index * 24, name, true);
    symbols.setUint8(index * 24 + 4, 0x12);
    symbols.setUint16(index * 24 + 6, 1, true);
    symbols.setBigUint64(index * 24 + 8, value, true);
    symbols.setBigUint64(index * 24 + 16, size, true);
  }
  const queries = put(target, new Uint8Array(addresses.buffer));
  target.check(target.call.symbolsBegin(queries, 2));
  target.call.symbolsTable(0, put(target, new Uint8Array(entries.buffer)), 2, 62);
  target.check(target.call.symbolsScan(put(target, new Uint8Array(symbols.buffer)), 2, 1));
  const out = target.reserve(8);
  target.call.symbolsEnd(out);
  const names = [0, 4].map((at) => {
    const symbol = target.view.getUint32(out + at, true);
    return symbol === 0 ? null : target.view.getUint32(symbol + SYMBOL_NAME, true);
  });
  assert.deepStrictEqual(names, [1, 2]);
});
