// How many columns of a terminal a text takes, and texts cut to a number of columns. A Chinese character or an emoji
// takes two columns, a combining mark none. What a person sees as one character is never cut in two.

import { eastAsianWidth } from "get-east-asian-width";

const PLAIN = /^[\x20-\x7e]*$/;
const INVISIBLE = /^[\p{Default_Ignorable_Code_Point}\p{Control}\p{Format}\p{Mark}]+$/u;
const EMOJI = /\p{Emoji_Presentation}|\ufe0f/u;

let segmenter: Intl.Segmenter | undefined;

/** What people see as characters. */
function characters(text: string): string[] {
  if (PLAIN.test(text)) return text.split("");
  segmenter ??= new Intl.Segmenter(undefined, { granularity: "grapheme" });
  return Array.from(segmenter.segment(text), ({ segment }) => segment);
}

function columnsOf(character: string): number {
  if (PLAIN.test(character)) return 1;
  if (INVISIBLE.test(character)) return 0;
  return EMOJI.test(character) ? 2 : eastAsianWidth(character.codePointAt(0)!);
}

/** Columns that a text takes on a terminal. */
export function columns(text: string): number {
  if (PLAIN.test(text)) return text.length;
  return characters(text).reduce((sum, character) => sum + columnsOf(character), 0);
}

/** How many of the characters fit into so many columns. */
function fitting(all: readonly string[], most: number): number {
  let count = 0;
  for (let left = most; count < all.length; count++) {
    left -= columnsOf(all[count]!);
    if (left < 0) break;
  }
  return count;
}

/** At most so many columns of a text, without what is behind them. */
export function start(text: string, most: number): string {
  if (PLAIN.test(text)) return text.slice(0, most);
  const all = characters(text);
  return all.slice(0, fitting(all, most)).join("");
}

/** The same, with an ellipsis for what is left out at its `where`. */
export function cut(text: string, most: number, where: "front" | "end" = "end"): string {
  if (columns(text) <= most) return text;
  if (most < 1) return "";
  if (where === "end") return `${start(text, most - 1)}…`;
  const all = characters(text).reverse();
  return `…${all
    .slice(0, fitting(all, most - 1))
    .reverse()
    .join("")}`;
}

/** A sentence in lines of so many columns, broken between words; those behind the first are indented. */
export function wrapped(text: string, most: number, indent = "    "): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    const longer = line === "" ? word : `${line} ${word}`;
    if (line !== "" && columns(longer) > most) {
      lines.push(line);
      line = indent + word;
    } else line = longer;
  }
  return [...lines, line];
}
