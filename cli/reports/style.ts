// The style of a text: exact and plain for files and pipes, easier to read on a terminal.
//
// Plain output is a contract: the same bytes, whoever reads them. On a terminal, sizes are rounded, the front of long
// paths is left out, frames are cut to the width, a head line comes first, and colours are used unless NO_COLOR is set.
// Template arguments that nobody reads are left out everywhere, unless --wide asks for them.

import { printable } from "../../runtime/host/printable.js";
import type { Frame } from "../../runtime/host/types.js";
import { columns, cut, wrapped } from "./columns.js";

export interface Style {
  /** Escape sequences for bold and dim. */
  colour: boolean;
  /** "1.5 MiB" instead of 1572864. */
  human: boolean;
  /** foo<bar<int>, std::less<bar<int> > > instead of foo<…>. */
  whole: boolean;
  /** Short paths, and lines cut to the width. */
  short: boolean;
  /** Columns that a frame's line has when it is `short`. */
  width: number;
  /** Absolute path of the folder whose paths are shown relative to it when `short`, "" for none. */
  folder: string;
  /** A line about the process in front. */
  head: boolean;
}

export const PLAIN: Style = {
  colour: false,
  human: false,
  whole: false,
  short: false,
  width: Infinity,
  folder: "",
  head: false,
};

/** The style for standard output. `bytes` and `wide` are the options of these names; 0 columns: unknown. */
export function styleFor(
  terminal: boolean,
  environment: Record<string, string | undefined>,
  { bytes, wide }: { bytes: boolean; wide: boolean },
  { columns = 0, folder = "" }: { columns?: number; folder?: string } = {},
): Style {
  if (!terminal) return { ...PLAIN, whole: wide };
  const colour = !environment.NO_COLOR && environment.TERM !== "dumb";
  return { colour, human: !bytes, whole: wide, short: !wide, width: columns || Infinity, folder, head: true };
}

export function bold(style: Style, text: string): string {
  return style.colour ? `\x1b[1m${text}\x1b[22m` : text;
}

export function dim(style: Style, text: string): string {
  return style.colour ? `\x1b[2m${text}\x1b[22m` : text;
}

/** A sentence about the answer, in as many lines as it needs where lines are as long as the terminal is wide. */
export function sentence(style: Style, text: string): string {
  return `${(style.short ? wrapped(text, style.width) : [text]).join("\n")}\n`;
}

const STRING =
  /std::(__cxx11::|__1::)?basic_string<char, std::(__1::)?char_traits<char>, std::(__1::)?allocator<char> ?>/g;
/** Template arguments up to this long stay: vector<int>. */
const SHORT_ARGUMENTS = 12;

/** A function's name without the template arguments that nobody reads. */
export function shortName(name: string): string {
  const text = name.replace(STRING, "std::string");
  let out = "";
  for (let i = 0; i < text.length; ) {
    // Brackets that are none.
    const operator = /^operator(<=>|<<=|>>=|<<|>>|<=|>=|->\*|->|<|>)/.exec(text.slice(i, i + 12))?.[0];
    if (operator !== undefined && !/\w/.test(text[i - 1] ?? "")) {
      out += operator;
      i += operator.length;
      continue;
    }
    if (text[i] !== "<") {
      out += text[i++];
      continue;
    }
    const end = closing(text, i);
    if (end < 0) return out + text.slice(i);
    const inside = text.slice(i + 1, end).trimEnd();
    out += inside.length <= SHORT_ARGUMENTS ? `<${inside}>` : "<…>";
    i = end + 1;
  }
  return out;
}

export function functionName(name: string, style: Style): string {
  return style.whole ? name : shortName(name);
}

/** Where the bracket that opens at `start` is closed; −1 if nowhere. */
function closing(text: string, start: number): number {
  let depth = 0;
  for (let i = start; i < text.length; i++) {
    if (text[i] === "<") depth++;
    else if (text[i] === ">" && text[i - 1] !== "-" && --depth === 0) return i;
  }
  return -1;
}

/** Components that stay of a path. */
const PATH_END = 3;

/** A path without its front: relative to `folder` where it is in there, else its last components. */
export function shortPath(path: string, folder: string): string {
  const prefix = folder.endsWith("/") ? folder : `${folder}/`;
  if (folder !== "" && path.startsWith(prefix)) return path.slice(prefix.length);
  if (path.startsWith("./")) return path.slice(2);
  const end = `…/${path.split("/").slice(-PATH_END).join("/")}`;
  return end.length < path.length ? end : path;
}

/** Columns of a function's name that stay, however long its place is. */
export const NAME_START = 12;

/**
 * A frame's function, "" if unknown, and its place. When short, both fit into `width` with " at " between them: the end
 * of the function's name goes first, then the front of the place.
 */
export function frameWords(frame: Frame, style: Style, width: number): { name: string; place: string } {
  const { file, line, module, address, offset } = frame;
  const path = (whole: string) => (style.short ? shortPath(whole, style.folder) : whole);
  const place =
    file !== null && line !== null ? `${path(file)}:${line}` : module === "" ? address : `${path(module)}+${offset}`;
  return fitted(frame.function ?? "", place, style, width);
}

/** A name and a place from frameWords(). All names of frames in texts come from here. */
export function fitted(name: string, place: string, style: Style, width: number): { name: string; place: string } {
  const readable = functionName(printable(name), style);
  place = printable(place);
  if (!style.short) return { name: readable, place };
  const space = name === "" ? width : width - " at ".length;
  const start = cut(readable, Math.max(NAME_START, space - columns(place)), "end");
  return { name: start, place: cut(place, Math.max(1, space - columns(start)), "front") };
}
