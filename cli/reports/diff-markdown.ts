// A diff as GitHub-flavoured Markdown, for a pull request's comment or a job's summary.

import { printable } from "../../runtime/host/printable.js";
import { more } from "../../runtime/snapshots/diff.js";
import { type DiffAnswer, ownFrame, placeText, sign, signed, stackLines, verdict } from "./diff-words.js";

/** Rows of the table; the rest is counted. */
const ROWS = 40;

export function* diffMarkdown(answer: DiffAnswer, top: number): Generator<string> {
  const { diff, regressions, accept } = answer;
  const [word, ...rest] = verdict(answer).split(": ");
  yield `### memhook: ${word}\n\n${rest.join(": ")}\n`;
  const failing = new Set(regressions);
  const rows = diff.changes.filter(({ status, movedFrom }) => status !== "unchanged" || movedFrom);
  rows.sort((a, b) => Number(failing.has(b)) - Number(failing.has(a)));
  if (rows.length > 0) yield "\n| | bytes | allocations | where | program |\n|---|--:|--:|---|---|\n";
  for (const change of rows.slice(0, ROWS)) {
    const { status, movedFrom, row } = change;
    const { bytes, count } = more(change);
    const what = `${failing.has(change) ? "❌ " : ""}${status}${movedFrom ? ", moved" : ""}`;
    yield `| ${what} | ${sign(bytes)} | ${sign(count)} | ${code(placeText(ownFrame(row.stack)))} | ` +
      `${code(printable(row.program))} |\n`;
  }
  if (rows.length > ROWS) yield `\n… and ${rows.length - ROWS} more.\n`;
  for (const change of regressions.slice(0, top)) {
    const summary = `${change.status}, ${printable(change.row.program)}: ${signed(more(change))}`;
    const lines = [...stackLines(change)];
    const fence = "`".repeat(Math.max(3, 1 + longestRun(lines.join("\n"))));
    yield `\n<details><summary>${html(summary)}</summary>\n\n${fence}text\n${lines.join("\n")}\n${fence}\n</details>\n`;
  }
  if (regressions.length > 0) yield `\nTo accept what is live now: ${code(printable(accept))}\n`;
}

/** Text in a code span that also fits into a table. */
function code(text: string): string {
  const ticks = "`".repeat(1 + longestRun(text));
  const space = /^`|`$/.test(text) ? " " : "";
  return `${ticks}${space}${text.replaceAll("|", "\\|").replace(/\s+/g, " ")}${space}${ticks}`;
}

function longestRun(text: string): number {
  return Math.max(0, ...(text.match(/`+/g) ?? []).map((run) => run.length));
}

function html(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
