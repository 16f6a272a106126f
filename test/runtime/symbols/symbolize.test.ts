// Function names from symbol tables, and the files they are taken from: build ids, separate debug files,
// files that are gone or were replaced. The files are built by symbolize-elf.ts, so no compiler is needed.

import assert from "node:assert";
import { execFileSync, spawn } from "node:child_process";
import { chmodSync, existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { ElfFile } from "../../../runtime/symbols/elffile.js";
import { SymbolCore } from "../../../runtime/symbols/symbolcore.js";
import { Symbolizer } from "../../../runtime/symbols/symbolize.js";
import { which } from "../../support/compilers.js";
import { elf, type FakeElf, type FakeSymbol, TEXT_ADDRESS, TEXT_BYTES, xz } from "./symbolize-elf.js";
import { BUILD_ID, folder, HEX_ID, look, MAIN, moduleOf, OTHER_ID, stripped, write } from "./symbolize-look.js";

async function namesIn(symbols: FakeSymbol[], addresses: number[], more: FakeElf = {}) {
  const { names, notes } = await look(moduleOf(write(elf({ symbols, ...more }))), addresses);
  assert.deepStrictEqual(notes, []);
  return names;
}

// ── Symbol tables ────────────────────────────────────────────────────────────────────────────────

for (const bits of [64, 32] as const) {
  for (const dynamic of [false, true]) {
    test(`finds the function around an address: ELF${bits} ${dynamic ? ".dynsym" : ".symtab"}`, async () => {
      const symbols = [
        { name: "second", value: 0x1100, size: 0x20 },
        { name: "data", value: 0x1100, size: 0x20, type: "object" as const },
        { name: "first", value: 0x1000, size: 0x10 },
        { name: "chosen", value: 0x1200, size: 0x10, type: "ifunc" as const },
        { name: "elsewhere", value: 0x1040, size: 0x10, section: "undefined" as const },
      ];
      const addresses = [0xfff, 0x1000, 0x100f, 0x1010, 0x1045, 0x10ff, 0x1100, 0x111f, 0x1120, 0x1208, 0x1ff0];
      assert.deepStrictEqual(await namesIn(symbols, addresses, { bits, dynamic }), [
        null,
        "first",
        "first",
        null,
        null,
        null,
        "second",
        "second",
        null,
        "chosen",
        null,
      ]);
    });
  }
}

test("a symbol without a size reaches to the next symbol or the end of its section", async () => {
  const symbols = [
    { name: "_start", value: 0x1000, size: 0, type: "notype" as const },
    { name: "middle", value: 0x1100, size: 0x10 },
    { name: "handwritten", value: 0x1200, size: 0 },
  ];
  const addresses = [0x1000, 0x10ff, 0x110f, 0x1110, 0x1200, TEXT_ADDRESS + TEXT_BYTES - 1, TEXT_ADDRESS + TEXT_BYTES];
  const expected = ["_start", "_start", "middle", null, "handwritten", "handwritten", null];
  assert.deepStrictEqual(await namesIn(symbols, addresses), expected);
});

test("a label inside a function does not hide the function", async () => {
  const symbols = [
    { name: "memcpy", value: 0x1000, size: 0x100 },
    { name: "loop", value: 0x1020, size: 0, type: "notype" as const, local: true },
  ];
  assert.deepStrictEqual(await namesIn(symbols, [0x101f, 0x1020, 0x10ff, 0x1100]), [
    "memcpy",
    "memcpy",
    "memcpy",
    "loop",
  ]);
});

test("of several symbols at one address the longest, then global, then last by name wins in any order", async () => {
  const symbols: FakeSymbol[] = [
    { name: "zz_short", value: 0x1000, size: 8 },
    { name: "__libc_malloc", value: 0x1000, size: 0x40 },
    { name: "malloc", value: 0x1000, size: 0x40 },
    { name: "zz_local", value: 0x1000, size: 0x40, local: true },
    { name: "__malloc", value: 0x1000, size: 0x40 },
  ];
  for (let turn = 0; turn < symbols.length; turn++) {
    symbols.push(symbols.shift()!);
    assert.deepStrictEqual(await namesIn(symbols, [0x1000, 0x1020, 0x103f]), ["malloc", "malloc", "malloc"]);
    symbols.reverse();
    assert.deepStrictEqual(await namesIn(symbols, [0x1030]), ["malloc"]);
  }
});

test("names nothing after ARM's marks between code and data, and clears the Thumb bit", async () => {
  const symbols: FakeSymbol[] = [
    { name: "$t", value: 0x1000, size: 0, type: "notype", local: true },
    { name: "thumb", value: 0x1101, size: 0x10 },
  ];
  const names = await namesIn(symbols, [0x1010, 0x1100, 0x110f, 0x1110], { bits: 32, machine: 40 });
  assert.deepStrictEqual(names, [null, "thumb", "thumb", null]);
});

test("looks a return address up one byte before", async () => {
  const info = moduleOf(write(elf({ symbols: [MAIN, { name: "next", value: 0x1180, size: 0x10 }] })));
  const symbolizer = new Symbolizer({ environment: {} });
  const request = { module: info, offset: 0x1180n };
  const [call, instruction, none] = await symbolizer.symbolize([
    { ...request, exact: false },
    { ...request, exact: true },
    { ...request, offset: 0n, exact: false },
  ]);
  symbolizer.close();
  assert.deepStrictEqual(call, [{ function: "main", file: null, line: null, inlined: false }]);
  assert.strictEqual(instruction?.[0]?.function, "next");
  assert.deepStrictEqual(none, [{ function: null, file: null, line: null, inlined: false }]);
});

test("finds names that lie far apart in a large table", async () => {
  const symbols = Array.from({ length: 70_000 }, (_, i) => ({ name: `f${i}`, value: 0x1000 + i * 16, size: 16 }));
  // The order of the file says nothing.
  for (let i = symbols.length - 1; i > 0; i--) {
    const j = (i * 7919) % (i + 1);
    [symbols[i], symbols[j]] = [symbols[j]!, symbols[i]!];
  }
  const wanted = [0, 1, 68, 35_000, 69_999];
  assert.deepStrictEqual(
    await namesIn(
      symbols,
      wanted.map((i) => 0x1000 + i * 16 + 5),
    ),
    wanted.map((i) => `f${i}`),
  );
});

// ── MiniDebugInfo ────────────────────────────────────────────────────────────────────────────────

const EXPORTED: FakeSymbol = { name: "exported", value: 0x1200, size: 0x40 };
const INTERNAL: FakeSymbol = { name: "internal", value: 0x1300, size: 0x40 };
/** Without a size, it would reach over all that comes behind it in its own table. */
const LABEL: FakeSymbol = { name: "label", value: 0x1010, size: 0, type: "notype" };

function fileWith(debugdata: Uint8Array): string {
  return write(elf({ symbols: [EXPORTED], dynamic: true, sections: { ".gnu_debugdata": debugdata } }));
}

test("a stripped module's names are in .gnu_debugdata and .dynsym together", async () => {
  const mini = elf({ symbols: [LABEL, MAIN, INTERNAL] });
  const addresses = [0x1020, 0x1100, 0x1210, 0x1240, 0x1310];
  const { names, notes } = await look(moduleOf(fileWith(xz(mini))), addresses);
  assert.deepStrictEqual(names, ["label", "main", "exported", null, "internal"]);
  assert.deepStrictEqual(notes, []);
  for (const lines of [true, false]) {
    const whole = write(elf({ symbols: [MAIN, EXPORTED], sections: { ".gnu_debugdata": xz(mini) } }));
    assert.deepStrictEqual((await look(moduleOf(whole), addresses, { lines })).names, [
      null,
      "main",
      "exported",
      null,
      null,
    ]);
  }
});

test("what xz compressed is read", { skip: which("xz") === undefined && "xz is missing" }, async () => {
  const mini = elf({ symbols: [MAIN], sections: { ".debug_frame": Buffer.alloc(1 << 20, "some text ") } });
  for (const how of ["-9e", "--check=crc32", "--block-size=65536", "--check=none"]) {
    const debugdata = execFileSync("xz", [how, "--stdout"], { input: mini });
    const { names, notes } = await look(moduleOf(fileWith(debugdata)), [0x1100, 0x1210]);
    assert.deepStrictEqual(names, ["main", "exported"], how);
    assert.deepStrictEqual(notes, []);
  }
});

test("a .gnu_debugdata that is damaged or too large costs its own names alone, and is noted", async () => {
  const good = xz(elf({ symbols: [MAIN] }));
  const changed = Buffer.from(good);
  changed[1000]! ^= 1;
  for (const [what, bad] of Object.entries({
    changed,
    "cut off": good.subarray(0, good.length / 2),
    "cut off in its header": good.subarray(0, 5),
    "something else": Buffer.from("this is no xz file, but it is long enough to be one"),
    "another kind of file": xz(Buffer.from("no ELF file")),
  })) {
    const path = fileWith(bad);
    const { names, notes } = await look(moduleOf(path), [0x1100, 0x1210]);
    assert.deepStrictEqual(names, [null, "exported"], what);
    assert.strictEqual(notes.length, 1, what);
    assert.ok(notes[0]?.startsWith(`${path}: its .gnu_debugdata cannot be read: `), notes.join());
  }
});

test("a .gnu_debugdata that would fill the memory is given up", {
  skip: which("xz") === undefined && "xz is missing",
}, async () => {
  const bomb = execFileSync("xz", ["--stdout"], { input: Buffer.alloc(1 << 24) });
  const { names, notes } = await look(moduleOf(fileWith(bomb)), [0x1100, 0x1210]);
  assert.deepStrictEqual(names, [null, "exported"]);
  assert.match(notes.join(), /its .gnu_debugdata cannot be read: it is too large$/);
});

// ── Which file ───────────────────────────────────────────────────────────────────────────────────

test("gives no names from a file of another build, and says so once", async () => {
  const path = write(elf({ symbols: [MAIN], buildId: OTHER_ID }));
  const expected = `${path}: changed since the run (build id ${HEX_ID} then, 112233 now): its functions have no names`;
  assert.deepStrictEqual(await look(moduleOf(path, BUILD_ID), [0x1100, 0x1104]), {
    names: [null, null],
    notes: [expected],
  });
  // Without a build id then and with one now, it is another build too; and the other way round.
  const { names, notes } = await look(moduleOf(path), [0x1100]);
  assert.deepStrictEqual(names, [null]);
  assert.match(notes.join("\n"), /^.*\(build id none then, 112233 now\).*$/);
  const plain = await look(moduleOf(write(elf({ symbols: [MAIN] })), OTHER_ID), [0x1100]);
  assert.deepStrictEqual(plain.names, [null]);
  assert.match(plain.notes.join("\n"), /^.*\(build id 112233 then, none now\).*$/);
});

test("says once that a file is missing, is no ELF file or cannot be opened", async () => {
  const missing = join(folder, "nowhere.so");
  const symbolizer = new Symbolizer({ debugFolders: [], environment: {} });
  for (let i = 0; i < 3; i++) {
    const request = { module: moduleOf(missing), offset: BigInt(i), exact: true };
    const [locations] = await symbolizer.symbolize([request, request]);
    assert.deepStrictEqual(locations, [{ function: null, file: null, line: null, inlined: false }]);
  }
  symbolizer.close();
  assert.deepStrictEqual(symbolizer.notes, [`${missing}: no such file: its functions have no names`]);
  for (const [content, reason] of [
    ["", /not an ELF file/],
    ["#!/bin/sh\n", /not an ELF file/],
    ["\x7fELF", /not an ELF file/],
    ["\x7fELF\x02\x01\x01".padEnd(64, "\xff"), /section table/],
  ] as const) {
    const { names, notes } = await look(moduleOf(write(Buffer.from(content, "latin1"))), [0x1100]);
    assert.deepStrictEqual(names, [null]);
    assert.strictEqual(notes.length, 1);
    assert.match(notes[0]!, reason);
  }
  assert.match((await look(moduleOf(folder), [0x1100])).notes.join("\n"), /^.*not a regular file.*$/);
});

test("has nothing to say about the vDSO and about addresses outside of modules", async () => {
  for (const info of [moduleOf("linux-vdso.so.1", BUILD_ID, { vdso: true }), moduleOf("")]) {
    assert.deepStrictEqual(await look(info, [0x1100]), { names: [null], notes: [] });
  }
});

test("reads names of a module without sections' names and of one cut off behind its table", async () => {
  const whole = elf({ symbols: [MAIN], buildId: BUILD_ID });
  for (let bytes = 0; bytes < whole.length; bytes += 37) {
    const { names, notes } = await look(moduleOf(write(whole.subarray(0, bytes)), BUILD_ID), [0x1100]);
    assert.deepStrictEqual(names, [null], `cut off at ${bytes}`);
    assert.strictEqual(notes.length, 1, `cut off at ${bytes}`);
  }
});

// ── Separate debug files ─────────────────────────────────────────────────────────────────────────

test("finds the debug file by build id", async () => {
  const debugFolder = join(folder, "by-id");
  const path = write(stripped({ buildId: BUILD_ID }));
  const info = moduleOf(path, BUILD_ID);
  const place = `by-id/.build-id/${HEX_ID.slice(0, 2)}/${HEX_ID.slice(2)}.debug`;
  for (const lines of [true, false]) {
    write(elf({ symbols: [MAIN], buildId: OTHER_ID }), place);
    assert.deepStrictEqual(await look(info, [0x1100], { debugFolders: [debugFolder], lines }), {
      names: [null],
      notes: [],
    });
    write(elf({ symbols: [MAIN], buildId: BUILD_ID }), place);
    const options = { debugFolders: [join(folder, "none"), debugFolder], lines };
    assert.deepStrictEqual(await look(info, [0x1100], options), { names: ["main"], notes: [] });
    // It is the right one even if the module itself is gone or another one.
    const gone = moduleOf(join(folder, "gone"), BUILD_ID);
    assert.deepStrictEqual(await look(gone, [0x1100], options), { names: ["main"], notes: [] });
  }
});

test("finds the debug file by link, next to the module, in .debug and under the debug folder", async () => {
  const debug = elf({ symbols: [MAIN], buildId: BUILD_ID });
  const debugFolder = join(folder, "linked-debug");
  for (const [index, place] of [
    "m.debug",
    ".debug/m.debug",
    `../../linked-debug${folder}/linked/2/m.debug`,
  ].entries()) {
    const path = write(
      stripped({ buildId: BUILD_ID, debuglink: { name: "m.debug", checksum: 0 } }),
      `linked/${index}/module`,
    );
    const info = moduleOf(path, BUILD_ID);
    assert.deepStrictEqual((await look(info, [0x1100], { debugFolders: [debugFolder] })).names, [null]);
    write(debug, `linked/${index}/${place}`);
    assert.deepStrictEqual((await look(info, [0x1100], { debugFolders: [debugFolder] })).names, ["main"]);
  }
});

test("takes a linked debug file without build id only if the checksum is right", async () => {
  const debug = elf({ symbols: [MAIN] });
  write(debug, "checked/m.debug");
  for (const [checksum, expected] of [
    [crc32(debug), "main"],
    [(crc32(debug) ^ 1) >>> 0, null],
  ] as const) {
    const path = write(stripped({ debuglink: { name: "m.debug", checksum } }), "checked/module");
    assert.deepStrictEqual(await look(moduleOf(path), [0x1100]), { names: [expected], notes: [] });
  }
  // With a build id on both sides it must be the same, whatever the checksum.
  const other = elf({ symbols: [MAIN], buildId: OTHER_ID });
  write(other, "checked/other.debug");
  const link = { name: "other.debug", checksum: crc32(other) };
  const path = write(stripped({ buildId: BUILD_ID, debuglink: link }), "checked/with-id");
  assert.deepStrictEqual((await look(moduleOf(path, BUILD_ID), [0x1100])).names, [null]);
});

test("does not follow a link out of its folder", async () => {
  const debug = elf({ symbols: [MAIN], buildId: BUILD_ID });
  write(debug, "outside/m.debug");
  const path = write(
    stripped({ buildId: BUILD_ID, debuglink: { name: "../outside/m.debug", checksum: 0 } }),
    "inside/module",
  );
  assert.deepStrictEqual((await look(moduleOf(path, BUILD_ID), [0x1100])).names, [null]);
});

test("reads the file of a running program that was deleted", async (t) => {
  const sleep = ["/bin/sleep", "/usr/bin/sleep"].find(existsSync);
  if (sleep === undefined) return t.skip("there is no sleep");
  const path = write(readFileSync(sleep), "program");
  const core = new SymbolCore();
  const file = new ElfFile(core, path);
  file.close();
  chmodSync(path, 0o755);
  const child = spawn(path, ["60"], { stdio: "ignore" });
  try {
    await new Promise((resolve, reject) => {
      child.once("spawn", resolve);
      child.once("error", reject);
    });
    const info = moduleOf(path, Uint8Array.from(file.buildId), { executable: true });
    // Deleting is safe only once the program runs, which spawning alone does not say.
    while (!readFileSync(`/proc/${child.pid}/maps`, "utf8").includes(path)) await new Promise((r) => setTimeout(r, 5));
    rmSync(path);
    assert.match((await look(info, [0x1100])).notes.join("\n"), /^.*no such file.*$/);
    assert.deepStrictEqual((await look(info, [0x1100], { pid: child.pid })).notes, []);
    // But not the file of another build.
    const other = await look(moduleOf(path, OTHER_ID, { executable: true }), [0x1100], { pid: child.pid });
    assert.strictEqual(other.notes.length, 1);
  } finally {
    child.kill("SIGKILL");
  }
});

/** The plain form of what symbols.wasm computes. */
function crc32(bytes: Uint8Array): number {
  let crc = ~0;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  }
  return ~crc >>> 0;
}
