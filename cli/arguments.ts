// Command lines: from what a user types to what citty parses.
//
// One definition (Command) serves parsing, --help, the manual pages and README's tables. Its options are citty's own
// definition with a few words more. citty parses with node:util's parseArgs, which cannot express what
// users of such options expect:
//
//   -a  -a0  --aggregate=false   a value that may be left out, glued on, but is never the next word
//   -m  -m NAME  -mNAME          a value that may be left out or be the next word
//   -ac  -fPATH                  clusters, also with a value at their end
//   --no-lock                    an option's own name; citty would take it for "lock" negated
//   -t -s                        of options that replace each other, the last counts
//   --sizee                      an error; citty would accept it in silence
//
// So canonical() translates first, into one spelling that citty reads without guessing:
//
//   memview -ac -m --no-lock x.mem
//     →  --aggregate=true --showCallstack=true --sharedMemory=ShmMemHook --noLock=true -- x.mem
//
// The names are in camelCase there because of --no-lock; citty knows every option under both spellings.

import type { ArgDef, CommandMeta } from "citty";

/** The command line is wrong: one line that says what, and what to do. Exit code 2. */
export class UsageError extends Error {}

export type Option = ArgDef & {
  /** Heading in --help; an option without one continues the section before it. */
  section?: string;
  /** The value may be left out, and this is then the value. For a boolean: it can have a value. */
  bare?: string | boolean;
  /** Options that this one replaces when it comes later. */
  replaces?: readonly string[];
  /** For a positional: takes everything after it, including options of another program. */
  rest?: boolean;
  /**
   * Of a positional: any number of words. Of an option: may be given several times, each value counts as such a word.
   */
  many?: boolean;
};

export type Options = Record<string, Option>;

/** The input of run(): an option that was not given is undefined. `_` has all the words that are not options. */
export type Values<T extends Options> = {
  readonly [Name in keyof T]: T[Name]["type"] extends "boolean" ? boolean | undefined : string | undefined;
} & { readonly _: readonly string[] };

/** A term and its meaning: an example, an exit code, a key. "" if there is nothing to say. */
export type Entry = readonly [term: string, meaning: string];

/** Paragraphs and lists. */
export type Prose = readonly (string | readonly Entry[])[];

/** A command: citty's definition and what --help and the manual say around the options. */
export interface Command<T extends Options = Options> {
  /** The description is one line, like "shows what is live". */
  meta: CommandMeta & { name: string; description: string };
  /** One line for each form, without the command's name. */
  usage: readonly string[];
  /** What to know before the options. */
  about?: Prose;
  args: T;
  /** Whole command lines, and what they do. */
  examples: readonly Entry[];
  /** Prose under headings of its own, behind the options. */
  notes?: Readonly<Record<string, Prose>>;
  /** Meaning of the exit codes. */
  exits: readonly Entry[];
  /** By name; each is loaded on request, so that a command does not wait for the others. */
  subCommands?: Record<string, () => Promise<Command>>;
  /** Does the work and returns the exit code. */
  run(context: { args: Values<T> }): Promise<number>;
}

/** Gives run() the types of the command's own options and forgets them outside. */
export function defineCommand<const T extends Options>(command: Command<T>): Command {
  return command as unknown as Command;
}

const TRUE = ["1", "true", "yes", "on"];
const FALSE = ["0", "false", "no", "off"];

/**
 * Rewrites arguments into the one spelling that citty reads without guessing.
 * @throws UsageError for an unknown option, a missing or unwanted value, an argument too many.
 */
export function canonical(argv: readonly string[], options: Options): string[] {
  const found: { name: string; value: string }[] = [];
  const positionals: string[] = [];
  const places = Object.entries(options).filter(([, option]) => option.type === "positional");
  const rest = places.some(([, option]) => option.rest);
  const many = rest || places.some(([, option]) => option.many);

  let next = 0;
  const set = (name: string, value: string) => {
    if (options[name]?.many) {
      positionals.push(value);
      return;
    }
    const replaced = [name, ...(options[name]?.replaces ?? [])];
    for (let i = found.length - 1; i >= 0; i--) if (replaced.includes(found[i]!.name)) found.splice(i, 1);
    found.push({ name, value });
  };
  const boolean = (name: string, text: string) => {
    if (!TRUE.includes(text) && !FALSE.includes(text)) {
      throw new UsageError(`--${name}: '${text}' is neither yes nor no; write --${name}=1 or --${name}=0`);
    }
    set(name, String(TRUE.includes(text)));
  };
  // The next word as a value. A word that looks like an option is none; negative numbers are left to the
  // option, which says better what is wrong with them.
  const takeWord = (): string | undefined => {
    const word = argv[next];
    if (word === undefined || /^-[^\d]/.test(word)) return undefined;
    next++;
    return word;
  };
  const setFromWords = (name: string, option: Option, typed: string) => {
    const value = takeWord() ?? option.bare;
    if (value === undefined) {
      throw new UsageError(`${typed} needs a value: --${name}=${(option.valueHint ?? name).toUpperCase()}`);
    }
    set(name, String(value));
  };

  while (next < argv.length) {
    const word = argv[next++]!;
    if (word === "--") {
      positionals.push(...argv.slice(next));
      break;
    }
    if (word.startsWith("--")) {
      const equals = word.indexOf("=");
      const name = equals < 0 ? word.slice(2) : word.slice(2, equals);
      const option = Object.hasOwn(options, name) ? options[name]! : undefined;
      if (!option || option.type === "positional") throw unknown(`--${name}`, options);
      if (option.type !== "boolean") {
        if (equals < 0) setFromWords(name, option, word);
        else set(name, word.slice(equals + 1));
      } else if (equals < 0) set(name, "true");
      else if (option.bare === undefined) throw new UsageError(`--${name} takes no value: write just --${name}`);
      else boolean(name, word.slice(equals + 1));
      continue;
    }
    if (!word.startsWith("-") || word === "-") {
      positionals.push(word);
      if (!rest) continue;
      positionals.push(...argv.slice(next));
      break;
    }
    for (let at = 1; at < word.length; at++) {
      const letter = `-${word[at]}`;
      const entry = Object.entries(options).find(([, option]) => "alias" in option && option.alias === word[at]);
      if (!entry) throw unknown(word.length === 2 ? letter : `${letter} in ${word}`, options);
      const [name, option] = entry;
      const glued = word.slice(at + 1);
      if (option.type !== "boolean") {
        if (glued === "") setFromWords(name, option, letter);
        else set(name, glued.replace(/^=/, ""));
        break;
      }
      if (option.bare !== undefined && glued.startsWith("=")) {
        boolean(name, glued.slice(1));
        break;
      }
      if (option.bare !== undefined && /^[01]/.test(glued)) {
        boolean(name, glued[0]!);
        at++;
      } else set(name, "true");
    }
  }

  if (!many && positionals.length > places.length) {
    throw new UsageError(
      `one argument too many: '${positionals[places.length]}'; the value of an option like -a is glued to it: -a0`,
    );
  }
  return [...found.map(({ name, value }) => `--${camelCase(name)}=${value}`), "--", ...positionals];
}

function camelCase(name: string): string {
  return name.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase());
}

function unknown(typed: string, options: Options): UsageError {
  const names = Object.keys(options).map((name) => `--${name}`);
  const near =
    names.filter((name) => name.startsWith(typed)).sort((a, b) => a.length - b.length)[0] ??
    names.find((name) => typed.length > 4 && editDistance(name, typed) <= 2);
  return new UsageError(`unknown option ${typed}: ${near ? `is ${near} meant?` : "--help lists them all"}`);
}

/** How many letters to insert, delete or replace to get from a to b. */
export function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const above = row;
    row = [i];
    for (let j = 1; j <= b.length; j++) {
      row.push(Math.min(row[j - 1]! + 1, above[j]! + 1, above[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)));
    }
  }
  return row[b.length]!;
}
