// What `memhook run` prints of a process at the program's end: its call stacks, the largest last, so that it is next to
// the prompt.
//
//   memhook: ./app (pid 4711) exited with code 0, 1536 bytes live in 3 allocations
//   size=512, times=1
//       cache_fill at cache.c:40
//   size=1024, times=2
//       make_leak at app.c:12
//       main at app.c:20

import { printable } from "../../runtime/host/printable.js";
import type { LiveReport } from "../../runtime/reports/report.js";
import { bold, type Style, sentence, shortPath } from "./style.js";
import {
  allocationCount,
  BYPASSED,
  droppedLine,
  rowText,
  sampleLine,
  sizeText,
  stackText,
  suppressedLine,
} from "./text.js";

/** The lines for one process; its report is aggregated and sorted by size. `freed`: bytes of it, while it exited. */
export function* processSummary(
  name: string,
  ended: string,
  report: LiveReport,
  style: Style,
  freed = 0,
): Generator<string> {
  const { liveBytes, liveCount, dropped } = report.totals;
  const live =
    liveCount === 0
      ? "no live allocations"
      : `${report.sample ? "about " : ""}${sizeText(liveBytes, style)} live in ${allocationCount(liveCount)}`;
  const when = freed > 0 ? ` when it began to exit, and freed ${sizeText(freed, style)} of that` : "";
  const short = printable(style.short ? shortPath(name, style.folder) : name);
  const head = `memhook: ${short} (pid ${report.process.pid}) ${ended}, ${live}${when}`;
  yield `${bold(style, sentence(style, head).trimEnd())}\n`;
  const frames = stackText(false, style);
  for (const row of report.stacks ?? []) yield `${rowText(row, style)}\n${frames(row)}`;
  if (report.suppressed) yield `memhook: ${suppressedLine(report.suppressed, style)}\n`;
  const sampled = sampleLine(report, style);
  if (sampled !== null) yield `memhook: ${sampled}\n`;
  if (report.bypassed) yield sentence(style, `memhook: ${BYPASSED}`);
  const missing = droppedLine(dropped);
  if (missing !== null) yield sentence(style, `memhook: ${missing}`);
}
