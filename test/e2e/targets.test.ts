// The core cases on the targets that are not this machine's own: programs of musl, and of another processor in an
// emulator. It takes a minute, and that stores are read alike under every runtime is shown with those of this machine's
// own target: so under Node only.
//
// And each library in programs of the other C library: what a program starts
// inherits LD_PRELOAD, of whichever kind it is.
// Runs under Node alone: what it tests is the library, in C.

import { basename, join } from "node:path";
import process from "node:process";
import test from "node:test";
import {
  type Compiler,
  compiler,
  crossCompilers,
  foreignMuslTarget,
  foreignTarget,
  muslTarget,
  noCompiler,
  ownTarget,
  type Target,
} from "../support/compilers.js";
import { assertTable, expectations, readReport } from "../support/expectations.js";
import { build, runWell } from "../support/programs.js";
import { temporaryFolder } from "../support/run.js";
import { coreCases } from "./core-cases.js";

const underNode = !("bun" in process.versions || "deno" in process.versions);

/** Why programs for the target are not run here. */
function reason({ missing }: Target): string | false {
  return missing || (!underNode && "other targets are tested under Node only");
}

for (const each of crossCompilers) coreCases(each, reason(each.target));

const folder = temporaryFolder();
const compilerFor = (target: Target): Compiler | undefined =>
  target === ownTarget ? compiler("gcc") : crossCompilers.find((each) => each.target === target);

for (const [libraryOf, programOf] of [
  [muslTarget, ownTarget],
  [ownTarget, muslTarget],
  [foreignMuslTarget, foreignTarget],
] as const) {
  const skip = noCompiler || reason(libraryOf) || reason(programOf);
  for (const source of ["leaks.c", "functions.c", "realloc.c", "threads.c"]) {
    test(`${source} for ${programOf.name} with the library for ${libraryOf.name}`, { skip }, async () => {
      const program = build(source, { compiler: compilerFor(programOf)! });
      const store = join(folder, `${basename(program)}-${libraryOf.name}.mem`);
      const target = { ...programOf, library: libraryOf.library };
      const { stdout } = await runWell(program, [], { store, target });
      assertTable(await readReport(store), expectations(source, "", programOf), stdout, program);
    });
  }
}
