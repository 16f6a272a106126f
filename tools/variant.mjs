// Builds the library from sources that differ in a few places: for mutations.mjs, and for benchmarks of its parts.

import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { arch } from "node:os";
import { basename, dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));

/** This process's environment, and where Zig keeps what it compiled. */
export function zigEnvironment() {
  const cache = join(root, ".zig/cache");
  return { ...process.env, ZIG_GLOBAL_CACHE_DIR: cache, ZIG_LOCAL_CACHE_DIR: cache };
}

/** Puts `to` in the one place of `file` that is `from`. Files have names of their own, whatever room they are in. */
function edit(folder, names, [file, from, to]) {
  const name = names.find((candidate) => basename(candidate) === file);
  const text = name ? readFileSync(join(folder, name), "utf8") : "";
  if (text.split(from).length !== 2) return `its place is not in ${file}, or more than once`;
  writeFileSync(
    join(folder, name),
    text.replace(from, () => to),
  );
  return undefined;
}

/** A digest of everything that the library is made of. */
function digestOf(folder, names, how) {
  const digest = createHash("sha256").update(JSON.stringify(how));
  const made = ["layout.h", "libmemhook.map"].map((name) => join(root, "build", name));
  for (const path of [...made, ...names.map((name) => join(folder, name)).sort()]) digest.update(readFileSync(path));
  return digest.digest("hex");
}

/**
 * Builds `library` from a copy of preload/ beside it with the edits, unless it is there, made of the same. The answer
 * is its path, or why there is none.
 */
export function buildVariant(library, edits, how) {
  const folder = dirname(library);
  rmSync(join(folder, "preload"), { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  cpSync(join(root, "preload"), join(folder, "preload"), { recursive: true, preserveTimestamps: true });
  const names = readdirSync(join(folder, "preload"), { recursive: true, encoding: "utf8" })
    .map((name) => join("preload", name))
    .filter((name) => /\.[ch]$/.test(name));
  for (const one of edits) {
    const why = edit(folder, names, one);
    if (why) return { why };
  }
  const digest = digestOf(folder, names, how);
  const known = `${library}.digest`; // of what the library there was made of
  if (existsSync(library) && existsSync(known) && readFileSync(known, "utf8") === digest) return { library };
  rmSync(known, { force: true });
  const machine = arch() === "arm64" ? "aarch64" : "x86_64";
  // As in build.sh, but for what `how` says.
  const words = ["cc", "-target", `${machine}-linux-gnu.2.17`, "-std=gnu11", "-g0", "-fPIC", "-shared", ...how];
  words.push("-fvisibility=hidden", "-ftls-model=initial-exec", "-fno-omit-frame-pointer", "-fno-builtin-malloc");
  words.push("-fno-plt", "-Wl,-z,now", `-Wl,--version-script=${join(root, "build/libmemhook.map")}`);
  words.push(`-I${join(root, "build")}`, "-o", library, ...names.filter((name) => name.endsWith(".c")), "-lunwind");
  const zig = process.env.ZIG ?? join(root, ".zig/zig");
  const built = spawnSync(zig, words, { cwd: folder, env: zigEnvironment(), encoding: "utf8" });
  if (built.status !== 0) return { why: `it does not compile: ${built.stderr.trim().split("\n")[0]}` };
  writeFileSync(known, digest);
  return { library };
}
