// A call stack for people: consecutive library frames in one line, and nothing below main.
//
//   … 9 frames of std
//   shop::open_session at svc.cpp:31
//   worker at svc.cpp:45
//   … 6 frames of std and libstdc++.so.6.0.30

import { basename } from "node:path";
import type { Frame } from "../../runtime/host/types.js";
import { belowMain, plainName } from "../../runtime/reports/own.js";

/** A frame, or the number of folded frames and their libraries. */
export type Folded = Frame | { folded: number; of: string };

const STANDARD = /^<?&?(mut )?(std|core|alloc|__gnu_cxx)::|^__(rust|rdl|rg)_|^operator new/;

/** @param shown frames that stand by themselves */
export function folded(stack: readonly Frame[], shown: (frame: Frame) => boolean): Folded[] {
  const lines: Folded[] = [];
  const whole = stack.slice(0, stack.length - belowMain(stack));
  let run: Frame[] = [];
  const close = () => {
    if (run.length === 1) lines.push(run[0]!);
    else if (run.length > 1) lines.push({ folded: run.length, of: ownersOf(run) });
    run = [];
  };
  for (const frame of whole) {
    if (!shown(frame)) {
      run.push(frame);
      continue;
    }
    close();
    lines.push(frame);
  }
  close();
  return lines;
}

/** "std", "std and libx.so", "std, libx.so and others" */
function ownersOf(frames: readonly Frame[]): string {
  const names = new Set(
    frames.map(({ function: name, module }) =>
      name !== null && STANDARD.test(plainName(name)) ? "std" : module === "" ? "generated code" : basename(module),
    ),
  );
  const [first, second] = names;
  if (names.size === 1) return first!;
  return names.size === 2 ? `${first} and ${second}` : `${first}, ${second} and others`;
}

/** A function's name for people who look for it: no parameters, result, clone's suffix or symbol version. */
export function callName(name: string): string {
  let text = name
    .replace(/@.*$/, "")
    .replace(/ \[clone [^\]]*\]|\.(constprop|isra|part|cold|lto_priv|llvm)\.?\d*/g, "");
  text = text.replace(/( const| volatile| &&?)+$/, "");
  if (text.endsWith(")") && !text.endsWith("operator()")) text = text.slice(0, opening(text));
  // What comes before a template function's name is the type of its result.
  const space = outerSpace(text);
  return space < 0 || /\boperator\b/.test(text) || text.startsWith("<") ? text : text.slice(space + 1);
}

/** Where the bracket that the text ends with is opened. */
function opening(text: string): number {
  let depth = 0;
  for (let i = text.length - 1; i > 0; i--) {
    if (text[i] === ")") depth++;
    else if (text[i] === "(" && --depth === 0) return i;
  }
  return text.length;
}

/** The last blank outside of all brackets; −1: there is none. */
function outerSpace(text: string): number {
  let depth = 0;
  for (let i = text.length - 1; i >= 0; i--) {
    if (">)}]".includes(text[i]!)) depth++;
    else if ("<({[".includes(text[i]!)) depth--;
    else if (text[i] === " " && depth === 0) return i;
  }
  return -1;
}
