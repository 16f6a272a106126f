// The names of functions in a file as nm, an independent reader, has them; and what the symbolizer says otherwise.

import { execFileSync } from "node:child_process";
import { ENTRY_ADDRESS, ENTRY_BYTES, ENTRY_EXECUTABLE, ENTRY_SIZE } from "../../asm/symbols/layout.js";
import { ElfError } from "../../runtime/symbols/elfbytes.js";
import { ElfFile } from "../../runtime/symbols/elffile.js";
import { SymbolCore } from "../../runtime/symbols/symbolcore.js";
import { Symbolizer } from "../../runtime/symbols/symbolize.js";

const ADDRESSES = 500;

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
function symbolsOf(path: string): Symbol[] {
  const whole = nm(path);
  const symbols = whole.length > 0 ? whole : nm(path, "--dynamic");
  return symbols.sort((one, other) => (one.start < other.start ? -1 : one.start > other.start ? 1 : 0));
}

function nm(path: string, ...options: string[]): Symbol[] {
  const how = [...options, "--defined-only", "--format=sysv", "--without-symbol-versions", path];
  const output = execFileSync("nm", how, { maxBuffer: 1 << 28, stdio: ["ignore", "pipe", "ignore"] }).toString();
  return output.split("\n").flatMap((line) => {
    const found = /^(.+?) *\|([0-9a-f]+)\| *[TtWwiu] *\|(?! *(?:OBJECT|TLS)\|)[^|]*\|([0-9a-f]*) *\|/.exec(line);
    if (found === null) return [];
    const start = BigInt(`0x${found[2]}`);
    return [{ start, end: start + BigInt(`0x${found[3] || 0}`), name: found[1]! }];
  });
}

/** As many are looked at behind labels in the middle of a function. */
const LABELS = 1000;

/** The names of the functions around an address that begin nearest. */
function namesAt(symbols: readonly Symbol[], address: bigint): string[] {
  let low = 0;
  let high = symbols.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (symbols[middle]!.start <= address) low = middle + 1;
    else high = middle;
  }
  const around = symbols.slice(Math.max(0, low - LABELS), low).filter(({ end }) => end > address);
  return around.filter(({ start }) => start === around.at(-1)!.start).map(({ name }) => name);
}

/** Compares the names at addresses all over a file; 0 of them if it has no code, or is no ELF file. */
export async function compareNames(path: string): Promise<{ compared: number; different: string[] }> {
  const { addresses, buildId } = addressesOf(path);
  if (addresses.length === 0) return { compared: 0, different: [] };
  const nothing = { bias: 0n, start: 0n, end: 0n, loaded: 0n, unloaded: 0n, executable: false, vdso: false };
  const symbolizer = new Symbolizer({ debugFolders: [], environment: {}, lines: false });
  const module = { id: 1, path, buildId, file: null, ...nothing };
  const found = await symbolizer.symbolize(addresses.map((offset) => ({ module, offset, exact: true })));
  symbolizer.close();
  const symbols = symbolsOf(path);
  const unsized = new Set(symbols.filter(({ start, end }) => start === end).map(({ name }) => name));
  const different = addresses.flatMap((address, index) => {
    const ours = found[index]?.[0]?.function ?? null;
    const theirs = namesAt(symbols, address);
    // What does not say how long it is reaches to the next one: nm does not say so.
    const same = ours === null ? theirs.length === 0 : theirs.includes(ours);
    if (same || (theirs.length === 0 && ours !== null && unsized.has(ours))) return [];
    return [`${path} 0x${address.toString(16)}: ${ours}, nm: ${theirs.join(" ")}`];
  });
  return { compared: addresses.length, different };
}
