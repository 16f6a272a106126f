// Why a program left no store: reads just enough of its file to say so in one line.
//
// LD_PRELOAD is a request to the dynamic loader. It has no effect on programs without one (linked statically), on
// programs that run with raised privileges, and on programs of another architecture. A script is run by its
// interpreter, so the answer is the interpreter's.

import { accessSync, closeSync, constants, openSync, readSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import process from "node:process";

const ELF_MACHINES = new Map([
  [3, "32-bit x86"],
  [40, "32-bit ARM"],
  [62, "x86_64"],
  [183, "aarch64"],
  [243, "riscv64"],
]);
const OWN_MACHINE = process.arch === "arm64" ? 183 : 62;
const PT_INTERP = 3;

/** What of an ELF file matters for preloading into it. */
export interface ElfFacts {
  bits: 32 | 64;
  /** e_machine. */
  machine: number;
  /** The dynamic loader it asks for, null if it was linked statically. */
  interpreter: string | null;
}

/** Reads a file's ELF header and program headers; null if it is no complete ELF file of this byte order. */
export function elfFacts(path: string): ElfFacts | null {
  const file = openSync(path, "r");
  try {
    const read = (offset: number, length: number) => {
      const bytes = Buffer.alloc(length);
      if (!Number.isSafeInteger(offset)) return null;
      return readSync(file, bytes, 0, length, offset) === length ? bytes : null;
    };
    const header = read(0, 64) ?? read(0, 52);
    if (header?.readUInt32BE(0) !== 0x7f454c46 || header[5] !== 1) return null;
    const bits = header[4] === 1 ? 32 : 64;
    const machine = header.readUInt16LE(18);
    const table = bits === 64 ? Number(header.readBigUInt64LE(32)) : header.readUInt32LE(28);
    const entryBytes = header.readUInt16LE(bits === 64 ? 54 : 42);
    const count = header.readUInt16LE(bits === 64 ? 56 : 44);
    for (let i = 0; i < count; i++) {
      const entry = read(table + i * entryBytes, bits === 64 ? 56 : 32);
      if (entry === null) return null;
      if (entry.readUInt32LE(0) !== PT_INTERP) continue;
      const offset = bits === 64 ? Number(entry.readBigUInt64LE(8)) : entry.readUInt32LE(4);
      const length = bits === 64 ? Number(entry.readBigUInt64LE(32)) : entry.readUInt32LE(16);
      const path = length < 4096 ? read(offset, length) : null;
      return { bits, machine, interpreter: path?.toString().replace(/\0.*$/s, "") ?? "" };
    }
    return { bits, machine, interpreter: null };
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

/** Why memhook could not get into the program: one sentence, for after it ran and left no store. */
export function whyNoStore(name: string): string {
  const path = findProgram(name);
  if (path === null) return `${name} was not found afterwards`;
  try {
    return reason(path, 0);
  } catch (error) {
    return `${path} cannot be examined (${(error as Error).message})`;
  }
}

function reason(path: string, depth: number): string {
  if (statSync(path).mode & 0o6000) {
    return `${path} runs with its owner's privileges (setuid or setgid), and the loader then ignores LD_PRELOAD: run a copy without that bit`;
  }
  const facts = elfFacts(path);
  if (facts === null) {
    const interpreter = scriptInterpreter(path);
    if (interpreter === null || depth > 4) return `${path} is neither an ELF program nor a script with a #! line`;
    return `${path} is a script: ${reason(interpreter, depth + 1)}`;
  }
  const { bits, machine, interpreter } = facts;
  if (machine !== OWN_MACHINE || bits !== 64) {
    const theirs = ELF_MACHINES.get(machine) ?? `machine ${machine}`;
    return `${path} is a program for ${theirs}${bits === 32 && machine === 62 ? " (x32)" : ""}, the library is for ${ELF_MACHINES.get(OWN_MACHINE)}`;
  }
  if (interpreter === null) {
    return `${path} is linked statically, and only the dynamic loader can preload a library: link it dynamically`;
  }
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
  return byEnv === undefined ? words[0] : findProgram(byEnv);
}
