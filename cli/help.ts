// What --help prints, from the definitions that parse. citty's own rendering is not used: it does not support values
// that may be left out, sections and examples, and it colours text that goes into a file.
//
// Somebody who asks for help has a problem. So what a command does and what to type come first, every option after
// that.

import type { Command, Entry, Option, Options, Prose } from "./arguments.js";

const WIDTH = 80;
const INDENT = 6;
/** Terms up to this long have their meaning on the same line. */
const SHORT_TERM = 12;

/** The help of a command. `path` is how it is called: "memview info". */
export async function help(command: Command, path: string): Promise<string> {
  const lines = [...wrap(`${path}: ${command.meta.description}`, 0), "", ...usage(command, path)];
  const add = (heading: string, body: readonly string[]) => {
    if (body.length > 0) lines.push("", `${heading}:`, ...body);
  };
  for (const part of command.about ?? []) lines.push("", ...proseLines([part], 0));
  add("Examples", entryLines(command.examples));
  add(`Commands (${path} COMMAND --help says more)`, entryLines(await commandsOf(command)));
  for (const { heading, options } of sections(command.args)) {
    add(
      heading,
      options.flatMap(([name, option]) => [
        `  ${"alias" in option ? "" : "    "}${spelling(name, option)}`,
        ...wrap(option.description ?? "", INDENT),
      ]),
    );
  }
  for (const [heading, prose] of Object.entries(command.notes ?? {})) add(heading, proseLines(prose, 2));
  add("Exit code", entryLines(command.exits));
  return `${lines.join("\n")}\n`;
}

function usage(command: Command, path: string): string[] {
  const forms = [...command.usage, ...(command.subCommands ? ["COMMAND …"] : [])];
  return forms.map((form, i) => `${i === 0 ? "usage:" : "      "} ${path} ${form}`.trimEnd());
}

/** The subcommands with what they do. */
export async function commandsOf(command: Command): Promise<Entry[]> {
  const entries: Entry[] = [];
  for (const [name, load] of Object.entries(command.subCommands ?? {}))
    entries.push([name, (await load()).meta.description]);
  return entries;
}

export interface Section {
  heading: string;
  options: [name: string, option: Option][];
}

/** The options under their headings, in the order of the definition. */
export function sections(options: Options): Section[] {
  const found: Section[] = [];
  for (const [name, option] of Object.entries(options)) {
    if (option.type === "positional") continue;
    const heading = option.section ?? found.at(-1)?.heading ?? "Options";
    if (heading !== found.at(-1)?.heading) found.push({ heading, options: [] });
    found.at(-1)!.options.push([name, option]);
  }
  return found;
}

/** "-m, --shared-memory [NAME]": brackets where the value may be left out, "=" where it cannot be the next word. */
export function spelling(name: string, option: Option): string {
  const short = "alias" in option && option.alias ? `-${option.alias}, ` : "";
  if (option.type === "boolean") return `${short}--${name}${option.bare === undefined ? "" : "[=0|1]"}`;
  const value = option.valueHint ?? name.toUpperCase();
  return `${short}--${name} ${option.bare === undefined ? value : `[${value}]`}`;
}

function proseLines(prose: Prose, indent: number): string[] {
  return prose.flatMap((part) => (typeof part === "string" ? wrap(part, indent) : entryLines(part)));
}

/** A list: meanings on the lines of their terms where all terms are short, else indented under them. */
function entryLines(entries: readonly Entry[]): string[] {
  const longest = Math.max(...entries.map(([term]) => term.length));
  if (longest > SHORT_TERM) {
    return entries.flatMap(([term, meaning]) => [`  ${term}`, ...(meaning === "" ? [] : wrap(meaning, INDENT))]);
  }
  return entries.flatMap(([term, meaning]) => {
    const [first = "", ...more] = wrap(meaning, longest + 4);
    return [`  ${term.padEnd(longest)}  ${first.trimStart()}`.trimEnd(), ...more];
  });
}

function wrap(text: string, indent: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && indent + line.length + 1 + word.length > WIDTH) {
      lines.push(line);
      line = word;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  return [...lines, line].map((each) => " ".repeat(indent) + each);
}
