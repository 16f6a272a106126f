// The core cases on the targets that are not this machine's own: programs of musl, and of another processor in an emulator. Emulated
// ones run slowly, and what another runtime could show of them it shows of the others.

import process from "node:process";
import { crossCompilers } from "../support/compilers.js";
import { coreCases } from "./core-cases.js";

const underNode = !("bun" in process.versions || "deno" in process.versions);

for (const compiler of crossCompilers) {
  const { emulator, missing } = compiler.target;
  const slow = emulator.length > 0 && !underNode && "emulated programs are run under Node only";
  coreCases(compiler, missing || slow);
}
