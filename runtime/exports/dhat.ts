// DHAT's format, version 2: JSON for valgrind's dh_view.html and for the Firefox Profiler. Its fields are described in
// valgrind's docs/dhat-data.txt.
//
// memhook knows a stack's bytes at the process's peak. It knows neither the blocks at that peak nor the stack's own
// highest amount. So the blocks are estimated (cost.ts). The highest amount is at least what the stack held at the peak
// and what it holds now.

import { blocksAtPeak } from "./cost.js";
import { Known } from "./known.js";
import { commandOf, outsideIn, type Profile, type ProfileStack } from "./profile.js";
import { callText } from "./valgrind.js";

export function* dhat(profile: Profile, title: string): Generator<string> {
  const { process } = profile;
  const frames = new Known<string, number>([["[root]", 0]]);
  const head = {
    dhatFileVersion: 2,
    mode: "heap",
    verb: "Allocated",
    bklt: true,
    bkacc: false,
    tu: "ms",
    Mtu: "s",
    tuth: 1,
    cmd: commandOf(profile, title),
    pid: process?.pid ?? 0,
    tg: process?.peakTime ?? 0,
    te: process?.endTime ?? 0,
  };
  yield `${JSON.stringify(head).slice(0, -1)},"pps":[\n`;
  const points = new Map<string, Point>();
  for (const stack of profile.stacks) {
    const one = point(profile, stack, frames);
    const key = one.fs.join();
    const known = points.get(key);
    if (known === undefined) points.set(key, one);
    else for (const amount of AMOUNTS) known[amount] += one[amount];
  }
  let separator = "";
  for (const one of points.values()) {
    yield `${separator}${JSON.stringify(one)}`;
    separator = ",\n";
  }
  yield `\n],"ftbl":${JSON.stringify([...frames.keys()])}}\n`;
}

/** Total, most, at the peak and at the end; in bytes and blocks. And the sum of lifetimes. */
const AMOUNTS = ["tb", "tbk", "tl", "mb", "mbk", "gb", "gbk", "eb", "ebk"] as const;

/** A program point: its amounts, and its frames innermost first. dh_view wants each only once. */
type Point = Record<(typeof AMOUNTS)[number], number> & { fs: number[] };

function point(profile: Profile, stack: ProfileStack, frames: Known<string, number>): Point {
  const { live, totals } = stack;
  const total = totals ?? { allocatedBytes: live.bytes, allocations: live.count, peakBytes: live.bytes };
  const blocks = blocksAtPeak(stack);
  const names = outsideIn(profile, stack).reverse();
  return {
    tb: total.allocatedBytes,
    tbk: total.allocations,
    tl: 0,
    mb: Math.max(total.peakBytes, live.bytes),
    mbk: Math.max(blocks, live.count),
    gb: total.peakBytes,
    gbk: blocks,
    eb: live.bytes,
    ebk: live.count,
    fs: names.map((name, i) => {
      const text = callText(name, stack.frames[i]);
      return frames.of(text, () => frames.size);
    }),
  };
}
