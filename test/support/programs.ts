// Compiles the programs of test/programs, and runs them (or any other) under memhook.
//
//   build("leaks.c") ──▶ runWell() ──▶ store, which expectations.ts reads
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

/** The store of another process next to `store`: stem.PID.ext. */
export function neighbour(store: string, pid: number): string {
  const name = basename(store);
  const dot = name.lastIndexOf(".");
  return join(dirname(store), dot > 0 ? `${name.slice(0, dot)}.${pid}${name.slice(dot)}` : `${name}.${pid}`);
}
