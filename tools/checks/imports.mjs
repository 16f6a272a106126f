// Imports follow the arrows between rooms, form no circle, and use only declared packages. Only one file names a
// runtime, and only one asks for the time.

import { existsSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { circles } from "./circles.mjs";
import { ARROWS, HALLS } from "./rooms.mjs";
import { files, lineOf, read, withoutComments } from "./tree.mjs";

/** @typedef {import("./tree.mjs").Violation} Violation */

const IMPORT = new RegExp(
  [/\b(?:import|export)\b[^"';]*?\bfrom\s*NAME/, /\bimport\s*\(\s*NAME\s*\)/, /\bimport\s*NAME/]
    .map(({ source }) => source.replace("NAME", "[\"']([^\"'\\n]+)[\"']"))
    .join("|"),
  "g",
);

/** What a file imports: paths from the project's folder; "node:…" for built-in modules, "npm:…" for dependencies. */
function importsOf(file, code) {
  return [...code.matchAll(IMPORT)].map((match) => {
    const name = match[1] ?? match[2] ?? match[3];
    let to = name.startsWith("node:") ? name : `npm:${name}`;
    if (name.startsWith(".")) {
      to = normalize(join(dirname(file), name)).replace(/\.js$/, ".ts");
      // AssemblyScript names its modules without an ending.
      if (!/\.\w+$/.test(to)) to += ".ts";
    }
    return { name, to, line: lineOf(code, match.index) };
  });
}

/** @returns {Violation[]} */
export function checkImports(root) {
  const found = [];
  const manifest = existsSync(join(root, "package.json")) ? JSON.parse(read(root, "package.json")) : {};
  const dependencies = new Set(["wasi", ...Object.keys(manifest.dependencies ?? {})]);
  // What only the programs use is bundled into them, so it need not be there where they are installed.
  const bundled = new Set([...dependencies, ...Object.keys(manifest.devDependencies ?? {})]);
  const uses = new Map();
  for (const file of files(root).filter((path) => /\.(ts|mjs)$/.test(path))) {
    const arrow = ARROWS.find(([room]) => room.test(file));
    if (!arrow) {
      if (HALLS.some((hall) => hall.test(file))) found.push({ file, line: 1, what: "is in no room" });
      continue;
    }
    const code = withoutComments(read(root, file));
    const imports = importsOf(file, code);
    uses.set(file, imports);
    const tests = /^(test|bench)\//.test(file);
    const known = file.startsWith("cli/") ? bundled : dependencies;
    for (const { name, to, line } of imports) {
      const packageName = name.startsWith("@") ? name.split("/").slice(0, 2).join("/") : name.split("/")[0];
      if (!arrow[1].some((pattern) => pattern.test(to))) {
        found.push({ file, line, what: `must not import ${name}` });
      } else if (!tests && to.startsWith("npm:") && !known.has(packageName)) {
        found.push({ file, line, what: `${packageName} is not in package.json's dependencies` });
      }
    }
    if (/^(runtime|api|cli)\//.test(file) && !file.startsWith("runtime/host/")) {
      for (const match of code.matchAll(/\b(?:Bun|Deno)\s*[.?[]|["'](?:Bun|Deno)["']\s+in\b/g)) {
        const what = "names a runtime: that belongs into runtime/host/";
        found.push({ file, line: lineOf(code, match.index), what });
      }
    }
    if (file.startsWith("test/") && file !== "test/support/after.ts") {
      for (const match of code.matchAll(/import \{[^}]*\bafter\b[^}]*\} from "node:test"/g)) {
        const what = "takes `after` from node:test: that is test/support/after.ts's to do";
        found.push({ file, line: lineOf(code, match.index), what });
      }
    }
    if (/^(runtime|api|cli)\//.test(file) && file !== "runtime/host/clock.ts") {
      for (const match of code.matchAll(/\bDate\.now\b|\bnew Date\(\)|\bperformance\.now\b|\bhrtime\b|\buptime\(/g)) {
        const what = "asks for the time: that is runtime/host/clock.ts's to do";
        found.push({ file, line: lineOf(code, match.index), what });
      }
    }
  }
  return [...found, ...circles(uses, "imports")];
}
