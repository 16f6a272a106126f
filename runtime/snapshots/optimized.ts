// Which stacks are the same but for what an optimizer made of them: it names a function that it inlined in its own way, leaves out one that
// ends with a call of the next, and without debug information everything inlined.
//
//   base   make  fill  work  main          the one is the other with some frames left out,
//   head         fill  work  main          and both hold the same
//
// What holds more or less is never paired, so that no growth hides behind this.

import type { Amount, SnapshotStack } from "../host/types.js";
import { byText } from "./snapshotrow.js";

/** What a stack is compared by here. */
export interface Bare {
  /** The program's number. */
  program: number;
  /** Whether it is too deep to be whole. */
  cut: boolean;
  /** Of each frame outside of the runtime and standard libraries, innermost first: the number of its bare name, and its line or 0. */
  names: readonly number[];
  lines: readonly number[];
}

/** Stacks of one side that are alike here, and what they hold together. */
export interface Candidate<Held extends Amount> extends Amount {
  stacks: Held[];
  row: SnapshotStack;
  bare: Bare;
}

interface Pair<Held extends Amount> {
  was: Candidate<Held>;
  is: Candidate<Held>;
  moved: number;
  missing: number;
}

/** As many pairs are looked at among stacks that hold the same; more of them are too alike to be told apart. */
const MOST_PAIRS = 1 << 16;

/** Pairs of stacks, each in one pair at most: first those whose lines are the same, and where the fewest frames are missing. */
export function pairsOfBuilds<Held extends Amount & { row: SnapshotStack }>(
  old: readonly Held[],
  now: readonly Held[],
  bareOf: (row: SnapshotStack) => Bare,
): [Candidate<Held>, Candidate<Held>][] {
  if (old.length === 0 || now.length === 0) return [];
  const buckets = new Map<string, [Candidate<Held>[], Candidate<Held>[]]>();
  for (const [side, stacks] of [old, now].entries()) {
    for (const candidate of candidatesOf(stacks, bareOf)) {
      const { bare, count, bytes } = candidate;
      const key = `${bare.program} ${bare.cut} ${count} ${bytes}`;
      const bucket = buckets.get(key) ?? [[], []];
      buckets.set(key, bucket);
      bucket[side]!.push(candidate);
    }
  }
  return [...buckets.values()].flatMap(([were, are]) => pairsOfEquals(were, are));
}

function candidatesOf<Held extends Amount & { row: SnapshotStack }>(
  stacks: readonly Held[],
  bareOf: (row: SnapshotStack) => Bare,
): Candidate<Held>[] {
  const candidates = new Map<string, Candidate<Held>>();
  for (const held of stacks) {
    const { row, count, bytes } = held;
    const bare = bareOf(row);
    const key = `${bare.program} ${bare.cut} ${bare.names.join()} ${bare.lines.join()}`;
    const known = candidates.get(key);
    if (known) {
      known.stacks.push(held);
      known.count += count;
      known.bytes += bytes;
    } else candidates.set(key, { stacks: [held], row, bare, count, bytes });
  }
  return [...candidates.values()];
}

function pairsOfEquals<Held extends Amount>(
  old: readonly Candidate<Held>[],
  now: readonly Candidate<Held>[],
): [Candidate<Held>, Candidate<Held>][] {
  if (old.length * now.length > MOST_PAIRS) return [];
  const pairs = old.flatMap((was) => now.flatMap((is) => pairOf(was, is) ?? []));
  pairs.sort(
    (a, b) => a.moved - b.moved || a.missing - b.missing || byText(first(a), first(b)) || byText(second(a), second(b)),
  );
  const taken = new Set<Candidate<Held>>();
  return pairs.flatMap(({ was, is }): [Candidate<Held>, Candidate<Held>][] => {
    if (taken.has(was) || taken.has(is)) return [];
    taken.add(was).add(is);
    return [[was, is]];
  });
}

interface Rows {
  was: { row: SnapshotStack };
  is: { row: SnapshotStack };
}

// Which of a pair is the base makes no difference to the order.
const first = ({ was, is }: Rows) => (byText(was.row, is.row) <= 0 ? was.row : is.row);
const second = ({ was, is }: Rows) => (byText(was.row, is.row) <= 0 ? is.row : was.row);

function pairOf<Held extends Amount>(was: Candidate<Held>, is: Candidate<Held>): Pair<Held> | undefined {
  const [long, short] = was.bare.names.length >= is.bare.names.length ? [was.bare, is.bare] : [is.bare, was.bare];
  if (short.names.length === 0 && long.names.length > 0) return undefined;
  let moved = 0;
  let at = short.names.length - 1;
  // From the outside in: a function that calls itself loses its inner calls.
  for (let i = long.names.length - 1; i >= 0 && at >= 0; i--) {
    if (long.names[i] !== short.names[at]) continue;
    const [one, other] = [long.lines[i]!, short.lines[at]!];
    if (one !== other && one !== 0 && other !== 0) moved++;
    at--;
  }
  if (at >= 0) return undefined;
  const missing = long.names.length - short.names.length;
  // Where lines moved too, it must be clear enough by what is left.
  return moved > 0 && missing > short.names.length ? undefined : { was, is, moved, missing };
}
