// How what is live came to be, told from one look: programs whose history is known, by a clock of the test's own, each
// looked at at three moments, with all of its blocks and with a sample of them.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Births } from "../../../runtime/host/types.js";
import { type BirthKind, kindOf } from "../../../runtime/reports/growth.js";

interface Block {
  born: number;
  size: number;
  /** Infinity: never. */
  dies: number;
}

/** A minute, in milliseconds. */
const LIFE = 60_000;
const FOREVER = Number.POSITIVE_INFINITY;

/** Numbers from 0 to 1 that are the same in each run. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A block every so many milliseconds. */
function every(step: number, from: number, to: number, make: (born: number, i: number) => Partial<Block> = () => ({})) {
  const blocks: Block[] = [];
  for (let i = 0; from + i * step < to; i++) {
    const born = from + i * step;
    blocks.push({ born, size: 64, dies: FOREVER, ...make(born, i) });
  }
  return blocks;
}

/** Blocks of which each takes the place of the one before. */
function replaced(sizes: readonly number[], step: number): Block[] {
  return sizes.map((size, i) => ({ born: i * step, size, dies: i + 1 < sizes.length ? (i + 1) * step : FOREVER }));
}

const dice = random(1);

/** What it is, its blocks, what they are at each of the moments, and the mean of a sample that has enough of them. */
const histories: [string, Block[], readonly BirthKind[], sample: number][] = [
  ["a steady leak of small blocks", every(3, 0, LIFE), ["growing", "growing", "growing"], 4096],
  ["a leak of one a second", every(1000, 500, LIFE), ["growing", "growing", "growing"], 64],
  [
    "a leak of one a second where 1,000 a second come and go",
    [...every(1000, 500, LIFE), ...every(1, 0, LIFE, (born) => ({ dies: born + 0.5 }))],
    ["growing", "growing", "growing"],
    64,
  ],
  ["churn", every(0.5, 0, LIFE, (born) => ({ dies: born + 40 })), ["recent", "recent", "recent"], 256],
  [
    "a leak of every second request",
    every(5, 0, LIFE, (born, i) => (i % 2 ? { dies: born + 50 } : {})),
    ["growing", "growing", "growing"],
    4096,
  ],
  [
    "a leak that comes faster and faster",
    every(1, 0, LIFE).filter(({ born }) => dice() < born / LIFE),
    ["growing", "growing", "growing"],
    4096,
  ],
  ["a cache that fills", every(2, 200, 9000), ["filled", "filled", "filled"], 4096],
  [
    "a cache whose keys are met by chance",
    every(2, 0, LIFE).filter(({ born }) => dice() < Math.exp(-born / 3000)),
    ["filled", "filled", "filled"],
    1024,
  ],
  ["tables at the start", every(0.1, 0, 100), ["filled", "filled", "filled"], 1024],
  [
    "a bounded cache, the oldest goes",
    every(2, 0, LIFE, (born) => ({ dies: born + 4000 })),
    ["recent", "recent", "recent"],
    1024,
  ],
  [
    "a bounded cache, any goes",
    every(2, 0, LIFE, (born) => ({ dies: born - 3000 * Math.log(1 - dice()) })),
    ["recent", "recent", "recent"],
    1024,
  ],
  ["a burst later", every(0.1, 15_000, 16_000), ["burst", "burst", "burst"], 4096],
  ["a leak that stopped", every(2, 0, 24_000), ["stopped", "stopped", "stopped"], 4096],
  [
    "a vector that doubles",
    replaced(
      Array.from({ length: 20 }, (_, i) => 16 << i),
      1500,
    ),
    ["reallocated", "reallocated", "reallocated"],
    512,
  ],
  [
    "a sawtooth",
    every(2, 0, LIFE, (born) => ({ dies: (Math.floor(born / 4100) + 1) * 4100 })),
    ["recent", "recent", "recent"],
    1024,
  ],
  [
    "an arena that grows by realloc",
    replaced(
      Array.from({ length: 600 }, (_, i) => 4096 * (i + 1)),
      100,
    ),
    ["reallocated", "reallocated", "reallocated"],
    65536,
  ],
  ["a leak that begins later", every(5, 20_000, LIFE), ["growing", "growing", "growing"], 2048],
  [
    "a leak beside tables at the start",
    [...every(0.1, 0, 100), ...every(50, 0, LIFE)],
    ["growing", "growing", "growing"],
    256,
  ],
  [
    "what is kept for a quarter of a minute",
    every(2, 0, LIFE, (born) => ({ dies: born + 15_000 })),
    ["recent", "recent", "recent"],
    1024,
  ],
  ["one buffer for good", [{ born: 3, size: 1 << 20, dies: FOREVER }], ["filled", "filled", "filled"], 65536],
];

const MOMENTS = [0.5, 0.75, 1].map((part) => part * LIFE);

/** What a store has at a moment. `sample`: mean bytes between samples, 0: all. */
function look(blocks: readonly Block[], now: number, sample: number, chance: () => number) {
  const counts = new Array<number>(16).fill(0);
  const bytes = new Array<number>(16).fill(0);
  const totals = { allocations: 0, allocatedBytes: 0, frees: 0, freedBytes: 0, smallest: FOREVER, largest: 0 };
  const timeline = Array.from({ length: 64 }, (_, i) => ({
    time: BigInt(Math.round((now * i * 1e6) / 64)),
    liveBytes: 0,
    liveCount: 0,
    allocations: 0,
  }));
  let liveBytes = 0;
  for (const { born, size, dies } of blocks) {
    if (born > now) continue;
    const likely = sample === 0 ? 1 : 1 - Math.exp(-size / sample);
    if (chance() >= likely) continue;
    totals.allocations++;
    totals.allocatedBytes += size;
    // What is small is not what the whole process grows by.
    for (const entry of size < 4096 ? [] : timeline) {
      const at = Number(entry.time) / 1e6;
      if (born <= at && at < dies) entry.liveBytes += size / likely;
    }
    if (dies <= now) {
      totals.frees++;
      totals.freedBytes += size;
      continue;
    }
    const bucket = Math.min(15, Math.floor((16 * born) / now));
    counts[bucket]!++;
    bytes[bucket]! += size / likely;
    liveBytes += size / likely;
    totals.smallest = Math.min(totals.smallest, size);
    totals.largest = Math.max(totals.largest, size);
  }
  const births: Births = { counts, bytes, ...totals };
  const peakBytes = Math.max(liveBytes, ...timeline.map((entry) => entry.liveBytes));
  return { births, life: { span: now * 1e6, timeline, liveBytes, peakBytes } };
}

for (const [name, blocks, expected] of histories) {
  test(name, () => {
    const found = MOMENTS.map((now) => {
      const { births, life } = look(blocks, now, 0, () => 0);
      return kindOf(births, life);
    });
    assert.deepEqual(found, expected);
  });
}

for (const [name, blocks, expected, sample] of histories) {
  test(`${name}, sampled, twenty times`, () => {
    for (let run = 0; run < 20; run++) {
      const chance = random(1000 + run);
      const found = MOMENTS.map((now) => {
        const { births, life } = look(blocks, now, sample, chance);
        return `${kindOf(births, life)} ${births.counts.join(" ")}, ${births.frees} of ${births.allocations} freed`;
      });
      assert.deepEqual(
        found.map((text) => text.split(" ")[0]),
        expected,
        `${found.join("\n")}`,
      );
    }
  });
}
