// A diff as JUnit's XML, for the test reports of CI systems: a failed test for
// each regression, and one test for the rest.

import { printable } from "../../runtime/host/printable.js";
import { more } from "../../runtime/snapshots/diff.js";
import { ownFrame } from "../../runtime/snapshots/ownframes.js";
import { type DiffAnswer, placeText, signed, stackLines, verdict } from "./diff-words.js";

export function* diffJunit(answer: DiffAnswer): Generator<string> {
  const { regressions } = answer;
  const counts = `tests="${regressions.length + 1}" failures="${regressions.length}" errors="0" skipped="0"`;
  yield '<?xml version="1.0" encoding="UTF-8"?>\n';
  yield `<testsuites name="memhook" ${counts}>\n`;
  yield `  <testsuite name="memhook" ${counts}>\n`;
  yield `    <testcase classname="memhook" ` +
    `name="compared"><system-out>${xml(verdict(answer))}</system-out></testcase>\n`;
  for (const change of regressions) {
    const frame = ownFrame(change.row);
    const at = frame?.file
      ? ` file="${xml(printable(frame.file))}"${frame.line === null ? "" : ` line="${frame.line}"`}`
      : "";
    const name = xml(`${change.status}: ${placeText(frame)}`);
    yield `    <testcase classname="${xml(printable(change.row.program))}" name="${name}"${at}>\n`;
    yield `      <failure type="${change.status}" message="${xml(signed(more(change)))}">`;
    yield `${xml([...stackLines(change)].join("\n"))}</failure>\n    </testcase>\n`;
  }
  yield "  </testsuite>\n</testsuites>\n";
}

/** Text for an attribute or an element; what XML 1.0 cannot hold at all is replaced. */
function xml(text: string): string {
  return text
    .replace(/[\ufffe\uffff]/g, "\ufffd")
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;")
    .replaceAll("\n", "&#10;");
}
