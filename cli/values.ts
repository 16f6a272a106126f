// The values of options: from text to a checked value, or to one line that names the option, the value and the accepted
// form.

import ms from "ms";
import { UsageError } from "./arguments.js";

function refuse(option: string, text: string, problem: string, form: string): UsageError {
  return new UsageError(`--${option}: '${text}' ${problem}; write ${form}`);
}

const NANOSECONDS_MAX = 2n ** 63n - 1n;

/**
 * "10s", "30min", "1.5h" and whatever else the package ms reads, in
 * nanoseconds. A bare number has no unit and is refused.
 */
export function duration(option: string, text: string): bigint {
  const form = "a time like 10s, 30min or 5h";
  if (/^-/.test(text)) throw refuse(option, text, "is negative", form);
  const milliseconds = /[a-z]$/i.test(text) ? ms(text as ms.StringValue) : /^0+$/.test(text) ? 0 : undefined;
  if (milliseconds === undefined || Number.isNaN(milliseconds)) throw refuse(option, text, "is not a duration", form);
  if (milliseconds >= Number(NANOSECONDS_MAX) / 1e6) throw refuse(option, text, "is too long", form);
  const whole = Math.trunc(milliseconds);
  return BigInt(whole) * 1_000_000n + BigInt(Math.round((milliseconds - whole) * 1e6));
}

// As in coreutils: K and KiB are 1024, KB is 1000.
const UNITS = new Map([
  ["", 1],
  ["b", 1],
  ...["k", "m", "g", "t"].flatMap((letter, i): [string, number][] => [
    [letter, 1024 ** (i + 1)],
    [`${letter}ib`, 1024 ** (i + 1)],
    [`${letter}b`, 1000 ** (i + 1)],
  ]),
]);

/** "4096", "64KiB", "10MB", in bytes. */
export function size(option: string, text: string): number {
  const form = "bytes, or a number with KiB, MiB, GiB, KB, MB or GB";
  if (/^-/.test(text)) throw refuse(option, text, "is negative", form);
  const [, digits, suffix] = /^(\d+) ?([a-z]*)$/i.exec(text) ?? [];
  const unit = UNITS.get(suffix?.toLowerCase() ?? "none");
  if (digits === undefined || unit === undefined) throw refuse(option, text, "is not a size", form);
  const bytes = Number(digits) * unit;
  if (!Number.isSafeInteger(bytes)) throw refuse(option, text, "is too large", `${form}, below 2^53 bytes`);
  return bytes;
}

/** A whole number from least to most. */
export function integer(option: string, text: string, least: number, most: number): number {
  const value = /^-?\d+$/.test(text) ? Number(text) : Number.NaN;
  if (!(value >= least && value <= most)) {
    throw refuse(option, text, "is out of range or no number", `a whole number from ${least} to ${most}`);
  }
  return value;
}

/**
 * "2026-11-22 21:03:14", local time, also with a fraction as memview prints it; nanoseconds since 1970.
 * @param which of the two where a clock that is put back shows it twice.
 */
export function localTime(option: string, text: string, which: "earlier" | "later" = "earlier"): bigint {
  const form = "local time as YYYY-MM-DD HH:MM:SS";
  const match = /^(\d{4})-(\d\d)-(\d\d)[ T](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?$/.exec(text);
  if (!match) throw refuse(option, text, "is not a time", form);
  const [year, month, day, hour, minute, second] = match.slice(1, 7).map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  // Date rolls 30 February over to March in silence: what comes out must be what went in. Compared in UTC,
  // because an hour that daylight saving skips is still a time one may write.
  const canonical = new Date(Date.UTC(year, month - 1, day, hour, minute, second)).toISOString().slice(0, 19);
  if (canonical !== match[0].slice(0, 19).replace(" ", "T"))
    throw refuse(option, text, "is no date of the calendar", form);
  const shown = Date.UTC(year, month - 1, day, hour, minute, second);
  // By the offsets of the day before and the day after: one of them, where the clock was not changed meanwhile.
  const times = [-1, 1]
    .map((days) => shown + offsetAt(shown + days * DAY_MS))
    .filter((time) => time - offsetAt(time) === shown);
  if (times.length === 0) {
    // One that is left out when the clock is put forward: the first moment that
    // the clock showed more, the last that it showed less.
    const change = BigInt(changeOfOffset(shown)) * 1_000_000n;
    return which === "earlier" ? change : change - 1n;
  }
  const local = which === "earlier" ? Math.min(...times) : Math.max(...times);
  return BigInt(local) * 1_000_000n + BigInt((match[7] ?? "").padEnd(9, "0"));
}

const DAY_MS = 86_400_000;

/** How far the local clock is behind UTC, at a time in milliseconds. */
function offsetAt(time: number): number {
  return new Date(time).getTimezoneOffset() * 60_000;
}

/** The first millisecond with a new offset, within a day of `time`. */
function changeOfOffset(time: number): number {
  let [before, after] = [time - DAY_MS, time + DAY_MS];
  while (after - before > 1) {
    const middle = Math.floor((before + after) / 2);
    if (offsetAt(middle) === offsetAt(time - DAY_MS)) before = middle;
    else after = middle;
  }
  return after;
}

/** A regular expression of JavaScript. */
export function pattern(option: string, text: string): RegExp {
  try {
    return new RegExp(text);
  } catch {
    throw refuse(
      option,
      text,
      "is not a regular expression",
      "one in JavaScript's syntax, special characters escaped with \\",
    );
  }
}

/** One of a few words. */
export function word<const T extends string>(option: string, text: string, words: readonly T[]): T {
  if (!(words as readonly string[]).includes(text)) {
    throw refuse(option, text, "is unknown", words.join(" or "));
  }
  return text as T;
}
