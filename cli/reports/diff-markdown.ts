// A diff as GitHub-flavoured Markdown, for a pull request's comment or a job's summary.

import { printable } from "../../runtime/host/printable.js";
import { more } from "../../runtime/snapshots/diff.js";
import {
  changesByPlace,
  type DiffAnswer,
  placeText,
  sign,
  signed,
  stackLines,
  stacksOf,
  verdict,
} from "./diff-words.js";

/** Rows of the table; the rest is counted. */
const ROWS = 40;

export function* diffMarkdown(answer: DiffAnswer, top: number): Generator<string> {
  const { regressions, accept } = answer;
  const [word, ...rest] = verdict(answer).split(": ");
  yield `### memhook: ${word}\n\n${rest.join(": ")}\n`;
  const rows = changesByPlace(answer);
  if (rows.length > 0) yield "\n| | bytes | allocations | where | program |\n|---|--:|--:|---|---|\n";
  for (const row of rows.slice(0, ROWS)) {
    const { status, failing, amount, frame, program } = row;
    const where = `${code(placeText(frame))}${stacksOf(row)}`;
    yield `| ${failing ? "❌ " : ""}${status} | ${sign(amount.bytes)} | ${sign(amount.count)} | ${where} | ` +
      `${code(printable(program))} |\n`;
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
