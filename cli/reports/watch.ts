// What `memview watch` prints: a line for each look, and under it the call stacks that grew since the look before.
//
//   2026-11-22 21:03:14, size=4096, times=2
//   2026-11-22 21:03:24, size=5120 (+1024), times=3 (+1)
//     size=5120 (+1024), times=3 (+1)
//       make_leak at /src/leak.c:12
//       main at /src/leak.c:20

import type { Growth, Look } from "../../runtime/stores/watch.js";
import { humanSize } from "./sizes.js";
import { bold, PLAIN, type Style } from "./style.js";
import { localTimes } from "./text.js";

/** How much further frames are indented than elsewhere. */
export const WATCH_INDENT = 2;

/** A look and the rows of it that are shown; `frames` gives the indented lines of a stack, or nothing. */
export function* lookText(
  look: Look,
  iso: string,
  rows: readonly Growth[],
  frames: (stackId: number) => string,
  style: Style = PLAIN,
): Generator<string> {
  const { bytes, count, growth, running } = look;
  const ended = running ? "" : ", the process has ended";
  const size = (value: number) => (style.human ? humanSize(value) : String(value));
  const sizes = (bytes: number, count: number, moreBytes: number, moreCount: number) =>
    `size=${size(bytes)} (${signed(moreBytes, size)}), times=${count} (${signed(moreCount, String)})`;
  const sums = growth ? sizes(bytes, count, growth.bytes, growth.count) : `size=${size(bytes)}, times=${count}`;
  yield `${bold(style, `${localTimes()(iso).slice(0, 19)}, ${sums}${ended}`)}\n`;
  for (const row of rows) {
    yield `  ${sizes(row.bytes, row.count, row.moreBytes, row.moreCount)}\n`;
    yield frames(row.stackId).replace(/^(?=.)/gm, " ".repeat(WATCH_INDENT));
  }
}

function signed(value: number, text: (value: number) => string): string {
  return `${value < 0 ? "-" : "+"}${text(Math.abs(value))}`;
}
