// The names in this system's libraries, next to those of nm, which is an
// independent reader: a few of them, or on demand more.
//
//   MEMHOOK_SYSTEM_LIBRARIES=200 node --test dist/test/runtime/symbols/symbolize-system.test.js

import assert from "node:assert";
import { execFileSync } from "node:child_process";
import { lstatSync, readdirSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { ENTRY_ADDRESS, ENTRY_BYTES, ENTRY_EXECUTABLE, ENTRY_SIZE } from "../../../asm/symbols/layout.js";
import { ElfError } from "../../../runtime/symbols/elfbytes.js";
import { ElfFile } from "../../../runtime/symbols/elffile.js";
import { SymbolCore } from "../../../runtime/symbols/symbolcore.js";
import { Symbolizer } from "../../../runtime/symbols/symbolize.js";
import { which } from "../../support/compilers.js";

const FOLDERS = ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib/llvm-14/lib"];
const ADDRESSES = 500;

const libraries = Number(process.env.MEMHOOK_SYSTEM_LIBRARIES ?? 5);
const skip = which("nm") === undefined && "nm is missing: Debian's package binutils";

/** Addresses evenly over the code of a file; none if it is no ELF file. */
function addressesOf(path: string): { addresses: bigint[]; buildId: Uint8Array } {
  let file: ElfFile;
  try {
    file = new ElfFile(new SymbolCore(), path);
  } catch (error) {
    if (error instanceof ElfError) return { addresses: [], buildId: new Uint8Array(0) };
    throw error;
  }
  file.close();
  const view = new DataView(file.entries.buffer);
  const addresses: bigint[] = [];
  for (let at = 0; at < file.entries.length; at += ENTRY_BYTES) {
    const size = view.getBigUint64(at + ENTRY_SIZE, true);
    if (view.getUint32(at + ENTRY_EXECUTABLE, true) === 0 || size < 4096n) continue;
    const start = view.getBigUint64(at + ENTRY_ADDRESS, true);
    for (let i = 0n; i < ADDRESSES; i++) addresses.push(start + (size * i) / BigInt(ADDRESSES));
  }
  return { addresses, buildId: file.buildId };
}

interface Symbol {
  start: bigint;
  end: bigint;
  name: string;
}

/** The functions that nm knows, by where they begin. */
function oracle(path: string): Symbol[] {
  const whole = nm(path);
  const symbols = whole.length > 0 ? whole : nm(path, "--dynamic");
  return symbols.sort((one, other) => (one.start < other.start ? -1 : one.start > other.start ? 1 : 0));
}

function nm(path: string, ...options: string[]): Symbol[] {
  const how = [...options, "--defined-only", "--print-size", "--without-symbol-versions", path];
  const output = execFileSync("nm", how, { maxBuffer: 1 << 28, stdio: ["ignore", "pipe", "ignore"] }).toString();
  return output.split("\n").flatMap((line) => {
    const found = /^([0-9a-f]+)( [0-9a-f]+)? [TtWwiu] (.+)$/.exec(line);
    if (found === null) return [];
    const start = BigInt(`0x${found[1]}`);
    return [{ start, end: start + BigInt(`0x${found[2]?.trim() ?? 0}`), name: found[3]! }];
  });
}

/** The names of the functions around an address that begin nearest. */
function namesAt(symbols: readonly Symbol[], address: bigint): string[] {
  let low = 0;
  let high = symbols.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (symbols[middle]!.start <= address) low = middle + 1;
    else high = middle;
  }
  const last = symbols[low - 1]?.start;
  const names: string[] = [];
  for (let i = low - 1; i >= 0 && symbols[i]!.start === last; i--) {
    if (symbols[i]!.end > address) names.push(symbols[i]!.name);
  }
  return names;
}

test(`names in ${libraries} libraries of the system`, { skip }, async (t) => {
  const paths = FOLDERS.flatMap((folder) => {
    try {
      return readdirSync(folder).map((name) => join(folder, name));
    } catch {
      return [];
    }
  }).filter((path) => /\.so(\.[\d.]+)?$/.test(path) && lstatSync(path).isFile());
  let compared = 0;
  let looked = 0;
  const different: string[] = [];
  for (const path of paths) {
    if (looked === libraries) break;
    const { addresses, buildId } = addressesOf(path);
    if (addresses.length === 0) continue;
    looked++;
    const nothing = { bias: 0n, start: 0n, end: 0n, loaded: 0n, unloaded: 0n, executable: false, vdso: false };
    const symbolizer = new Symbolizer({ debugFolders: [], environment: {}, lines: false });
    const module = { id: 1, path, buildId, file: null, ...nothing };
    const found = await symbolizer.symbolize(addresses.map((offset) => ({ module, offset, exact: true })));
    symbolizer.close();
    const symbols = oracle(path);
    const unsized = new Set(symbols.filter(({ start, end }) => start === end).map(({ name }) => name));
    for (const [index, address] of addresses.entries()) {
      const ours = found[index]?.[0]?.function ?? null;
      const theirs = namesAt(symbols, address);
      compared++;
      // What does not say how long it is reaches to the next one: nm does not say so.
      if (ours === null ? theirs.length === 0 : theirs.includes(ours) || (theirs.length === 0 && unsized.has(ours)))
        continue;
      different.push(`${path} 0x${address.toString(16)}: ${ours}, nm: ${theirs.join(" ")}`);
    }
  }
  assert.ok(compared > 1000);
  t.diagnostic(`${looked} libraries, ${compared} addresses, ${different.length} differences`);
  assert.deepStrictEqual(different.slice(0, 40), []);
});
