// Compiles the programs of test/programs, runs them (or any other) under memhook, and reads what their stores say.
//
//   build("leaks.c") ──▶ runWell() ──▶ store ──▶ readReport() ──▶ rows()  ═══  expectations("leaks.c")
//
// Zig is the compiler that every machine has on which memhook was built; the system's own compilers come
// besides where there are any, since their code looks different (position independent, shared C++ runtime).

import assert from "node:assert/strict";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  accessSync,
  chmodSync,
  constants,
  existsSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  renameSync,
} from "node:fs";
import { arch, tmpdir } from "node:os";
import { basename, delimiter, dirname, join } from "node:path";
import process from "node:process";
import { report } from "../../runtime/report.js";
import { openStore } from "../../runtime/store.js";
import { Symbolizer } from "../../runtime/symbolize.js";
import type { Allocation, MemoryKind, Query, Report } from "../../runtime/types.js";
import { root } from "./run.js";

const architecture = arch() === "arm64" ? "aarch64" : "x86_64";

/** The library that is tested: MEMHOOK_TEST_LIBRARY names another build of it. */
export const library = process.env.MEMHOOK_TEST_LIBRARY ?? join(root, `build/lib/${architecture}-gnu/libmemhook.so`);

// ── Compilers ────────────────────────────────────────────────────────────────────────────────────

export interface Compiler {
  name: string;
  c: string[];
  cxx: string[];
}

/** The path of a program that can be run, or undefined. */
export function which(name: string): string | undefined {
  for (const folder of (process.env.PATH ?? "").split(delimiter)) {
    const path = join(folder, name);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {}
  }
  return undefined;
}

function findZig(): string | undefined {
  if (process.env.ZIG) return process.env.ZIG;
  const pinned = /^zig_version=(.*)$/m.exec(readFileSync(join(root, "build.sh"), "utf8"))?.[1] ?? "";
  const fetched = join(root, ".zig", pinned, "ziglang/zig");
  return existsSync(fetched) ? fetched : which("zig");
}

/** Every compiler at hand, Zig first. */
export const compilers: readonly Compiler[] = (() => {
  const found: Compiler[] = [];
  const zig = findZig();
  // Zig's own default is to trap on undefined behaviour, and its C++ runtime is static.
  if (zig) {
    found.push({
      name: "zig",
      c: [zig, "cc", "-fno-sanitize=undefined"],
      cxx: [zig, "c++", "-fno-sanitize=undefined"],
    });
  }
  if (which("gcc") && which("g++")) found.push({ name: "gcc", c: ["gcc"], cxx: ["g++"] });
  if (which("clang") && which("clang++")) found.push({ name: "clang", c: ["clang"], cxx: ["clang++"] });
  return found;
})();

/** Why nothing can be compiled, for a test to skip with; false when it can. */
export const noCompiler: string | false = compilers.length > 0 ? false : "no compiler: neither Zig nor gcc nor clang";

/** The first of the compilers named that is there. */
export function compiler(...names: string[]): Compiler {
  for (const name of names) {
    const found = compilers.find((candidate) => candidate.name === name);
    if (found) return found;
  }
  assert.ok(compilers[0], "no compiler");
  return compilers[0];
}

export interface BuildOptions {
  compiler?: Compiler;
  shared?: boolean;
  /** Come after the usual ones, so that they win. */
  flags?: string[];
}

// Allocation functions are called as written: nothing is folded away, and no call becomes a jump that hides its function.
const USUAL_FLAGS = ["-O1", "-g", "-fno-optimize-sibling-calls", "-fno-builtin", "-pthread", "-Wall", "-Wextra"];

/** Where compiled programs are kept: in the project, or aside when that belongs to somebody else. */
const kept = (() => {
  const folder = join(root, "build/test-programs");
  try {
    mkdirSync(folder, { recursive: true });
    accessSync(folder, constants.W_OK);
    return folder;
  } catch {
    const aside = join(tmpdir(), `memhook-test-programs-${process.getuid?.() ?? 0}`);
    mkdirSync(aside, { recursive: true, mode: 0o755 });
    return aside;
  }
})();

/**
 * Compiles test/programs/SOURCE, unless that was done before with the same sources and flags, and returns the path of
 * the program (or shared library). Tests that run at the same time may ask for the same one.
 */
export function build(source: string, options: BuildOptions = {}): string {
  const { compiler: chosen = compiler("zig"), shared = false, flags = [] } = options;
  const path = join(root, "test/programs", source);
  const isCxx = source.endsWith(".cc");
  const command = [
    ...(isCxx ? [...chosen.cxx, "-std=c++17", "-fsized-deallocation"] : [...chosen.c, "-std=gnu11"]),
    ...USUAL_FLAGS,
    ...(shared ? ["-shared", "-fPIC"] : []),
    ...flags,
  ];
  const hash = createHash("sha256").update(JSON.stringify(command)).update(readFileSync(path));
  for (const header of ["test/programs/program.h", "preload/memhook.h"]) hash.update(readFileSync(join(root, header)));
  const folder = join(kept, hash.digest("hex").slice(0, 16));
  const target = join(folder, basename(source).replace(/\.\w+$/, shared ? ".so" : ""));
  if (existsSync(target)) return realpathSync(target);

  mkdirSync(folder, { recursive: true });
  const unfinished = `${target}.${process.pid}`;
  const [program, ...rest] = [...command, path, "-o", unfinished, "-ldl", "-lrt"];
  const result = spawnSync(program!, rest, { encoding: "utf8", env: { ...process.env, ...zigCaches() } });
  assert.equal(result.status, 0, `${chosen.name} failed on ${source}:\n${result.stderr ?? result.error}`);
  assert.equal(result.stderr, "", `${chosen.name} on ${source}`);
  chmodSync(unfinished, 0o755);
  renameSync(unfinished, target);
  // As the dynamic loader and the kernel see it.
  return realpathSync(target);
}

function zigCaches(): Record<string, string> {
  let cache = join(root, ".zig/cache");
  try {
    accessSync(cache, constants.W_OK);
  } catch {
    cache = join(kept, "zig-cache");
  }
  return { ZIG_GLOBAL_CACHE_DIR: cache, ZIG_LOCAL_CACHE_DIR: cache };
}

// ── Running ──────────────────────────────────────────────────────────────────────────────────────

export interface RunOptions {
  /** MEMHOOK_FILE; without it the program runs bare, without memhook. */
  store?: string | undefined;
  env?: Record<string, string | undefined>;
  cwd?: string;
  input?: string;
  /** After this many milliseconds it is killed and the test fails; 60 s. */
  limit?: number;
}

export interface Finished {
  pid: number;
  status: number | null;
  signal: string | null;
  stdout: string;
  stderr: string;
}

/** The environment of a program that is run: the same for everybody, so that a test does not depend on the user's. */
export function environment(options: RunOptions): Record<string, string> {
  const env: Record<string, string | undefined> = {
    PATH: process.env.PATH,
    HOME: process.env.HOME,
    TMPDIR: process.env.TMPDIR,
    LC_ALL: "C",
    ...(options.store === undefined ? {} : { LD_PRELOAD: library, MEMHOOK_FILE: options.store }),
    ...options.env,
  };
  return Object.fromEntries(Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined));
}

/** A program that is running, with its standard streams as pipes. */
export class Running {
  readonly child: ChildProcess;
  readonly pid: number;
  readonly finished: Promise<Finished>;
  stdout = "";
  stderr = "";
  /** How much of stdout line() has handed out. */
  #read = 0;
  #ended = false;
  #wake: () => void = () => {};

  constructor(program: string, args: string[], options: RunOptions = {}) {
    this.child = spawn(program, args, {
      cwd: options.cwd ?? tmpdir(),
      env: environment(options),
      stdio: ["pipe", "pipe", "pipe"],
      // In a process group of its own, so that all of it can be ended.
      detached: true,
    });
    this.pid = this.child.pid ?? 0;
    const limit = options.limit ?? 60_000;
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      this.stop();
    }, limit);
    for (const name of ["stdout", "stderr"] as const) {
      this.child[name]!.setEncoding("utf8");
      this.child[name]!.on("data", (text: string) => {
        this[name] += text;
        this.#wake();
      });
    }
    // A program may end without having read its input.
    this.child.stdin!.on("error", () => {});
    if (options.input !== undefined) this.child.stdin!.end(options.input);
    this.finished = new Promise<Finished>((resolve, reject) => {
      this.child.on("error", (error) => {
        clearTimeout(timer);
        reject(error);
      });
      this.child.on("close", (status, signal) => {
        clearTimeout(timer);
        this.#ended = true;
        this.#wake();
        if (late) reject(new Error(`${program} ${args.join(" ")} still ran after ${limit} ms\n${this.stderr}`));
        else resolve({ pid: this.pid, status, signal, stdout: this.stdout, stderr: this.stderr });
      });
    });
    // Whoever waits for it gets the error; nobody else has to.
    this.finished.catch(() => {});
  }

  /** The next line of its standard output; undefined when it ended instead. */
  async line(): Promise<string | undefined> {
    for (;;) {
      const end = this.stdout.indexOf("\n", this.#read);
      if (end >= 0) {
        const line = this.stdout.slice(this.#read, end);
        this.#read = end + 1;
        return line;
      }
      if (this.#ended) return undefined;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  /** Sends text to its standard input. */
  tell(text: string): void {
    this.child.stdin!.write(text);
  }

  /** SIGKILL to it and what it has started: for a test's end, or to see what is left. */
  stop(): void {
    try {
      if (!this.#ended) process.kill(-this.pid, "SIGKILL");
    } catch (error) {
      // It has ended, and nobody has told us yet.
      if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
    }
  }

  /** SIGKILL to its whole process group, and waits for its end. */
  killGroup(): Promise<Finished> {
    this.stop();
    return this.finished;
  }
}

/** Runs a program to its end. */
export function runProgram(program: string, args: string[] = [], options: RunOptions = {}): Promise<Finished> {
  return new Running(program, args, { input: "", ...options }).finished;
}

/** Runs one of the test programs under memhook; it must end with status 0 and say nothing on stderr. */
export async function runWell(program: string, args: string[], options: RunOptions): Promise<Finished> {
  const finished = await runProgram(program, args, options);
  assert.deepEqual(
    { status: finished.status, signal: finished.signal, stderr: finished.stderr },
    { status: 0, signal: null, stderr: "" },
    `${basename(program)} ${args.join(" ")}: ${finished.stdout.slice(-300)}`,
  );
  return finished;
}

// ── Stores ───────────────────────────────────────────────────────────────────────────────────────

export type FullReport = Report & { allocations: Allocation[] };

/** What `memview --format json` says of a store, single allocations with their stacks. */
export async function readReport(path: string, query: Partial<Query> = {}): Promise<FullReport> {
  const store = await openStore(path);
  const symbolizer = new Symbolizer();
  try {
    const live = await report(store, { aggregate: false, sort: "address", ...query }, symbolizer, {
      stacks: true,
    });
    return { ...live, allocations: [...(live.allocations ?? [])], stacks: [...(live.stacks ?? [])] };
  } finally {
    symbolizer.close();
    await store.close();
  }
}

// ── Expectations ─────────────────────────────────────────────────────────────────────────────────

export interface Row {
  count: number;
  size: number | "*";
  kind: MemoryKind;
  function: string;
  via: string;
}

/** The table in the opening comment of test/programs/SOURCE; `prefix` chooses one of several (see program.h). */
export function expectations(source: string, prefix = ""): Row[] {
  const text = readFileSync(join(root, "test/programs", source), "utf8");
  const pattern = new RegExp(
    String.raw`^(?: \*|//) ${prefix ? `${prefix.replaceAll("+", "\\+")} ` : ""}live (\d+) x (\d+|\*) (heap|mmap|custom) (.+?)(?: via (\S+))?$`,
    "gm",
  );
  const rows = [...text.matchAll(pattern)].map((match): Row => {
    const [, count, size, kind, name, via] = match;
    return {
      count: Number(count),
      size: size === "*" ? "*" : Number(size),
      kind: kind as MemoryKind,
      function: name!,
      via: via ?? "",
    };
  });
  assert.ok(rows.length > 0, `${source} has no table${prefix ? ` for ${prefix}` : ""}`);
  return rows;
}

/** "libc" for the module …/libc.so.6 or …/libc-2.31.so. */
function libraryName(module: string): string {
  return basename(module).replace(/[-.][\d.]*so.*$|-[\d.]+\.so$/, "");
}

/** Frames of the C++ library that is between a function of the program and malloc, where it is part of the program. */
function isPlumbing(name: string | null): boolean {
  return name !== null && /^(operator[ _]new|std::|__gnu_cxx::|void\* std::)/.test(name);
}

/** Where an allocation belongs: the innermost function of one of the modules, undefined when none is on its stack. Calls that the compiler inlined belong to the function they are in. */
export function owner(
  allocation: Allocation,
  modules: readonly string[],
): { function: string; via: string } | undefined {
  const frame = allocation.stack.find(
    (candidate) => modules.includes(candidate.module) && !candidate.inlined && !isPlumbing(candidate.function),
  );
  if (!frame) return undefined;
  const innermost = allocation.stack[0]!.module;
  return {
    function: frame.function ?? `${basename(frame.module)}+${frame.offset}`,
    via: modules.includes(innermost) ? "" : libraryName(innermost),
  };
}

/** The allocations that functions of these modules asked for themselves. */
export function owned(allocations: readonly Allocation[], ...modules: string[]): Allocation[] {
  return allocations.filter((allocation) => owner(allocation, modules)?.via === "");
}

/** One row for each distinct kind of allocation of these modules, as in the tables. */
export function rows(allocations: readonly Allocation[], modules: readonly string[], table: readonly Row[]): Row[] {
  const found = new Map<string, Row>();
  for (const allocation of allocations) {
    const place =
      owner(allocation, modules) ?? (allocation.stack.length === 0 ? { function: "(no stack)", via: "" } : undefined);
    if (!place) continue;
    const expected = table.filter((row) => row.function === place.function && row.via === place.via);
    if (place.via !== "" && expected.length === 0) continue;
    const size = expected.some((row) => row.size === "*") ? "*" : allocation.size;
    const key = `${size} ${allocation.kind} ${place.function} ${place.via}`;
    const row = found.get(key);
    if (row) row.count++;
    else found.set(key, { count: 1, size, kind: allocation.kind, ...place });
  }
  return [...found.values()];
}

/** Rows as sorted lines of text, for a comparison that is easy to read when it fails. */
export function lines(table: readonly Row[]): string[] {
  return table
    .map((row) => `${row.count} x ${row.size} ${row.kind} ${row.function}${row.via ? ` via ${row.via}` : ""}`)
    .sort();
}

/** A store's live allocations must be those of the table, and those that the program printed with keep(). */
export function assertTable(found: FullReport, table: readonly Row[], stdout: string, ...modules: string[]): void {
  assert.deepEqual(lines(rows(found.allocations, modules, table)), lines(table));
  const sizes = new Map(found.allocations.map((allocation) => [allocation.address, allocation.size]));
  for (const match of stdout.matchAll(/^live (0x[0-9a-f]+) (\d+)$/gm)) {
    assert.equal(sizes.get(match[1]!), Number(match[2]), `size recorded at ${match[1]}`);
  }
  assert.equal(found.totals.dropped, 0);
}

/** The store of another process next to `store`: stem.PID.ext. */
export function neighbour(store: string, pid: number): string {
  const name = basename(store);
  const dot = name.lastIndexOf(".");
  return join(dirname(store), dot > 0 ? `${name.slice(0, dot)}.${pid}${name.slice(dot)}` : `${name}.${pid}`);
}
