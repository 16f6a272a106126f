// Folded stacks: a line for each stack, with the outermost function first, and its cost. flamegraph.pl, inferno and
// most flame graph tools read this.
//
//   main;serve;open_session 24576

import { type Cost, costOf } from "./cost.js";
import { oneLine, outsideIn, type Profile } from "./profile.js";

/** Lines; equal stacks are one, in the order of their text, and those that cost nothing are left out. */
export function* folded(profile: Profile, cost: Cost): Generator<string> {
  const sums = new Map<string, number>();
  for (const stack of profile.stacks) {
    const value = costOf(stack, cost);
    if (value === 0) continue;
    const text = outsideIn(profile, stack).map(plain).join(";");
    sums.set(text, (sums.get(text) ?? 0) + value);
  }
  for (const [text, value] of [...sums].sort(([a], [b]) => (a < b ? -1 : 1))) yield `${text} ${value}\n`;
}

/** A name without what separates frames and lines. */
function plain(name: string): string {
  return oneLine(name.replaceAll(";", ":"));
}
