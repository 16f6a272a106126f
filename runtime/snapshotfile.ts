// Snapshots as files: one JSON document with a line for each stack, so that version control shows what changed.
// asm/FORMAT.md, "Snapshot", describes it.
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
// A reader takes a line apart by its text and leaves the frames for later: of 50,000 stacks a comparison needs those of the few that
// changed. A document that something else has laid out anew is read as JSON, slower.

import { closeSync, fstatSync, openSync, readFileSync, readSync, renameSync, rmSync, writeFileSync } from "node:fs";
import process from "node:process";
import { gunzipSync, gzipSync } from "node:zlib";
import { SnapshotError } from "./errors.js";
import { byText, snapshotOf } from "./snapshot.js";
import type { Amount, Snapshot, SnapshotFrame, SnapshotStack } from "./types.js";

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

function lineOf({ program, count, bytes, cut, text }: SnapshotStack): string {
  const missing = cut ? ',"cut":true' : "";
  return `{"program":${JSON.stringify(program)},"count":${count},"bytes":${bytes}${missing},"stack":${text}}`;
}

/**
 * Writes a snapshot in one step: the file is the old or the new one, whatever happens in between.
 * @throws SnapshotError when it cannot be written.
 */
export function writeSnapshot(path: string, snapshot: Snapshot, compress: boolean): void {
  const text = [...snapshotText(snapshot)].join("");
  const temporary = `${path}.${process.pid}.new`;
  try {
    writeFileSync(temporary, compress ? gzipSync(text) : text);
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    const { code, message } = error as NodeJS.ErrnoException;
    throw new SnapshotError(`${path}: cannot be written (${code === "ENOENT" ? "no such folder" : (code ?? message)})`);
  }
}

/** What kind of file a path names, by its first bytes; "other" may be a store. */
export function kindOfFile(path: string): "snapshot" | "compressed" | "other" | "absent" {
  let file: number;
  try {
    file = openSync(path, "r");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return "absent";
    return "other";
  }
  try {
    const start = new Uint8Array(16);
    if (!fstatSync(file).isFile()) return "other";
    const length = readSync(file, start, 0, start.length, 0);
    if (start[0] === 0x1f && start[1] === 0x8b) return "compressed";
    // The user's own text, such as a merge's marks, is for parseSnapshot() to complain about; an empty file for the store's reader.
    const text = new TextDecoder().decode(start.subarray(0, length));
    return /^\s*[{<]/.test(text) ? "snapshot" : "other";
  } finally {
    closeSync(file);
  }
}

/**
 * Reads a snapshot, compressed or not.
 * @throws SnapshotError when there is none, or it is not sound.
 */
export function readSnapshot(path: string): Snapshot {
  let bytes: Uint8Array;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    throw new SnapshotError(`${path}: cannot be read (${(error as Error).message})`);
  }
  if (bytes[0] === 0x1f && bytes[1] === 0x8b) {
    try {
      bytes = gunzipSync(bytes, { maxOutputLength: MOST_BYTES });
    } catch (error) {
      const large = (error as NodeJS.ErrnoException).code === "ERR_BUFFER_TOO_LARGE";
      throw new SnapshotError(`${path}: ${large ? TOO_LARGE : "is damaged or truncated (gzip); make it anew"}`);
    }
  }
  if (bytes.length > MOST_BYTES) throw new SnapshotError(`${path}: ${TOO_LARGE}`);
  // Not TextDecoder, which takes five times as long for a large one.
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("utf8");
  // Some editors begin a text with a byte order mark.
  return parseSnapshot(text.startsWith("\ufeff") ? text.slice(1) : text, path);
}

const TOO_LARGE = `is too large for a snapshot (more than ${MOST_BYTES >> 20} MiB)`;

/**
 * The snapshot that a text is. `path` is for messages.
 * @throws SnapshotError when it is not one, of another version, damaged, or does not add up.
 */
export function parseSnapshot(text: string, path: string): Snapshot {
  const fail = (problem: string) => new SnapshotError(`${path}: ${problem}`);
  const mark = /^(<<<<<<<|=======|>>>>>>>)/m.exec(text);
  if (mark) {
    const line = text.slice(0, mark.index).split("\n").length;
    throw fail(`line ${line} is a mark of an unfinished merge; make the snapshot anew`);
  }
  const start = /"stacks"\s*:\s*\[/.exec(text.slice(0, 65536));
  const head = start && json(`${text.slice(0, start.index)}"stacks":[]}`);
  const frames = new Frames(fail("is damaged in the frames of a stack; make it anew"));
  const laidOut = start && head && text.endsWith("\n]}\n");
  let document = head;
  const rows: SnapshotStack[] | null = laidOut ? linesOf(text, start.index + start[0].length, frames) : null;
  if (rows === null) {
    document = json(text);
    if (!isObject(document)) {
      const begun = isObject(head) && head.format === SNAPSHOT_FORMAT;
      throw fail(begun ? "is truncated or damaged; make it anew" : NO_SNAPSHOT);
    }
  }
  if (!isObject(document) || document.format !== SNAPSHOT_FORMAT) throw fail(NO_SNAPSHOT);
  if (document.version !== SNAPSHOT_VERSION) {
    throw fail(`has version ${JSON.stringify(document.version)}, this memview reads ${SNAPSHOT_VERSION}; make it anew`);
  }
  const { totals, suppressed, dropped, sample = 0 } = document;
  if (!isAmount(totals) || !isAmount(suppressed) || !isNumber(dropped) || !isNumber(sample)) {
    throw fail("is damaged; make it anew");
  }
  const snapshot = rows
    ? { stacks: rows, ...sums(rows), suppressed, dropped, sample }
    : laidOutAnew(document.stacks, suppressed, dropped, sample);
  if (snapshot === null) throw fail("is damaged; make it anew");
  const { count, bytes, stacks } = snapshot;
  if (count !== totals.count || bytes !== totals.bytes || stacks.length !== (totals as { stacks?: unknown }).stacks) {
    throw fail("its stacks do not add up to its totals, it was edited or merged; make it anew");
  }
  return snapshot;
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

/** The stacks from `at` on, one a line, as snapshotText() writes them; null when they are not. */
function linesOf(text: string, at: number, frames: Frames): SnapshotStack[] | null {
  const rows: SnapshotStack[] = [];
  const end = text.length - "]}\n".length;
  if (text[at] !== "\n") return null;
  let before: SnapshotStack | undefined;
  for (let from = at + 1; from < end; ) {
    const to = text.indexOf("\n", from);
    const last = to + 1 === end;
    const row = rowOf(text.slice(from, last ? to : to - 1), frames);
    if (row === null || (!last && text[to - 1] !== ",")) return null;
    if (before !== undefined && byText(before, row) >= 0) return null;
    before = row;
    rows.push(row);
    from = to + 1;
  }
  return rows;
}

const LINE =
  /^\{"program":("(?:[^"\\]|\\.)*"),"count":(\d{1,16}),"bytes":(\d{1,16}),(?:"cut":(true),)?"stack":(\[.*\])\}$/;

function rowOf(line: string, frames: Frames): SnapshotStack | null {
  const parts = LINE.exec(line);
  if (parts === null) return null;
  const program = json(parts[1]!);
  const [count, bytes] = [Number(parts[2]), Number(parts[3])];
  if (typeof program !== "string" || !isNumber(count) || !isNumber(bytes)) return null;
  return new Row(program, count, bytes, parts[4] !== undefined, parts[5]!, frames);
}

/** A stack of a file, whose frames wait for somebody who asks: those of stacks that did not change are never read. */
class Row implements SnapshotStack {
  #stack: SnapshotFrame[] | undefined;
  readonly #frames: Frames;

  constructor(
    readonly program: string,
    public count: number,
    public bytes: number,
    readonly cut: boolean,
    readonly text: string,
    frames: Frames,
  ) {
    this.#frames = frames;
  }

  get stack(): readonly SnapshotFrame[] {
    this.#stack ??= this.#frames.of(this.text);
    return this.#stack;
  }
}

/** The snapshot of a document that something else has laid out. */
function laidOutAnew(stacks: unknown, suppressed: Amount, dropped: number, sample: number): Snapshot | null {
  if (!Array.isArray(stacks)) return null;
  const rows = [];
  for (const each of stacks) {
    if (!isObject(each) || !Array.isArray(each.stack) || !each.stack.every(isFrame)) return null;
    const { program, count, bytes, cut = false } = each;
    if (typeof program !== "string" || !isNumber(count) || !isNumber(bytes) || typeof cut !== "boolean") return null;
    rows.push({ program, count, bytes, cut, stack: each.stack.map(frameOf) });
  }
  return snapshotOf(rows, suppressed, dropped, sample);
}

/** Frames by their text, each one object. */
class Frames {
  readonly #known = new Map<string, SnapshotFrame>();
  readonly #damaged: SnapshotError;

  constructor(damaged: SnapshotError) {
    this.#damaged = damaged;
  }

  /** @throws SnapshotError when they are none. */
  of(text: string): SnapshotFrame[] {
    if (text === "[]") return [];
    if (!text.startsWith("[[") || !text.endsWith("]]")) throw this.#damaged;
    return text
      .slice(2, -2)
      .split("],[")
      .map((part) => {
        let frame = this.#known.get(part);
        if (frame === undefined) {
          const parsed = json(`[${part}]`);
          if (!isFrame(parsed)) throw this.#damaged;
          frame = frameOf(parsed);
          this.#known.set(part, frame);
        }
        return frame;
      });
  }
}

function frameOf([module, name, file, line]: FrameTuple): SnapshotFrame {
  return { module, function: name, file, line };
}

function json(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isNumber(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

function isAmount(value: unknown): value is Amount {
  return isObject(value) && isNumber(value.count) && isNumber(value.bytes);
}

type FrameTuple = [module: string, name: string | null, file: string | null, line: number | null];

function isFrame(value: unknown): value is FrameTuple {
  if (!Array.isArray(value) || value.length !== 4) return false;
  const [module, name, file, line] = value as unknown[];
  const isText = (text: unknown) => text === null || typeof text === "string";
  return typeof module === "string" && isText(name) && isText(file) && (line === null || isNumber(line));
}
