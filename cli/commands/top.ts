// memview top: the call stacks that hold most, updated on the whole terminal.
//
// It uses plain escape sequences and node:tty's raw mode, which Node, Bun and Deno all have. The normal screen and the
// cursor are restored however the command ends. If input or output is no terminal, it prints one plain list and ends.

import { isatty } from "node:tty";
import type { RawStackRow } from "../../runtime/host/types.js";
import { report, StackResolver } from "../../runtime/reports/report.js";
import { isKnown } from "../../runtime/reports/suppressions.js";
import { isTooDeep } from "../../runtime/stores/cut.js";
import { openStore, type Store } from "../../runtime/stores/store.js";
import { symbolizerOf } from "../../runtime/symbols/names.js";
import type { Names } from "../../runtime/symbols/symbolize.js";
import { defineCommand } from "../arguments.js";
import { filterOptions } from "../filters.js";
import { print, writeAll } from "../output.js";
import { tellRelatives } from "../relatives.js";
import { BYPASSED, droppedLine, headLine, SWITCHED_OFF, textReport } from "../reports/text.js";
import { keysOf, press, screen, startState, type TopState } from "../reports/top.js";
import { EXITS, helpOption, skipOf, skipOption, storeOptions, storePath } from "../shared-options.js";
import { terminalStyle, verdictStyle } from "../terminal.js";
import { duration, integer } from "../values.js";
import { briefVerdict } from "../verdicts.js";

const CONTROL_Z = "\x1a";
/** The signals that end the program after its terminal was restored. */
const ENDS = ["SIGTERM", "SIGHUP", "SIGINT", "SIGQUIT"] as const;

/** How many call stacks get names: more than fit on a screen, few enough to resolve at once. */
const ROWS = 200;

const ENTER = "\x1b[?1049h\x1b[?25l";
const LEAVE = "\x1b[?25h\x1b[?1049l";

export const top = defineCommand({
  meta: { name: "top", description: "shows the call stacks that hold most, and updates the display" },
  usage: ["[options] [-m [NAME] | [-f] PATH]"],
  args: {
    ...storeOptions,
    every: {
      type: "string",
      valueHint: "TIME",
      section: "Options",
      description: "The time between looks: 2s (the default), 500ms, 1min.",
    },
    top: {
      type: "string",
      valueHint: "N",
      description: "Without a terminal, show the N call stacks that hold most; the default is 10.",
    },
    "no-default-suppressions": filterOptions["no-default-suppressions"],
    ...skipOption,
    ...helpOption,
  },
  examples: [
    ["memview top app.mem", ""],
    ["memview top --every 500ms app.mem", "look more often"],
  ],
  notes: {
    Keys: [
      [
        ["s, n, g", "sort by size, number, growth since the start"],
        ["/", "filter by function, file or module; escape ends the filter"],
        ["arrows, j, k", "choose a call stack; page up and page down: ten further"],
        ["enter", "show its frames"],
        ["p", "pause"],
        ["q", "quit"],
      ],
    ],
  },
  exits: EXITS,
  async run({ args }) {
    const path = storePath(args);
    const every = Number(duration("every", args.every ?? "2s") / 1_000_000n);
    const rows = integer("top", args.top ?? "10", 1, 2 ** 32 - 1);
    const store = await openStore(path);
    try {
      const known = args["no-default-suppressions"] ?? false;
      if (isatty(0) && isatty(1) && process.env.TERM !== "dumb")
        await interactive(store, Math.max(100, Math.min(every, 2 ** 31 - 1)), known, skipOf(args));
      else {
        const symbolizer = symbolizerOf(store);
        const options = { knownSuppressed: !known, skip: skipOf(args) };
        print([...(await briefVerdict(store, symbolizer, verdictStyle(1), options)), "\n"]);
        const answer = await report(store, { aggregate: true, sort: "size", top: rows }, symbolizer, {
          stacks: true,
          knownSuppressed: !known,
        });
        print(textReport(answer, { stacks: true }));
        await tellRelatives(store);
      }
      return 0;
    } finally {
      store.close();
    }
  },
});

async function interactive(store: Store, every: number, known: boolean, skip: RegExp | undefined): Promise<void> {
  const style = terminalStyle(1);
  const looking = new Looking(store, known, skip);
  let state = startState();
  const draw = () => {
    const { columns = 80, rows = 24 } = process.stdout;
    const lines = screen(state, columns || 80, rows || 24, style);
    writeAll(1, `\x1b[H${lines.map((line) => `${line}\x1b[K`).join("\r\n")}\x1b[J`);
  };
  state = await looking.look(state);
  const take = () => {
    writeAll(1, ENTER);
    process.stdin.setRawMode(true);
  };
  const giveBack = () => {
    process.stdin.setRawMode(false);
    writeAll(1, LEAVE);
  };
  /** As the shell's user wants it: the terminal is as it was until the program goes on. */
  const suspend = () => {
    giveBack();
    process.kill(process.pid, "SIGSTOP");
  };
  const goOn = () => {
    take();
    draw();
  };
  take();
  let timer: NodeJS.Timeout | undefined;
  try {
    await new Promise<void>((resolve, reject) => {
      let over = false;
      const end = () => {
        over = true;
        resolve();
      };
      const again = () => {
        timer = setTimeout(async () => {
          try {
            // Keys pressed meanwhile count: only what the look is about is taken over.
            const { rows, head, places, missing, known } = state.paused ? state : await looking.look(state);
            state = { ...state, rows, head, places, missing, known };
            if (over) return;
            draw();
            again();
          } catch (error) {
            reject(error);
          }
        }, every);
      };
      process.stdin.setEncoding("utf8");
      process.stdin.on("data", (input: string | Buffer) => {
        for (const key of keysOf(String(input))) {
          if (key === CONTROL_Z) {
            suspend();
            continue;
          }
          const next = press(state, key);
          if (next === null) return end();
          state = next;
        }
        draw();
      });
      process.stdin.on("end", end);
      for (const signal of ENDS) process.on(signal, end);
      process.on("SIGTSTP", suspend);
      process.on("SIGCONT", goOn);
      process.on("SIGWINCH", draw);
      draw();
      again();
    });
  } finally {
    clearTimeout(timer);
    giveBack();
  }
}

/** Looks at the store, and remembers what each stack held at first. */
class Looking {
  #store: Store;
  #resolver: StackResolver;
  #first: Map<number, number> | undefined;
  /** Known stacks are shown like others. */
  readonly #known: boolean;
  readonly #skip: RegExp | undefined;
  readonly #symbolizer: Names;

  constructor(store: Store, known: boolean, skip: RegExp | undefined) {
    this.#store = store;
    this.#known = known;
    this.#skip = skip;
    this.#symbolizer = symbolizerOf(store);
    this.#resolver = new StackResolver(store, this.#symbolizer);
  }

  async look(state: TopState): Promise<TopState> {
    const { stacks, matched } = await this.#store.query({ aggregate: true, sort: "size" });
    this.#first ??= new Map(stacks.map(({ stackId, bytes }) => [stackId, bytes]));
    const first = this.#first;
    const growth = ({ stackId, bytes }: RawStackRow) => bytes - (first.get(stackId) ?? 0);
    // Those that may come to the top in one of the orders.
    const orders = [(row: RawStackRow) => row.bytes, (row: RawStackRow) => row.count, growth];
    const chosen = new Set(orders.flatMap((key) => [...stacks].sort((a, b) => key(b) - key(a)).slice(0, ROWS)));
    await this.#resolver.load(
      [...chosen].map(({ stackId }) => stackId),
      true,
    );
    let known = 0;
    const rows = [...chosen].flatMap((row) => {
      const { frames, ...cut } = this.#resolver.stack(row.stackId);
      if (!this.#known && isKnown(frames, isTooDeep(cut))) {
        known += row.bytes;
        return [];
      }
      return [{ stackId: row.stackId, bytes: row.bytes, count: row.count, growth: growth(row), frames, cut }];
    });
    const { process: its, sampleBytes } = this.#store;
    const sample = sampleBytes > 0 ? { sample: { bytes: sampleBytes, confidence: 0 } } : {};
    const totals = this.#store.totals();
    const missing =
      droppedLine(totals.dropped) ??
      (this.#store.info().switchedOff ? SWITCHED_OFF : this.#store.bypassed ? BYPASSED : null);
    const style = { ...terminalStyle(1), colour: false };
    const options = { knownSuppressed: !this.#known, skip: this.#skip };
    const [, ...places] = await briefVerdict(this.#store, this.#symbolizer, style, options);
    return {
      ...state,
      rows,
      places: places.map((line) => line.trimEnd()),
      missing,
      known,
      head: headLine({ version: 1, process: its, totals, matched, ...sample }, true, this.#store.now()),
    };
  }
}
