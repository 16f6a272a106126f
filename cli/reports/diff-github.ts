// Annotations of a diff for GitHub Actions: workflow commands, which the runner shows beside the code.
//
//   ::error file=src/leak.c,line=12,title=memhook%3A new leak::+24 bytes in 1 allocation: make_leak at src/leak.c:12

import { printable } from "../../runtime/host/printable.js";
import { more } from "../../runtime/snapshots/diff.js";
import { type DiffAnswer, ownFrame, signed, stackLines } from "./diff-words.js";

/** GitHub shows ten of a step. */
const MOST = 10;

export function* githubAnnotations({ regressions }: DiffAnswer): Generator<string> {
  for (const change of regressions.slice(0, MOST)) {
    const frame = ownFrame(change.row.stack);
    const at = frame?.file ? [`file=${property(printable(frame.file))}`, `line=${frame.line ?? 1}`] : [];
    const title = `title=${property(`memhook: ${change.status} in ${printable(change.row.program)}`)}`;
    const message = `${signed(more(change))}\n${[...stackLines(change)].join("\n")}`;
    yield `::error ${[...at, title].join(",")}::${data(message)}\n`;
  }
}

function data(text: string): string {
  return text.replaceAll("%", "%25").replaceAll("\r", "%0D").replaceAll("\n", "%0A");
}

function property(text: string): string {
  return data(text).replaceAll(":", "%3A").replaceAll(",", "%2C");
}
