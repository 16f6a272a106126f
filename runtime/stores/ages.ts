// From the age filters to bounds on an allocation's time, relative to the process's start, as in the store:
//
//   minTimeFromStart 1min     time ≥ 1min          maxTimeFromStart     time ≤ …
//   minTimeFromNow 10s        time ≤ now − 10s     maxTimeFromNow       time ≥ now − …
//   minTime 2026-11-22 …      time ≥ that          maxTime              time ≤ that

import type { Query } from "../host/types.js";
import type { Store } from "./store.js";

/** Nanoseconds; minTime and maxTime since 1970. All given bounds apply together. */
export type Ages = Partial<Record<`${"min" | "max"}Time${"FromNow" | "FromStart" | ""}`, bigint | undefined>>;

/** The narrowest bounds that satisfy all of them. */
export function timeBounds(store: Store, ages: Ages): Pick<Query, "minTime" | "maxTime"> {
  const fromNow = ages.minTimeFromNow ?? ages.maxTimeFromNow;
  const now = fromNow === undefined ? 0n : store.now().time;
  const ascending = (bounds: (bigint | undefined)[]) =>
    bounds.filter((bound) => bound !== undefined).sort((a, b) => (a < b ? -1 : 1));
  const lower = ascending([
    ages.minTimeFromStart,
    ages.maxTimeFromNow === undefined ? undefined : now - ages.maxTimeFromNow,
    ages.minTime === undefined ? undefined : store.relativeTime(ages.minTime, "earlier"),
  ]);
  const upper = ascending([
    ages.maxTimeFromStart,
    ages.minTimeFromNow === undefined ? undefined : now - ages.minTimeFromNow,
    ages.maxTime === undefined ? undefined : store.relativeTime(ages.maxTime, "later"),
  ]);
  return { minTime: lower.at(-1), maxTime: upper[0] };
}
