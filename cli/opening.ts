// What memhook run prints first: for the program and the processes that it started, the places in their own code that
// hold memory. The call stacks follow (reports/summary.ts).
//
//       grows steadily  722.7 KiB  10,000 blocks  ▁▁▁▁▂██▂  pairs  leakmod.c:14
//       grows steadily  399.3 KiB  20,000 blocks  ▁▁▁▁▂██▂  upper  leakmod.c:7
//
// If several processes have something to report, each has a title, and equal ones are reported once. A process without
// own code, such as a shell or a test runner, comes last, and only if no other process has something to report.

import { basename } from "node:path";
import { printable } from "../runtime/host/printable.js";
import type { Moment } from "../runtime/host/types.js";
import { verdictOn } from "../runtime/reports/verdict.js";
import { openStore } from "../runtime/stores/store.js";
import type { Names } from "../runtime/symbols/symbolize.js";
import { bold, type Style } from "./reports/style.js";
import { shownFindings, verdictRows } from "./reports/verdict.js";

/** How many processes a verdict is made for, and how many are printed; a build under memhook has hundreds. */
const ASKED = 16;
const TOLD = 4;
/** Places of a process: if it is the only one, and if it is not. */
const ROWS = 5;
const ROWS_OF_MANY = 3;

/** The shortest life, in nanoseconds, that says how something came to be; a shorter life is all start-up. */
const LONG = 1e9;

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
  options: { style: Style; skip: RegExp | undefined; at: Moment },
): Promise<string[]> {
  const { style, skip, at } = options;
  const others = left.filter((each) => each !== main).sort((a, b) => b.liveBytes - a.liveBytes);
  const asked = [...(main ? [main] : []), ...others].slice(0, ASKED);
  // Two processes with the same key have the same to tell.
  const told: { key: string; title: string; processes: number; lines: string[]; own: boolean }[] = [];
  const rows = asked.length > 1 ? ROWS_OF_MANY : ROWS;
  for (const { path } of asked) {
    const store = await openStore(path, at);
    try {
      const judged = await verdictOn(store, symbolizer, { knownSuppressed: true, skip });
      const shown = shownFindings(judged.verdict, rows);
      await judged.detail(shown);
      const kinds = judged.verdict.life.span >= LONG;
      const lines = [...verdictRows(judged, shown, { style, stacks: false, kinds }, INDENT)];
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
