// The verdict as text, the same on a terminal and in a pipe:
//
//   svc (pid 4711) exited with code 0 after 2 min 12 s
//   12.3 MiB live in 43,201 blocks at its end; 3 places hold 97 %; 2 of them grow steadily.
//   9.8 MiB more was live at its peak, 1 min 3 s before the end.
//
//     grows steadily   4.1 MiB  20,113 blocks  +1.9 MiB/min  ▇▇█▇▇▇▇▇  remember  sessions.c:22  ← open_session ← serve
//     filled early     7.0 MiB   2,000 blocks                ██▁▁▁▁▁▁  Cache::put  cache.cpp:91  ← warm_up
//     …  14 places more hold 0.2 MiB: --all        full stacks: -c
//
// The small bars are births: when the live blocks were allocated, from the start to now. If a line is longer than the
// terminal is wide, the place has a line of its own.

import { basename } from "node:path";
import { printable } from "../../runtime/host/printable.js";
import type { Frame } from "../../runtime/host/types.js";
import type { Finding } from "../../runtime/reports/finding.js";
import { type BirthKind, isGrowing } from "../../runtime/reports/growth.js";
import { commonFunction } from "../../runtime/reports/instep.js";
import type { Judged, Verdict } from "../../runtime/reports/verdict.js";
import { columns, cut } from "./columns.js";
import { cutText } from "./cut.js";
import { callName, folded } from "./folding.js";
import { humanAge, humanSize } from "./sizes.js";
import { bold, dim, functionName, type Style, sentence, shortPath } from "./style.js";
import { BYPASSED, droppedLine, SWITCHED_OFF, sampleLine, stackText, suppressedLine } from "./text.js";

const WORDS: Record<BirthKind, string> = {
  growing: "grows steadily",
  reallocated: "grows by realloc",
  stopped: "stopped growing",
  burst: "burst",
  filled: "filled early",
  recent: "recent only",
  few: "few blocks",
};

/** How a verdict is printed. */
export interface VerdictLook {
  style: Style;
  /** Most findings. */
  top: number;
  /** Also print their call stacks; folded unless the style shows whole names. */
  stacks: boolean;
  /** Text before the first line; replaces the name and end of the process where others print these better. */
  title?: string;
  /** For the line about what is left out. */
  hint?: string;
}

/**
 * How many places of libraries are shown, each with at least a tenth of the memory, although there are more own places.
 */
const LIBRARIES = 2;
const MUCH = 0.1;

/** The findings that are shown: own code first, and of libraries what holds much. */
export function shownFindings({ findings, matched }: Verdict, top: number): Finding[] {
  const own = findings.filter((finding) => finding.own);
  const others = findings.filter((finding) => !finding.own);
  const large = others.filter(({ bytes }) => bytes >= MUCH * matched.bytes).slice(0, LIBRARIES);
  const room = Math.max(0, top - own.length);
  const chosen = room > large.length ? others.slice(0, room) : large;
  return [...own.slice(0, Math.max(top - chosen.length, 1)), ...chosen].slice(0, top);
}

export function* verdictText(judged: Judged, look: VerdictLook): Generator<string> {
  const { verdict } = judged;
  const { style, top, stacks, title, hint } = look;
  yield `${bold(style, sentence(style, printable(title ?? headOf(verdict))).trimEnd())}\n`;
  yield sentence(style, liveLine(verdict));
  const freed = verdict.atPeak ? 0 : (verdict.freedInExit?.bytes ?? 0);
  if (freed > 0)
    yield sentence(style, `${humanSize(freed)} of that it freed while it exited: --at end leaves that out.`);
  const peak = peakLine(verdict);
  if (peak !== null) yield sentence(style, peak);
  const shown = shownFindings(verdict, top);
  if (shown.length > 0) yield "\n";
  yield* verdictRows(judged, shown, look);
  const rest = restLine(verdict, shown, stacks, hint);
  if (rest !== null) yield `${rest}\n`;
  if (verdict.suppressed) yield `${suppressedLine(verdict.suppressed, { ...style, human: true })}\n`;
  const { sample, matched } = verdict;
  const sampled = sampleLine({ ...(sample && { sample }), matched, stacks: [] }, { ...style, human: true });
  if (sampled !== null) yield `${sampled}\n`;
  if (verdict.switchedOff) yield sentence(style, SWITCHED_OFF);
  if (verdict.bypassed) yield sentence(style, BYPASSED);
  const missing = droppedLine(verdict.totals.dropped);
  if (missing !== null) yield sentence(style, missing);
}

/**
 * What opens and closes other reports: what is live, and as many places as fit into `most` lines. Its findings have to
 * be detailed, so many at least.
 */
export function verdictBrief(judged: Judged, style: Style, most: number): string[] {
  const { verdict } = judged;
  for (let rows = most - 2; ; rows--) {
    const shown = shownFindings(verdict, Math.max(rows, 0));
    const rest = restLine(verdict, shown, true);
    const lines = [
      ...(rows > 0 ? verdictRows(judged, shown, { style, stacks: false }) : []),
      ...(rest === null || shown.length === 0
        ? []
        : [`${cut(rest.replace(": --all", ": memview verdict"), style.width)}\n`]),
    ];
    if (lines.length < most || rows <= 0) return [`${cut(liveLine(verdict), style.width)}\n`, ...lines];
  }
}

/** A line for each finding, or two where they are too long; with stacks under them if wanted. */
export function* verdictRows(
  judged: Judged,
  shown: readonly Finding[],
  { style, stacks, kinds = true }: Pick<VerdictLook, "style" | "stacks"> & { kinds?: boolean },
  indent = "  ",
): Generator<string> {
  const rows = shown.map((finding) => rowOf(finding, judged, style));
  if (!kinds) for (const { cells } of rows) cells[0] = cells[3] = cells[4] = "";
  const widths = [0, 1, 2, 3, 4].map((i) => Math.max(0, ...rows.map(({ cells }) => cells[i]!.length)));
  const line = (cells: readonly string[]) =>
    cells.flatMap((cell, i) =>
      widths[i] === 0 ? [] : [i === 0 || i === 4 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!)],
    );
  const wide = Math.max(
    0,
    ...rows.map(({ cells, place }) => columns(`${indent}${[...line(cells), place].join("  ")}`)),
  );
  const frames = stackText(false, style);
  for (const [i, { cells, place, callers }] of rows.entries()) {
    const finding = shown[i]!;
    const start = `${indent}${line(cells).join("  ")}`;
    const told = kinds && isGrowing(finding.kind) ? (text: string) => bold(style, text) : (text: string) => text;
    if (wide <= style.width) {
      yield `${told(`${start}  ${place}`)}${dim(style, cut(callers, style.width - columns(`${start}  ${place}`)))}\n`;
    } else {
      yield `${told(cut(start.trimEnd(), style.width))}\n`;
      const whole = cut(place, style.width - INDENT.length, "front");
      yield `${INDENT}${told(whole)}${dim(style, cut(callers, style.width - INDENT.length - columns(whole)))}\n`;
    }
    if (!stacks) continue;
    const { frames: stack, ...missing } = judged.stackOf(finding);
    if (style.whole) yield frames({ stack, ...missing });
    else yield* foldedText(stack, missing, judged, style);
  }
}

const INDENT = "      ";

/** "svc (pid 4711) exited with code 0 after 2 min 12 s" */
export function headOf({ process: its, end, life }: Verdict): string {
  const name = `${basename(its.exe) || "a process"} (pid ${its.pid})`;
  const age = lifeText(life.span);
  if (its.state === "running") return `${name}, running for ${age}${life.known ? "" : " when it was last written"}`;
  if (end.kind === "none") return `${name} ended without a word after ${age}, killed or by a system call of its own`;
  if (end.kind === "exec") return `${name} became another program (exec) after ${age}`;
  return `${name} exited with code ${end.status} after ${age}`;
}

/** "2.3 s", "45 s", "2 min 12 s", "3 h 20 min". */
export function lifeText(nanoseconds: number): string {
  const seconds = nanoseconds / 1e9;
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  if (seconds >= 60 && seconds < 3600) return `${Math.floor(seconds / 60)} min ${Math.floor(seconds % 60)} s`;
  return humanAge(seconds);
}

/** "78.4 MiB live at its peak, 1.3 s before the end; 1 place held 97 %." */
function heldLine(verdict: Verdict): string {
  const { matched, findings, sample } = verdict;
  if (matched.bytes === 0) return "Nothing was live at its peak.";
  const { places, percent } = mostOf(findings, matched.bytes);
  const live = `${sample ? "about " : ""}${humanSize(matched.bytes)} live at its peak, ${peakTime(verdict)}`;
  return `${live}; ${places} ${places === 1 ? "place" : "places"} held ${percent} %.`;
}

/** "12.3 MiB live in 43,201 blocks at its end; 3 places hold 97 %; 2 of them grow steadily." */
export function liveLine(verdict: Verdict): string {
  if (verdict.atPeak) return heldLine(verdict);
  const { matched, findings, process: its, sample, freedInExit } = verdict;
  const when = its.state === "running" ? "" : freedInExit ? " when it began to exit" : " at its end";
  if (matched.count === 0) return `Nothing is live${when}.`;
  const about = sample ? "about " : "";
  const live = `${about}${humanSize(matched.bytes)} live in ${blocks(matched.count)}${when}`;
  const { most, places, percent } = mostOf(findings, matched.bytes);
  const growing = most.filter(({ kind }) => isGrowing(kind)).length;
  const others = findings.filter(({ kind }) => isGrowing(kind)).length - growing;
  const which =
    places === 1 ? "it" : growing === places ? (places === 2 ? "both" : "all of them") : `${growing} of them`;
  const grow = (number: number) => (number === 1 ? "grows" : "grow");
  const grown =
    growing > 0
      ? `${which} ${grow(growing === places && places > 1 ? places : growing)} steadily`
      : others > 0
        ? `${others} ${others === 1 ? "other" : "others"} ${grow(others)} steadily`
        : places === 1
          ? "it does not grow"
          : "none of them grows";
  return `${live}; ${places} ${places === 1 ? "place holds" : "places hold"} ${percent} %; ${grown}.`;
}

/** The places that together hold most of so many bytes, the largest first. */
function mostOf(findings: readonly Finding[], bytes: number): { most: Finding[]; places: number; percent: number } {
  const largest = [...findings].sort((a, b) => b.bytes - a.bytes);
  let held = 0;
  let places = 0;
  while (places < largest.length && held < MOST * bytes) held += largest[places++]!.bytes;
  const percent = Math.min(100, Math.round((100 * held) / Math.max(1, bytes)));
  return { most: largest.slice(0, places), places, percent };
}

/** The first line counts the places that together hold this share of the live memory. */
const MOST = 0.9;

/** null if the peak was no more than a tenth above what is live. */
function peakLine(verdict: Verdict): string | null {
  const { totals, atPeak } = verdict;
  const more = moreAtPeak(verdict);
  if (atPeak || more < 0.1 * totals.liveBytes || more < 65536) return null;
  return `${moreText(verdict)}.`;
}

/** So many bytes more than now. */
export function moreAtPeak({ totals }: Verdict): number {
  return totals.peakBytes - totals.liveBytes;
}

/** "9.8 MiB more was live at its peak, 1 min 3 s before the end" */
export function moreText(verdict: Verdict): string {
  return `${humanSize(moreAtPeak(verdict))} more was live at its peak, ${peakTime(verdict)}`;
}

/** "1.3 s ago", "just before the end" */
function peakTime({ process: its, peakAgo }: Verdict): string {
  const ago = peakAgo < 1e8 ? null : lifeText(peakAgo);
  return its.state === "running" ? `${ago ?? "a moment"} ago` : `${ago ?? "just"} before the end`;
}

interface Row {
  /** Kind, bytes, blocks, rate, births. */
  cells: [string, string, string, string, string];
  /** "remember  sessions.c:22" */
  place: string;
  /** "  ← open_session ← serve", "" */
  callers: string;
}

const CALLERS = 2;

function rowOf(finding: Finding, judged: Judged, style: Style): Row {
  const { kind, bytes, margin, count, frame, callers, births } = finding;
  const size = margin === undefined ? humanSize(bytes) : `${humanSize(bytes)} ±${humanSize(margin)}`;
  const name = (of: Frame) => functionName(callName(printable(of.function ?? "?")), style);
  const by = callers.slice(0, CALLERS).map((caller) => ` ← ${name(caller)}`);
  return {
    cells:
      kind === "peak"
        ? ["", size, "", "", ""]
        : [WORDS[kind], size, blocks(count), rateText(finding, judged.verdict.life.span), sparkline(births.counts)],
    place: placeText(frame, style) + togetherText(finding, style),
    callers: by.length === 0 ? "" : ` ${by.join("")}`,
  };
}

/** ", and 3 more in step, 304 blocks each, under serve" of places that grow together; "" of one. */
function togetherText(finding: Finding, style: Style): string {
  const { inStep, frame } = finding;
  if (inStep === undefined) return "";
  const each = inStep.every(({ count }) => count === inStep[0]!.count) ? `, ${blocks(inStep[0]!.count)} each` : "";
  const common = commonFunction(finding);
  const under =
    common === null || common.function === frame?.function
      ? ""
      : `, under ${functionName(callName(printable(common.function!)), style)}`;
  return `, and ${inStep.length - 1} more in step${each}${under}`;
}

/** "remember  sessions.c:22", "zlib_alloc  node" */
export function placeText(frame: Frame | null, style: Style): string {
  if (frame === null) return "(unknown stack)";
  const { function: name, file, line, module, address, offset } = frame;
  const where =
    file !== null && line !== null
      ? `${style.whole ? file : shortPath(file, style.folder)}:${line}`
      : module === ""
        ? address
        : name === null
          ? `${style.whole ? module : basename(module)}+${offset}`
          : style.whole
            ? module
            : basename(module);
  return printable(name === null ? where : `${functionName(callName(name), style)}  ${where}`);
}

/** A life shorter than this says more about the start than about the program. */
const SHORT_LIFE = 1e9;

function rateText({ rate }: Finding, span: number): string {
  return rate === null || span < SHORT_LIFE ? "" : `+${humanSize(Math.round(rate))}/min`;
}

/** "43,201 blocks" */
function blocks(count: number): string {
  return `${String(count).replace(/\B(?=(\d{3})+$)/g, ",")} ${count === 1 ? "block" : "blocks"}`;
}

const LEVELS = "▁▂▃▄▅▆▇█";

/** Eight columns for sixteen parts of the life. */
export function sparkline(counts: readonly number[]): string {
  const pairs = Array.from({ length: counts.length / 2 }, (_, i) => counts[2 * i]! + counts[2 * i + 1]!);
  const most = Math.max(...pairs, 1);
  return pairs.map((pair) => LEVELS[pair === 0 ? 0 : Math.max(1, Math.round((7 * pair) / most))]).join("");
}

function* foldedText(
  stack: readonly Frame[],
  missing: { cut: boolean; lost?: true },
  judged: Judged,
  style: Style,
): Generator<string> {
  const room = style.width - INDENT.length;
  for (const line of folded(stack, (frame) => judged.isOwn(frame))) {
    const text =
      "folded" in line
        ? `… ${line.folded} frames of ${line.of}`
        : `${placeText(line, style)}${line.inlined ? " (inlined)" : ""}`;
    yield `${INDENT}${dim(style, cut(text, room))}\n`;
  }
  const end = cutText(missing, basename(stack.at(-1)?.module ?? ""), style, room);
  if (end !== null) yield `${INDENT}${end}\n`;
}

function restLine({ findings }: Verdict, shown: readonly Finding[], stacks: boolean, hint?: string): string | null {
  const left = findings.filter((finding) => !shown.includes(finding));
  const bytes = left.reduce((sum, each) => sum + each.bytes, 0);
  const more =
    left.length === 0
      ? []
      : [`${left.length} ${left.length === 1 ? "place more holds" : "places more hold"} ${humanSize(bytes)}: --all`];
  if (!stacks && shown.length > 0) more.push("full stacks: -c");
  if (more.length === 0) return null;
  return `  …  ${more.join("        ")}${hint ?? ""}`;
}
