// Checks the members of queries and options before they are used. Otherwise a misspelt name would be a filter that does
// not exist, and the answer would be wrong.

/** Whether a value is of this kind, and the kind's name for the message. */
export interface Kind {
  readonly form: string;
  fits(value: unknown): boolean;
}

const isNumber = (value: unknown): value is number => typeof value === "number" && !Number.isNaN(value);

/** A number of bytes or milliseconds, whole or not. Infinity is one: no bound. */
export const AMOUNT: Kind = { form: "a number", fits: isNumber };
export const DURATION: Kind = { form: "a number from 0 on", fits: (value) => isNumber(value) && value >= 0 };
export const COUNT: Kind = {
  form: "a whole number from 0 on",
  fits: (value) => value === Number.POSITIVE_INFINITY || (Number.isSafeInteger(value) && Number(value) >= 0),
};
/** Milliseconds or a Date. The code that converts it decides which of them make sense. */
export const TIME: Kind = {
  form: "milliseconds or a Date",
  fits: (value) => typeof value === "number" || value instanceof Date,
};
export const PATTERN: Kind = { form: "a regular expression", fits: (value) => value instanceof RegExp };
export const TEXT: Kind = { form: "a string", fits: (value) => typeof value === "string" };
export const SWITCH: Kind = { form: "true or false", fits: (value) => typeof value === "boolean" };
export const CALL: Kind = { form: "a function", fits: (value) => typeof value === "function" };

export function oneOf(...words: string[]): Kind {
  return { form: words.map((word) => `"${word}"`).join(" or "), fits: (value) => words.includes(value as string) };
}

/**
 * @param what the question or options, for the message.
 * @throws TypeError for a member that there is none, RangeError for one that is
 * not of its kind. A member that is undefined is left out.
 */
export function checkMembers(what: string, given: object, kinds: Readonly<Record<string, Kind>>): void {
  if (typeof given !== "object" || given === null) throw new TypeError(`${what}: ${given} is no object`);
  for (const [name, value] of Object.entries(given)) {
    const kind = Object.hasOwn(kinds, name) ? kinds[name] : undefined;
    if (kind === undefined)
      throw new TypeError(`${what}: there is no ${name}; there are ${Object.keys(kinds).join(", ")}`);
    if (value !== undefined && !kind.fits(value)) throw new RangeError(`${name}: ${String(value)} is not ${kind.form}`);
  }
}
