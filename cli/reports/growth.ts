// How stacks grow over a run, as text and as JSON.
//
//   5 looks over 2 h 0 min (times of the files)
//
//   growing    +1048576 bytes an hour  1024 → 2098176 bytes  confidence 0.99  make_leak at src/leak.c:12
//       make_leak at src/leak.c:12
//       main at src/main.c:7
//   levelled   …                       0 → 65536 bytes        confidence 0.93  cache_put at src/cache.c:40

import { KINDS, type StackGrowth } from "../../runtime/snapshots/growth.js";
import { ownFrame } from "../../runtime/snapshots/ownframes.js";
import { readableName } from "../../runtime/snapshots/snapshot.js";
import { cut } from "./columns.js";
import { frameLines, placeText, sign } from "./diff-words.js";
import { humanAge } from "./sizes.js";
import { bold, type Style } from "./style.js";

export interface GrowthAnswer {
  stacks: StackGrowth[];
  /** Milliseconds between the first look and the last. */
  span: number;
  looks: number;
  /** The source of the times. */
  times: string;
}

/** `top`: of each kind. The frames of what grows are shown. */
export function* growthText(
  { stacks, span, looks, times }: GrowthAnswer,
  top: number,
  style: Style,
): Generator<string> {
  yield `${looks} looks over ${humanAge(span / 1000)} (${times})\n`;
  for (const kind of KINDS) {
    const own = stacks.filter((stack) => stack.kind === kind);
    if (own.length === 0) continue;
    yield "\n";
    if (kind === "flat") {
      yield `flat       ${own.length} ${own.length === 1 ? "stack" : "stacks"} with ${sum(own)} bytes\n`;
      continue;
    }
    for (const { row, bytes, slope, confidence } of own.slice(0, top)) {
      const words = [
        kind.padEnd(9),
        `${sign(Math.round(slope))} bytes an hour`,
        `${bytes[0]} → ${bytes.at(-1)} bytes`,
        `confidence ${confidence.toFixed(2)}`,
        placeText(ownFrame(row)),
      ];
      const line = words.join("  ");
      const fitted = cut(line, style.width);
      yield `${kind === "growing" ? bold(style, fitted) : fitted}\n`;
      if (kind === "growing") for (const frame of frameLines(row)) yield `    ${frame}\n`;
    }
    if (own.length > top) yield `… and ${own.length - top} more ${kind} (--top)\n`;
  }
}

function sum(stacks: readonly StackGrowth[]): number {
  return stacks.reduce((total, { bytes }) => total + bytes.at(-1)!, 0);
}

/**
 * {"version":1,"looks":5,"hours":2,"times":"…","stacks":[{"kind","program","slope","confidence",
 *  "bytes":[…],"counts":[…],"stack"}]}
 */
export function* growthJson({ stacks, span, looks, times }: GrowthAnswer): Generator<string> {
  yield `{"version":1,"looks":${looks},"hours":${span / 3_600_000},"times":${JSON.stringify(times)},\n"stacks":[`;
  let separator = "";
  for (const { kind, row, slope, confidence, bytes, counts } of stacks) {
    const stack = row.stack.map((frame) => ({ ...frame, function: readableName(frame) }));
    const told = { kind, program: row.program, slope, confidence, bytes, counts, stack };
    yield `${separator}\n${JSON.stringify(row.cut ? { ...told, cut: true, lost: row.lost } : told)}`;
    separator = ",";
  }
  yield "\n]}\n";
}
