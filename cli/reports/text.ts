// The report as text, for a terminal.
//
//   0x55d0c0de12a0, size=24, ts=2026-11-22 21:03:14.123456789     an allocation, time in the local zone
//   size=4096, times=2                                          or a stack with its total
//       make_leak at /src/leak.c:12                              and, on request, frames, innermost first
//       main at /src/leak.c:20
//       /usr/lib/libc.so.6+0x29d90                              where nothing else is known
//
// That is the plain output; style.ts says what differs on a terminal. A row that is sorted by a total of its stack also
// shows that total: `size=…, times=…, allocations=…`. For a sample, rows are estimates (`size≈4096 ±1024, times≈2`),
// and a line after them says so. What was not recorded is always reported, in the last line.

import { basename } from "node:path";
import { printable } from "../../runtime/host/printable.js";
import type { Amount, Cut, Frame, StackRow, Suppressed } from "../../runtime/host/types.js";
import type { GroupRow, LiveReport } from "../../runtime/reports/report.js";
import type { StoreInfo, StoreNow } from "../../runtime/stores/store.js";
import { cut } from "./columns.js";
import { cutText } from "./cut.js";
import { humanAge, humanSize, sizeName } from "./sizes.js";
import { sourceText } from "./source.js";
import {
  bold,
  dim,
  fitted,
  frameWords,
  functionName,
  NAME_START,
  PLAIN,
  type Style,
  sentence,
  shortPath,
} from "./style.js";

export interface TextOptions {
  /** The rows' frames. */
  stacks: boolean;
  /** Three lines of source under each frame. */
  source?: boolean;
  style?: Style;
  /** For the head line, of the same store. */
  now?: StoreNow;
}

/** The report in pieces, to be written one after the other. */
export function* textReport(
  report: LiveReport,
  { stacks, source = false, style = PLAIN, now }: TextOptions,
): Generator<string> {
  if (style.head && now) yield `${bold(style, headLine(report, style.human, now))}\n`;
  if (report.matched.count === 0) {
    yield report.totals.liveCount === 0 && !report.suppressed
      ? "No live allocations.\n"
      : "No live allocations match.\n";
  }
  const frames = stacks ? stackText(source, style) : () => "";
  if (report.groups) {
    for (const row of report.groups) {
      const room = style.width - rowText(row, { ...style, colour: false }).length - `, ${row.by}=`.length;
      yield `${rowText(row, style)}, ${row.by}=${groupText(row, style, room)}\n`;
    }
  } else if (report.stacks) {
    for (const row of report.stacks) yield `${rowText(row, style)}\n${frames(row)}`;
  } else {
    const local = localTimes();
    for (const row of report.allocations ?? []) {
      yield `${row.address}, ${bold(style, `size=${bytesText(row.size, style)}`)}, ` +
        `ts=${local(row.time)}\n${frames(row)}`;
    }
  }
  if (report.suppressed) yield `${suppressedLine(report.suppressed, style)}\n`;
  const sampled = sampleLine(report, style);
  if (sampled !== null) yield `${sampled}\n`;
  if (report.bypassed) yield sentence(style, BYPASSED);
  const missing = droppedLine(report.totals.dropped);
  if (missing !== null) yield sentence(style, missing);
}

/** "app (pid 4711), running since 2 h 5 min, 1.5 MiB live in 12 allocations" */
export function headLine({ process: its, totals, sample }: LiveReport, human: boolean, now: StoreNow): string {
  const name = printable(basename(its.exe)) || "a process";
  const age = humanAge(Number(now.time / 1_000_000_000n));
  // Of another boot or machine.
  const asOf = now.known ? "" : ", as of when it was last written,";
  const state = its.state === "running" ? `running since${asOf} ${age}` : `${its.state}, started${asOf} ${age} ago`;
  const live =
    `${human ? humanSize(totals.liveBytes) : `${totals.liveBytes} bytes`} live in ` +
    `${allocationCount(totals.liveCount)}`;
  return `${name} (pid ${its.pid}), ${state}, ${sample ? "about " : ""}${live}`;
}

function bytesText(bytes: number, style: Style): string {
  return style.human ? humanSize(bytes) : String(bytes);
}

/** What a row is the sum of, in `width` columns when short: the start of a function, the end of a path or line. */
function groupText({ by, name: raw }: GroupRow, style: Style, width: number): string {
  if (typeof raw !== "string") return String(raw);
  const name = printable(raw);
  if (by === "function") {
    const readable = functionName(name, style);
    return style.short ? cut(readable, Math.max(NAME_START, width), "end") : readable;
  }
  if (!style.short) return name;
  const at = by === "place" ? name.lastIndexOf(" at ") : -1;
  if (at > 0) {
    const { name: start, place } = fitted(name.slice(0, at), shortPath(name.slice(at + 4), style.folder), style, width);
    return `${start} at ${place}`;
  }
  return cut(shortPath(name, style.folder), Math.max(NAME_START, width), "front");
}

/** "size=4096, times=2", with the total that the order is by, as an estimate where it is one. */
export function rowText(row: Omit<StackRow, "stack" | "oldest" | "newest">, style = PLAIN): string {
  const { bytes, margin, count, allocations, temporary, peak } = row;
  const is = margin === undefined ? "=" : "≈";
  const off = margin === undefined ? "" : ` ±${bytesText(margin, style)}`;
  let text = `${bold(style, `size${is}${bytesText(bytes, style)}${off}`)}, times${is}${count}`;
  if (allocations !== undefined) text += `, allocations${is}${allocations}`;
  if (temporary !== undefined) text += `, temporary${is}${temporary}`;
  if (peak !== undefined) text += `, peak${is}${bytesText(peak, style)}`;
  return text;
}

/** "4096 bytes", "4.0 KiB": in a sentence. */
export function sizeText(bytes: number, style: Style): string {
  return style.human ? humanSize(bytes) : `${bytes} bytes`;
}

/** What every text says about a sample; null when every allocation is recorded. */
export function sampleLine(
  { groups, sample, matched, stacks }: Omit<LiveReport, "process" | "totals" | "version">,
  style: Style,
): string | null {
  if (sample === undefined) return null;
  const { count, bytes, margin } = matched;
  const aggregated = stacks ?? groups;
  const what = aggregated
    ? "estimates from a sample of one in"
    : "only the allocations that were recorded, a sample of one in";
  // Of a peak it is not known.
  if (margin === undefined) return `${what} ${sizeName(sample.bytes)}`;
  const percent = Number((100 * sample.confidence).toFixed(3));
  const off = style.human ? `${humanSize(bytes)} ±${humanSize(margin)}` : `${bytes} ±${margin} bytes`;
  return (
    `${what} ${sizeName(sample.bytes)}; ${aggregated ? "in all" : "they stand for"} about ${off} in ` +
    `${allocationCount(count)} (${percent} % within ±)`
  );
}

/** "1 allocation", "2 allocations". */
export function allocationCount(count: number): string {
  return `${count} ${count === 1 ? "allocation" : "allocations"}`;
}

/** What every text says about live allocations that suppressions hide. */
export function suppressedLine({ count, bytes, listed = { count: 0, bytes: 0 } }: Suppressed, style: Style): string {
  const told = (of: Amount) => `${sizeText(of.bytes, style)} in ${allocationCount(of.count)} suppressed`;
  const own = `${told(listed)} by --suppressions`;
  if (count === listed.count) return own;
  const known =
    `${told({ count: count - listed.count, bytes: bytes - listed.bytes })} (--no-default-suppressions shows what ` +
    "the C and C++ runtimes keep)";
  return listed.count === 0 ? known : `${own}, ${known}`;
}

/** What every text says when allocations are missing from the store; null when none are. */
export function droppedLine(dropped: number): string | null {
  if (dropped === 0) return null;
  const [were, them] = dropped === 1 ? ["was", "it"] : ["were", "them"];
  return (
    `${allocationCount(dropped)} ${were} not recorded and missing here: the store was full (MEMHOOK_SIZE makes it ` +
    `larger, where its disk has room) or busy, or a signal handler made ${them} inside of another`
  );
}

/** The line about a store that lacks everything after some moment. */
export const SWITCHED_OFF =
  "memhook switched itself off in this process: what is stored is not all (MEMHOOK_LOG tells why)";

/** The line about a store whose process has a malloc before memhook's. */
export const BYPASSED =
  "calls of malloc bypass memhook: another one comes first, in the program itself (an allocator linked " +
  "statically into it) or preloaded ahead of memhook, and what it hands out is missing here";

/** The line about a program with its own allocator, whose malloc has this name. */
export function ownAllocatorLine(program: string, name: string): string {
  return (
    `${program} has an allocator of its own (${name}, linked statically): what that hands out past the C library's ` +
    "malloc is not recorded"
  );
}

/** One line: how large the store may grow, and how much of that is free. */
export function* storageText({ sizeLimit, committedBytes, dropped }: StoreInfo): Generator<string> {
  yield `size=${sizeLimit}, free=${Math.max(0, sizeLimit - committedBytes)}\n`;
  const missing = droppedLine(dropped);
  if (missing !== null) yield `${missing}\n`;
}

/** Returns the indented lines of a stack. Stacks share frames, so the text of each frame is made once. */
export function stackText(source = false, style = PLAIN): (row: { stack: Frame[] } & Cut) => string {
  const lines = new Map<Frame, string>();
  return ({ stack, ...missing }) => {
    if (stack.length === 0) return "    (unknown stack)\n";
    let text = "";
    for (const frame of stack) {
      let line = lines.get(frame);
      if (line === undefined) {
        line = `${INDENT}${frameText(frame, style)}\n`;
        if (source && frame.file !== null && frame.line !== null)
          line += dim(style, sourceText(frame.file, frame.line, style.width));
        lines.set(frame, line);
      }
      text += line;
    }
    const end = cutText(missing, basename(stack.at(-1)!.module), style, style.width - INDENT.length);
    return end === null ? text : `${text}${INDENT}${end}\n`;
  };
}

const INDENT = "    ";

function frameText(frame: Frame, style: Style): string {
  const inlined = frame.inlined ? " (inlined)" : "";
  const { name, place } = frameWords(frame, style, style.width - INDENT.length - inlined.length);
  return frame.function === null ? place : `${name} ${dim(style, `at ${place}${inlined}`)}`;
}

/**
 * Gives ISO times in UTC as "2026-11-22 21:03:14.123456789" in the local zone. Zones differ from UTC by whole
 * minutes, so each minute is converted once and the seconds stay as they are.
 */
export function localTimes(): (iso: string) => string {
  const minutes = new Map<string, string>();
  const two = (value: number) => String(value).padStart(2, "0");
  return (iso) => {
    const minute = iso.slice(0, 16);
    let local = minutes.get(minute);
    if (local === undefined) {
      const date = new Date(`${minute}Z`);
      local =
        `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ` +
        `${two(date.getHours())}:${two(date.getMinutes())}`;
      minutes.set(minute, local);
    }
    return local + iso.slice(16, -1);
  };
}
