// Which stacks are the same except for what an optimizer did to them. It gives inlined functions other names, leaves
// out a function that ends with a call of the next one, and without debug information leaves out everything inlined.
//
//   base   make  fill  work  main          the one is the other with some frames left out,
//   head         fill  work  main          and both hold the same
//
// Stacks that hold different amounts are never paired, so that this hides no growth. If both have lines, inlined calls
// are recorded, and only a call that became a jump leaves a function out: its neighbours are on the same lines as
// before, or where an edit moved them (movedlines.ts). Otherwise one leak has gone and another one of the same size has
// come.

import type { Amount, SnapshotFrame, SnapshotStack } from "../host/types.js";
import { byText } from "./snapshotrow.js";

/** What a stack is compared by here. */
export interface Functions {
  /** The program's number. */
  program: number;
  /** Whether it is too deep to be whole. */
  cut: boolean;
  /** Whether it ends at code that says nothing of its caller. */
  lost: boolean;
  /** Of each frame, innermost first: a number for its name, and one for its place, 0 where that is not known. */
  names: readonly number[];
  places: readonly number[];
  /** The line of a frame in the user's own code: 0 where that is not known, STANDARD in a standard library. */
  lineAt(i: number): number;
  frameAt(i: number): SnapshotFrame;
}

/** Whether an edit may have moved the line of one frame to that of the other. */
export type MayMove = (was: SnapshotFrame, is: SnapshotFrame) => boolean;

/** Compilers inline functions of standard libraries, and leave them out, as they like. */
export const STANDARD = -1;

export interface Held extends Amount {
  readonly row: SnapshotStack;
}

/** Stacks of one side that are alike here, and what they hold together. */
export interface Alike<Stack extends Held> extends Held {
  readonly stacks: readonly Stack[];
}

interface Pair<Stack extends Held> {
  was: Alike<Stack>;
  is: Alike<Stack>;
  moved: number;
  missing: number;
}

/** A stack by all that is compared here. */
export interface Compared {
  row: SnapshotStack;
  functions: Functions;
  /** Its functions by their bare names, without those of standard libraries. */
  bare: Functions;
}

/** As many pairs are looked at among stacks that hold the same; more of them are too alike to be told apart. */
const MOST_PAIRS = 1 << 16;

/** Each stack by itself. */
export function single<Stack extends Held>(stacks: readonly Stack[]): Alike<Stack>[] {
  return stacks.map((stack) => ({ ...stack, stacks: [stack] }));
}

/** Those of the same functions and places together. */
export function together<Stack extends Held>(
  stacks: readonly Stack[],
  functionsOf: (row: SnapshotStack) => Functions,
): Alike<Stack>[] {
  const alike = new Map<string, Stack[]>();
  for (const stack of stacks) {
    const { program, cut, names, places } = functionsOf(stack.row);
    const key = `${program} ${cut} ${names.join()} ${places.join()}`;
    const known = alike.get(key);
    if (known) known.push(stack);
    else alike.set(key, [stack]);
  }
  return [...alike.values()].map((stacks) => ({ stacks, ...sum(stacks) }));
}

/** What several hold together, with the first one's frames. */
export function sum(all: readonly Held[]): Held {
  const total = { row: all[0]!.row, count: 0, bytes: 0 };
  for (const { count, bytes } of all) {
    total.count += count;
    total.bytes += bytes;
  }
  return total;
}

/** Pairs, each stack in one at most: first those whose places are the same, and where the fewest frames are missing. */
export function pairsOfBuilds<Stack extends Held>(
  old: readonly Alike<Stack>[],
  now: readonly Alike<Stack>[],
  functionsOf: (row: SnapshotStack) => Functions,
  mayMove: MayMove,
): [Alike<Stack>, Alike<Stack>][] {
  const wanted = new Map<string, Alike<Stack>[]>();
  for (const was of old) {
    const key = `${was.count} ${was.bytes}`;
    const known = wanted.get(key);
    if (known) known.push(was);
    else wanted.set(key, [was]);
  }
  const buckets = new Map<Alike<Stack>[], Alike<Stack>[]>();
  for (const is of now) {
    const were = wanted.get(`${is.count} ${is.bytes}`);
    const are = were && buckets.get(were);
    if (are) are.push(is);
    else if (were) buckets.set(were, [is]);
  }
  return [...buckets].flatMap(([were, are]) => pairsOfEquals(were, are, functionsOf, mayMove));
}

function pairsOfEquals<Stack extends Held>(
  old: readonly Alike<Stack>[],
  now: readonly Alike<Stack>[],
  functionsOf: (row: SnapshotStack) => Functions,
  mayMove: MayMove,
): [Alike<Stack>, Alike<Stack>][] {
  if (old.length * now.length > MOST_PAIRS) return [];
  const [were, are] = [old, now].map((side) => side.map((alike) => ({ alike, functions: functionsOf(alike.row) })));
  const pairs = were!.flatMap((was) =>
    are!.flatMap((is): Pair<Stack>[] => {
      const found = comparison(was.functions, is.functions, mayMove);
      return found ? [{ was: was.alike, is: is.alike, ...found }] : [];
    }),
  );
  pairs.sort(
    (a, b) => a.moved - b.moved || a.missing - b.missing || byText(first(a), first(b)) || byText(second(a), second(b)),
  );
  const taken = new Set<Alike<Stack>>();
  return pairs.flatMap(({ was, is }): [Alike<Stack>, Alike<Stack>][] => {
    if (taken.has(was) || taken.has(is)) return [];
    taken.add(was).add(is);
    return [[was, is]];
  });
}

// Which of a pair is the base makes no difference to the order.
const first = ({ was, is }: { was: Held; is: Held }) => (byText(was.row, is.row) <= 0 ? was.row : is.row);
const second = ({ was, is }: { was: Held; is: Held }) => (byText(was.row, is.row) <= 0 ? is.row : was.row);

/** How many frames have moved and how many are missing, if the one is the other with some frames left out. */
function comparison(was: Functions, is: Functions, mayMove: MayMove): { moved: number; missing: number } | undefined {
  if (was.program !== is.program || was.cut !== is.cut) return undefined;
  const [long, short] = was.names.length >= is.names.length ? [was, is] : [is, was];
  if (short.names.length === 0 && long.names.length > 0) return undefined;
  let moved = 0;
  let at = short.names.length - 1;
  /** What is missing just outside, and whether the last function found is on another line. */
  let gap: number[] = [];
  let elsewhere = false;
  // Asked for as seldom as can be: it takes a demangled name.
  const isOwnGap = () => gap.some((i) => long.lineAt(i) !== STANDARD);
  // From the outside in: a function that calls itself loses its inner calls.
  for (let i = long.names.length - 1; i >= 0; i--) {
    if (at < 0 || long.names[i] !== short.names[at]) {
      gap.push(i);
    } else {
      const before = elsewhere;
      elsewhere = long === was ? isElsewhere(was, i, is, at, mayMove) : isElsewhere(was, at, is, i, mayMove);
      if ((before || elsewhere) && isOwnGap()) return undefined;
      if (gap.length > 0) gap = [];
      const [one, other] = [long.places[i]!, short.places[at]!];
      if (one !== other && one !== 0 && other !== 0) moved++;
      at--;
    }
  }
  if (at >= 0 || (elsewhere && isOwnGap())) return undefined;
  const missing = long.names.length - short.names.length;
  // Where places moved too, it must be clear enough by what is left.
  return moved > 0 && missing > short.names.length ? undefined : { moved, missing };
}

/** Whether a frame of the one and a frame of the other are on lines that no edit has moved to one another. */
function isElsewhere(was: Functions, i: number, is: Functions, j: number, mayMove: MayMove): boolean {
  // Of most frames nothing more need be asked.
  if (was.places[i] === is.places[j]) return false;
  const [line, other] = [was.lineAt(i), is.lineAt(j)];
  return line > 0 && other > 0 && line !== other && !mayMove(was.frameAt(i), is.frameAt(j));
}

/** Whether a snapshot has a function in any stack, by the number of its bare name. */
type Has = (name: number) => boolean;

/** Whether an optimizer may have made the one of the other, together with others. `inBase`, `inHead`: what there is. */
export function mayBeOf(was: Compared, is: Compared, inBase: Has, inHead: Has, mayMove: MayMove): boolean {
  const [one, other] = [was.functions, is.functions];
  if (one.program !== other.program || one.cut !== other.cut) return false;
  return (
    comparison(was.bare, is.bare, mayMove) !== undefined ||
    isBeginning(one, other, one, other, mayMove) ||
    isBeginning(other, one, one, other, mayMove) ||
    isInitializer(was.row, is.row) ||
    isInitializer(is.row, was.row) ||
    isFolded(was.bare, is.bare, (name) => inBase(name) && inHead(name), mayMove) ||
    isInlinedElsewhere(was.bare, is.bare, inBase, inHead)
  );
}

/** Whether a stack whose callers are lost is another's inner part, as far as it goes. */
function isBeginning(part: Functions, whole: Functions, was: Functions, is: Functions, mayMove: MayMove): boolean {
  const last = part.names.length - 1;
  if (!part.lost || last < 0 || !part.names.every((name, i) => name === whole.names[i])) return false;
  return !isElsewhere(was, last, is, last, mayMove);
}

/**
 * Whether what runs before main() is in the one function, without lines, that
 * gcc's link time optimization makes of all initializers.
 */
function isInitializer(all: SnapshotStack, one: SnapshotStack): boolean {
  const [frame, caller] = all.stack;
  const outermost = one.stack.at(-1);
  if (frame === undefined || caller !== undefined || frame.line !== null || outermost === undefined) return false;
  const isBeforeMain = outermost.module === frame.module && outermost.function !== "main";
  return isBeforeMain && /^_sub_[ID]_/.test(frame.function ?? "");
}

/**
 * Whether they are the same but for one function, called from the same place, and for callers that were left out: one
 * of the two has its code from the other then, which both builds have.
 */
function isFolded(was: Functions, is: Functions, isInBoth: Has, mayMove: MayMove): boolean {
  const at = was.names.findIndex((name, i) => name !== is.names[i]);
  const [before, after] = [was.names.length, is.names.length];
  const isSameCall = (i: number, j: number) =>
    was.names[i] === is.names[j] &&
    (was.places[i] === is.places[j] ||
      (was.places[i]! > 0 && is.places[j]! > 0 && mayMove(was.frameAt(i), is.frameAt(j))));
  if (at < 0 || at + 1 >= Math.min(before, after) || !isSameCall(at + 1, at + 1)) return false;
  let [i, j] = [at + 2, at + 2];
  while (i < before && j < after) {
    if (isSameCall(i, j)) [i, j] = [i + 1, j + 1];
    else if (before > after) i++;
    else j++;
  }
  const isWhole = before > after ? j === after : i === before;
  return isWhole && (isInBoth(was.names[at]!) || isInBoth(is.names[at]!));
}

/**
 * Whether each lacks functions that the other has, without lines: what one build has inlined everywhere is in none of
 * its stacks. Where the same function allocates, one of the two may have made calls jumps instead.
 */
function isInlinedElsewhere(was: Functions, is: Functions, inBase: Has, inHead: Has): boolean {
  if (was.names.at(-1) !== is.names.at(-1) || [...was.places, ...is.places].some((place) => place !== 0)) return false;
  const isGone = was.names.every((name) => is.names.includes(name) || !inHead(name));
  const isNew = is.names.every((name) => was.names.includes(name) || !inBase(name));
  return was.names[0] === is.names[0] ? isGone || isNew : isGone && isNew;
}
