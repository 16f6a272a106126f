// Snapshots as files: one JSON document with a line for each stack, so that version control shows what changed.
// docs/snapshot.md describes it.
//
//   {"format":"memhook snapshot","version":1,
//   "totals":{"count":3,"bytes":72,"stacks":2},
//   "suppressed":{"count":1,"bytes":72704},
//   "dropped":0,
//   "stacks":[
//   {"program":"app","count":1,"bytes":24,"stack":[["app","make_leak","src/leak.c",12],["app","main","src/main.c",7]]},
//   {"program":"app","count":2,"bytes":48,"stack":[["libx.so.1","+0x11f0",null,null]]}
//   ]}
//
// Such a file is read as bytes, line by line (snapshotrow.ts). A document with another layout is read as JSON, which is
// slower.

import { gunzipSync, gzipSync } from "node:zlib";
import { SnapshotError, whyNotWritten } from "../host/errors.js";
import { openFile } from "../host/host.js";
import { isNumber, isObject, json } from "../host/json.js";
import type { Amount, Snapshot, SnapshotStack } from "../host/types.js";
import { writeWhole } from "../host/wholefile.js";
import { cutOf } from "../stores/cut.js";
import { snapshotOf } from "./snapshot.js";
import { Frames, frameOf, isFrame } from "./snapshotframes.js";
import { RowReader } from "./snapshotrow.js";

export const SNAPSHOT_FORMAT = "memhook snapshot";
export const SNAPSHOT_VERSION = 1;

/** Larger texts are no snapshot: 100,000 stacks of 50 frames have some 300 MB. */
const MOST_BYTES = 480 << 20;

/** The text of a snapshot, in pieces. */
export function* snapshotText(snapshot: Snapshot): Generator<string> {
  const { stacks, count, bytes, suppressed, dropped, sample } = snapshot;
  yield `{"format":"${SNAPSHOT_FORMAT}","version":${SNAPSHOT_VERSION},\n`;
  yield `"totals":{"count":${count},"bytes":${bytes},"stacks":${stacks.length}},\n`;
  yield `"suppressed":{"count":${suppressed.count},"bytes":${suppressed.bytes}},\n`;
  yield `"dropped":${dropped},\n`;
  if (sample > 0) yield `"sample":${sample},\n`;
  yield '"stacks":[\n';
  for (const [i, stack] of stacks.entries()) yield `${lineOf(stack)}${i + 1 < stacks.length ? "," : ""}\n`;
  yield "]}\n";
}

function lineOf({ program, count, bytes, cut, lost, text }: SnapshotStack): string {
  const missing = lost ? ',"lost":true' : cut ? ',"cut":true' : "";
  return `{"program":${JSON.stringify(program)},"count":${count},"bytes":${bytes}${missing},"stack":${text}}`;
}

/**
 * Writes a snapshot in one step: the file is the old or the new one, whatever happens in between.
 * @throws SnapshotError when it cannot be written.
 */
export function writeSnapshot(path: string, snapshot: Snapshot, compress: boolean): void {
  const text = [...snapshotText(snapshot)].join("");
  try {
    writeWhole(path, [compress ? gzipSync(text) : text]);
  } catch (error) {
    throw new SnapshotError(`${path}: cannot be written (${whyNotWritten(error)})`);
  }
}

/**
 * Reads a snapshot, compressed or not.
 * @throws SnapshotError when there is none, or it is not sound.
 */
export function readSnapshot(path: string): Snapshot {
  let bytes: Uint8Array | null;
  try {
    bytes = bytesOf(path);
  } catch (error) {
    throw new SnapshotError(`${path}: cannot be read (${(error as Error).message})`);
  }
  if (bytes === null) throw new SnapshotError(`${path}: ${TOO_LARGE}`);
  if (bytes[0] === 0x1f && bytes[1] === 0x8b) {
    try {
      bytes = gunzipSync(bytes, { maxOutputLength: MOST_BYTES });
    } catch (error) {
      const large = (error as NodeJS.ErrnoException).code === "ERR_BUFFER_TOO_LARGE";
      throw new SnapshotError(`${path}: ${large ? TOO_LARGE : "is damaged or truncated (gzip); make it anew"}`);
    }
  }
  return parseSnapshot(bytes, path);
}

/** What is in a file, null when that is too much. Not by readFileSync(), which takes Deno twice as long. */
function bytesOf(path: string): Uint8Array | null {
  const file = openFile(path);
  try {
    const size = file.size();
    if (size > MOST_BYTES) return null;
    const bytes = new Uint8Array(size);
    return bytes.subarray(0, file.read(bytes, 0));
  } finally {
    file.close();
  }
}

const TOO_LARGE = `is too large for a snapshot (more than ${MOST_BYTES >> 20} MiB)`;

/**
 * The snapshot that a text in UTF-8 is. `path` is for messages.
 * @throws SnapshotError when it is not one, of another version, damaged, or does not add up.
 */
export function parseSnapshot(text: Uint8Array, path: string): Snapshot {
  const fail = (problem: string) => new SnapshotError(`${path}: ${problem}`);
  // Some editors begin a text with a byte order mark.
  const start = text[0] === 0xef && text[1] === 0xbb && text[2] === 0xbf ? 3 : 0;
  const bytes = Buffer.from(text.buffer, text.byteOffset + start, text.length - start);
  const { document, stacks } = inLines(bytes, fail) ?? inJson(bytes, fail);
  if (!isObject(document) || document.format !== SNAPSHOT_FORMAT) throw fail(NO_SNAPSHOT);
  if (document.version !== SNAPSHOT_VERSION) {
    throw fail(`has version ${JSON.stringify(document.version)}, this memview reads ${SNAPSHOT_VERSION}; make it anew`);
  }
  const { totals, suppressed, dropped, sample = 0 } = document;
  if (stacks === null || !isAmount(totals) || !isAmount(suppressed) || !isNumber(dropped) || !isNumber(sample)) {
    throw fail("is damaged; make it anew");
  }
  const { count, bytes: held } = sums(stacks);
  if (count !== totals.count || held !== totals.bytes || stacks.length !== (totals as { stacks?: unknown }).stacks) {
    throw fail("its stacks do not add up to its totals, it was edited or merged; make it anew");
  }
  return { stacks, count, bytes: held, suppressed, dropped, sample };
}

type Fail = (problem: string) => SnapshotError;

/** A document, and its stacks if they are sound. */
interface Parsed {
  document: unknown;
  stacks: SnapshotStack[] | null;
}

/** The head is short: nothing in it grows. */
const MOST_HEAD = 65536;
const STACKS = '\n"stacks":[\n';
const LAST = "\n]}\n";

/** A document as snapshotText() writes it; null when it is none. */
function inLines(bytes: Buffer, fail: Fail): Parsed | null {
  const start = bytes.subarray(0, MOST_HEAD).indexOf(STACKS);
  if (start < 0 || bytes.toString("latin1", bytes.length - LAST.length) !== LAST) return null;
  const document = headOf(bytes.toString("utf8", 0, start));
  if (document === null) return null;
  const damaged = fail("is damaged in the frames of a stack; make it anew");
  const reader = new RowReader({ bytes, frames: new Frames(), damaged });
  const stacks = reader.rows(start + STACKS.length, bytes.length - LAST.length + 1);
  return stacks && { document, stacks };
}

/** A document that something else has laid out. */
function inJson(bytes: Buffer, fail: Fail): Parsed {
  const text = bytes.toString("utf8");
  const mark = /^(<<<<<<<|=======|>>>>>>>)/m.exec(text);
  if (mark) {
    const line = text.slice(0, mark.index).split("\n").length;
    throw fail(`line ${line} is a mark of an unfinished merge; make the snapshot anew`);
  }
  const document = json(text);
  if (!isObject(document)) {
    const head = headOf(text.slice(0, MOST_HEAD).split(/"stacks"\s*:\s*\[/)[0]!);
    const begun = isObject(head) && head.format === SNAPSHOT_FORMAT;
    throw fail(begun ? "is truncated or damaged; make it anew" : NO_SNAPSHOT);
  }
  return { document, stacks: laidOutAnew(document.stacks) };
}

/** What a document says before its stacks. */
function headOf(text: string): unknown {
  return json(`${text}"stacks":[]}`);
}

const NO_SNAPSHOT = "is no snapshot; memview snapshot makes them";

function sums(rows: readonly SnapshotStack[]): Amount {
  const sum = { count: 0, bytes: 0 };
  for (const { count, bytes } of rows) {
    sum.count += count;
    sum.bytes += bytes;
  }
  return sum;
}

/** The stacks of a document, in order; null when they are damaged. */
function laidOutAnew(stacks: unknown): SnapshotStack[] | null {
  if (!Array.isArray(stacks)) return null;
  const rows = [];
  for (const each of stacks) {
    if (!isObject(each) || !Array.isArray(each.stack) || !each.stack.every(isFrame)) return null;
    const { program, count, bytes, cut = false, lost = false } = each;
    if (typeof program !== "string" || !isNumber(count) || !isNumber(bytes)) return null;
    if (typeof cut !== "boolean" || typeof lost !== "boolean") return null;
    rows.push({ program, count, bytes, ...cutOf(cut, lost), stack: each.stack.map(frameOf) });
  }
  return snapshotOf(rows).stacks;
}

function isAmount(value: unknown): value is Amount {
  return isObject(value) && isNumber(value.count) && isNumber(value.bytes);
}
