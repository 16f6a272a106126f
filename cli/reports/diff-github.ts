// Annotations of a diff for GitHub Actions: workflow commands, which the runner shows beside the code.
//
//   ::error file=src/leak.c,line=12,title=memhook%3A new leak::+24 bytes in 1 allocation: make_leak at src/leak.c:12

import { printable } from "../../runtime/host/printable.js";
import { changesByPlace, type DiffAnswer, signed, stackLines, stacksOf } from "./diff-words.js";

/** GitHub shows ten of a step. */
const MOST = 10;

/** One for each place: several on a line hide each other. */
export function* githubAnnotations(answer: DiffAnswer): Generator<string> {
  const places = changesByPlace(answer).filter(({ failing }) => failing);
  for (const place of places.slice(0, MOST)) {
    const { frame, status, program, amount, changes } = place;
    const at = frame?.file ? [`file=${property(printable(frame.file))}`, `line=${frame.line ?? 1}`] : [];
    const title = `title=${property(`memhook: ${status} in ${printable(program)}`)}`;
    const message = `${signed(amount)}${stacksOf(place)}\n${[...stackLines(changes[0]!)].join("\n")}`;
    yield `::error ${[...at, title].join(",")}::${data(message)}\n`;
  }
}

function data(text: string): string {
  return text.replaceAll("%", "%25").replaceAll("\r", "%0D").replaceAll("\n", "%0A");
}

function property(text: string): string {
  return data(text).replaceAll(":", "%3A").replaceAll(",", "%2C");
}
