// The screen of `memview top`: its contents, and what keys do. Pure functions: the command has the terminal and the
// clock.
//
//   app (pid 4711), running since 2 h 5 min, 1.5 MiB live in 12 allocations
//     grows steadily  1.2 MiB  10 blocks  +0.1 MiB/min  ▇▇█▇▇▇▇▇  make_leak  src/leak.c:12  ← main
//         SIZE      GROWTH    TIMES  by size
//   >  1.2 MiB   +96.0 KiB       10  make_leak at /src/leak.c:12
//                                      main at /src/leak.c:20
//    300.0 KiB           0        2  cache_fill at /src/cache.c:40
//   s size  n times  g growth  / filter  enter frames  p pause  q quit
//
// A narrow terminal has one column of numbers, the one that orders the rows, and the rest for the names.
//
// The largest is at the top here, where the eye is. A row shows a stack by its innermost frame of the program's own
// code; otherwise half of a C++ program's stacks would be called std::__new_allocator<…>::allocate. The frames further
// in are shown with the other frames.

import { basename } from "node:path";
import { printable } from "../../runtime/host/printable.js";
import type { Cut, Frame } from "../../runtime/host/types.js";
import { isRuntimeModule } from "../../runtime/reports/suppressions.js";
import { isSystemFile } from "../../runtime/reports/systemfiles.js";
import { columns, cut, start, wrapped } from "./columns.js";
import { cutText } from "./cut.js";
import { humanSize } from "./sizes.js";
import { bold, dim, frameWords, type Style } from "./style.js";

/** A call stack as of the last look; growth is since `top` was started. */
export interface TopRow {
  stackId: number;
  bytes: number;
  count: number;
  growth: number;
  frames: readonly Frame[];
  cut: Cut;
}

export interface TopState {
  head: string;
  /** Where in the user's own code memory is held: the verdict's lines. */
  places: readonly string[];
  /** What is missing in the store, in the words of every report; null if nothing is. */
  missing: string | null;
  /** Bytes of stacks that are known and left out of the rows. */
  known: number;
  rows: readonly TopRow[];
  sort: "size" | "times" | "growth";
  filter: string;
  /** The filter is being typed. */
  typing: boolean;
  paused: boolean;
  /** Stack under the cursor; null: the first. */
  selected: number | null;
  expanded: ReadonlySet<number>;
}

export function startState(): TopState {
  const rest = { filter: "", typing: false, paused: false, selected: null, expanded: new Set<number>() };
  return { head: "", places: [], missing: null, known: 0, rows: [], sort: "size", ...rest };
}

/** The rows that are shown, in their order. */
export function visibleRows({ rows, filter, sort }: TopState): TopRow[] {
  const wanted = filter.toLowerCase();
  const fits = (text: string | null) => text?.toLowerCase().includes(wanted) ?? false;
  const key = { size: "bytes", times: "count", growth: "growth" } as const;
  return rows
    .filter(
      ({ frames }) =>
        wanted === "" || frames.some((frame) => fits(frame.function) || fits(frame.file) || fits(frame.module)),
    )
    .sort((a, b) => b[key[sort]] - a[key[sort]] || b.bytes - a.bytes || a.stackId - b.stackId);
}

/** Splits what a terminal sends into keys: characters, and escape sequences as a whole. */
export function keysOf(input: string): string[] {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: that is what terminals send
  return input.match(/\x1b\[[\d;]*[A-Za-z~]|\x1bO[A-Z]|[\s\S]/gu) ?? [];
}

/** What a key does; null: quit. */
export function press(state: TopState, key: string): TopState | null {
  // Control-C, control-D, control-\\.
  if (key === "\x03" || key === "\x04" || key === "\x1c") return null;
  if (state.typing) {
    if (key === "\r" || key === "\n") return { ...state, typing: false };
    if (key === "\x1b") return { ...state, typing: false, filter: "" };
    if (key === "\x7f" || key === "\b") return { ...state, filter: [...state.filter].slice(0, -1).join("") };
    return key < " " || key.startsWith("\x1b") ? state : { ...state, filter: state.filter + key, selected: null };
  }
  switch (key) {
    case "q":
      return null;
    case "s":
      return { ...state, sort: "size" };
    case "n":
      return { ...state, sort: "times" };
    case "g":
      return { ...state, sort: "growth" };
    case "/":
      return { ...state, typing: true, filter: "" };
    case "\x1b":
      return { ...state, filter: "" };
    case "p":
    case " ":
      return { ...state, paused: !state.paused };
    case "j":
    case "\x1b[B":
    case "\x1bOB":
      return { ...state, selected: neighbour(state, 1) };
    case "k":
    case "\x1b[A":
    case "\x1bOA":
      return { ...state, selected: neighbour(state, -1) };
    case "\x1b[6~":
      return { ...state, selected: neighbour(state, PAGE) };
    case "\x1b[5~":
      return { ...state, selected: neighbour(state, -PAGE) };
    case "\x1b[H":
    case "\x1b[1~":
    case "\x1bOH":
      return { ...state, selected: neighbour(state, -Infinity) };
    case "\x1b[F":
    case "\x1b[4~":
    case "\x1bOF":
      return { ...state, selected: neighbour(state, Infinity) };
    case "\r":
    case "\n": {
      const current = visibleRows(state)[cursor(state)]?.stackId;
      if (current === undefined) return state;
      const expanded = new Set(state.expanded);
      if (!expanded.delete(current)) expanded.add(current);
      return { ...state, expanded, selected: current };
    }
  }
  return state;
}

/** Rows that page up and page down go. */
const PAGE = 10;

function cursor(state: TopState): number {
  return Math.max(
    0,
    visibleRows(state).findIndex(({ stackId }) => stackId === state.selected),
  );
}

function neighbour(state: TopState, step: number): number | null {
  const rows = visibleRows(state);
  return rows[Math.max(0, Math.min(rows.length - 1, cursor(state) + step))]?.stackId ?? null;
}

/** Neither in a module of the C or C++ runtime nor in a header or library that came with the system or compiler. */
function isOwn({ module, file }: Frame): boolean {
  if (isRuntimeModule(module)) return false;
  return file === null || !isSystemFile(file);
}

const HELP = "s size  n times  g growth  / filter  enter frames  p pause  q quit";
const NARROW_HELP = "s n g sort  / filter  p pause  q quit";
/** With fewer columns than this, too few are left for the names. */
const WIDE = 72;

/** From so many lines on the screen has places, too. */
const TALL = 20;

/** Characters of the one column of a narrow screen. */
const ALONE = 11;

const COLUMNS = {
  size: { title: "SIZE", width: 11, text: ({ bytes }: TopRow) => humanSize(bytes) },
  growth: {
    title: "GROWTH",
    width: 13,
    text: ({ growth }: TopRow) => (growth === 0 ? "0" : `${growth < 0 ? "-" : "+"}${humanSize(Math.abs(growth))}`),
  },
  times: { title: "TIMES", width: 9, text: ({ count }: TopRow) => String(count) },
} as const;

/** The screen's lines, at most `height`, none wider than `width`. */
export function screen(state: TopState, width: number, height: number, style: Style): string[] {
  const cutTo = (text: string) => cut(printable(text), width);
  const shownColumns = width < WIDE ? [COLUMNS[state.sort]] : [COLUMNS.size, COLUMNS.growth, COLUMNS.times];
  const numbers = (text: (column: (typeof shownColumns)[number]) => string) =>
    shownColumns.map((column) => text(column).padStart(shownColumns.length > 1 ? column.width : ALONE)).join("");
  const titles = numbers(() => "").length + 3;
  // Frames stand under the title of their row, or further left where that leaves them no room.
  const indent = " ".repeat(width < WIDE ? 4 : titles);
  const shown = visibleRows(state);
  const at = cursor(state);
  const body: string[] = [];
  let selectedStart = 0;
  let selectedEnd = 0;
  shown.forEach((row, i) => {
    const words = row.frames.map((frame) => (room: number) => {
      const { name, place } = frameWords(frame, style, room);
      return name === "" ? place : `${name} at ${place}`;
    });
    const own = Math.max(0, row.frames.findIndex(isOwn));
    const others = own === 0 ? words.slice(1) : words;
    const title = words[own]?.(width - titles) ?? "(unknown stack)";
    const line = cutTo(`${i === at ? ">" : " "}${numbers((column) => column.text(row))}  ${title}`);
    if (i === at) selectedStart = body.length;
    body.push(i === at ? bold(style, line) : line);
    if (state.expanded.has(row.stackId)) {
      for (const other of others) body.push(dim(style, cutTo(indent + other(width - indent.length))));
      const end = cutText(row.cut, basename(row.frames.at(-1)?.module ?? ""));
      if (end !== null) body.push(dim(style, cutTo(indent + end)));
    }
    if (i === at) selectedEnd = body.length;
  });
  if (shown.length === 0) body.push(state.filter === "" ? "  Nothing is live." : "  No call stack fits the filter.");
  const status = [
    ...(state.paused ? ["paused"] : []),
    `by ${state.sort}`,
    ...(state.typing || state.filter !== "" ? [`filter: ${state.filter}${state.typing ? "_" : ""}`] : []),
    ...(state.known > 0 ? [`${humanSize(state.known)} of the runtimes left out`] : []),
  ].join(", ");
  const head = inTwo(state.head, width).map((line) => bold(style, cutTo(line)));
  if (state.missing !== null) head.push(...wrapped(state.missing, width, "  ").map(cutTo));
  // Where there is room for them and for the rows.
  if (height >= TALL) head.push(...state.places.map(cutTo));
  head.push(cutTo(` ${numbers(({ title }) => title)}  ${status}`));
  const help = dim(style, cutTo(width < WIDE ? NARROW_HELP : HELP));
  const room = Math.max(0, height - head.length - 1);
  // What is selected stays in sight, with its frames where they fit.
  const from = Math.max(0, Math.min(selectedEnd - room, selectedStart));
  return [...head, ...body.slice(from, from + room), help].slice(0, height);
}

/** A line in two where it does not fit in one, broken behind a comma. */
function inTwo(text: string, width: number): string[] {
  const comma = columns(text) <= width ? -1 : start(text, width).lastIndexOf(", ");
  return comma < 0 ? [text] : [text.slice(0, comma + 1), text.slice(comma + 2)];
}
