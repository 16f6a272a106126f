// Garbage never traps, hangs or fills the memory: the vectors, with bytes
// changed at random, are looked at as any file is.
//
//   MEMHOOK_FUZZ_COUNT    how many changed files (3000)
//   MEMHOOK_FUZZ_SEED     where to begin; a failure names the seed that repeats it with a count of 1

import assert from "node:assert";
import { closeSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { SECTION_DYNSYM, SECTION_SYMTAB } from "../../../asm/symbols/layout.js";
import { prepareZstd } from "../../../runtime/host/zstd.js";
import { DebugInformation } from "../../../runtime/symbols/dwarf.js";
import type { Pieces } from "../../../runtime/symbols/dwarfreader.js";
import { ElfError } from "../../../runtime/symbols/elfbytes.js";
import { ElfFile } from "../../../runtime/symbols/elffile.js";
import { SplitFiles } from "../../../runtime/symbols/splitfiles.js";
import { SymbolCore } from "../../../runtime/symbols/symbolcore.js";
import { functionNames } from "../../../runtime/symbols/symboltable.js";
import { after } from "../../support/after.js";

const COUNT = Number(process.env.MEMHOOK_FUZZ_COUNT ?? 3000);
const SEED = Number(process.env.MEMHOOK_FUZZ_SEED ?? 1);
const MOST_MILLISECONDS = 5000;
const MOST_BYTES = 256 << 20;

const vectors = fileURLToPath(new URL("../../../../test/vectors/symbols/", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "memhook-fuzz-"));
after(() => rmSync(folder, { recursive: true, force: true }));

/** xorshift32: the same numbers everywhere for a seed. */
function random(seed: number): (below: number) => number {
  let state = Math.imul(seed, 0x9e3779b1) | 1;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

/** A file that is changed: a library, or the debug information that was split from one. */
interface Victim {
  name: string;
  original: Buffer;
  /** Where the changes hit: anywhere, or a part of the file where they do most. */
  parts: { offset: number; size: number }[];
  descriptor: number;
  /** The library to look at. */
  path: string;
  addresses: BigUint64Array;
}

const ADDRESSES = 40;

/** The parts of a file that are worth changing, and its largest part with code. */
function partsOf(original: Buffer) {
  const wide = original[4] === 2;
  const number = (at: number, bytes: 4 | 8) =>
    bytes === 8 ? Number(original.readBigUInt64LE(at)) : original.readUInt32LE(at);
  // Sections by hand: what is tested does not choose what it is tested with.
  const table = wide ? number(40, 8) : number(32, 4);
  const entryBytes = wide ? 64 : 40;
  const count = original.readUInt16LE(wide ? 60 : 48);
  const parts = [
    { offset: 0, size: 64 },
    { offset: table, size: count * entryBytes },
  ];
  let text = { address: 0, size: 1 };
  for (let index = 1; index < count; index++) {
    const at = table + index * entryBytes;
    const [flags, address, offset, size] = wide
      ? [number(at + 8, 8), number(at + 16, 8), number(at + 24, 8), number(at + 32, 8)]
      : [number(at + 8, 4), number(at + 12, 4), number(at + 16, 4), number(at + 20, 4)];
    if ((flags! & 4) !== 0 && size! > text.size) text = { address: address!, size: size! };
    // Not loaded by the program: symbols and debug information.
    if ((flags! & 2) === 0 && size! > 0) parts.push({ offset: offset!, size: size! });
  }
  return { parts, text };
}

function victim(name: string): Victim {
  const original = readFileSync(join(vectors, name));
  const own = join(folder, name);
  writeFileSync(own, original);
  const { parts } = partsOf(original);
  const library = name.slice(0, name.indexOf(".so") + 3);
  const { text } = partsOf(readFileSync(join(vectors, library)));
  const addresses = BigUint64Array.from({ length: ADDRESSES }, (_, index) =>
    BigInt(text.address + Math.floor((text.size * index) / ADDRESSES)),
  );
  return { name, original, parts, descriptor: openSync(own, "r+"), path: join(folder, library), addresses };
}

/** Changes a file in a few places, a few bytes each. Gives what undoes it. */
function change({ original, parts, descriptor }: Victim, next: (below: number) => number): () => void {
  const changed: { at: number; bytes: number }[] = [];
  for (let times = 1 + next(4); times > 0; times--) {
    const { offset, size } = next(5) === 0 ? { offset: 0, size: original.length } : parts[next(parts.length)]!;
    const at = offset + next(size);
    const bytes = Math.min(1 + next(8), original.length - at);
    const value = Buffer.alloc(bytes);
    switch (next(5)) {
      case 0: // one bit
        value.set(original.subarray(at, at + bytes));
        value[0]! ^= 1 << next(8);
        break;
      case 1: // the largest
        value.fill(0xff);
        break;
      case 2: // nothing
        break;
      case 3: // something else from the file
        value.set(original.subarray(next(original.length - bytes)).subarray(0, bytes));
        break;
      default:
        for (let i = 0; i < bytes; i++) value[i] = next(256);
    }
    writeSync(descriptor, value, 0, bytes, at);
    changed.push({ at, bytes });
  }
  return () => {
    for (const { at, bytes } of changed) writeSync(descriptor, original, at, bytes, at);
  };
}

/** All that the symbolizer does with a file. Gives how many functions and lines it found. */
function look(core: SymbolCore, { path, addresses }: Victim, pieces?: Pieces): number {
  let file: ElfFile;
  try {
    file = new ElfFile(core, path);
  } catch (error) {
    if (error instanceof ElfError) return 0;
    throw error;
  }
  const split = new SplitFiles(core, file, [`${path}.dwp`]);
  try {
    let found = 0;
    for (const kind of [SECTION_SYMTAB, SECTION_DYNSYM] as const) {
      for (const name of functionNames(core, [{ file, kind }], addresses)) if (name !== null) found++;
    }
    for (const locations of new DebugInformation(core, file, { shared: () => null, split }, pieces).locate(addresses)) {
      for (const { line } of locations ?? []) if (line !== null) found++;
    }
    return found;
  } finally {
    split.close();
    file.close();
  }
}

test(`${COUNT} changed files from seed ${SEED} on: no trap, no hang, no unbounded memory`, async () => {
  await prepareZstd();
  const victims = readdirSync(vectors)
    .filter((name) => /\.(so|dwo|dwp)$/.test(name))
    .map(victim);
  let core = new SymbolCore();
  let harmed = 0;
  const whole = new Map(victims.map((each) => [each, look(core, each)]));
  for (const [{ name }, found] of whole) assert.ok(found > ADDRESSES, `${name}: ${found}`);
  for (let seed = SEED; seed < SEED + COUNT; seed++) {
    const next = random(seed);
    const each = victims[next(victims.length)]!;
    const undo = change(each, next);
    // Sections in pieces, as in large files, now and then.
    const pieces = next(4) === 0 ? { whole: next(500), least: 1 + next(64), leastInfo: 1 + next(64) } : undefined;
    const start = performance.now();
    try {
      if (look(core, each, pieces) < whole.get(each)!) harmed++;
    } catch (error) {
      assert.fail(`seed ${seed}, ${each.name}: ${error instanceof Error ? error.stack : error}`);
    }
    const took = performance.now() - start;
    assert.ok(took < MOST_MILLISECONDS, `seed ${seed}, ${each.name}: ${took} ms`);
    const bytes = core.call.memory.buffer.byteLength;
    assert.ok(bytes < MOST_BYTES, `seed ${seed}, ${each.name}: ${bytes} bytes`);
    undo();
    // Nothing of a bad file stays behind.
    if (seed % 1000 === 0) {
      assert.strictEqual(look(core, each), whole.get(each), `after seed ${seed}`);
      core = new SymbolCore();
      // The runtime gives back what zlib held only between turns.
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
  for (const { descriptor } of victims) closeSync(descriptor);
  // Changes that change nothing would prove nothing.
  if (COUNT >= 100) assert.ok(harmed > COUNT / 20, `${harmed} of ${COUNT} made a difference`);
});
