// How a text looks: exact and plain for files and pipes, easier on the eye for a terminal.
//
// Plain output is a contract (README, "Text"): the same bytes whoever reads them. On a terminal sizes are rounded,
// long template arguments are left out, a head line comes first, and colours are used unless NO_COLOR is set.

export interface Style {
  /** Escape sequences for bold and dim. */
  colour: boolean;
  /** "1.5 MiB" in the place of 1572864. */
  human: boolean;
  /** foo<…> in the place of foo<bar<int>, std::less<bar<int> > >. */
  short: boolean;
  /** A line about the process in front. */
  head: boolean;
}

export const PLAIN: Style = { colour: false, human: false, short: false, head: false };

/** The style for standard output. `bytes` and `wide` are the options of these names. */
export function styleFor(
  terminal: boolean,
  environment: Record<string, string | undefined>,
  { bytes, wide }: { bytes: boolean; wide: boolean },
): Style {
  if (!terminal) return PLAIN;
  const colour = !environment.NO_COLOR && environment.TERM !== "dumb";
  return { colour, human: !bytes, short: !wide, head: true };
}

export function bold(style: Style, text: string): string {
  return style.colour ? `\x1b[1m${text}\x1b[22m` : text;
}

export function dim(style: Style, text: string): string {
  return style.colour ? `\x1b[2m${text}\x1b[22m` : text;
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

/** Where the bracket that opens at `start` is closed; −1 if nowhere. */
function closing(text: string, start: number): number {
  let depth = 0;
  for (let i = start; i < text.length; i++) {
    if (text[i] === "<") depth++;
    else if (text[i] === ">" && text[i - 1] !== "-" && --depth === 0) return i;
  }
  return -1;
}
