// The contents of README and docs/: fenced blocks, and the command lines of memhook's programs in them.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { callable, PROGRAMS } from "../../cli/definition.js";
import { commandLine, root } from "./run.js";

/** Every page that users read, as a path from the project's folder. */
export const PAGES: readonly string[] = [
  "README.md",
  "CONTRIBUTING.md",
  "test/example/README.md",
  ...readdirSync(join(root, "docs"))
    .filter((name) => name.endsWith(".md"))
    .map((name) => `docs/${name}`),
];

export const page = (path: string) => readFileSync(join(root, path), "utf8");

export interface Fence {
  page: string;
  line: number;
  /** The words behind the backticks: language, then what the block is. */
  words: readonly string[];
  text: string;
}

export function fences(path: string): Fence[] {
  const text = page(path);
  return [...text.matchAll(/^```(.*)\n([\s\S]*?)^```$/gm)].map((match) => ({
    page: path,
    line: text.slice(0, match.index).split("\n").length,
    words: match[1]!.split(" ").filter((word) => word !== ""),
    text: match[2]!,
  }));
}

/** The fences of a page that have all these words. */
export function fencesWith(path: string, ...words: string[]): Fence[] {
  return fences(path).filter((fence) => words.every((word) => fence.words.includes(word)));
}

/**
 * Shell functions with the programs' names that run the launchers, also behind
 * a runtime's name, for a script out of a page.
 */
export function shellFunctions(): string {
  const names = PROGRAMS.map(({ meta }) => meta.name);
  const runtimes = 'node() { "$@"; }\nbun() { "$@"; }\ndeno() { shift 2; "$@"; }\n';
  const launchers = names.map((name) => {
    const words = commandLine(name).map((word) => `'${word}'`);
    return `${name}() { ${words.join(" ")} "$@"; }\n`;
  });
  return runtimes + launchers.join("");
}

export const commands = (await Promise.all(PROGRAMS.map(callable))).flat();

export interface Typed {
  /** "memview info" */
  path: string;
  args: string[];
}

/**
 * The command lines of memhook's programs in a line of shell, as far as quotes
 * and redirections can be understood without a shell.
 */
export function typedIn(text: string): Typed[] {
  const line = text.replace(/(^|\s)#\s.*/, "");
  const found: Typed[] = [];
  const programs = PROGRAMS.map(({ meta }) => meta.name).join("|");
  const start = new RegExp(`(?:^|[\\s;|&(\`]|\\./)(?<name>${programs})(?=[ ]|$)(?<rest>.*)`, "g");
  for (let match = start.exec(line); match !== null; match = start.exec(line)) {
    const { name, rest } = match.groups as { name: string; rest: string };
    // A command may stand in what another one runs or is given: look there too.
    start.lastIndex = match.index + match[0].length - rest.length;
    const words = [...rest.matchAll(/\s*((?:'[^']*'|"[^"]*"|\$\([^)]*\)|[^\s'"|&;<>()`])+)|\s*([|&;<>()`#…])/g)];
    const args: string[] = [];
    for (const [, word] of words) {
      if (word === undefined || /^(#|\d?>)/.test(word)) break;
      args.push(word.replace(/^'(.*)'$|^"(.*)"$/, "$1$2"));
    }
    const sub = commands.some(({ path }) => path === `${name} ${args[0]}`) ? args.shift() : undefined;
    found.push({ path: sub === undefined ? name : `${name} ${sub}`, args });
  }
  return found;
}
