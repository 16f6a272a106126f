// memview growth: how call stacks grew over a long run, from snapshots that were taken of it.

import { statSync } from "node:fs";
import { growthOf, type Look } from "../../runtime/growth.js";
import { kindOfFile } from "../../runtime/snapshotfile.js";
import { openStore } from "../../runtime/store.js";
import { defineCommand, UsageError } from "../arguments.js";
import { print } from "../output.js";
import { growthJson, growthText } from "../reports/growth.js";
import { EXITS, formatOption, helpOption } from "../shared-options.js";
import { snapshotAt } from "../sides.js";
import { terminalStyle } from "../terminal.js";
import { duration, integer, word } from "../values.js";

export const growth = defineCommand({
  meta: {
    name: "growth",
    description: "tells what leaks steadily from what fills a cache, over snapshots of a long run",
  },
  usage: ["[options] [STORE] SNAP SNAP SNAP…"],
  about: [
    "Three looks at least. Each call stack is one of",
    [
      ["growing", "all the time: a leak"],
      ["levelled", "it grew and then stayed: a cache, a pool"],
      ["bursty", "it came and went, or grew at once"],
      ["shrinking", ""],
      ["flat", ""],
    ],
    "The slope is the median over all pairs of looks; confidence is how unlikely so ascending an order is by chance.",
  ],
  args: {
    every: {
      type: "string",
      valueHint: "TIME",
      section: "Options",
      description:
        "The snapshots were taken in the order given, so far apart: 10min, 1h. Without it a snapshot counts as taken when its file was written, and a store as of now or of its process's end.",
    },
    top: {
      type: "string",
      valueHint: "N",
      description: "The N call stacks of each kind that grow fastest; 10 without it.",
    },
    ...formatOption,
    ...helpOption,
    looks: { type: "positional", required: false, many: true, description: "Snapshots and stores" },
  },
  examples: [
    ["while sleep 600; do memview snapshot app.mem -o $(date +%s).snap; done &", "a look every ten minutes"],
    ["memview growth *.snap", "what they tell"],
    ["memview growth --every 10min app.mem 1.snap 2.snap 3.snap", "the store, as it is now, is the last of them"],
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
    if (paths.length < 3)
      throw new UsageError(`${paths.length} looks are too few to see how anything grows; name three or more`);
    const looks: Look[] = [];
    for (const [i, path] of paths.entries()) {
      const snapshot = await snapshotAt(path);
      looks.push({ snapshot, time: every === null ? await timeOf(path, isStore(path)) : i * every });
    }
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

async function timeOf(path: string, isStore: boolean): Promise<number> {
  if (!isStore) return statSync(path).mtimeMs;
  const store = await openStore(path);
  const { end } = store.info();
  const running = store.process.state === "running";
  const ended = end.kind === "none" ? null : Number(store.wallTime(end.time) / 1_000_000n);
  store.close();
  // A copy's own time says when it was copied.
  return running ? Date.now() : (ended ?? statSync(path).mtimeMs);
}
