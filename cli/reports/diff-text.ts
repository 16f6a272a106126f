// A diff as text:
//
//   regression: 1 new call stack, 1 grown: +48 bytes in 2 allocations
//
//   new    +24 bytes in 1 allocation     make_leak at src/leak.c:12
//   grown  +24 bytes in 1 allocation     cache_put at src/cache.c:40
//
// The rows are places in the user's own code; several call stacks with one are one row. Where a row is longer than the
// terminal is wide, the places have lines of their own.
//
//   new, app: 24 bytes in 1 allocation
//       make_leak at src/leak.c:12
//         > 12  char *name = strdup(text);
//       main at src/main.c:7
//
//   To accept what is live now: memview diff --update base.snap app.mem

import { printable } from "../../runtime/host/printable.js";
import { more } from "../../runtime/snapshots/diff.js";
import { ownFrame } from "../../runtime/snapshots/ownframes.js";
import { columns } from "./columns.js";
import { changesByPlace, type DiffAnswer, placeText, signed, stackLines, stacksOf, verdict } from "./diff-words.js";
import { sourceText } from "./source.js";
import { bold, dim, type Style, sentence } from "./style.js";
import { droppedLine } from "./text.js";

const INDENT = "    ";
/** Rows of the table; the rest is counted. */
const ROWS = 40;

export function* diffText(answer: DiffAnswer, top: number, style: Style): Generator<string> {
  const { diff, regressions, accept } = answer;
  yield `${bold(style, verdict(answer))}\n`;
  const rows = changesByPlace(answer);
  if (rows.length > 0) yield "\n";
  const shown = rows.slice(0, ROWS).map((row) => ({ ...row, told: signed(row.amount) + stacksOf(row) }));
  const widths = [
    Math.max(...shown.map(({ status }) => status.length)),
    Math.max(...shown.map(({ told }) => told.length)),
  ];
  const before = widths[0]! + widths[1]! + 4;
  const apart = shown.some(({ frame }) => before + columns(placeText(frame, style)) > style.width);
  for (const { status, told, frame, failing } of shown) {
    const start = `${status.padEnd(widths[0]!)}  ${told.padEnd(widths[1]!)}`;
    const lines = apart
      ? [start.trimEnd(), `${INDENT}${placeText(frame, style, style.width - INDENT.length)}`]
      : [`${start}  ${placeText(frame, style)}`];
    for (const line of lines) yield `${failing ? bold(style, line) : line}\n`;
  }
  if (rows.length > ROWS) yield `… and ${rows.length - ROWS} more\n`;

  for (const change of regressions.slice(0, top)) {
    yield `\n${change.status}, ${printable(change.row.program)}: ${signed(more(change))}\n`;
    const own = ownFrame(change.row);
    for (const [i, line] of [...stackLines(change, style, style.width - INDENT.length)].entries()) {
      yield `${INDENT}${line}\n`;
      const frame = change.row.stack[i];
      if (frame === own && frame?.file && frame.line) yield dim(style, sourceText(frame.file, frame.line));
    }
  }
  if (regressions.length > top) yield `\n… and ${regressions.length - top} more (--top)\n`;
  const missing = droppedLine(diff.dropped);
  if (missing !== null) yield `\n${sentence(style, missing)}`;
  if (regressions.length > 0) yield `\nTo accept what is live now: ${printable(accept)}\n`;
}
