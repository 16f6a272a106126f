// memview watch: which call stacks grow, from one look at a running program to the next.

import { isoTime } from "../../runtime/host/time.js";
import { StackResolver } from "../../runtime/reports/report.js";
import { openStore } from "../../runtime/stores/store.js";
import { watch as looksAt } from "../../runtime/stores/watch.js";
import { symbolizerOf } from "../../runtime/symbols/names.js";
import { defineCommand } from "../arguments.js";
import { messages } from "../messages.js";
import { print } from "../output.js";
import { BYPASSED, droppedLine, stackText } from "../reports/text.js";
import { lookText, WATCH_INDENT } from "../reports/watch.js";
import { EXITS, helpOption, lookOptions, skipOf, skipOption, storeOptions, storePath } from "../shared-options.js";
import { terminalStyle, verdictStyle } from "../terminal.js";
import { duration, integer } from "../values.js";
import { briefVerdict } from "../verdicts.js";

export const watch = defineCommand({
  meta: { name: "watch", description: "shows which call stacks grow from look to look" },
  usage: ["[options] [-m [NAME] | [-f] PATH]"],
  about: [
    "The first look has nothing to compare with, and shows the verdict (memview verdict --help). Sizes are live " +
      "bytes. What grew most comes last. The program is not stopped.",
  ],
  args: {
    ...storeOptions,
    every: {
      type: "string",
      valueHint: "TIME",
      section: "Options",
      description: "The time between looks: 10s (the default), 500ms, 5min.",
    },
    count: {
      type: "string",
      valueHint: "N",
      description: "The number of looks. Without this option, look until the program ends.",
    },
    top: { type: "string", valueHint: "N", description: "Show the N call stacks that grew most; the default is 10." },
    "show-callstack": {
      type: "boolean",
      alias: "c",
      bare: true,
      description: "Show their frames, innermost first. This is the default; -c0 hides them.",
    },
    ...lookOptions,
    ...skipOption,
    ...helpOption,
  },
  examples: [
    ["memview watch app.mem", ""],
    ["memview watch --every 10s --count 6 --top 3 app.mem", "for one minute, the three that grow most"],
  ],
  exits: EXITS,
  async run({ args }) {
    const path = storePath(args);
    const every = duration("every", args.every ?? "10s") / 1_000_000n;
    const count = args.count === undefined ? Infinity : integer("count", args.count, 1, 2 ** 32 - 1);
    const top = integer("top", args.top ?? "10", 1, 2 ** 32 - 1);
    const showStacks = args["show-callstack"] ?? true;
    // What timers can count is less than what a duration can say.
    const wait = () => new Promise<void>((resolve) => setTimeout(resolve, Math.min(Number(every), 2 ** 31 - 1)));

    const store = await openStore(path);
    try {
      const symbolizer = symbolizerOf(store);
      const resolver = new StackResolver(store, symbolizer);
      const style = terminalStyle(1, args);
      const frames = stackText(false, { ...style, width: style.width - WATCH_INDENT });
      let told = 0;
      for await (const look of looksAt(store, {}, count, wait)) {
        const rows = (look.growth?.stacks ?? []).filter(({ moreBytes }) => moreBytes > 0).slice(-top);
        if (showStacks)
          await resolver.load(
            rows.map((row) => row.stackId),
            true,
          );
        const framesOf = (id: number) => {
          const { frames: stack, ...cut } = resolver.stack(id);
          return frames({ stack, ...cut });
        };
        print(lookText(look, isoTime(look.time), rows, showStacks ? framesOf : () => "", style));
        // Nothing to compare with yet: what it holds by now, and where.
        if (look.growth === undefined) {
          const options = { knownSuppressed: true, skip: skipOf(args) };
          print(await briefVerdict(store, symbolizer, verdictStyle(1, args), options));
        }
        for (const note of symbolizer.notes.slice(told)) messages("memview").warn(note);
        told = symbolizer.notes.length;
      }
      if (store.bypassed) print([`${BYPASSED}\n`]);
      const missing = droppedLine(store.totals().dropped);
      if (missing !== null) print([`${missing}\n`]);
      return 0;
    } finally {
      store.close();
    }
  },
});
