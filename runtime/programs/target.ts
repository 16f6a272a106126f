// Which build of the library a program needs: the build for its own processor and C library, whatever runs memhook.
//
//     ./app          ELF header, PT_INTERP ──▶ aarch64, musl's loader ──▶ build/lib/aarch64-musl/libmemhook.so
//     ./script.py    #!/usr/bin/env python3 ──▶ python3, on PATH ──▶ as above

import { existsSync } from "node:fs";
import { basename } from "node:path";
import { fileURLToPath } from "node:url";
import { LaunchError } from "../host/errors.js";
import {
  architectureOf,
  cannotExamine,
  type Executed,
  executed,
  findProgram,
  linkedStatically,
  noProgram,
  OWN_ARCHITECTURE,
  raised,
  raises,
  unsupported,
} from "./program.js";

/** Runs a file that is neither ELF nor has a #! line, when execvp(3) or a shell starts it. */
const SHELL = "/bin/sh";

/** A build of the library, or null if there is none; and the reason if it will not get into the program. */
interface Choice {
  target: string | null;
  obstacle: string | null;
}

/**
 * Absolute path of the library for a program, named as on a command line;
 * without one, for programs like this very runtime.
 * @throws LaunchError when there is none for it, or it could not get into it.
 */
export function libraryFor(program?: string): string {
  if (program === undefined) return built(ownTarget());
  const { target, obstacle } = choose(program);
  if (target === null || obstacle !== null) throw new LaunchError(obstacle!);
  return built(target);
}

/**
 * The same for a program that is run in any case: one that is not there, or that no library gets into, says so itself.
 * @throws LaunchError when there is none for such programs.
 */
export function libraryToRun(program: string): string {
  const { target, obstacle } = choose(program);
  if (target === null) throw new LaunchError(obstacle!);
  return built(target);
}

function built(target: string): string {
  // In the package's folder. A program has this module bundled into it, one folder less deep.
  const folder = /\/dist\/bin\/[^/]+$/.test(import.meta.url) ? "../../" : "../../../";
  const path = fileURLToPath(new URL(`${folder}build/lib/${target}/libmemhook.so`, import.meta.url));
  if (existsSync(path)) return path;
  const how = target === ownTarget() ? "./build.sh" : "./build.sh targets";
  const bundled = "or, in a program that was bundled, leave the package memhook out of the bundle";
  throw new LaunchError(`the library for ${target} is not built: ${path} is missing; run ${how}, ${bundled}`);
}

function ownTarget(): string {
  return `${OWN_ARCHITECTURE}-${libcOf(executed("/proc/self/exe").facts?.interpreter ?? "") ?? "gnu"}`;
}

function choose(name: string): Choice {
  const found = findProgram(name);
  if (found === null) return { target: ownTarget(), obstacle: `${name}: no such program, or not executable` };
  let last: Executed;
  try {
    last = executed(found);
    if (last.facts === null) last = executed(SHELL);
  } catch (error) {
    const secret = (error as NodeJS.ErrnoException).code === "EACCES";
    return { target: secret ? ownTarget() : null, obstacle: cannotExamine(found, error) };
  }
  const { path, facts } = last;
  if (facts === null) return { target: ownTarget(), obstacle: noProgram(found) };
  const architecture = architectureOf(facts);
  if (architecture === null) return { target: null, obstacle: unsupported(path, facts) };
  if (facts.interpreter === null) return { target: ownTarget(), obstacle: linkedStatically(path) };
  const libc = libcOf(facts.interpreter);
  if (libc === null) {
    const obstacle = `${path} is run by the loader ${facts.interpreter}, the library is for those of glibc and musl`;
    return { target: null, obstacle };
  }
  return { target: `${architecture}-${libc}`, obstacle: raises(path) ? raised(path) : null };
}

/** Which C library's dynamic loader this is; null if it is neither glibc's nor musl's. */
function libcOf(loader: string): "gnu" | "musl" | null {
  const name = basename(loader);
  if (name.startsWith("ld-musl")) return "musl";
  return name.startsWith("linker") || name.includes("uClibc") ? null : "gnu";
}
