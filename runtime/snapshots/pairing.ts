// Which stack of one snapshot is the same as which of another. Each step looks at what the earlier steps left:
//
//   base ─┐  1. the same program, functions, lines and files ─▶ a pair
//   head ─┘  2. the same, but files are in other folders     ─▶ a pair
//            3. the same functions                           ─▶ a pair, its lines moved; first those that hold the same
//            4. another build's (optimized.ts)               ─▶ a pair, its lines moved
//            5. several that hold as much (balanced.ts)      ─▶ a pair, its lines moved
//            6. what is left                                 ─▶ in head only, in base only
//
// For a stack that is left, the other candidates can be listed: those with the same functions that hold as much. A leak
// inserted above one of the same size gets that one's line, and nothing in a stack tells which of the two is new.
//
// A checkout in another place is the same code. In step 3 the frames of the C and C++ runtime count as one without a
// name: whether they have names, lines and inlined calls depends on which debug files a machine has. Where a function
// has no name, its place in the program counts as its name; in a library, which changes without the program, it counts
// in steps 1 and 2 only.

import type { Amount, SnapshotFrame, SnapshotStack } from "../host/types.js";
import { balanced } from "./balanced.js";
import { MovedLines } from "./movedlines.js";
import {
  type Alike,
  type Compared,
  type Held,
  type MayMove,
  mayBeOf,
  pairsOfBuilds,
  single,
  sum,
  together,
} from "./optimized.js";
import { byText } from "./snapshotrow.js";
import { StackKeys } from "./stackkeys.js";

/** A stack of base, one of head, or both. */
export interface Pair {
  was: Held | undefined;
  is: Held | undefined;
  /** Whether their lines differ. */
  moved: boolean;
  /** Where one side alone has it: stacks of that side which are in both, one of which may be the one instead. */
  or?: readonly SnapshotStack[];
}

/** As many are told of each. */
const MOST_OTHERS = 16;

/** A stack with all rows that differ from it in nothing that counts. */
interface Group extends Held {
  /** Equal for the stacks of the same functions and lines. */
  exact: number;
  /** Equal for the stacks of the same functions. */
  loose: number;
}

/** Every stack of either, in one pair each. @throws SnapshotError where a stack is damaged. */
export function pairsOf(base: readonly SnapshotStack[], head: readonly SnapshotStack[]): Pair[] {
  const pairing = new Pairing();
  const [left, right] = pairing.pairEqual(base, head);
  pairing.pairSameLines(left, right);
  pairing.pairSameFunctions();
  pairing.pairBuilds();
  pairing.pairSums(base, head);
  pairing.findOthers();
  return pairing.pairs;
}

class Pairing {
  pairs: Pair[] = [];
  readonly #keys = new StackKeys();
  /** On the same lines, but one holds more. Step 3 may part them again. */
  readonly #changed = new Map<Held, Held>();
  /** Of base and of head, what has no partner after step 2: stacks by their functions. */
  readonly #gone = new Map<number, Group[]>();
  readonly #come = new Map<number, Group[]>();
  /** The same after step 3. */
  #fixed: Group[] = [];
  #added: Group[] = [];
  #mayMove: MayMove = () => false;

  /** Step 1. What is left of either side. */
  pairEqual(base: readonly SnapshotStack[], head: readonly SnapshotStack[]): [SnapshotStack[], SnapshotStack[]] {
    const left: SnapshotStack[] = [];
    const right: SnapshotStack[] = [];
    // Both are in the same order, so that two fingers find what is equal.
    for (let i = 0, j = 0; i < base.length || j < head.length; ) {
      const [was, is] = [base[i], head[j]];
      const order = !was ? 1 : !is ? -1 : byText(was, is);
      if (order === 0) this.#same(held(was!), held(is!));
      if (order < 0) left.push(was!);
      if (order > 0) right.push(is!);
      if (order <= 0) i++;
      if (order >= 0) j++;
    }
    return [left, right];
  }

  /** Step 2. */
  pairSameLines(left: readonly SnapshotStack[], right: readonly SnapshotStack[]): void {
    const old = grouped(left, this.#keys);
    const now = grouped(right, this.#keys);
    for (const [exact, group] of old) {
      const match = now.get(exact);
      if (match) this.#same(group, match);
      else gather(this.#gone, group.loose, group);
    }
    for (const [exact, group] of now) if (!old.has(exact)) gather(this.#come, group.loose, group);
  }

  /** Step 3. */
  pairSameFunctions(): void {
    this.#pairUnambiguous();
    this.#partDoubtful();
    for (const [was, is] of this.#changed) this.#pair(was, is);
    for (const [loose, were] of this.#gone) {
      const are = this.#come.get(loose) ?? [];
      this.#come.delete(loose);
      for (const [was, is] of pairsOfGroups(were, are)) {
        if (was && is) this.#pair(was, is, was.exact !== is.exact);
        else if (was) this.#fixed.push(was);
        else this.#added.push(is!);
      }
    }
    for (const groups of this.#come.values()) this.#added.push(...groups);
  }

  /** Step 4. */
  pairBuilds(): void {
    const keys = this.#keys;
    // What the steps before have paired shows which lines an edit moved.
    const known = this.#fixed.length > 0 && this.#added.length > 0 ? [...this.pairs] : [];
    this.#mayMove = mayMoveBy(known, (row) => keys.framesOf(row));
    const whole = (row: SnapshotStack) => keys.functionsOf(row);
    this.#pairAlike(pairsOfBuilds(single(this.#fixed), single(this.#added), whole, this.#mayMove));
    if (this.#fixed.length > 0 && this.#added.length > 0) {
      // Bare names take time, and are mostly not needed.
      const bare = (row: SnapshotStack) => keys.bareFunctionsOf(row);
      const [fixed, added] = [together(this.#fixed, bare), together(this.#added, bare)];
      this.#pairAlike(pairsOfBuilds(fixed, added, bare, this.#mayMove));
    }
    for (const was of this.#fixed) this.#pair(was, undefined);
    for (const is of this.#added) this.#pair(undefined, is);
  }

  /** Step 5. */
  pairSums(base: readonly SnapshotStack[], head: readonly SnapshotStack[]): void {
    const open = this.pairs.filter(({ was, is }) => !was || !is || !holdsTheSame(was, is));
    const isDoubtful = ({ was, is }: Pair) => !was || !is || this.#lacksLines(was) || this.#lacksLines(is);
    const groups = balanced(open, isDoubtful, this.#mayBeOf(base, head));
    if (groups.length === 0) return;
    const grouped = new Set(groups.flat());
    this.pairs = this.pairs.filter((pair) => !grouped.has(pair));
    for (const group of groups)
      this.#pair(sum(group.flatMap(({ was }) => was ?? [])), sum(group.flatMap(({ is }) => is ?? [])), true);
  }

  /** Step 6: of what only one side has, which others it could be. */
  findOthers(): void {
    const open = this.pairs.filter(({ was, is }) => !was || !is);
    const sizes = new Set(open.map(({ was, is }) => (is ?? was)!.bytes));
    const likeness = ({ row, ...amount }: Held) => `${this.#keys.of(row).loose} ${amountKey(amount)}`;
    const [inBase, inHead] = [new Map<string, SnapshotStack[]>(), new Map<string, SnapshotStack[]>()];
    for (const { was, is } of open.length === 0 ? [] : this.pairs) {
      if (!was || !is || !sizes.has(is.bytes) || !holdsTheSame(was, is)) continue;
      gather(inBase, likeness(was), was.row);
      gather(inHead, likeness(is), is.row);
    }
    for (const others of [...inBase.values(), ...inHead.values()]) others.sort(inOrder).splice(MOST_OTHERS);
    for (const pair of open) {
      const others = pair.is ? inHead.get(likeness(pair.is)) : inBase.get(likeness(pair.was!));
      if (others) pair.or = others;
    }
  }

  /** Whether calls that were inlined may be missing: with lines they would be there, too. */
  #lacksLines({ row }: Held): boolean {
    return this.#keys.bareFunctionsOf(row).places.includes(0);
  }

  #mayBeOf(
    base: readonly SnapshotStack[],
    head: readonly SnapshotStack[],
  ): (was: SnapshotStack, is: SnapshotStack) => boolean {
    const known = new Map<SnapshotStack, Compared>();
    const compared = (row: SnapshotStack) => {
      let found = known.get(row);
      if (!found) {
        found = { row, functions: this.#keys.functionsOf(row), bare: this.#keys.bareFunctionsOf(row) };
        known.set(row, found);
      }
      return found;
    };
    const namesOf = (rows: readonly SnapshotStack[]) => {
      let names: Set<number> | undefined;
      return (name: number) => {
        names ??= new Set(rows.flatMap((row) => this.#keys.bareFunctionsOf(row).names));
        return names.has(name);
      };
    };
    const [inBase, inHead] = [namesOf(base), namesOf(head)];
    return (was, is) => mayBeOf(compared(was), compared(is), inBase, inHead, this.#mayMove);
  }

  #pair(was: Held | undefined, is: Held | undefined, moved = false): void {
    this.pairs.push({ was, is, moved });
  }

  /** Two on the same lines. */
  #same(was: Held, is: Held): void {
    if (holdsTheSame(was, is)) this.#pair(was, is);
    else this.#changed.set(was, is);
  }

  /** Pairs what holds the same, where each side has one stack of these functions. */
  #pairUnambiguous(): void {
    for (const [loose, were] of this.#gone) {
      const are = this.#come.get(loose);
      if (were.length > 1 || are?.length !== 1 || !holdsTheSame(were[0]!, are[0]!)) continue;
      this.#pair(were[0], are[0], true);
      this.#gone.delete(loose);
      this.#come.delete(loose);
    }
  }

  /**
   * Parts pairs of the same lines that hold another amount each, while a stack of the same functions on other lines
   * holds just what one of them does: where a leak was inserted above a known one, it has that one's line now.
   */
  #partDoubtful(): void {
    const open = [...this.#gone.values(), ...this.#come.values()].flat();
    if (this.#changed.size === 0 || open.length === 0) return;
    const bySize = new Map<number, [Held, Held][]>();
    for (const pair of this.#changed) for (const side of pair) gather(bySize, side.bytes, pair);
    const parted = new Map<Held, Held>();
    const work: (Amount & { loose: number })[] = open;
    for (let next = work.pop(); next !== undefined; next = work.pop()) {
      const { loose } = next;
      for (const [was, is] of bySize.get(next.bytes) ?? []) {
        if (parted.has(was) || ![was, is].some((side) => holdsTheSame(side, next!))) continue;
        if (this.#keys.of(was.row).loose !== loose) continue;
        parted.set(was, is);
        work.push({ ...was, loose }, { ...is, loose });
      }
    }
    for (const [was, is] of parted) {
      this.#changed.delete(was);
      const { exact, loose } = this.#keys.of(was.row);
      gather(this.#gone, loose, { ...was, exact, loose });
      gather(this.#come, loose, { ...is, exact, loose });
    }
  }

  #pairAlike(found: readonly (readonly [Alike<Group>, Alike<Group>])[]): void {
    const paired = new Set<Group>();
    for (const [was, is] of found) {
      this.#pair(was, is, true);
      for (const group of [...was.stacks, ...is.stacks]) paired.add(group);
    }
    this.#fixed = this.#fixed.filter((group) => !paired.has(group));
    this.#added = this.#added.filter((group) => !paired.has(group));
  }
}

/** Looks at the pairs when somebody asks: mostly nobody does. */
function mayMoveBy(pairs: readonly Pair[], framesOf: (row: SnapshotStack) => SnapshotFrame[]): MayMove {
  let lines: MovedLines | undefined;
  return (from, to) => {
    lines ??= new MovedLines(
      pairs.flatMap(({ was, is }) => (was && is ? [[framesOf(was.row), framesOf(is.row)] as const] : [])),
    );
    return lines.may(from, to);
  };
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

const holdsTheSame = (a: Amount, b: Amount) => a.bytes === b.bytes && a.count === b.count;
const amountKey = ({ count, bytes }: Amount) => `${bytes} ${count}`;

/**
 * Pairs stacks of the same functions: those that hold the same first, then those on the same lines, the rest in the
 * order of their lines. Some are left alone.
 */
function pairsOfGroups(old: readonly Group[], now: readonly Group[]): [Group | undefined, Group | undefined][] {
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

const byLines = (a: Group, b: Group) => inOrder(a.row, b.row);

/** From the outside in: the order in which a function calls others, wherever these allocate. */
function inOrder(a: SnapshotStack, b: SnapshotStack): number {
  for (let i = 1; i <= a.stack.length && i <= b.stack.length; i++) {
    const difference = (a.stack.at(-i)!.line ?? 0) - (b.stack.at(-i)!.line ?? 0);
    if (difference !== 0) return difference;
  }
  return byText(a, b);
}
