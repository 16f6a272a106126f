// What memhook run prints first: for the program and the processes that it started, the places in their own code that
// hold memory. The call stacks follow (reports/summary.ts).
//
//       grows steadily  722.7 KiB  10,000 blocks  ▁▁▁▁▂██▂  pairs  leakmod.c:14
//       grows steadily  399.3 KiB  20,000 blocks  ▁▁▁▁▂██▂  upper  leakmod.c:7
//
// What the program held when it held most comes below, if that was much more:
//
//     92.0 MiB more was live at its peak, 0.1 s before the end:
//       81.4 MiB  AllocForZlib  node
//
// If several processes have something to report, each has a title, and equal ones are reported once. A process without
// own code, such as a shell or a test runner, comes last, and only if no other process has something to report.

import { basename } from "node:path";
import { printable } from "../runtime/host/printable.js";
import type { Moment } from "../runtime/host/types.js";
import { verdictOn } from "../runtime/reports/verdict.js";
import { openStore, type Store } from "../runtime/stores/store.js";
import type { Names } from "../runtime/symbols/symbolize.js";
import { bold, type Style } from "./reports/style.js";
import { liveLine, moreAtPeak, moreText, shownFindings, verdictRows } from "./reports/verdict.js";

/** How many processes a verdict is made for, and how many are printed; a build under memhook has hundreds. */
const ASKED = 16;
const TOLD = 4;
/** Places of a process: if it is the only one, and if it is not. */
const ROWS = 5;
const ROWS_OF_MANY = 3;

/** The shortest life, in nanoseconds, that says how something came to be; a shorter life is all start-up. */
const LONG = 1e9;

/** The peak is worth telling of if so many bytes more were live then, and as much again as is live. */
const MUCH_MORE = 1 << 20;
/** Places at the peak. */
const ROWS_AT_PEAK = 2;

interface Left {
  path: string;
  pid: number;
  liveBytes: number;
}

/** @param left what the run has left: stores in which something is live; `main`: that of the program itself */
export async function openingLines(
  left: readonly Left[],
  main: Left | undefined,
  symbolizer: Names,
  options: { style: Style; skip: RegExp | undefined; at: Moment; atPeak: boolean },
): Promise<string[]> {
  const { style, skip, at, atPeak } = options;
  const others = left.filter((each) => each !== main).sort((a, b) => b.liveBytes - a.liveBytes);
  const asked = [...(main ? [main] : []), ...others].slice(0, ASKED);
  // Two processes with the same key have the same to tell.
  const told: { key: string; title: string; processes: number; lines: string[]; own: boolean }[] = [];
  const rows = asked.length > 1 ? ROWS_OF_MANY : ROWS;
  const placesOf = async (store: Store, most: number, indent: string, peak: boolean) => {
    const judged = await verdictOn(store, symbolizer, { knownSuppressed: true, skip, atPeak: peak });
    const shown = shownFindings(judged.verdict, most);
    await judged.detail(shown);
    const kinds = judged.verdict.life.span >= LONG;
    return { judged, shown, lines: [...verdictRows(judged, shown, { style, stacks: false, kinds }, indent)] };
  };
  for (const each of asked) {
    const store = await openStore(each.path, at);
    try {
      const { judged, shown, lines } = await placesOf(store, rows, INDENT, atPeak);
      if (atPeak) lines.unshift(`${INDENT}${liveLine(judged.verdict)}\n`);
      const more = moreAtPeak(judged.verdict);
      if (each === main && !atPeak && more >= MUCH_MORE && more >= judged.verdict.totals.liveBytes) {
        const peak = await placesOf(store, ROWS_AT_PEAK, `${INDENT}  `, true);
        lines.push(`${INDENT}${moreText(judged.verdict)}:\n`, ...peak.lines);
        shown.push(...peak.shown);
      }
      const { exe, pid } = store.process;
      const key = [exe, ...lines].join("\n");
      const same = told.find((each) => each.key === key);
      if (same) same.processes++;
      else {
        const title = `${basename(exe) || "a process"} (pid ${pid})`;
        told.push({ key, title, processes: 1, lines, own: shown.some(({ own }) => own) });
      }
    } finally {
      store.close();
    }
  }
  const worth = told.filter(({ own }) => own);
  const chosen = (worth.length > 0 ? worth : told.slice(0, 1)).slice(0, TOLD);
  return chosen.flatMap(({ title, processes, lines }) => {
    if (lines.length === 0 || (chosen.length === 1 && processes === 1)) return lines;
    const several = processes > 1 ? `, and the same in ${processes - 1} more` : "";
    return [`${INDENT}${bold(style, printable(`${title}${several}:`))}\n`, ...lines];
  });
}

const INDENT = "    ";
