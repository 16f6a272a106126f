// Who imports whom.

import { existsSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { files, lineOf, read, withoutComments } from "./tree.mjs";

/** @typedef {import("./tree.mjs").Violation} Violation */

/** Importer, what it may import: paths from the project's folder; "node:" for built-in modules, "npm:" for dependencies. */
const ARROWS = [
  [/^asm\//, [/^asm\//]],
  [/^runtime\//, [/^runtime\//, /^build\/wasm\//, /^asm\/(.*\/)?layout\.ts$/, /^node:/, /^npm:/]],
  [/^api\//, [/^api\//, /^runtime\//]],
  // The modules that the launchers load; only they know the commands.
  [/^cli\/(memview|memhook|memdb)\.ts$/, [/^cli\//, /^runtime\//, /^node:/, /^npm:/]],
  [/^cli\//, [/^cli\/(?!commands\/)/, /^runtime\//, /^node:/, /^npm:/]],
  [/^(test|bench)\//, [/./]],
  // From what is built they take the programs' definitions.
  [/^tools\//, [/^tools\//, /^dist\/cli\//, /^node:/]],
];

const IMPORT =
  /\b(?:import|export)\b[^"';]*?\bfrom\s*["']([^"'\n]+)["']|\bimport\s*\(\s*["']([^"'\n]+)["']\s*\)|\bimport\s*["']([^"'\n]+)["']/g;

/** @returns {Violation[]} */
export function checkImports(root) {
  const found = [];
  const manifest = existsSync(join(root, "package.json")) ? JSON.parse(read(root, "package.json")) : {};
  const dependencies = new Set(["wasi", ...Object.keys(manifest.dependencies ?? {})]);
  // What only the programs use is bundled into them, so it need not be there where they are installed.
  const bundled = new Set([...dependencies, ...Object.keys(manifest.devDependencies ?? {})]);
  for (const file of files(root)) {
    const arrow = ARROWS.find(([importer]) => importer.test(file));
    if (!arrow || !/\.(ts|mjs)$/.test(file)) continue;
    const code = withoutComments(read(root, file));
    for (const match of code.matchAll(IMPORT)) {
      const name = match[1] ?? match[2] ?? match[3];
      const target = name.startsWith(".")
        ? normalize(join(dirname(file), name)).replace(/\.js$/, ".ts")
        : name.startsWith("node:")
          ? name
          : `npm:${name}`;
      const line = lineOf(code, match.index);
      // AssemblyScript names its modules without an ending.
      const allowed = arrow[1].some((pattern) => pattern.test(target) || pattern.test(`${target}.ts`));
      if (!allowed) found.push({ file, line, what: `must not import ${name}` });
      const tests = /^(test|bench)\//.test(file);
      const known = file.startsWith("cli/") ? bundled : dependencies;
      const packageName = name.startsWith("@") ? name.split("/").slice(0, 2).join("/") : name.split("/")[0];
      if (allowed && !tests && target.startsWith("npm:") && !known.has(packageName)) {
        found.push({ file, line, what: `${packageName} is not in package.json's dependencies` });
      }
    }
    if (/^(runtime|api|cli)\//.test(file) && !/^runtime\/host[^/]*\.ts$/.test(file)) {
      for (const match of code.matchAll(/\b(?:Bun|Deno)\s*[.?[]|["'](?:Bun|Deno)["']\s+in\b/g)) {
        found.push({
          file,
          line: lineOf(code, match.index),
          what: "names a runtime: that belongs into runtime/host*.ts",
        });
      }
    }
    if (/^(runtime|api|cli)\//.test(file) && file !== "runtime/host/clock.ts") {
      for (const match of code.matchAll(/\bDate\.now\b|\bnew Date\(\)|\bperformance\.now\b|\bhrtime\b|\buptime\(/g)) {
        found.push({
          file,
          line: lineOf(code, match.index),
          what: "asks for the time: that is runtime/host/clock.ts's to do",
        });
      }
    }
  }
  return found;
}
