// The report as JSON, in the shape of types.ts's Report: one line for each part of the head, then one for
// each element of the list, so that line tools can work on a large one.
//
//   {"version":1,
//   "process":{"pid":4711,…},
//   "totals":{…},
//   "matched":{"count":2,"bytes":48},
//   "stacks":[
//   {"bytes":16,"count":1,…,"stack":[{"address":"0x…",…}]},
//   {"bytes":32,"count":1,…,"stack":[]}
//   ]}
//
// If another malloc comes before memhook's, "bypassed":true follows the totals. For a sample,
// "sample":{"bytes":524288,"confidence":0.999} follows the totals, and "margin" follows each estimate in bytes. Rows
// that are sorted by a total of the stacks have that total after "count": "allocations", "temporary" or "peak".
//
// With --by there are "groups" instead of the stacks. The first member of a group is what its allocations have in
// common: {"function":"make_leak","bytes":32,…}.
//
// A stack with missing outer frames is followed by "cut":true, and by "lost":true if they are unknown. Members are
// written in a fixed order, whatever the order in the objects: the same store gives the same bytes in every runtime.

import type { Cut, Frame, StackRow } from "../../runtime/host/types.js";
import type { LiveReport } from "../../runtime/reports/report.js";

/** The report in pieces, to be written one after the other. */
export function* jsonReport(report: LiveReport): Generator<string> {
  const { process: its, totals, sample, matched, suppressed } = report;
  const { pid, exe, command, startTime, state } = its;
  const { liveCount, liveBytes, allocatedCount, allocatedBytes, peakBytes, peakTime, dropped } = totals;
  yield `{"version":${report.version},\n`;
  yield `"process":${JSON.stringify({ pid, exe, command, startTime, state })},\n`;
  const counted = { liveCount, liveBytes, allocatedCount, allocatedBytes, peakBytes, peakTime, dropped };
  yield `"totals":${JSON.stringify(counted)},\n`;
  if (report.bypassed) yield '"bypassed":true,\n';
  if (sample) yield `"sample":${JSON.stringify({ bytes: sample.bytes, confidence: sample.confidence })},\n`;
  yield `"matched":{"count":${matched.count},"bytes":${matched.bytes}${margin(matched)}},\n`;

  if (suppressed) yield `"suppressed":${JSON.stringify(suppressed)},\n`;

  // Frames are shared between stacks, so their text is made once.
  const texts = new Map<Frame, string>();
  const stackText = ({ stack, cut, lost }: { stack: Frame[] } & Cut) => {
    const frames = stack.map((frame) => {
      let text = texts.get(frame);
      if (text === undefined) {
        const { address, module, offset, function: name, file, line, inlined } = frame;
        text = JSON.stringify({ address, module, offset, function: name, file, line, inlined });
        texts.set(frame, text);
      }
      return text;
    });
    return `"stack":[${frames.join(",")}]${cut ? ',"cut":true' : ""}${lost ? ',"lost":true' : ""}`;
  };

  let separator = "";
  if (report.groups) {
    yield '"groups":[';
    for (const row of report.groups) {
      yield `${separator}\n{"${row.by}":${JSON.stringify(row.name)},${held(row)},${between(row)}}`;
      separator = ",";
    }
  } else if (report.stacks) {
    yield '"stacks":[';
    for (const row of report.stacks) {
      yield `${separator}\n{${held(row)}${totalsOf(row)},${between(row)},${stackText(row)}}`;
      separator = ",";
    }
  } else {
    yield '"allocations":[';
    for (const row of report.allocations ?? []) {
      const { address, size, time, thread, kind } = row;
      const recorded = `"time":"${time}","thread":${thread},"kind":"${kind}"`;
      yield `${separator}\n{"address":"${address}","size":${size},${recorded},${stackText(row)}}`;
      separator = ",";
    }
  }
  yield "\n]}\n";
}

/** What a row holds. */
function held(row: { bytes: number; margin?: number; count: number }): string {
  return `"bytes":${row.bytes}${margin(row)},"count":${row.count}`;
}

/** When it was allocated. */
function between({ oldest, newest }: { oldest: string | null; newest: string | null }): string {
  return `"oldest":${time(oldest)},"newest":${time(newest)}`;
}

function margin(of: { margin?: number }): string {
  return of.margin === undefined ? "" : `,"margin":${of.margin}`;
}

function totalsOf({ allocations, temporary, peak }: StackRow): string {
  if (allocations !== undefined) return `,"allocations":${allocations}`;
  if (temporary !== undefined) return `,"temporary":${temporary}`;
  return peak === undefined ? "" : `,"peak":${peak}`;
}

function time(iso: string | null): string {
  return iso === null ? "null" : `"${iso}"`;
}
