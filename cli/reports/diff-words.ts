// The wording that all formats of a diff share.

import { type Change, type Diff, more, type Status } from "../../runtime/snapshots/diff.js";
import { ownFrame } from "../../runtime/snapshots/ownframes.js";
import { type Amount, readableName, type SnapshotFrame, type SnapshotStack } from "../../runtime/snapshots/snapshot.js";
import { cutText } from "./cut.js";
import { fitted, PLAIN } from "./style.js";
import { allocationCount } from "./text.js";

/** The input of a report. */
export interface DiffAnswer {
  diff: Diff;
  /** The changes that make the check fail, the largest growth first. */
  regressions: Change[];
  /** The command that accepts what is live now. */
  accept: string;
}

/** "regression: 1 new call stack, 2 grown: +48 bytes in 3 allocations", or what else changed. */
export function verdict({ diff, regressions }: DiffAnswer): string {
  if (regressions.length > 0) {
    return (
      `regression: ${counted(regressions)}: ` +
      `${signed(sum(regressions))}${diff.estimated ? " (estimated from a sample)" : ""}`
    );
  }
  return `no regression: ${diff.changes.length === 0 ? "nothing is live" : counted(diff.changes)}`;
}

/** "1 new call stack, 2 grown" */
function counted(changes: readonly Change[]): string {
  const order: Status[] = ["new", "grown", "shrunk", "fixed", "unchanged"];
  const parts = order.flatMap((status) => {
    const count = changes.filter((change) => change.status === status).length;
    return count === 0 ? [] : [{ count, status }];
  });
  const stacks = (count: number) => (count === 1 ? "call stack" : "call stacks");
  return parts
    .map(({ count, status }, i) => (i === 0 ? `${count} ${status} ${stacks(count)}` : `${count} ${status}`))
    .join(", ");
}

function sum(changes: readonly Change[]): Amount {
  const total = { count: 0, bytes: 0 };
  for (const change of changes) {
    const { count, bytes } = more(change);
    total.count += count;
    total.bytes += bytes;
  }
  return total;
}

/** "+48 bytes in +3 allocations" */
export function signed({ count, bytes }: Amount): string {
  const allocations = allocationCount(Math.abs(count));
  return `${sign(bytes)} bytes in ${count < 0 ? "−" : ""}${allocations}`;
}

/** "+48", "−48", "0" */
export function sign(number: number): string {
  return number > 0 ? `+${number}` : number < 0 ? `−${-number}` : "0";
}

/** Changes of one kind at one place, in one program. */
export interface PlaceChange {
  /** "new", "grown, moved" */
  status: string;
  failing: boolean;
  program: string;
  frame: SnapshotFrame | undefined;
  amount: Amount;
  /** The first is the largest. */
  changes: Change[];
}

const NOWHERE: SnapshotFrame = { module: "", function: null, file: null, line: null };

/** What there is to tell, by place: first what fails the check, then in the order of the changes. */
export function changesByPlace({ diff, regressions }: DiffAnswer): PlaceChange[] {
  const failing = new Set(regressions);
  const places = new Map<string, PlaceChange>();
  for (const change of diff.changes) {
    const { status, movedFrom, row } = change;
    if (status === "unchanged" && !movedFrom) continue;
    const frame = ownFrame(row);
    const is = failing.has(change);
    const words = movedFrom ? `${status}, moved` : status;
    const { module, function: name, file, line } = frame ?? NOWHERE;
    // Such a text is made much faster than JSON, and no part of it has a NUL.
    const key = `${words}\0${is}\0${row.program}\0${module}\0${name}\0${file}\0${line}`;
    const known = places.get(key);
    const { count, bytes } = more(change);
    if (known === undefined) {
      const amount = { count, bytes };
      places.set(key, { status: words, failing: is, program: row.program, frame, amount, changes: [change] });
    } else {
      known.changes.push(change);
      known.amount.count += count;
      known.amount.bytes += bytes;
    }
  }
  const size = ({ amount }: PlaceChange) => Math.abs(amount.bytes);
  return [...places.values()].sort((a, b) => Number(b.failing) - Number(a.failing) || size(b) - size(a));
}

/** ", in 3 call stacks"; "" of one. */
export function stacksOf({ changes }: PlaceChange): string {
  return changes.length === 1 ? "" : `, in ${changes.length} call stacks`;
}

/** "make_leak at src/leak.c:12", "libx.so.1+0x11f0" */
export function placeText(frame: SnapshotFrame | undefined, style = PLAIN, width = Infinity): string {
  if (frame === undefined) return "(unknown stack)";
  const whole = frame.file !== null ? `${frame.file}${frame.line === null ? "" : `:${frame.line}`}` : moduleText(frame);
  const { name, place } = fitted(readableName(frame) ?? "", whole, style, width);
  return name === "" ? place : `${name} at ${place}`;
}

function moduleText({ module, function: name }: SnapshotFrame): string {
  return module === "" ? "?" : name?.startsWith("+") ? `${module}${name}` : module;
}

/** The frames of a changed stack, one a line, and which others it could be instead. */
export function* stackLines(change: Change, style = PLAIN, width = Infinity): Generator<string> {
  yield* frameLines(change.row, style, width);
  const others = otherFrames(change);
  if (others.length === 0) return;
  yield `or, since ${others.length === 1 ? "this holds" : "these hold"} as much:`;
  for (const frame of others) yield placeText(frame, style, width);
}

/** For each stack that a new or fixed one could be instead: the innermost frame that tells them apart. */
export function otherFrames({ row, or = [] }: Change): SnapshotFrame[] {
  const texts = row.stack.map((frame) => JSON.stringify(frame));
  return or.flatMap(({ stack }) => stack.find((frame, i) => JSON.stringify(frame) !== texts[i]) ?? []);
}

/** The frames of a stack, one a line. */
export function* frameLines(row: SnapshotStack, style = PLAIN, width = Infinity): Generator<string> {
  const { stack } = row;
  if (stack.length === 0) yield "(unknown stack)";
  for (const frame of stack) yield placeText(frame, style, width);
  const end = cutText(row, stack.at(-1)?.module ?? "", style, width);
  if (end !== null) yield end;
}
