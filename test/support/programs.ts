// Compiles the programs of test/programs, runs them (or any other) under memhook, and reads what their stores say.
//
//   build("leaks.c") ──▶ runWell() ──▶ store ──▶ readReport() ──▶ rows()  ═══  expectations("leaks.c")
//
// Which compilers, and for which targets: see compilers.ts.

import assert from "node:assert/strict";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  accessSync,
  chmodSync,
  constants,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import process from "node:process";
import type { Allocation, MemoryKind, Query, Report } from "../../runtime/host/types.js";
import { report } from "../../runtime/reports/report.js";
import { openStore } from "../../runtime/stores/store.js";
import { Symbolizer } from "../../runtime/symbols/symbolize.js";
import { type Compiler, compiler, ownTarget, type Target } from "./compilers.js";
import { root } from "./run.js";

export { type Compiler, compiler, compilers, library, noCompiler, type Target, which } from "./compilers.js";

export interface BuildOptions {
  compiler?: Compiler;
  shared?: boolean;
  /** Come after the usual ones, so that they win. */
  flags?: string[];
}

// Allocation functions are called as written: nothing is folded away, and no
// call becomes a jump that hides its function.
const USUAL_FLAGS = [
  ...["-O1", "-g", "-fno-optimize-sibling-calls", "-fno-builtin", "-pthread"],
  ...["-Wall", "-Wextra", "-Werror"],
];

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
  const headers = readdirSync(join(root, "test/programs")).filter((name) => name.endsWith(".h"));
  for (const header of [...headers.sort().map((name) => `test/programs/${name}`), "preload/memhook.h"]) {
    hash.update(readFileSync(join(root, header)));
  }
  const folder = join(kept, hash.digest("hex").slice(0, 16));
  const target = join(folder, basename(source).replace(/\.\w+$/, shared ? ".so" : ""));
  if (existsSync(target)) return realpathSync(target);

  mkdirSync(folder, { recursive: true });
  const unfinished = `${target}.${process.pid}`;
  const [program, ...rest] = [...command, path, "-o", unfinished, "-ldl", "-lrt"];
  // When Zig first compiles its C++ library, it says a megabyte of warnings about that.
  const result = spawnSync(program!, rest, {
    encoding: "utf8",
    env: { ...process.env, ...zigCaches() },
    maxBuffer: 1 << 28,
  });
  assert.equal(result.status, 0, `${chosen.name} failed on ${source}:\n${result.stderr ?? result.error}`);
  chmodSync(unfinished, 0o755);
  renameSync(unfinished, target);
  // As the dynamic loader and the kernel see it.
  return realpathSync(target);
}

/** Where Zig may keep what it compiled. */
export function zigCaches(): Record<string, string> {
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
  /** What the program was compiled for; this machine's own without it. */
  target?: Target;
  cwd?: string;
  /** The user and group that it runs as; only root can say so. */
  uid?: number;
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
    ...(options.store === undefined
      ? {}
      : { LD_PRELOAD: (options.target ?? ownTarget).library, MEMHOOK_FILE: options.store }),
    ...options.env,
  };
  return Object.fromEntries(Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined));
}

/**
 * What to spawn, and with which environment. What is meant for the program's loader an emulator gets as arguments: it
 * is itself a program with a loader.
 */
function commandOf(program: string, args: string[], options: RunOptions): [string[], Record<string, string>] {
  const env = environment(options);
  const { emulator } = options.target ?? ownTarget;
  if (emulator.length === 0) return [[program, ...args], env];
  const { LD_PRELOAD, ...ours } = env;
  const settings = LD_PRELOAD === undefined ? [] : ["-E", `LD_PRELOAD=${LD_PRELOAD}`];
  return [[...emulator, ...settings, program, ...args], ours];
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
    const [[command, ...words], env] = commandOf(program, args, options);
    this.child = spawn(command!, words, {
      cwd: options.cwd ?? tmpdir(),
      env,
      stdio: ["pipe", "pipe", "pipe"],
      ...(options.uid === undefined ? {} : { uid: options.uid, gid: options.uid }),
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

/**
 * The table in the opening comment of test/programs/SOURCE for a target;
 * `prefix` chooses one of several (see program.h).
 */
export function expectations(source: string, prefix = "", target = ownTarget): Row[] {
  const text = readFileSync(join(root, "test/programs", source), "utf8");
  const libc = target.name.endsWith("-gnu") ? "(?:glibc )?" : "";
  const prefixed = prefix ? `${prefix.replaceAll("+", "\\+")} ` : "";
  const pattern = new RegExp(
    String.raw`^(?: \*|//) ${libc}${prefixed}live (\d+) x (\d+|\*) (heap|mmap|custom) (.+?)(?: via (\S+))?$`,
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

/**
 * Where an allocation belongs: the innermost function of one of the modules, undefined when none is on its stack. Calls
 * that the compiler inlined belong to the function they are in.
 */
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
