// Variables that look like settings but are none: without a message, nobody would notice a misspelt setting.

import { editDistance } from "./arguments.js";
import { CHECKING, SETTINGS, VIEWING } from "./environment.js";

/** How many letters of a name may be wrong for it to count as a misspelt known one. */
const NEAR = 3;

/** A line for each, with the nearest known name. */
export function unknownSettings(environment: Readonly<Record<string, string | undefined>>): string[] {
  const known = [...SETTINGS, ...VIEWING, ...CHECKING].flatMap(({ names }) => names);
  return Object.keys(environment)
    .filter((name) => name.startsWith("MEMHOOK_") && !name.startsWith("MEMHOOK_TEST_") && !known.includes(name))
    .sort()
    .map((name) => {
      const [near] = known
        .map((each) => ({ each, distance: editDistance(each, name) }))
        .sort((a, b) => a.distance - b.distance || (a.each < b.each ? -1 : 1));
      const meant = near!.distance <= NEAR ? `is ${near!.each} meant?` : "memhook --help lists them all";
      return `${name} is no setting of memhook's: ${meant}`;
    });
}
