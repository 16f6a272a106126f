// Names and lines next to those of llvm-symbolizer, and demangled names next to those of c++filt.

import { execFileSync, spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import type { CodeLocation } from "../../runtime/host/types.js";
import { demangle } from "../../runtime/symbols/demangle.js";
import { ElfFile } from "../../runtime/symbols/elffile.js";
import { SymbolCore } from "../../runtime/symbols/symbolcore.js";
import { Symbolizer } from "../../runtime/symbols/symbolize.js";

const LARGE = { encoding: "utf8", maxBuffer: 1 << 30 } as const;

/** The user's own functions of a file that are in the symbol table, each at every byte. */
export async function compareFrames(path: string): Promise<{ compared: number; different: string[] }> {
  const file = new ElfFile(new SymbolCore(), path);
  const module = {
    ...{ id: 1, path, buildId: Uint8Array.from(file.buildId), file: null },
    ...{ bias: 0n, start: 0n, end: 0n, loaded: 0n, unloaded: 0n, executable: true, vdso: false },
  };
  file.close();
  // Of a stripped file llvm-symbolizer looks at the debug file's DWARF, but not at its symbols.
  const whole = existsSync(`${path}.debug`) ? `${path}.debug` : path;
  const listed = execFileSync("nm", ["--defined-only", "--print-size", whole], LARGE);
  const addresses = [...listed.matchAll(/^([0-9a-f]+) ([0-9a-f]+) [TtWw] (?=.*(?:leak|hold|main))/gm)].flatMap(
    ([, start, size]) => Array.from({ length: parseInt(size!, 16) }, (_, i) => BigInt(`0x${start}`) + BigInt(i)),
  );
  const symbolizer = new Symbolizer({ environment: {} });
  const found = await symbolizer.symbolize(addresses.map((offset) => ({ module, offset, exact: true })));
  symbolizer.close();
  const theirs = llvm(whole, addresses);
  const different = addresses.flatMap((address, i) => {
    const ours = found[i]!.map(textOf).join(" < ");
    return ours === theirs[i] || theirs[i]!.endsWith(` ${ours}`)
      ? []
      : [`${path} 0x${address.toString(16)}: ${ours}, llvm-symbolizer: ${theirs[i]}`];
  });
  return { compared: addresses.length, different };
}

const textOf = ({ function: name, file, line }: CodeLocation) => `${name} ${file}:${line}`;

function llvm(path: string, addresses: readonly bigint[]): string[] {
  const options = [`--obj=${path}`, "--inlining", "--functions=linkage", "--no-demangle"];
  const input = addresses.map((address) => `0x${address.toString(16)}\n`).join("");
  const blocks = execFileSync("llvm-symbolizer", options, { input, ...LARGE }).split("\n\n");
  return blocks.slice(0, addresses.length).map((block) => {
    const lines = block.trim().split("\n");
    const frames = Array.from({ length: lines.length / 2 }, (_, i) => {
      const [, file, line] = /^(.*):(\d+):\d+$/.exec(lines[2 * i + 1]!)!;
      // Without a path and a line it is the symbol table's FILE symbol.
      const known = file !== "??" && (file!.includes("/") || line !== "0");
      return `${lines[2 * i]} ${known ? file : null}:${Number(line) || null}`;
    });
    return frames.join(" < ");
  });
}

/**
 * All mangled names of a file. Different is what c++filt demangles and we do not; in other words, what both do: c++filt
 * tells the type that a function template gives back, "2u" and "non-virtual thunk to".
 */
export function compareDemangled(path: string): { compared: number; otherwise: number; different: string[] } {
  const tables = [[], ["--dynamic"]].map((table) => {
    const command = [...table, "--defined-only", "--without-symbol-versions", path];
    return spawnSync("nm", command, LARGE).stdout;
  });
  const names = [...new Set(tables.join("\n").match(/(?<= [TtWwiu] )(_Z|_R).+$/gm))];
  const theirs = execFileSync("c++filt", { input: names.join("\n"), ...LARGE }).split("\n");
  const ours = names.map((name) => demangle(name));
  return {
    compared: names.length,
    otherwise: ours.filter((text, i) => text !== names[i] && text !== theirs[i]).length,
    different: names.filter((name, i) => ours[i] === name && theirs[i] !== name),
  };
}
