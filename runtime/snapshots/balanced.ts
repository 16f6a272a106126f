// Which changed stacks hold the same amount together. Without debug information, an inlined function cannot be told
// from its caller. Link time optimization merges all initializers into one function, and folds functions with the same
// code. So several stacks become one, or become another one.
//
//   base   make  work  main   1 of 24     head   work  main   3 of 72
//          fill  work  main   1 of 24
//          work  main         1 of 24
//
// A group has the stacks that may have become one another: those that shrank or have gone, and those that grew or are
// new. It counts as unchanged if it holds as much as before. So growth is never hidden.

import type { Amount, SnapshotStack } from "../host/types.js";
import type { Held } from "./optimized.js";

/** A stack of base, one of head, or both, of which one holds more. */
export interface Changed {
  was: Held | undefined;
  is: Held | undefined;
}

/** As many pairs are looked at; more changes are another program. */
const MOST_PAIRS = 1 << 16;

/** The groups of doubtful changes that hold as much as before, of at least two changes each. */
export function balanced<C extends Changed>(
  changes: readonly C[],
  isDoubtful: (change: C) => boolean,
  mayHaveBecome: (was: SnapshotStack, is: SnapshotStack) => boolean,
): C[][] {
  const less = changes.filter((change) => sign(change) < 0);
  const more = changes.filter((change) => sign(change) > 0);
  // Most often nothing is less: what follows takes time.
  if (less.length === 0 || more.length === 0 || less.length * more.length > MOST_PAIRS) return [];
  const known = new Set<C>([...less, ...more].filter((change) => !isDoubtful(change)));
  return less.flatMap((first) => {
    if (known.has(first)) return [];
    known.add(first);
    const group = [first];
    for (const change of group) {
      const isLess = sign(change) < 0;
      for (const other of isLess ? more : less) {
        const [from, to] = isLess ? [change, other] : [other, change];
        if (known.has(other) || !mayHaveBecome(from.was!.row, to.is!.row)) continue;
        known.add(other);
        group.push(other);
      }
    }
    const { count, bytes } = growth(group);
    return count === 0 && bytes === 0 ? [group] : [];
  });
}

function growth(changes: readonly Changed[]): Amount {
  const sum = { count: 0, bytes: 0 };
  for (const { was, is } of changes) {
    sum.count += (is?.count ?? 0) - (was?.count ?? 0);
    sum.bytes += (is?.bytes ?? 0) - (was?.bytes ?? 0);
  }
  return sum;
}

function sign(change: Changed): number {
  const { count, bytes } = growth([change]);
  return bytes || count;
}
