// What changed between two snapshots: which call stacks are new, grown, shrunk, fixed or unchanged.
//
//   base ─┐  1. the same program, functions, lines and files ─▶ the same stack
//   head ─┘  2. of the rest: files in other folders         ─▶ the same stack
//            3. of the rest: the same functions             ─▶ the same stack, its lines moved; first those that hold the same
//            4. of the rest: another build's (optimized.ts) ─▶ the same stack
//            5. of the rest: in head only ─▶ new, in base only ─▶ fixed
//
// A checkout in another place is the same code. In step 3 the frames of the C and C++ runtime count as one without a name: whether they have names,
// lines and inlined calls depends on which debug files a machine has. Where a function has no
// name, its place in the program counts as its name; in a library, which changes without the program, it counts in steps 1 and 2 only.
// The whole is symmetric: diff(B, A) says grown where diff(A, B) says shrunk, and new where that says fixed.

import type { Amount, Snapshot, SnapshotStack } from "../host/types.js";
import { type Alike, pairsOfBuilds, single, together } from "./optimized.js";
import { byText } from "./snapshotrow.js";
import { StackKeys } from "./stackkeys.js";

export const STATUSES = ["new", "grown", "shrunk", "fixed", "unchanged"] as const;
export type Status = (typeof STATUSES)[number];

export interface Change {
  status: Status;
  /** Program and stack as in head; of a fixed one as in base. */
  row: SnapshotStack;
  /** Only where lines moved: the same as in base. */
  movedFrom?: SnapshotStack;
  /** 0 and 0 of a new one. */
  base: Amount;
  /** 0 and 0 of a fixed one. */
  head: Amount;
}

export interface Diff {
  /** Every stack of either, the largest growth in bytes first. */
  changes: Change[];
  /** Sums over all stacks. */
  base: Amount;
  head: Amount;
  /** Whether amounts are estimates from a sample. */
  estimated: boolean;
  /** Allocations that were not recorded. */
  dropped: number;
}

interface Held extends Amount {
  row: SnapshotStack;
}

/** A stack with all rows that differ from it in nothing that counts. */
interface Group extends Held {
  /** What it has in common with the stacks of the same functions and lines. */
  exact: number;
  /** What it has in common with the stacks of the same functions. */
  loose: number;
}

const NOTHING: Amount = { count: 0, bytes: 0 };

/** Compares two snapshots, call stack by call stack; neither addresses, folders nor moved lines make a difference. */
export function diff(base: Snapshot, head: Snapshot): Diff {
  const changes: Change[] = [];
  const keys = new StackKeys();
  const left: SnapshotStack[] = [];
  const right: SnapshotStack[] = [];
  /** The same stacks, of which one holds more. */
  const changed = new Map<Held, Held>();
  const tell = (was: Held, is: Held) => {
    if (holdsTheSame(was, is)) changes.push(changeOf(was, is));
    else changed.set(was, is);
  };
  // Both are in the same order, so that two fingers find what is equal.
  for (let i = 0, j = 0; i < base.stacks.length || j < head.stacks.length; ) {
    const [was, is] = [base.stacks[i], head.stacks[j]];
    const order = !was ? 1 : !is ? -1 : byText(was, is);
    if (order === 0) tell(held(was!), held(is!));
    if (order < 0) left.push(was!);
    if (order > 0) right.push(is!);
    if (order <= 0) i++;
    if (order >= 0) j++;
  }
  const old = grouped(left, keys);
  const now = grouped(right, keys);
  const gone = new Map<number, Group[]>();
  const come = new Map<number, Group[]>();
  for (const [key, group] of old) {
    const match = now.get(key);
    if (match) tell(group, match);
    else gather(gone, group.loose, group);
  }
  for (const [key, group] of now) if (!old.has(key)) gather(come, group.loose, group);
  for (const [loose, were] of gone) {
    const are = come.get(loose);
    if (were.length > 1 || are?.length !== 1 || !holdsTheSame(were[0]!, are[0]!)) continue;
    changes.push(changeOf(were[0], are[0], true));
    gone.delete(loose);
    come.delete(loose);
  }
  for (const [was, is] of doubtful(changed, [...gone.values(), ...come.values()].flat(), keys)) {
    changed.delete(was);
    const { exact, loose } = keys.of(was.row);
    gather(gone, loose, { ...was, exact, loose });
    gather(come, loose, { ...is, exact, loose });
  }
  for (const [was, is] of changed) changes.push(changeOf(was, is));
  const fixed: Group[] = [];
  const added: Group[] = [];
  for (const [key, group] of gone) {
    const match = come.get(key) ?? [];
    come.delete(key);
    for (const [was, is] of pairsOf(group, match)) {
      if (was && is) changes.push(changeOf(was, is, was.exact !== is.exact));
      else if (was) fixed.push(was);
      else added.push(is!);
    }
  }
  for (const group of come.values()) added.push(...group);
  const known = new Set<Group>();
  const isLeft = (group: Group) => !known.has(group);
  const pair = (found: readonly (readonly [Alike<Group>, Alike<Group>])[]) => {
    for (const [was, is] of found) {
      changes.push(changeOf(was, is, true));
      for (const group of [...was.stacks, ...is.stacks]) known.add(group);
    }
  };
  pair(pairsOfBuilds(single(fixed), single(added), (row) => keys.functionsOf(row)));
  // Bare names take time, and are mostly not needed.
  const bare = (row: SnapshotStack) => keys.bareFunctionsOf(row);
  const [were, are] = [fixed.filter(isLeft), added.filter(isLeft)];
  if (were.length > 0 && are.length > 0) pair(pairsOfBuilds(together(were, bare), together(are, bare), bare));
  for (const group of fixed.filter(isLeft)) changes.push(changeOf(group, undefined));
  for (const group of added.filter(isLeft)) changes.push(changeOf(undefined, group));
  // Sorting keeps the order of equals: they come in the order of the snapshots.
  changes.sort((a, b) => more(b).bytes - more(a).bytes || more(b).count - more(a).count);
  return {
    changes,
    base: { count: base.count, bytes: base.bytes },
    head: { count: head.count, bytes: head.bytes },
    estimated: base.sample > 0 || head.sample > 0,
    dropped: base.dropped + head.dropped,
  };
}

/** By how much a stack grew; negative where it shrank. */
export function more({ base, head }: Pick<Change, "base" | "head">): Amount {
  return { count: head.count - base.count, bytes: head.bytes - base.bytes };
}

function changeOf(was: Held | undefined, is: Held | undefined, moved = false): Change {
  const { row } = (is ?? was)!;
  const base = was ? { count: was.count, bytes: was.bytes } : NOTHING;
  const head = is ? { count: is.count, bytes: is.bytes } : NOTHING;
  const grown = head.bytes - base.bytes || head.count - base.count;
  const status = !was ? "new" : !is ? "fixed" : grown > 0 ? "grown" : grown < 0 ? "shrunk" : "unchanged";
  return { status, row, ...(moved ? { movedFrom: was!.row } : {}), base, head };
}

function held(row: SnapshotStack): Held {
  return { row, count: row.count, bytes: row.bytes };
}

function grouped(stacks: Iterable<SnapshotStack>, keys: StackKeys): Map<number, Group> {
  const groups = new Map<number, Group>();
  for (const row of stacks) {
    const { exact, loose } = keys.of(row);
    const group = groups.get(exact);
    if (group) {
      group.count += row.count;
      group.bytes += row.bytes;
    } else groups.set(exact, { row, count: row.count, bytes: row.bytes, exact, loose });
  }
  return groups;
}

function gather<Key, Value>(groups: Map<Key, Value[]>, key: Key, value: Value): void {
  const known = groups.get(key);
  if (known) known.push(value);
  else groups.set(key, [value]);
}

/**
 * Pairs of the same lines that hold another amount each, while a stack of the same functions on other lines holds just what one of them
 * does: where a leak was inserted above a known one, it has that one's line now.
 */
function doubtful(changed: ReadonlyMap<Held, Held>, open: readonly Group[], keys: StackKeys): Map<Held, Held> {
  const found = new Map<Held, Held>();
  if (changed.size === 0 || open.length === 0) return found;
  const bySize = new Map<number, [Held, Held][]>();
  for (const pair of changed) for (const side of pair) gather(bySize, side.bytes, pair);
  const work: (Amount & { loose: number })[] = [...open];
  for (let next = work.pop(); next !== undefined; next = work.pop()) {
    const { loose } = next;
    for (const [was, is] of bySize.get(next.bytes) ?? []) {
      if (found.has(was) || ![was, is].some((side) => holdsTheSame(side, next!))) continue;
      if (keys.of(was.row).loose !== loose) continue;
      found.set(was, is);
      work.push({ ...was, loose }, { ...is, loose });
    }
  }
  return found;
}

const holdsTheSame = (a: Amount, b: Amount) => a.bytes === b.bytes && a.count === b.count;
const amountKey = ({ count, bytes }: Amount) => `${bytes} ${count}`;

/**
 * Pairs stacks of the same functions: those that hold the same first, then those on the same lines, the rest in the order of their
 * lines. Some are left alone.
 */
function pairsOf(old: readonly Group[], now: readonly Group[]): [Group | undefined, Group | undefined][] {
  if (old.length <= 1 && now.length <= 1) return [[old[0], now[0]]];
  const pairs: [Group | undefined, Group | undefined][] = [];
  const holding = new Map<string, Group[]>();
  for (const is of [...now].sort(byLines).reverse()) gather(holding, amountKey(is), is);
  const left = new Set<Group>();
  for (const was of [...old].sort(byLines)) {
    const is = holding.get(amountKey(was))?.pop();
    if (is) pairs.push([was, is]);
    else left.add(was);
  }
  const right = new Map([...holding.values()].flat().map((is) => [is.exact, is]));
  for (const was of left) {
    const is = right.get(was.exact);
    if (!is) continue;
    pairs.push([was, is]);
    left.delete(was);
    right.delete(is.exact);
  }
  const others = [...right.values()].sort(byLines);
  for (const was of left) pairs.push([was, others.shift()]);
  for (const is of others) pairs.push([undefined, is]);
  return pairs;
}

/** From the outside in: the order in which a function calls others, wherever these allocate. */
function byLines({ row: a }: Group, { row: b }: Group): number {
  for (let i = 1; i <= a.stack.length && i <= b.stack.length; i++) {
    const difference = (a.stack.at(-i)!.line ?? 0) - (b.stack.at(-i)!.line ?? 0);
    if (difference !== 0) return difference;
  }
  return byText(a, b);
}
