// What `memview lost` prints.
//
//   app (pid 4711) stood still for 0.9 ms (snapshot), the longest of 2 looks
//   lost 3 blocks, 120 bytes, and 6 more that only they hold, 240 bytes
//       make_leak at /src/leak.c:12
//       main at /src/leak.c:20
//   lost in all: 3 blocks, 120 bytes, and 6 more that only they hold, 240 bytes
//   41 others are held, 1 of them by pointers into them only
//
// The JSON is memview's, with a verdict in each element, and "pause", "looks" and "verdicts" in the head.

import { basename } from "node:path";
import { printable } from "../../runtime/host/printable.js";
import type { Amount, Frame } from "../../runtime/host/types.js";
import { VERDICTS } from "../../runtime/reach/lost.js";
import type { LostBlock, LostReport, LostStack } from "../../runtime/reach/report.js";
import { bold, PLAIN, type Style } from "./style.js";
import { sizeText, stackText } from "./text.js";

/** What a scan cannot know; printed wherever something is reported. */
const HIDDEN =
  "a pointer that the program keeps in another form is not seen: xored, tagged in its high bits, 32 bits, unaligned";

export function* lostText(report: LostReport, style: Style = PLAIN): Generator<string> {
  const { pause, looks, verdicts, pid, name } = report;
  const { lost, indirect, interior, reachable } = verdicts;
  const of = looks > 1 ? `, the longest of ${looks} looks` : "";
  const who = `${printable(basename(name))} (pid ${pid})`;
  yield `${bold(style, `${who} stood still for ${pause.milliseconds} ms (${pause.method})${of}`)}\n`;
  const frames = stackText(false, style);
  for (const row of report.stacks ?? []) {
    yield `${bold(style, rowText(row, style))}\n`;
    yield row.known ? frames(row) : "    (no record: no call stack)\n";
  }
  const others = interior.count + reachable.count;
  const inside = interior.count > 0 ? `, ${interior.count} of them by pointers into them only` : "";
  const held = `${others} ${others === 1 ? "other is" : "others are"} held${inside}`;
  if (lost.count === 0) {
    yield `nothing is lost; ${held}\n`;
    return;
  }
  yield `lost in all: ${blocks(lost, style)}${more(indirect, style)}\n`;
  yield `${held}\n`;
  yield `${HIDDEN}\n`;
}

function blocks({ count, bytes }: Amount, style: Style): string {
  return `${count} ${count === 1 ? "block" : "blocks"}, ${sizeText(bytes, style)}`;
}

function more({ count, bytes }: Amount, style: Style): string {
  return count === 0 ? "" : `, and ${count} more that only they hold, ${sizeText(bytes, style)}`;
}

function rowText(row: LostStack, style: Style): string {
  const text = `${row.verdict} ${blocks(row, style)}`;
  return row.verdict === "lost" ? text + more(row.holds, style) : text;
}

export function* lostJson(report: LostReport): Generator<string> {
  const { pause, looks, verdicts, process, totals } = report;
  yield '{"version":1,\n';
  if (process) yield `"process":${JSON.stringify(process)},\n`;
  else yield `"process":${JSON.stringify({ pid: report.pid, exe: report.name })},\n`;
  if (totals) yield `"totals":${JSON.stringify(totals)},\n`;
  yield `"pause":${JSON.stringify({ milliseconds: pause.milliseconds, method: pause.method })},\n`;
  yield `"looks":${looks},\n`;
  const amounts = VERDICTS.map((verdict) => [
    verdict,
    { count: verdicts[verdict].count, bytes: verdicts[verdict].bytes },
  ]);
  yield `"verdicts":${JSON.stringify(Object.fromEntries(amounts))},\n`;
  let separator = "";
  const rows: Iterable<LostBlock | LostStack> = report.allocations ?? report.stacks ?? [];
  yield report.allocations ? '"allocations":[' : '"stacks":[';
  for (const row of rows) {
    const { stack, known: _, cut, lost, ...rest } = row;
    const missing = { ...(cut && { cut }), ...(lost && { lost }) };
    yield `${separator}\n${JSON.stringify({ ...rest, stack: stack.map(plain), ...missing })}`;
    separator = ",";
  }
  yield "\n]}\n";
}

/** Members in the order of memview's. */
function plain({ address, module, offset, function: name, file, line, inlined }: Frame) {
  return { address, module, offset, function: name, file, line, inlined };
}
