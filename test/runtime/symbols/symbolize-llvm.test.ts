// Every frame equals llvm-symbolizer's: the programs of test/programs/symbols, built by the compilers that are here in
// many ways, compared address by address: function, file, line, chain of inlined calls.
//
// Where the answers may differ, and why. Each difference is checked to be of its kind and counted; any other one fails.
//
//   file symbol   llvm-symbolizer gives a local function without debug information the name in the symbol table's FILE
//                 symbol as its file: no path, and no line. We say that the file is unknown.
//   alias         a function with several names (a constructor's C1 and C2, functions that the linker merged). It takes
//                 the one that comes last in the table, we the one that comes last in the alphabet, whatever the
//                 table's order.
//
// Without the tools a test is skipped and says which one is missing; symbolize-vectors.test.ts needs none.

import assert from "node:assert";
import { execFileSync, spawnSync } from "node:child_process";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { homedir } from "node:os";
import { basename, join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { ENTRY_ADDRESS, ENTRY_BYTES, ENTRY_EXECUTABLE, ENTRY_SIZE } from "../../../asm/symbols/layout.js";
import type { CodeLocation } from "../../../runtime/host/types.js";
import { ElfFile } from "../../../runtime/symbols/elffile.js";
import { SymbolCore } from "../../../runtime/symbols/symbolcore.js";
import { Symbolizer } from "../../../runtime/symbols/symbolize.js";
import { identityOf } from "./symbolize-elf.js";

const sources = fileURLToPath(new URL("../../../../test/programs/symbols/", import.meta.url));
const built = fileURLToPath(new URL("../../../../build/test-programs/symbols/", import.meta.url));
mkdirSync(built, { recursive: true });

/** A program's path, undefined if it is not here. */
function tool(name: string): string | undefined {
  const paths = [name, join(homedir(), ".cargo/bin", name)];
  return paths.find((path) => spawnSync(path, ["--version"], { stdio: "ignore" }).status === 0);
}

const symbolizer = tool("llvm-symbolizer");
const nm = tool("nm");
const objcopy = tool("objcopy");
const dwp = tool("llvm-dwp");
const tools: Record<string, string | undefined> = {
  gcc: tool("gcc"),
  "g++": tool("g++"),
  clang: tool("clang"),
  "clang++": tool("clang++"),
  rustc: tool("rustc"),
};

const C = ["calls.c", "crossing.c"];
const CXX = ["templates.cc", "shapes.cc"];
const RUST = ["crab.rs"];

interface Program {
  name: string;
  compiler: string;
  sources: string[];
  options: string[];
  addresses: number;
  /** The options with which llvm-symbolizer's program is built, if not the same. */
  oracle?: string[];
}

const programs: Program[] = [];
for (const compiler of ["gcc", "clang"]) {
  const pie = ["-fPIE", "-pie"];
  const fixed = ["-fno-pie", "-no-pie"];
  for (const version of [4, 5]) {
    for (const level of ["-O0", "-O2"]) {
      for (const [kind, position] of [["pie", pie] as const, ["fixed", fixed] as const]) {
        const name = `c-${compiler}-dwarf${version}${level}-${kind}`;
        const options = [`-gdwarf-${version}`, level, ...position];
        programs.push({ name, compiler, sources: C, options, addresses: 400 });
      }
    }
  }
  const cxx = compiler === "gcc" ? "g++" : "clang++";
  const cxxProgram = (name: string, ...options: string[]) =>
    programs.push({
      name: `cc-${compiler}-${name}`,
      compiler: cxx,
      sources: CXX,
      options: ["-std=c++17", ...options],
      addresses: 1500,
    });
  cxxProgram("dwarf5-O2-pie", "-gdwarf-5", "-O2", ...pie);
  cxxProgram("dwarf4-O2-fixed", "-gdwarf-4", "-O2", ...fixed);
  cxxProgram("dwarf5-O0-pie", "-gdwarf-5", "-O0", ...pie);
  programs.push({
    name: `c-${compiler}-gz`,
    compiler,
    sources: C,
    options: ["-g", "-O2", "-gz=zlib"],
    addresses: 400,
  });
}
const gccProgram = (name: string, ...options: string[]) =>
  programs.push({ name: `c-gcc-${name}`, compiler: "gcc", sources: C, options: ["-O2", ...options], addresses: 400 });
gccProgram("dwarf2", "-gdwarf-2", "-gstrict-dwarf");
gccProgram("dwarf3", "-gdwarf-3", "-gstrict-dwarf");
gccProgram("dwarf64", "-gdwarf-5", "-gdwarf64");
gccProgram("sections", "-g", "-ffunction-sections", "-Wl,--gc-sections");
gccProgram("types", "-gdwarf-4", "-fdebug-types-section");
programs.push({
  name: "cc-gcc-lto",
  compiler: "g++",
  sources: CXX,
  options: ["-std=c++17", "-g", "-O2", "-flto"],
  addresses: 1500,
});
programs.push({
  name: "c-gcc-split-types",
  compiler: "gcc",
  sources: C,
  options: ["-O2", "-gdwarf-5", "-gsplit-dwarf", "-fdebug-types-section"],
  addresses: 400,
  oracle: ["-O2", "-gdwarf-5"],
});
// llvm-symbolizer 14 misses some calls in .dwo files (in lists that begin with an empty range), so it looks at the same
// code with the debug information in it.
for (const version of [4, 5]) {
  for (const [language, compiler, sources, addresses] of [
    ["c", "gcc", C, 400],
    ["c", "clang", C, 400],
    ["cc", "g++", CXX, 1500],
    ["cc", "clang++", CXX, 1500],
  ] as const) {
    const oracle = ["-O2", `-gdwarf-${version}`, ...(language === "cc" ? ["-std=c++17"] : [])];
    const options = [...oracle, "-gsplit-dwarf"];
    const name = `${language}-${compiler.replace("g++", "gcc").replace("++", "")}-split-dwarf${version}`;
    programs.push({ name, compiler, sources: [...sources], options, addresses, oracle });
  }
}
for (const [name, option] of [
  ["debug", "-Copt-level=0"],
  ["release", "-Copt-level=3"],
  ["lto", "-Clto=fat"],
  ["split-dwo", "-Csplit-debuginfo=unpacked"],
  ["split-dwp", "-Csplit-debuginfo=packed"],
] as const) {
  const options = ["--edition=2021", "-g", "-Copt-level=2", option];
  programs.push({ name: `rust-${name}`, compiler: "rustc", sources: RUST, options, addresses: 1500 });
}

/** Builds a program unless it is there and newer than its sources. Throws what the compiler said. */
function build({ name, compiler, sources: files, options }: Program): string {
  const path = join(built, name);
  const inputs = files.map((file) => join(sources, file));
  const newest = Math.max(...[...inputs, join(sources, "shapes.h")].map((file) => statSync(file).mtimeMs));
  if (!existsSync(path) || statSync(path).mtimeMs < newest) {
    // In a folder of its own, whose name stays: .dwo files are found by it.
    const folder = `${path}.${process.pid}`;
    mkdirSync(folder);
    execFileSync(tools[compiler]!, [...options, ...inputs, "-o", join(folder, name)], { stdio: "pipe", cwd: folder });
    if (existsSync(join(folder, `${name}.dwp`))) renameSync(join(folder, `${name}.dwp`), `${path}.dwp`);
    renameSync(join(folder, name), path);
    if (readdirSync(folder).length === 0) rmdirSync(folder);
  }
  return path;
}

/** Addresses evenly over all code of a file, every byte of it if there are so many. */
function addressesOf(file: ElfFile, count: number): number[] {
  const view = new DataView(file.entries.buffer);
  const parts: { address: number; size: number }[] = [];
  for (let at = 0; at < file.entries.length; at += ENTRY_BYTES) {
    if (view.getUint32(at + ENTRY_EXECUTABLE, true) === 0) continue;
    const number = (field: number) => Number(view.getBigUint64(at + field, true));
    parts.push({ address: number(ENTRY_ADDRESS), size: number(ENTRY_SIZE) });
  }
  const bytes = parts.reduce((sum, { size }) => sum + size, 0);
  const step = Math.max(1, bytes / count);
  return parts.flatMap(({ address, size }) =>
    Array.from({ length: Math.ceil(size / step) }, (_, index) => address + Math.floor(index * step)),
  );
}

async function ask(path: string, addresses: readonly number[], debugFolders: string[] = []) {
  const file = new ElfFile(new SymbolCore(), path);
  file.close();
  const nothing = { bias: 0n, start: 0n, end: 0n, loaded: 0n, unloaded: 0n, executable: true, vdso: false };
  const module = { id: 1, path, buildId: Uint8Array.from(file.buildId), file: identityOf(path), ...nothing };
  const own = new Symbolizer({ debugFolders, environment: {} });
  const found = await own.symbolize(addresses.map((address) => ({ module, offset: BigInt(address), exact: true })));
  own.close();
  return { found, notes: own.notes };
}

/** llvm-symbolizer's answers, in our form. */
function askLlvm(path: string, addresses: readonly number[]): CodeLocation[][] {
  const options = [`--obj=${path}`, "--inlining", "--functions=linkage", "--no-demangle"];
  const input = addresses.map((address) => `0x${address.toString(16)}\n`).join("");
  const text = execFileSync(symbolizer!, options, { input, encoding: "utf8", maxBuffer: 1 << 30 });
  const blocks = text.split("\n\n").filter((block) => block.trim() !== "");
  assert.strictEqual(blocks.length, addresses.length);
  return blocks.map((block) => {
    const lines = block.trim().split("\n");
    return Array.from({ length: lines.length / 2 }, (_, index) => {
      const [, file, line] = /^(.*):(\d+):\d+$/.exec(lines[2 * index + 1]!)!;
      return {
        function: lines[2 * index] === "??" ? null : lines[2 * index]!,
        file: file === "??" ? null : file!,
        line: Number(line) || null,
        inlined: index < lines.length / 2 - 1,
      };
    });
  });
}

/** The addresses and sizes of symbols by name, as nm has them. */
function symbolsOf(path: string): Map<string, Set<string>> {
  const symbols = new Map<string, Set<string>>();
  const text = execFileSync(nm!, ["-S", path], { encoding: "utf8", maxBuffer: 1 << 30 });
  for (const [, value, size, name] of text.matchAll(/^([0-9a-f]+)(?: ([0-9a-f]+))? \w (.*)$/gm)) {
    const places = symbols.get(name!) ?? new Set();
    symbols.set(name!, places.add(`${value} ${size ?? ""}`));
  }
  return symbols;
}

const counts = { addresses: 0, inlined: 0, "file symbol": 0, alias: 0, section: 0 };

/** Compares two answers; the kind of their difference where it is one of those above. */
function compare(
  ours: CodeLocation[],
  theirs: CodeLocation[],
  symbols: Map<string, Set<string>>,
): "same" | "file symbol" | "alias" | "section" | "different" {
  const show = (locations: CodeLocation[]) => JSON.stringify(locations);
  if (show(ours) === show(theirs)) return "same";
  const one = ours.at(-1)!;
  const other = theirs.at(-1)!;
  const fileSymbol = one.file === null && other.file !== null && other.line === null && !other.file.includes("/");
  const alike = [...theirs.slice(0, -1), { ...other, function: one.function, file: fileSymbol ? null : other.file }];
  // Only what a symbol table says, about the function itself, may differ.
  if (show(ours) !== show(alike)) return "different";
  if (one.function === other.function) return "file symbol";
  const places = [...(symbols.get(one.function ?? "") ?? [])];
  const theirPlaces = [...(symbols.get(other.function ?? "") ?? [])];
  // A place without a size ends with a blank.
  const label = theirPlaces.some((place) => place.endsWith(" "));
  if (label && one.function === null) return "section";
  const alias = places.some((place) => theirPlaces.includes(place));
  return alias && one.function! > other.function! ? "alias" : "different";
}

/**
 * Compares all answers about a file; `oracle` is the file to ask
 * llvm-symbolizer about, `named` the one with the symbols.
 */
async function compareAll(
  path: string,
  count: number,
  { oracle = path, named = path, debugFolders = [] as string[] } = {},
) {
  const file = new ElfFile(new SymbolCore(), path);
  file.close();
  const addresses = addressesOf(file, count);
  const { found, notes } = await ask(path, addresses, debugFolders);
  assert.deepStrictEqual(notes, []);
  const theirs = askLlvm(oracle, addresses);
  const symbols = symbolsOf(named);
  for (const [index, address] of addresses.entries()) {
    const kind = compare(found[index]!, theirs[index]!, symbols);
    if (kind === "different") {
      return assert.deepStrictEqual(found[index], theirs[index], `${basename(path)} at 0x${address.toString(16)}`);
    }
    if (kind !== "same") counts[kind]++;
    if (theirs[index]!.length > 1) counts.inlined++;
  }
  counts.addresses += addresses.length;
}

const missing = symbolizer === undefined ? "no llvm-symbolizer" : nm === undefined ? "no nm" : false;

for (const program of programs) {
  const skip = missing || (tools[program.compiler] === undefined ? `no ${program.compiler}` : false);
  test(`${program.name} equals llvm-symbolizer`, { skip }, async (t) => {
    let path: string;
    try {
      path = build(program);
    } catch (error) {
      // A compiler without this option: other versions, other distributions.
      const said = String((error as { stderr?: Buffer }).stderr);
      if (!/unrecognized|unsupported|unknown argument|not supported|plugin/i.test(said)) throw error;
      console.log(`skipped ${program.name}: ${said.split("\n")[0]}`);
      return t.skip(said);
    }
    const { oracle: options } = program;
    const oracle = options && build({ ...program, name: `${program.name}-whole`, options });
    await compareAll(path, program.addresses, { oracle });
  });
}

// ── The same code in other clothes ───────────────────────────────────────────────────────────────

const base = programs.find(({ name }) => name === "cc-gcc-dwarf5-O2-pie")!;
const skip = missing || (tools["g++"] === undefined ? "no g++" : objcopy === undefined ? "no objcopy" : false);

/** A fresh copy of the base program, worked on by objcopy. */
function variant(name: string, ...options: string[]): { path: string; plain: string } {
  const plain = build(base);
  const path = join(built, `${base.name}-${name}`);
  execFileSync(objcopy!, [...options, plain, path], { stdio: "pipe" });
  return { path, plain };
}

// It takes names from the stripped program's .dynsym even if the debug file has
// .symtab: the whole program is the oracle.
test("a stripped program with a debug file by link equals llvm-symbolizer on the whole one", { skip }, async () => {
  const plain = build(base);
  const debug = variant("linked.debug", "--only-keep-debug").path;
  const { path } = variant("linked", "--strip-all", `--add-gnu-debuglink=${debug}`);
  await compareAll(path, 1500, { oracle: plain, named: plain });
});

test("a stripped program with a debug file by build id equals llvm-symbolizer on the whole one", { skip }, async () => {
  const { path, plain } = variant("by-id", "--strip-all");
  const file = new ElfFile(new SymbolCore(), path);
  file.close();
  const id = Buffer.from(file.buildId).toString("hex");
  const folder = join(built, "debug", ".build-id", id.slice(0, 2));
  mkdirSync(folder, { recursive: true });
  copyFileSync(variant("by-id.debug", "--only-keep-debug").path, join(folder, `${id.slice(2)}.debug`));
  await compareAll(path, 1500, { oracle: plain, named: plain, debugFolders: [join(built, "debug")] });
});

test("a stripped program equals llvm-symbolizer", { skip }, async () => {
  const { path, plain } = variant("stripped", "--strip-all");
  await compareAll(path, 1500, { named: plain });
});

for (const method of ["zlib", "zlib-gnu", "zstd"]) {
  test(`compressed sections equal llvm-symbolizer: ${method}`, { skip }, async (t) => {
    let variants: { path: string; plain: string };
    try {
      variants = variant(method, `--compress-debug-sections=${method}`);
    } catch (error) {
      console.log(`skipped: objcopy cannot ${method}`);
      return t.skip(String(error));
    }
    // Older ones of llvm-symbolizer have no zstd: they are asked about the plain file.
    await compareAll(variants.path, 1500, { oracle: variants.plain, named: variants.plain });
  });
}

test("units together in a .dwp file equal llvm-symbolizer", {
  skip: skip || (dwp === undefined && "no llvm-dwp"),
}, async () => {
  for (const program of programs.filter(({ name }) => name.startsWith("cc-") && name.includes("split"))) {
    if (tools[program.compiler] === undefined) continue;
    const split = build(program);
    // Where no .dwo file is beside it, and the folder it was compiled in has none.
    const folder = join(built, `${program.name}-together`);
    const path = join(folder, program.name);
    mkdirSync(folder, { recursive: true });
    execFileSync(dwp!, ["-e", split, "-o", `${path}.dwp`], { stdio: "pipe" });
    const plain = readFileSync(split);
    const name = Buffer.from(".dwo\0");
    for (let at = plain.indexOf(name); at >= 0; at = plain.indexOf(name, at + 1)) plain.write(".DWO", at);
    writeFileSync(path, plain);
    const oracle = build({ ...program, name: `${program.name}-whole`, options: program.oracle! });
    await compareAll(path, 1500, { oracle, named: split });
  }
});

test("the comparison finds differences", { skip }, async () => {
  const path = build(base);
  const file = new ElfFile(new SymbolCore(), path);
  file.close();
  const addresses = addressesOf(file, 500);
  const { found } = await ask(path, addresses);
  const next = addresses.map((address) => address + 1);
  const theirs = askLlvm(path, next);
  const symbols = symbolsOf(path);
  const differ = found.filter((ours, index) => compare(ours, theirs[index]!, symbols) === "different").length;
  assert.ok(differ > 50, `${differ}`);
});

test("enough was compared", { skip: skip || (tools.clang === undefined ? "no clang" : false) }, () => {
  console.log(`compared with llvm-symbolizer: ${JSON.stringify(counts)}`);
  assert.ok(counts.addresses >= 10_000, `${counts.addresses}`);
  assert.ok(counts.inlined >= 5_000, `${counts.inlined}`);
  // Each kind of difference is an exception, not the rule.
  for (const kind of ["file symbol", "alias", "section"] as const) {
    assert.ok(counts[kind] < counts.addresses / 10, `${kind}: ${counts[kind]} of ${counts.addresses}`);
  }
});
