// Text from a program, a file name or a peer, made safe to show to a person.
//
// Names may contain anything: sequences that clear the screen or move the cursor, a newline that begins a line of its
// own in a report, marks that change the direction of the text after them. Each such character is written as its
// escape, \x1b or \u202e. The library does the same in C (preload/base/text.c). JSON is not for people, so its strings
// stay unchanged.

/** C0 and C1 controls, delete, line separators and what changes the direction of text. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not get out
const OBEYED = /[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

export function printable(text: string): string {
  return text.replace(OBEYED, (character) => {
    const code = character.charCodeAt(0).toString(16);
    return code.length > 2 ? `\\u${code.padStart(4, "0")}` : `\\x${code.padStart(2, "0")}`;
  });
}
