// The compilers that test programs are compiled with, and the targets that they are compiled for.
//
// Every machine on which memhook was built has Zig. The system's own compilers are used as well, if there are any,
// since their code is different (position independent, shared C++ runtime). A target is a processor and a C library,
// with its own build of memhook. On an x86-64 machine with glibc:
//
//     x86_64-gnu     zig, gcc, clang                     run as they are
//     x86_64-musl    zig, musl-gcc                       run as they are, by musl's loader
//     aarch64-gnu    zig, aarch64-linux-gnu-gcc          run by qemu-aarch64

import assert from "node:assert/strict";
import { accessSync, constants, existsSync, realpathSync } from "node:fs";
import { arch } from "node:os";
import { delimiter, join } from "node:path";
import process from "node:process";
import { preloadAlways } from "../../runtime/programs/preload.js";
import { root } from "./run.js";

const [architecture, other] = arch() === "arm64" ? ["aarch64", "x86_64"] : ["x86_64", "aarch64"];

/** What programs are compiled for, and how they are run under memhook here. */
export interface Target {
  name: string;
  library: string;
  /** What comes before a program of another processor. */
  emulator: readonly string[];
  /** Why programs for it cannot run here, for a test to skip with. */
  missing: string | false;
}

function target(name: string, emulator: readonly string[] = [], missing: string | false = false): Target {
  const library = join(root, `build/lib/${name}/libmemhook.so`);
  const unbuilt = !existsSync(library) && `${library} is not built: ./build.sh targets`;
  return { name, library: preloadAlways(library), emulator, missing: missing || unbuilt };
}

/** The library that is tested, for LD_PRELOAD: MEMHOOK_TEST_LIBRARY names another build of it. */
export const library = preloadAlways(
  process.env.MEMHOOK_TEST_LIBRARY ?? join(root, `build/lib/${architecture}-gnu/libmemhook.so`),
);

/** This machine's own. */
export const ownTarget: Target = { name: `${architecture}-gnu`, library, emulator: [], missing: false };

const muslLoader = `/lib/ld-musl-${architecture}.so.1`;
export const muslTarget = target(
  `${architecture}-musl`,
  [],
  !existsSync(muslLoader) && `${muslLoader} is missing: Debian's package musl`,
);

const sysroot = `/usr/${other}-linux-gnu`;
export const foreignTarget = target(
  `${other}-gnu`,
  [`qemu-${other}`, "-L", sysroot],
  which(`qemu-${other}`) === undefined
    ? `qemu-${other} is missing: Debian's package qemu-user`
    : !existsSync(join(sysroot, "lib")) && `${sysroot}/lib is missing: Debian's package libc6-arm64-cross`,
);

/** The same processor with musl: no package has its loader, so that this library meets programs of glibc. */
export const foreignMuslTarget = target(`${other}-musl`, foreignTarget.emulator, foreignTarget.missing);

export interface Compiler {
  name: string;
  c: string[];
  /** Empty if it is a compiler of C alone. */
  cxx: string[];
  target: Target;
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

/** The Zig that built memhook: see build.sh. */
export function findZig(): string | undefined {
  const zig = join(root, ".zig/zig");
  return process.env.ZIG ?? (existsSync(zig) ? realpathSync(zig) : undefined);
}

const zig = findZig();

/** Zig for a target. Its own default is to trap on undefined behaviour, and its C++ runtime is static. */
function zigFor(name: string, flags: string[], target: Target): Compiler[] {
  if (!zig) return [];
  const command = (language: string) => [zig, language, ...flags, "-fno-sanitize=undefined"];
  return [{ name, c: command("cc"), cxx: command("c++"), target }];
}

/** A compiler of the system, if it is there. */
function systemCompiler(c: string, cxx: string | undefined, target: Target): Compiler[] {
  if (!which(c) || (cxx && !which(cxx))) return [];
  return [{ name: c, c: [c], cxx: cxx ? [cxx] : [], target }];
}

/** Every compiler at hand for this machine's own target, Zig first. */
export const compilers: readonly Compiler[] = [
  ...zigFor("zig", [], ownTarget),
  ...systemCompiler("gcc", "g++", ownTarget),
  ...systemCompiler("clang", "clang++", ownTarget),
];

/** The same for the other targets. */
export const crossCompilers: readonly Compiler[] = [
  ...zigFor(`zig for ${muslTarget.name}`, ["-target", `${architecture}-linux-musl`, "-dynamic"], muslTarget),
  ...systemCompiler("musl-gcc", undefined, muslTarget),
  ...zigFor(`zig for ${foreignTarget.name}`, ["-target", `${other}-linux-gnu`], foreignTarget),
  ...systemCompiler(`${other}-linux-gnu-gcc`, undefined, foreignTarget),
];

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
