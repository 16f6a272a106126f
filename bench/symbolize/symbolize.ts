// How fast the symbolizer is, next to llvm-symbolizer, in each runtime.
//
//   node dist/bench/symbolize/symbolize.js            builds a C++ program of more than 100 MB first: minutes
//   node dist/bench/symbolize/symbolize.js PROGRAM    takes another one, with debug information
//
//   lines    2,000 random addresses with files, lines and inlined calls, against llvm-symbolizer with the same
//            list: whole processes, medians of seven rounds, interleaved
//   names    10,000 addresses over 50 shared libraries of this system, function names only: without the runtime's start
//
// Targets: lines faster than llvm-symbolizer and under 700 MB, names under 500 ms. Exit code 1 if one is missed.

import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, realpathSync, statSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { ENTRY_ADDRESS, ENTRY_BYTES, ENTRY_EXECUTABLE, ENTRY_SIZE } from "../../asm/symbols/layout.js";
import { ElfError } from "../../runtime/symbols/elfbytes.js";
import { ElfFile } from "../../runtime/symbols/elffile.js";
import { SymbolCore } from "../../runtime/symbols/symbolcore.js";
import { Symbolizer, type SymbolRequest } from "../../runtime/symbols/symbolize.js";

const ADDRESSES = 2000;
const FRAMES = 10_000;
const MODULES = 50;
const ROUNDS = 7;
const MOST_MEGABYTES = 700;
const MOST_NAMES_MILLISECONDS = 500;
const LEAST_BYTES = 100_000_000;

const root = fileURLToPath(new URL("../../../", import.meta.url));
const out = join(root, "bench/out/symbolize");
const RUNTIMES: [name: string, command: string[]][] = [
  ["node", ["node"]],
  ["bun", [join(root, "node_modules/.bin/bun")]],
  ["deno", [join(root, "node_modules/.bin/deno"), "run", "-A"]],
];

// ── The program: many instances of templates over the standard library ───────────────────────────

const UNITS = 14;
const INSTANCES = 20;

function unitSource(unit: number): string {
  return `#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>
namespace unit${unit} {
template <int N> struct Key {
  std::string name;
  int value;
  bool operator<(const Key &other) const { return value + N < other.value; }
};
template <int N> struct Work {
  std::map<Key<N>, std::vector<std::string>> table;
  std::unordered_map<int, std::shared_ptr<Key<N>>> index;
  long run(const std::string &text) {
    for (char c : text) {
      table[Key<N>{text, c}].push_back(text + c);
      index[c] = std::make_shared<Key<N>>(Key<N>{text, N});
    }
    std::vector<Key<N>> keys;
    for (auto &[key, values] : table) {
      keys.push_back(key);
      std::sort(values.begin(), values.end());
    }
    std::sort(keys.begin(), keys.end(), [](const Key<N> &a, const Key<N> &b) { return a.name < b.name; });
    std::function<long(const Key<N> &)> weigh = [&](const Key<N> &key) { return long(key.value + index.size()); };
    long total = 0;
    for (auto &key : keys) total += weigh(key);
    return total;
  }
};
long all(const std::string &text) {
  return ${Array.from({ length: INSTANCES }, (_, n) => `Work<${n}>().run(text)`).join(" + ")};
}
}
`;
}

function buildProgram(): string {
  const program = join(out, "program");
  if (existsSync(program) && statSync(program).size >= LEAST_BYTES) return program;
  mkdirSync(out, { recursive: true });
  console.log(`building ${program}: ${UNITS} units`);
  const units = Array.from({ length: UNITS }, (_, unit) => unit);
  for (const unit of units) writeFileSync(join(out, `unit${unit}.cc`), unitSource(unit));
  writeFileSync(
    join(out, "main.cc"),
    `#include <string>
${units.map((unit) => `namespace unit${unit} { long all(const std::string &); }`).join("\n")}
int main(int, char **argv) { return int(${units.map((unit) => `unit${unit}::all(argv[0])`).join(" + ")}); }
`,
  );
  writeFileSync(
    join(out, "Makefile"),
    `program: main.o ${units.map((unit) => `unit${unit}.o`).join(" ")}
\tg++ $^ -o $@
%.o: %.cc
\tg++ -std=c++17 -O1 -g -c $< -o $@
`,
  );
  execFileSync("make", ["--silent", `-j${availableParallelism()}`], { cwd: out, stdio: "inherit" });
  return program;
}

// ── In the runtime that is measured ──────────────────────────────────────────────────────────────

function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
    return state / 0x80000000;
  };
}

/** Random addresses in the largest part of a file with code. */
function requestsFor(path: string, count: number): SymbolRequest[] {
  const file = new ElfFile(new SymbolCore(), path);
  file.close();
  const view = new DataView(file.entries.buffer);
  let text = { address: 0n, size: 0 };
  for (let at = 0; at < file.entries.length; at += ENTRY_BYTES) {
    const size = Number(view.getBigUint64(at + ENTRY_SIZE, true));
    if (view.getUint32(at + ENTRY_EXECUTABLE, true) !== 0 && size > text.size) {
      text = { address: view.getBigUint64(at + ENTRY_ADDRESS, true), size };
    }
  }
  const nothing = { bias: 0n, start: 0n, end: 0n, loaded: 0n, unloaded: 0n, executable: false, vdso: false };
  const module = { id: 1, path, buildId: Uint8Array.from(file.buildId), file: null, ...nothing };
  const next = random(4711);
  return Array.from({ length: count }, () => {
    const offset = text.address + BigInt(Math.floor(next() * text.size));
    return { module, offset, exact: true };
  });
}

/** Libraries that the dynamic loader knows, the largest first. */
function libraries(): string[] {
  const listed = execFileSync("/sbin/ldconfig", ["-p"], { encoding: "utf8" });
  const paths = new Set<string>();
  for (const [, path] of listed.matchAll(/=> (\/.*)$/gm)) {
    try {
      paths.add(realpathSync(path!));
    } catch {
      // Listed, but removed since.
    }
  }
  const usable = [...paths].filter((path) => {
    try {
      const file = new ElfFile(new SymbolCore(), path);
      file.close();
      return true;
    } catch (error) {
      if (error instanceof ElfError) return false;
      throw error;
    }
  });
  return usable.sort((one, other) => statSync(other).size - statSync(one).size).slice(0, MODULES);
}

interface Measured {
  milliseconds: number;
  found: number;
  inlined: number;
  megabytes: number;
}

async function measure(requests: SymbolRequest[], lines: boolean): Promise<Measured> {
  const start = performance.now();
  const symbolizer = new Symbolizer({ lines, environment: {} });
  const found = await symbolizer.symbolize(requests);
  const milliseconds = performance.now() - start;
  symbolizer.close();
  return {
    milliseconds,
    found: found.filter((locations) => locations.at(-1)!.function !== null).length,
    inlined: found.filter((locations) => locations.length > 1).length,
    megabytes: process.resourceUsage().maxRSS / 1024,
  };
}

// ── Side by side ─────────────────────────────────────────────────────────────────────────────────

function median(values: number[]): number {
  return values.sort((one, other) => one - other)[values.length >> 1]!;
}

/** Runs this file in a runtime; wall time of the whole process besides what it measured itself. */
function inRuntime(command: string[], ...args: string[]): Measured & { wall: number } {
  const start = performance.now();
  const child = spawnSync(command[0]!, [...command.slice(1), fileURLToPath(import.meta.url), ...args], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
  });
  const wall = performance.now() - start;
  if (child.status !== 0) throw new Error(`${command.join(" ")} failed`);
  return { ...JSON.parse(child.stdout), wall };
}

function compare(program: string): boolean {
  let good = true;
  const requests = requestsFor(program, ADDRESSES);
  const input = requests.map(({ offset }) => `0x${offset.toString(16)}\n`).join("");
  const megabytes = (statSync(program).size / 1e6).toFixed(0);
  console.log(`lines: ${ADDRESSES} random addresses of ${program} (${megabytes} MB), ${ROUNDS} rounds`);
  const theirs: number[] = [];
  const ours = new Map<string, (Measured & { wall: number })[]>(RUNTIMES.map(([name]) => [name, []]));
  for (let round = 0; round < ROUNDS; round++) {
    const start = performance.now();
    const options = [`--obj=${program}`, "--inlining", "--functions=linkage", "--no-demangle"];
    const child = spawnSync("llvm-symbolizer", options, { input, maxBuffer: 1 << 30 });
    if (child.status !== 0) throw new Error("llvm-symbolizer failed");
    theirs.push(performance.now() - start);
    for (const [name, command] of RUNTIMES) ours.get(name)!.push(inRuntime(command, "lines", program));
  }
  const their = median(theirs);
  console.log(`  llvm-symbolizer  ${their.toFixed(0).padStart(5)} ms`);
  for (const [name, rounds] of ours) {
    const wall = median(rounds.map((round) => round.wall));
    const own = median(rounds.map((round) => round.milliseconds));
    const most = Math.max(...rounds.map((round) => round.megabytes));
    const { found, inlined } = rounds[0]!;
    const fine = wall < their && most < MOST_MEGABYTES;
    good &&= fine;
    console.log(
      `  ${name.padEnd(15)}  ${wall.toFixed(0).padStart(5)} ms, ${own.toFixed(0)} ms without its start, ` +
        `${most.toFixed(0)} MB; ${found} functions, ${inlined} with inlined calls${fine ? "" : "  MISSED"}`,
    );
  }
  return good;
}

function nameAll(): boolean {
  let good = true;
  console.log(`names: ${FRAMES} frames over ${libraries().length} libraries, ${ROUNDS} rounds`);
  for (const [name, command] of RUNTIMES) {
    const rounds = Array.from({ length: ROUNDS }, () => inRuntime(command, "names"));
    const own = median(rounds.map((round) => round.milliseconds));
    const fine = own < MOST_NAMES_MILLISECONDS;
    good &&= fine;
    const most = Math.max(...rounds.map((round) => round.megabytes));
    console.log(
      `  ${name.padEnd(15)}  ${own.toFixed(0).padStart(5)} ms, ${most.toFixed(0)} MB; ${rounds[0]!.found} ` +
        `functions${fine ? "" : "  MISSED"}`,
    );
  }
  return good;
}

const [mode, path] = process.argv.slice(2);
if (mode === "lines") {
  console.log(JSON.stringify(await measure(requestsFor(path!, ADDRESSES), true)));
} else if (mode === "names") {
  const paths = libraries();
  const requests = paths.flatMap((library) => requestsFor(library, FRAMES / paths.length));
  console.log(JSON.stringify(await measure(requests, false)));
} else {
  const lines = compare(mode ?? buildProgram());
  const names = nameAll();
  process.exitCode = lines && names ? 0 : 1;
}
