// The programs of a folder: what is executable there, and what its C and C++ sources compile to.

import { spawnSync } from "node:child_process";
import { accessSync, constants, existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import type { Program } from "./outcome.js";

/** Calls are made as they are written, whatever their results are used for. */
const FLAGS = ["-O1", "-g", "-w", "-pthread", "-fno-builtin-malloc", "-fno-builtin-free"];

/** @returns programs, and the names of sources that did not compile */
export function programsOf(folder: string, only: RegExp, builds: string): { programs: Program[]; unbuilt: string[] } {
  const flags = words(join(folder, "flags"));
  const programs: Program[] = [];
  const unbuilt: string[] = [];
  for (const file of readdirSync(folder).sort()) {
    const path = join(resolve(folder), file);
    if (!only.test(file) || !statSync(path).isFile()) continue;
    const name = file.replace(/\.(c|cc|cpp)$/, "");
    if (name === file) {
      if (isExecutable(path)) programs.push(program(folder, name, path));
      continue;
    }
    const target = join(builds, `${basename(resolve(folder))}-${file}`);
    const compiler = file.endsWith(".c") ? "gcc" : "g++";
    const { status } = spawnSync(compiler, [...FLAGS, path, "-o", target, ...flags, "-lm", "-ldl", "-lrt"], {
      cwd: folder,
      stdio: "ignore",
    });
    if (status === 0) programs.push(program(folder, name, target));
    else unbuilt.push(file);
  }
  return { programs, unbuilt };
}

function program(folder: string, name: string, path: string): Program {
  const input = join(folder, `${name}.in`);
  return {
    name,
    path,
    args: words(join(folder, `${name}.args`)),
    input: existsSync(input) ? readFileSync(input, "latin1") : "",
    folder,
  };
}

function words(path: string): string[] {
  return existsSync(path) ? readFileSync(path, "utf8").split(/\s+/).filter(Boolean) : [];
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
