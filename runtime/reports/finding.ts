// What a verdict says about one place. No code here.

import type { Births, Frame } from "../host/types.js";
import type { BirthKind } from "./growth.js";

/** What a place holds, and how it came to hold it. */
export interface Finding {
  frame: Frame | null;
  /** In the user's own code. */
  own: boolean;
  /** peak: it is told what the place held when the process held most. Then there is no rate, and count is 0. */
  kind: BirthKind | "peak";
  bytes: number;
  /** ± of `bytes`, only when it is an estimate. */
  margin?: number;
  count: number;
  /** Growth in bytes a minute. */
  rate: number | null;
  births: Births;
  /** Relative times of the oldest and the newest. */
  oldest: bigint;
  newest: bigint;
  /** How many call stacks have this place. */
  stacks: number;
  /** The one that holds most. */
  stackId: number;
  /** Own functions that lead there, from the inside out. */
  callers: Frame[];
  /**
   * Places that grow in step under one caller, the one that holds most first; the sums above are those of all of them.
   */
  inStep?: Finding[];
}
