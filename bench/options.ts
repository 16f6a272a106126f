// What the benches here take as options: --only PATTERN, and numbers. A wrong one is one line and exit code 2.

import process from "node:process";
import { parseArgs } from "node:util";

export interface BenchOptions<Name extends string> {
  only: RegExp;
  /** Whole numbers above 0, and their defaults. */
  numbers: Record<Name, number>;
  /** The library to preload, where the bench lets one choose it. */
  library: string | undefined;
}

/**
 * Reads the command line.
 *
 * @param bench as it is called, for the line that says what is wrong; its first lines tell its options
 * @param defaults its numbers
 * @param takesLibrary whether it takes --library FILE
 */
export function readOptions<Name extends string>(
  bench: string,
  defaults: Record<Name, number>,
  takesLibrary = false,
): BenchOptions<Name> {
  const names = Object.keys(defaults) as Name[];
  const texts = [...names, "only", ...(takesLibrary ? ["library"] : [])];
  try {
    const { values } = parseArgs({
      options: Object.fromEntries(texts.map((name) => [name, { type: "string" as const }])),
    });
    const numbers = { ...defaults };
    for (const name of names) {
      const text = values[name];
      if (text === undefined) continue;
      numbers[name] = Number(text);
      if (!/^[1-9]\d{0,8}$/.test(text)) throw new Error(`--${name} is no whole number above 0: ${text}`);
    }
    return { only: new RegExp(values.only ?? ""), numbers, library: values.library };
  } catch (error) {
    const [why] = (error as Error).message.split("\n");
    process.stderr.write(`${bench}: ${why}; the first lines of its source tell its options\n`);
    process.exit(2);
  }
}
