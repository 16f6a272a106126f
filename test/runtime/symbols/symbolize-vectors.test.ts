// Lines and inlined calls in the libraries of test/vectors/symbols, against what llvm-symbolizer said about them when
// they were made (test/programs/symbols/vectors.sh). No tool is needed here.

import assert from "node:assert";
import {
  closeSync,
  copyFileSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import type { CodeLocation } from "../../../runtime/host/types.js";
import { DebugInformation } from "../../../runtime/symbols/dwarf.js";
import { ElfFile } from "../../../runtime/symbols/elffile.js";
import { SplitFiles } from "../../../runtime/symbols/splitfiles.js";
import { SymbolCore } from "../../../runtime/symbols/symbolcore.js";
import { Symbolizer, type SymbolizerOptions } from "../../../runtime/symbols/symbolize.js";
import { after } from "../../support/after.js";
import { identityOf } from "./symbolize-elf.js";

const folder = fileURLToPath(new URL("../../../../test/vectors/symbols/", import.meta.url));
const temporary = mkdtempSync(join(tmpdir(), "memhook-vectors-"));
after(() => rmSync(temporary, { recursive: true, force: true }));

const OPTIONS: SymbolizerOptions = { debugFolders: [], environment: {} };

function moduleOf(path: string) {
  const file = new ElfFile(new SymbolCore(), path);
  file.close();
  const nothing = { bias: 0n, start: 0n, end: 0n, loaded: 0n, unloaded: 0n, executable: false, vdso: false };
  return { id: 1, path, buildId: Uint8Array.from(file.buildId), file: identityOf(path), ...nothing };
}

interface Line {
  address: bigint;
  text: string;
}

function readLines(name: string): Line[] {
  const text = readFileSync(join(folder, `${name}.txt`), "utf8");
  return Array.from(text.matchAll(/^(0x[0-9a-f]+) (.*)$/gm), ([, address, rest]) => ({
    address: BigInt(address!),
    text: rest!,
  }));
}

/** As in the vectors: ?? and 0 for what is unknown. */
function print(locations: CodeLocation[]): string {
  return locations.map(({ function: name, file, line }) => `${name ?? "??"} ${file ?? "??"}:${line ?? 0}`).join(" < ");
}

const expectations = new Set(readdirSync(folder).flatMap((name) => (name.endsWith(".txt") ? [name.slice(0, -4)] : [])));

for (const library of readdirSync(folder).filter((name) => name.endsWith(".so"))) {
  const name = library.slice(0, -3);
  // gcc-5-zlib has the answers of gcc-5.
  const expected = expectations.has(name) ? name : name.replace(/-[^-]+$/, "");

  test(`${name}: names, lines and inlined calls`, async () => {
    const module = moduleOf(join(folder, library));
    const lines = readLines(expected);
    assert.ok(lines.length > 20);
    assert.ok(lines.some(({ text }) => text.includes(" < ")));
    const symbolizer = new Symbolizer(OPTIONS);
    const found = await symbolizer.symbolize(lines.map(({ address }) => ({ module, offset: address, exact: true })));
    symbolizer.close();
    assert.deepStrictEqual(symbolizer.notes, []);
    assert.deepStrictEqual(
      found.map(print),
      lines.map(({ text }) => text),
    );
    for (const locations of found) {
      // All but the function itself were inlined.
      assert.deepStrictEqual(
        locations.map(({ inlined }) => inlined),
        locations.map((_, index) => index < locations.length - 1),
      );
    }
  });
}

test("sections that are loaded in small pieces give the same", () => {
  for (const name of [...expectations, "gcc-4-split", "gcc-5-types", "clang-5-split"]) {
    const core = new SymbolCore();
    const path = join(folder, `${name}.so`);
    const file = new ElfFile(core, path);
    const lines = readLines(name.replace(/-split|-types/, ""));
    const addresses = BigUint64Array.from(lines, ({ address }) => address);
    const split = new SplitFiles(core, file, [`${path}.dwp`]);
    const related = { shared: () => null, split };
    const whole = new DebugInformation(core, file, related).locate(addresses);
    assert.ok(whole.some((locations) => (locations?.length ?? 0) > 1));
    for (const pieces of [
      { whole: 0, least: 1, leastInfo: 1 },
      { whole: 100, least: 16, leastInfo: 64 },
      { whole: 1000, least: 300, leastInfo: 50 },
    ]) {
      assert.deepStrictEqual(new DebugInformation(core, file, related, pieces).locate(addresses), whole, name);
    }
    split.close();
    file.close();
  }
});

test("split debug information that is missing or of another build costs the inlined calls, and is noted", async () => {
  const name = "gcc-5-split.so";
  const path = join(temporary, name);
  copyFileSync(join(folder, name), path);
  const lines = readLines("gcc-5");
  const look = async () => {
    const symbolizer = new Symbolizer(OPTIONS);
    const module = moduleOf(path);
    const found = await symbolizer.symbolize(lines.map(({ address }) => ({ module, offset: address, exact: true })));
    symbolizer.close();
    return { found: found.map(print), notes: symbolizer.notes };
  };
  // The function itself, where the innermost call is.
  const poor = lines.map(({ text }) => {
    const calls = text.split(" < ").map((call) => call.split(" "));
    return `${calls.at(-1)![0]} ${calls[0]![1]}`;
  });
  const nowhere = `${path}: inlined calls are unknown: `;
  const dwo = "gcc-5-split.so-calls.dwo";
  const missing = `${nowhere}/vectors/symbols/${dwo} is missing`;
  assert.deepStrictEqual(await look(), { found: poor, notes: [missing] });
  copyFileSync(join(folder, "gcc-5-split.so-crossing.dwo"), join(temporary, dwo));
  const other = `${nowhere}${join(temporary, dwo)} is of another build`;
  assert.deepStrictEqual(await look(), { found: poor, notes: [other] });
  const right = readFileSync(join(folder, dwo));
  const without = Buffer.from(right);
  without.write(".debug_none.dwo", right.indexOf(".debug_info.dwo"));
  for (const [what, content, wrong] of [
    ["no ELF file", Buffer.from("<html>"), "cannot be read: not an ELF file that can be read"],
    [
      "cut off",
      right.subarray(0, right.length / 2),
      "cannot be read: its section table lies beyond the end of the file",
    ],
  ] as const) {
    writeFileSync(join(temporary, dwo), content);
    assert.deepStrictEqual(await look(), { found: poor, notes: [`${nowhere}${join(temporary, dwo)} ${wrong}`] }, what);
  }
  for (const unit of ["calls", "crossing"]) {
    copyFileSync(join(folder, `${name}-${unit}.dwo`), join(temporary, `${name}-${unit}.dwo`));
  }
  assert.deepStrictEqual(await look(), { found: lines.map(({ text }) => text), notes: [] });
});

test("sections beyond 4 GiB are read", async () => {
  // The debug sections of a library, moved far out in a file that is mostly a hole.
  const far = 5 * 2 ** 30;
  const original = readFileSync(join(folder, "gcc-5.so"));
  const path = join(temporary, "far.so");
  const descriptor = openSync(path, "w");
  const table = Number(original.readBigUInt64LE(40));
  for (let index = 1; index < original.readUInt16LE(60); index++) {
    const at = table + index * 64;
    const allocated = (original.readUInt32LE(at + 8) & 2) !== 0;
    const offset = Number(original.readBigUInt64LE(at + 24));
    const size = Number(original.readBigUInt64LE(at + 32));
    if (allocated || size === 0) continue;
    writeSync(descriptor, original, offset, size, far + offset);
    original.writeBigUInt64LE(BigInt(far + offset), at + 24);
  }
  writeSync(descriptor, original, 0, original.length, 0);
  closeSync(descriptor);
  assert.ok(statSync(path).size > far);
  const lines = readLines("gcc-5");
  const symbolizer = new Symbolizer(OPTIONS);
  const module = moduleOf(path);
  const found = await symbolizer.symbolize(lines.map(({ address }) => ({ module, offset: address, exact: true })));
  symbolizer.close();
  assert.deepStrictEqual(symbolizer.notes, []);
  assert.deepStrictEqual(
    found.map(print),
    lines.map(({ text }) => text),
  );
});

test("one address at a time gives the same as all at once", async () => {
  const module = moduleOf(join(folder, "gcc-lto.so"));
  const symbolizer = new Symbolizer(OPTIONS);
  for (const { address, text } of readLines("gcc-lto").filter((_, index) => index % 7 === 0)) {
    const [locations] = await symbolizer.symbolize([{ module, offset: address, exact: true }]);
    assert.strictEqual(print(locations!), text);
  }
  symbolizer.close();
});

test("several looks at once do not get in each other's way", async () => {
  const symbolizer = new Symbolizer(OPTIONS);
  const names = ["gcc-5", "clang-5", "gcc-lto", "gcc-5"];
  const all = await Promise.all(
    names.map(async (name) => {
      const module = moduleOf(join(folder, `${name}.so`));
      const requests = readLines(name).map(({ address }) => ({ module, offset: address, exact: true }));
      return (await symbolizer.symbolize(requests)).map(print);
    }),
  );
  symbolizer.close();
  for (const [index, name] of names.entries()) {
    assert.deepStrictEqual(
      all[index],
      readLines(name).map(({ text }) => text),
    );
  }
});

test("names only: the function itself, without lines and inlined calls", async () => {
  const module = moduleOf(join(folder, "gcc-5.so"));
  const lines = readLines("gcc-5");
  const symbolizer = new Symbolizer({ ...OPTIONS, lines: false });
  const found = await symbolizer.symbolize(lines.map(({ address }) => ({ module, offset: address, exact: true })));
  symbolizer.close();
  assert.deepStrictEqual(
    found.map(print),
    lines.map(({ text }) => `${text.split(" < ").at(-1)!.split(" ")[0]} ??:0`),
  );
});

test("every file of the vectors is used", () => {
  assert.ok(expectations.size >= 8);
  for (const name of expectations) assert.ok(readdirSync(folder).includes(`${name}.so`), name);
});
