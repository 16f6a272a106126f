// Generates from the programs' definitions (cli/definition.ts, cli/environment.ts) the manual pages, docs/options.md
// and the tables in README.md between `<!-- made: WHAT -->` and `<!-- end -->`. Run it after changing an option or its
// text.
//
//   node tools/docs.mjs            write what has changed
//   node tools/docs.mjs --check    change nothing; exit code 1 and one line for each file that is not in step

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { callable, PROGRAMS } from "../dist/cli/definition.js";
import { manualPage } from "./man.mjs";
import { optionsPage, tables } from "./markdown.mjs";

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));

/** Every file that is made, or partly, from the definitions, with what it ought to hold. */
export async function documents(root = ROOT) {
  const read = (path) => readFileSync(join(root, path), "utf8");
  const { version } = JSON.parse(read("package.json"));
  const released = /^## \S+, (.*)$/m.exec(read("CHANGELOG.md"))?.[1] ?? "";
  const programs = await Promise.all(PROGRAMS.map(callable));
  const names = programs.map(([{ path }]) => path);
  return [
    ...programs.map((commands) => ({
      path: `docs/man/${commands[0].path}.1`,
      text: manualPage(commands, { version, released, others: names.filter((name) => name !== commands[0].path) }),
    })),
    { path: "docs/options.md", text: optionsPage(programs.flat()) },
    { path: "README.md", text: withTables(read("README.md"), tables(programs.flat())) },
  ];
}

/** The text with each `<!-- made: WHAT ARGUMENT -->` followed by what the maker of that name gives. */
export function withTables(text, makers) {
  return text.replace(/(<!-- made: (\w+) ?(.*?) -->\n)[\s\S]*?(?=<!-- end -->)/g, (_, marker, what, argument) => {
    if (!Object.hasOwn(makers, what)) throw new Error(`README.md: nothing makes '${what}'`);
    return `${marker}\n${makers[what](argument)}\n`;
  });
}

if (process.argv[1] && fileURLToPath(import.meta.url) === process.argv[1]) {
  const check = process.argv.includes("--check");
  for (const { path, text } of await documents()) {
    const whole = join(ROOT, path);
    let now = "";
    try {
      now = readFileSync(whole, "utf8");
    } catch {
      // It is made now.
    }
    if (now === text) continue;
    console.log(check ? `${path}: is not what its definition says: run node tools/docs.mjs` : `${path}: written`);
    if (check) process.exitCode = 1;
    else {
      mkdirSync(dirname(whole), { recursive: true });
      writeFileSync(whole, text);
    }
  }
}
