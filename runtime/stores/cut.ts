// What a stack lacks at its outer end. A stack that is too deep is another one than
// a whole one with the same frames. One whose callers are lost is not: whether that
// was noted depends on the version of memhook, and so no comparison does.

import type { Cut } from "../host/types.js";

/** @param deep the depth limit cut it */
export function cutOf(deep: boolean, lost: boolean): Cut {
  return lost ? { cut: true, lost: true } : { cut: deep };
}

export function isTooDeep({ cut, lost }: Cut): boolean {
  return cut && !lost;
}
