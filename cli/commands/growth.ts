// memview growth: how call stacks grew over a long run, from snapshots of it.

import { statSync } from "node:fs";
import { wallMilliseconds } from "../../runtime/host/clock.js";
import { kindOfFile } from "../../runtime/host/filekind.js";
import { growthOf, type Look } from "../../runtime/snapshots/growth.js";
import { openStore } from "../../runtime/stores/store.js";
import { defineCommand, UsageError } from "../arguments.js";
import { print } from "../output.js";
import { growthJson, growthText } from "../reports/growth.js";
import { EXITS, formatOption, helpOption, skipOf } from "../shared-options.js";
import { snapshotAt } from "../sides.js";
import { terminalStyle, verdictStyle } from "../terminal.js";
import { duration, integer, word } from "../values.js";
import { printVerdict } from "../verdicts.js";

export const growth = defineCommand({
  meta: {
    name: "growth",
    description: "tells a steady leak from a cache that fills, over snapshots of a long run",
  },
  usage: ["[options] STORE", "[options] [STORE] SNAP SNAP SNAP…"],
  about: [
    "For one store, this prints the verdict, like memview verdict. For at least three snapshots, each call stack is " +
      "one of these:",
    [
      ["growing", "it grew all the time: a leak"],
      ["levelled", "it grew, and then stayed: a cache, a pool"],
      ["bursty", "it came and went, or grew at once"],
      ["shrinking", ""],
      ["flat", ""],
    ],
    "The slope is the median over all pairs of looks. The confidence says how unlikely it is that the sizes ascend " +
      "by chance.",
  ],
  args: {
    every: {
      type: "string",
      valueHint: "TIME",
      section: "Options",
      description:
        "The snapshots were taken in the given order, this far apart: 10min, 1h. Without this option, a snapshot's " +
        "time is when its file was written. A store's time is now, its process's end, or when it was last written.",
    },
    top: {
      type: "string",
      valueHint: "N",
      description: "Show the N call stacks of each kind that grow fastest; the default is 10.",
    },
    ...formatOption,
    ...helpOption,
    looks: { type: "positional", required: false, many: true, description: "Snapshots and stores" },
  },
  examples: [
    ["memview growth app.mem", "one look is enough, even after a crash"],
    ["while sleep 600; do memview snapshot app.mem -o $(date +%s).snap; done &", "a look every ten minutes"],
    ["memview growth *.snap", "compare them all"],
    ["memview growth --every 10min app.mem 1.snap 2.snap 3.snap", "the store, as it is now, is the last look"],
  ],
  exits: EXITS,
  async run({ args }) {
    const format = word("format", args.format ?? "text", ["text", "json"]);
    const top = integer("top", args.top ?? "10", 1, 2 ** 32 - 1);
    const every = args.every === undefined ? null : Number(duration("every", args.every) / 1_000_000n);
    if (every === 0) throw new UsageError("--every: '0' is no time between looks; write one like 10min");
    const isStore = (path: string) => kindOfFile(path) === "other";
    // What is now comes after what was kept.
    const paths = [...args._.filter((path) => !isStore(path)), ...args._.filter(isStore)];
    if (paths.length === 1 && isStore(paths[0]!)) {
      await printVerdict(paths[0]!, {
        at: "exit",
        format,
        style: verdictStyle(1),
        top,
        stacks: false,
        knownSuppressed: true,
        skip: skipOf({}),
      });
      return 0;
    }
    if (paths.length < 3)
      throw new UsageError(`${paths.length} looks are too few to see how anything grows; name three or more`);
    const snapshots = [];
    for (const path of paths) snapshots.push(await snapshotAt(path));
    const times = every === null ? await timesOf(paths, isStore) : paths.map((_, i) => i * every);
    const looks = snapshots.map((snapshot, i): Look => ({ snapshot, time: times[i]! }));
    looks.sort((a, b) => a.time - b.time);
    const same = looks.findIndex(({ time }, i) => i > 0 && time === looks[i - 1]!.time);
    if (same > 0) throw new UsageError("two looks have the same time; say how far apart they are with --every");
    const answer = {
      stacks: growthOf(looks),
      span: looks.at(-1)!.time - looks[0]!.time,
      looks: looks.length,
      times: every === null ? "times of the files" : `one every ${args.every}`,
    };
    const style = terminalStyle(1);
    print(format === "json" ? growthJson(answer) : growthText(answer, top, style));
    return 0;
  },
});

/**
 * When the looks were taken, in milliseconds. Stores of one process are as far apart as
 * their own times say, whatever became of the wall clock and of the files meanwhile.
 * Beside others it is the wall clock that puts them in order: files have no other.
 */
async function timesOf(paths: readonly string[], isStore: (path: string) => boolean): Promise<number[]> {
  const stores = new Map<string, StoreTime>();
  for (const path of paths) if (isStore(path)) stores.set(path, await storeTime(path));
  const all = [...stores.values()];
  const one = stores.size === paths.length && new Set(all.map((store) => store.process)).size === 1;
  // Of a process that runs, the store itself is the one that was written last; the others are copies.
  const newest = (its: StoreTime) =>
    all.every(({ process, written }) => process !== its.process || written <= its.written);
  return paths.map((path) => {
    const store = stores.get(path);
    if (store === undefined) return statSync(path).mtimeMs;
    const current = store.running && newest(store);
    if (one) return milliseconds(current ? store.now : store.written);
    return current ? wallMilliseconds() : milliseconds(store.wall);
  });
}

/** Relative times in nanoseconds. */
interface StoreTime {
  process: string;
  running: boolean;
  now: bigint;
  /** When the store was last written, or its process ended; and the same in wall clock time. */
  written: bigint;
  wall: bigint;
}

async function storeTime(path: string): Promise<StoreTime> {
  const store = await openStore(path);
  try {
    const { end, bootId, startWall, startMonotonic } = store.info();
    const written = end.kind === "none" ? store.lastWritten() : end.time;
    return {
      process: [bootId, store.process.pid, startWall, startMonotonic].join(),
      running: store.process.state === "running",
      now: store.now().time,
      written,
      wall: store.wallTime(written),
    };
  } finally {
    store.close();
  }
}

function milliseconds(nanoseconds: bigint): number {
  return Number(nanoseconds / 1_000_000n);
}
