// A diff as JSON: one line for each part of the head, then one for each change, the largest growth first.
//
//   {"version":1,
//   "verdict":"regression",
//   "base":{"count":2,"bytes":48},
//   "head":{"count":3,"bytes":72},
//   "stacks":{"new":1,"grown":0,"shrunk":0,"fixed":0,"unchanged":2},
//   "changes":[
//   {"status":"new","regression":true,"moved":false,"program":"app","base":{…},"head":{…},
//    "stack":[{"module","function","file","line"}],"or":[[{…}]]}
//   ]}
//
// "or": stacks with the same functions that hold as much; one of these may be the new or fixed one instead.

import { STATUSES } from "../../runtime/snapshots/diff.js";
import { readableName, type SnapshotStack } from "../../runtime/snapshots/snapshot.js";
import type { DiffAnswer } from "./diff-words.js";

export function* diffJson({ diff, regressions }: DiffAnswer): Generator<string> {
  const failing = new Set(regressions);
  const stacks = Object.fromEntries(STATUSES.map((status) => [status, 0]));
  for (const { status } of diff.changes) stacks[status]!++;
  yield '{"version":1,\n';
  yield `"verdict":"${failing.size > 0 ? "regression" : "clean"}",\n`;
  yield `"base":${JSON.stringify(diff.base)},\n`;
  yield `"head":${JSON.stringify(diff.head)},\n`;
  if (diff.estimated) yield '"estimated":true,\n';
  yield `"dropped":${diff.dropped},\n`;
  yield `"stacks":${JSON.stringify(stacks)},\n`;
  yield '"changes":[';
  let separator = "";
  for (const change of diff.changes) {
    const { status, row, movedFrom, base, head, or } = change;
    const { program, cut, lost } = row;
    const moved = movedFrom !== undefined;
    if (status === "unchanged" && !moved) continue;
    const told = { status, regression: failing.has(change), moved, program, base, head, stack: framesOf(row) };
    const ends = cut ? { cut, lost } : {};
    yield `${separator}\n${JSON.stringify({ ...told, ...ends, ...(or ? { or: or.map(framesOf) } : {}) })}`;
    separator = ",";
  }
  yield "\n]}\n";
}

function framesOf({ stack }: SnapshotStack) {
  return stack.map((frame) => ({ ...frame, function: readableName(frame) }));
}
