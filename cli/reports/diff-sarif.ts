// A diff as SARIF 2.1.0, for code scanning: a result for each regression, at the innermost frame of the user's own
// code.

import { createHash } from "node:crypto";
import { type Change, more } from "../../runtime/snapshots/diff.js";
import { ownFrame } from "../../runtime/snapshots/ownframes.js";
import { readableName, type SnapshotFrame } from "../../runtime/snapshots/snapshot.js";
import { type DiffAnswer, otherFrames, placeText, signed } from "./diff-words.js";

const RULES = {
  new: "A call stack holds memory at the end that held none in the baseline.",
  grown: "A call stack holds more memory at the end than in the baseline.",
  shrunk: "A call stack holds less memory at the end than in the baseline.",
  fixed: "A call stack of the baseline holds no memory any more.",
};

const OTHER = "This holds as much: one of them was there before.";

export function* diffSarif({ regressions }: DiffAnswer): Generator<string> {
  const document = {
    $schema: "https://json.schemastore.org/sarif-2.1.0.json",
    version: "2.1.0",
    runs: [
      {
        tool: {
          driver: {
            name: "memhook",
            rules: Object.entries(RULES).map(([id, text]) => ({
              id: `memory-${id}`,
              shortDescription: { text },
              defaultConfiguration: { level: "error" },
            })),
          },
        },
        results: regressions.map(resultOf),
      },
    ],
  };
  yield `${JSON.stringify(document, null, 2)}\n`;
}

function resultOf(change: Change) {
  const { status, row } = change;
  const { program, stack } = row;
  const own = ownFrame(row);
  return {
    ruleId: `memory-${status}`,
    level: "error",
    message: { text: `${program}: ${signed(more(change))}, ${placeText(own)}` },
    locations: own?.file ? [locationOf(own)] : [],
    ...relatedTo(change),
    stacks: stack.length === 0 ? [] : [{ message: { text: "where it was allocated" }, frames: stack.map(frameOf) }],
    // Without lines: the same leak in a file that was edited above it is the same.
    partialFingerprints: { "memhookStack/v1": fingerprint(program, stack) },
  };
}

/** Where it could be instead. */
function relatedTo(change: Change) {
  const others = otherFrames(change).map((frame) => ({ ...locationOf(frame), message: { text: OTHER } }));
  return others.length === 0 ? {} : { relatedLocations: others };
}

function frameOf(frame: SnapshotFrame) {
  return { module: frame.module, location: { ...locationOf(frame), message: { text: placeText(frame) } } };
}

function locationOf(frame: SnapshotFrame) {
  const name = readableName(frame);
  return {
    ...(frame.file === null ? {} : { physicalLocation: physical(frame.file, frame.line) }),
    ...(name === null ? {} : { logicalLocations: [{ fullyQualifiedName: name, kind: "function" }] }),
  };
}

function physical(file: string, line: number | null) {
  const path = file.split("/").map(encodeURIComponent).join("/");
  return {
    artifactLocation: { uri: file.startsWith("/") ? `file://${path}` : path },
    ...(line === null || line < 1 ? {} : { region: { startLine: line } }),
  };
}

function fingerprint(program: string, stack: readonly SnapshotFrame[]): string {
  const names = stack.map(({ module, function: name }) => [module, name]);
  return createHash("sha256")
    .update(JSON.stringify([program, names]))
    .digest("hex")
    .slice(0, 32);
}
