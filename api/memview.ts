// The entry "memhook/memview": how live memory develops, and whether that is a regression. Stores and snapshots come
// from "memhook".

import { isoTime } from "../runtime/host/time.js";
import type { Cut, Frame, Snapshot } from "../runtime/host/types.js";
import { StackResolver } from "../runtime/reports/report.js";
import { growthOf, type StackGrowth } from "../runtime/snapshots/growth.js";
import { watch as looksAt } from "../runtime/stores/watch.js";
import { COUNT, checkMembers, DURATION, type Kind } from "./members.js";
import { insideOf, type Store } from "./store.js";

export type { GrowthKind, StackGrowth } from "../runtime/snapshots/growth.js";
export { type Limits, regressions } from "../runtime/snapshots/verdict.js";

/** A call stack that grew; `bytes` and `count` are what it holds now. */
export interface GrownStack extends Cut {
  bytes: number;
  count: number;
  moreBytes: number;
  moreCount: number;
  /** Innermost first. */
  stack: Frame[];
}

/** One look at a store. */
export interface Look {
  /** ISO 8601, UTC. */
  time: string;
  running: boolean;
  /** Everything that is live. */
  bytes: number;
  count: number;
  /** What grew since the previous look; absent in the first look. What grew most comes last. */
  growth?: { bytes: number; count: number; stacks: GrownStack[] };
}

export interface WatchOptions {
  /** Milliseconds between looks; 10,000 by default. */
  every?: number | undefined;
  /** The number of looks; by default, until the process has ended. */
  looks?: number | undefined;
  /** How many of the stacks that grew most each look has; 10 by default. */
  top?: number | undefined;
}

const WATCH_OPTIONS: Readonly<Record<keyof WatchOptions, Kind>> = { every: DURATION, looks: COUNT, top: COUNT };

/**
 * Looks at a store again and again, as `memview watch` does. Ends after a last look when the process has ended.
 * @throws StoreError when the store cannot be read or was closed; TypeError and
 * RangeError for options that make no sense.
 */
export async function* watch(store: Store, options: WatchOptions = {}): AsyncGenerator<Look, void, undefined> {
  checkMembers("options", options, WATCH_OPTIONS);
  const { every = 10_000, looks = Number.POSITIVE_INFINITY, top = 10 } = options;
  const { inside, names } = insideOf(store);
  const resolver = new StackResolver(inside, names);
  const wait = () => new Promise<void>((resolve) => setTimeout(resolve, every));
  for await (const { time, growth: more, ...now } of looksAt(inside, {}, looks, wait)) {
    const look = { time: isoTime(time), ...now };
    if (more === undefined) {
      yield look;
      continue;
    }
    const grown = more.stacks.filter(({ moreBytes }) => moreBytes > 0).slice(-top);
    await resolver.load(
      grown.map(({ stackId }) => stackId),
      true,
    );
    const stacks = grown.map(({ stackId, ...row }) => {
      const { frames: stack, ...cut } = resolver.stack(stackId);
      return { ...row, stack, ...cut };
    });
    yield { ...look, growth: { bytes: more.bytes, count: more.count, stacks } };
  }
}

/**
 * How each call stack developed over snapshots of one run, what grows fastest first: a steady leak, a cache that has
 * filled, or something that comes and goes.
 * @param looks at least three snapshots with the times that they were taken at,
 * in milliseconds from anywhere, ascending.
 * @throws RangeError when they are fewer or their times do not ascend.
 */
export function growth(looks: readonly { time: number; snapshot: Snapshot }[]): StackGrowth[] {
  if (looks.length < 3) throw new RangeError(`${looks.length} looks are too few; take three or more`);
  const astray = looks.findIndex(({ time }, i) => i > 0 && !(time > looks[i - 1]!.time));
  if (astray > 0) throw new RangeError(`look ${astray} is not later than the one before it`);
  return growthOf(looks);
}
