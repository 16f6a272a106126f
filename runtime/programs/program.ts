// What a program is: reads just enough of its file to say which library fits it, or why it left no store.
//
// LD_PRELOAD is a request to the dynamic loader. It has no effect on programs without a loader (linked statically), on
// programs that run with raised privileges, and on programs of another architecture. A script is run by its
// interpreter, so the interpreter's file is examined.

import { spawnSync } from "node:child_process";
import { accessSync, closeSync, constants, existsSync, openSync, readSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import {
  ELF_HEADER_BYTES,
  elfHeader,
  headerBytes,
  isElf,
  PT_INTERP,
  programHeader,
} from "../symbols/programheaders.js";
import { whyNotWritable } from "./writable.js";

const SUPPORTED = new Map([
  [62, "x86_64"],
  [183, "aarch64"],
]);
const ELF_MACHINES = new Map([
  ...SUPPORTED,
  [3, "32-bit x86"],
  [8, "MIPS"],
  [21, "powerpc64"],
  [22, "s390"],
  [40, "32-bit ARM"],
  [243, "riscv64"],
  [258, "loongarch64"],
]);
const DAMAGED = "its ELF headers are cut off or damaged";
/** Scripts whose interpreters are scripts: the kernel follows this many. */
const SCRIPTS_MOST = 5;

/** The processor of this machine, named as in ELF_MACHINES. */
export const OWN_ARCHITECTURE = process.arch === "x64" ? "x86_64" : process.arch === "arm64" ? "aarch64" : process.arch;

/** The parts of an ELF file that matter for preloading into it. */
export interface ElfFacts {
  bits: 32 | 64;
  bigEndian: boolean;
  /** e_machine. */
  machine: number;
  /** The dynamic loader it asks for, null if it was linked statically. */
  interpreter: string | null;
}

/**
 * Reads a file's ELF header and program headers; null if it is no ELF file. Of
 * a big-endian one it reads the machine alone.
 * @throws Error when they are not all there, or the file cannot be read.
 */
export function elfFacts(path: string): ElfFacts | null {
  const file = openSync(path, "r");
  try {
    const read = (offset: number, length: number) => {
      const bytes = new Uint8Array(length);
      if (!Number.isSafeInteger(offset)) return null;
      return readSync(file, bytes, 0, length, offset) === length ? new DataView(bytes.buffer) : null;
    };
    const start = read(0, 4);
    if (start === null || !isElf(start)) return null;
    const header = read(0, ELF_HEADER_BYTES) ?? read(0, ELF_HEADER_BYTES - 12);
    if (header === null) throw new Error(DAMAGED);
    const { wide, bigEndian, machine, table, entryBytes, count } = elfHeader(header);
    const facts = { bits: wide ? 64 : 32, bigEndian, machine, interpreter: null } as const;
    for (let i = 0; i < count && !bigEndian; i++) {
      const entry = read(table + i * entryBytes, headerBytes(wide));
      if (entry === null) throw new Error(DAMAGED);
      const { type, offset, fileBytes } = programHeader(entry, 0, wide);
      if (type !== PT_INTERP) continue;
      const path = fileBytes < 4096 ? read(offset, fileBytes) : null;
      if (path === null) throw new Error(DAMAGED);
      return { ...facts, interpreter: Buffer.from(path.buffer).toString().replace(/\0.*$/s, "") };
    }
    return facts;
  } finally {
    closeSync(file);
  }
}

/** The file that execvp(3) would run; null if there is none. */
export function findProgram(name: string): string | null {
  const places = name.includes("/")
    ? [resolve(name)]
    : (process.env.PATH ?? "").split(":").map((dir) => join(dir || ".", name));
  return places.find(isExecutable) ?? null;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

/** What finally runs when a file is started: the file itself, or the interpreter behind #! lines. */
export interface Executed {
  path: string;
  /** null: neither an ELF program nor a script. */
  facts: ElfFacts | null;
  /** The scripts on the way there. */
  scripts: string[];
}

/** @throws Error when a file cannot be read, or one script leads to another without end. */
export function executed(file: string): Executed {
  const scripts: string[] = [];
  for (let path = file; scripts.length <= SCRIPTS_MOST; ) {
    const facts = elfFacts(path);
    const interpreter = facts === null ? scriptInterpreter(path) : null;
    if (interpreter === null) return { path, facts, scripts };
    if (!existsSync(interpreter)) throw new Error(`its interpreter ${interpreter} is missing`);
    scripts.push(path);
    path = interpreter;
  }
  throw new Error("its interpreter is a script, and so is that one's, and so on");
}

/** The processor that a library is built for; null if there is none for such a program. */
export function architectureOf({ bits, bigEndian, machine }: ElfFacts): string | null {
  return bits === 64 && !bigEndian ? (SUPPORTED.get(machine) ?? null) : null;
}

export function unsupported(path: string, { bits, bigEndian, machine }: ElfFacts): string {
  const order = bigEndian ? "big-endian " : "";
  const theirs = ELF_MACHINES.get(machine) ?? `machine ${machine}`;
  const x32 = bits === 32 && machine === 62 ? " (x32)" : "";
  const ours = [...SUPPORTED.values()].join(" and ");
  return `${path} is a program for ${order}${theirs}${x32}, the library is for ${ours}`;
}

export function noProgram(path: string): string {
  return `${path} is neither an ELF program nor a script with a #! line`;
}

export function linkedStatically(path: string): string {
  return `${path} is linked statically, and only the dynamic loader can preload a library: link it dynamically`;
}

/** Whether the file gives its caller the privileges of its owner. */
export function raises(path: string): boolean {
  const { mode, uid, gid } = statSync(path);
  return ((mode & 0o4000) !== 0 && uid !== process.getuid?.()) || ((mode & 0o2000) !== 0 && gid !== process.getgid?.());
}

export function raised(path: string): string {
  return (
    `${path} runs with its owner's privileges (setuid or setgid), and the loader then ignores LD_PRELOAD: run a ` +
    "copy without that bit"
  );
}

/** By libcap's tool, for a program that ended before it could be inspected. */
function hasCapabilities(path: string): boolean {
  const env = { PATH: `${process.env.PATH}:/usr/sbin:/sbin` };
  return (spawnSync("getcap", [path], { env, encoding: "utf8" }).stdout ?? "").includes("cap_");
}

function capable(path: string): string {
  return `${path} has file capabilities (setcap), and the loader then ignores LD_PRELOAD: run a copy, which has none`;
}

export function cannotExamine(path: string, error: unknown): string {
  return `${path} cannot be examined (${(error as Error).message})`;
}

/**
 * Why memhook could not get into the program: one sentence, for after it ran and left no store.
 * @param privileged it had capabilities that we have not
 * @param store where its store would have been
 */
export function whyNoStore(name: string, privileged = false, store?: string): string {
  const path = findProgram(name);
  if (path === null) return `${name} was not found afterwards`;
  try {
    const { path: last, facts, scripts } = executed(path);
    return [...scripts.map((script) => `${script} is a script`), reason(last, facts, privileged, store)].join(": ");
  } catch (error) {
    return cannotExamine(path, error);
  }
}

function reason(path: string, facts: ElfFacts | null, privileged: boolean, store: string | undefined): string {
  if (statSync(path).mode & 0o6000) return raised(path);
  if (facts === null) return noProgram(path);
  const architecture = architectureOf(facts);
  if (architecture === null) return unsupported(path, facts);
  if (architecture !== OWN_ARCHITECTURE)
    return (
      `${path} is a program for ${architecture}, which this ${OWN_ARCHITECTURE} machine needs an emulator for: is ` +
      "one registered (binfmt_misc)?"
    );
  if (facts.interpreter === null) return linkedStatically(path);
  if (privileged || hasCapabilities(path)) return capable(path);
  const obstacle = store === undefined ? null : whyNotWritable(store);
  if (obstacle !== null) return obstacle;
  return `memhook switched itself off in ${path}, or it ended before it began: run again with MEMHOOK_LOG=stderr`;
}

/** The program behind "#!", looked up like env does if it is env. */
function scriptInterpreter(path: string): string | null {
  const file = openSync(path, "r");
  const bytes = Buffer.alloc(256);
  const length = readSync(file, bytes, 0, bytes.length, 0);
  closeSync(file);
  const words =
    /^#![ \t]*([^\n]*)/
      .exec(bytes.toString("utf8", 0, length))?.[1]
      ?.trim()
      .split(/[ \t]+/) ?? [];
  if (!words[0]) return null;
  const byEnv = words[0].endsWith("/env")
    ? words.slice(1).find((word) => !word.startsWith("-") && !word.includes("="))
    : undefined;
  return byEnv === undefined ? words[0] : (findProgram(byEnv) ?? byEnv);
}
