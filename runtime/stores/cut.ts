// What a stack lacks at its outer end. A stack that was cut at the depth limit differs from a complete one with the
// same frames. A stack whose callers are lost does not: whether that was noted depends on the version of memhook, so
// comparisons ignore it.

import type { Cut } from "../host/types.js";

/** @param deep the depth limit cut it */
export function cutOf(deep: boolean, lost: boolean): Cut {
  return lost ? { cut: true, lost: true } : { cut: deep };
}

export function isTooDeep({ cut, lost }: Cut): boolean {
  return cut && !lost;
}
