// The verdict as JSON: one line for each part of the head, then one for each finding, as in json.ts.
//
//   {"version":1,
//   "process":{"pid":4711,…},
//   "life":{"seconds":132.4,"end":{"kind":"exit","status":0}},
//   "totals":{…},
//   "matched":{"count":2,"bytes":48},
//   "findings":[
//   {"kind":"growing","own":true,"bytes":4300000,"count":20113,"rate":1992294,…}
//   ]}
//
// Places that grow in step are one finding, with "inStep":[{"place","bytes","count","stacks"}] of each. Births are
// counted in 16 equal parts of the process's life. A rate is in bytes a minute, null where nothing grows. Of the peak
// only bytes are known: "peakSecondsAgo" is in the head, and "count", "rate", "births", "oldest" and "newest" are not
// there.

import type { Frame } from "../../runtime/host/types.js";
import type { Finding } from "../../runtime/reports/finding.js";
import type { Judged } from "../../runtime/reports/verdict.js";

export function* verdictJson({ verdict, stackOf, timeOf }: Judged, findings: readonly Finding[]): Generator<string> {
  const { process: its, totals, end, life, matched, sample, suppressed, bypassed, freedInExit, atPeak } = verdict;
  const ended = end.kind === "none" ? null : { kind: end.kind, status: end.status };
  yield '{"version":1,\n';
  yield `"process":${JSON.stringify(its)},\n`;
  yield `"life":${JSON.stringify({ seconds: life.span / 1e9, end: ended })},\n`;
  yield `"totals":${JSON.stringify(totals)},\n`;
  if (freedInExit) yield `"freedInExit":${JSON.stringify(freedInExit)},\n`;
  if (bypassed) yield '"bypassed":true,\n';
  if (sample) yield `"sample":${JSON.stringify(sample)},\n`;
  if (atPeak) yield `"peakSecondsAgo":${verdict.peakAgo / 1e9},\n`;
  yield `"matched":${JSON.stringify(atPeak ? { bytes: matched.bytes } : matched)},\n`;
  if (suppressed) yield `"suppressed":${JSON.stringify(suppressed)},\n`;
  yield '"findings":[';
  let separator = "";
  for (const finding of findings) {
    const { kind, own, frame, bytes, margin, count, rate, births, oldest, newest, stacks, callers } = finding;
    const { frames, cut, lost } = stackOf(finding);
    const told = {
      kind,
      own,
      place: frame && plain(frame),
      bytes,
      ...(margin === undefined ? {} : { margin }),
      ...(atPeak
        ? {}
        : {
            count,
            rate,
            births: { counts: births.counts, bytes: births.bytes },
            oldest: timeOf(oldest),
            newest: timeOf(newest),
          }),
      stacks,
      ...(finding.inStep && { inStep: finding.inStep.map(partOf) }),
      callers: callers.map(plain),
      stack: frames.map(plain),
      ...(cut && { cut }),
      ...(lost && { lost }),
    };
    yield `${separator}\n${JSON.stringify(told)}`;
    separator = ",";
  }
  yield "\n]}\n";
}

function partOf({ frame, bytes, count, stacks }: Finding) {
  return { place: frame && plain(frame), bytes, count, stacks };
}

function plain({ address, module, offset, function: name, file, line, inlined }: Frame) {
  return { address, module, offset, function: name, file, line, inlined };
}
