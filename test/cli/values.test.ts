// Values of options: what is read as what, and what is refused with which line.

import assert from "node:assert/strict";
import { test } from "node:test";
import { UsageError } from "../../cli/arguments.js";
import { duration, integer, localTime, pattern, size, word } from "../../cli/values.js";

function refuses(read: () => unknown, message: string): void {
  assert.throws(read, (error: Error) => {
    assert.ok(error instanceof UsageError);
    assert.equal(error.message, message);
    return true;
  });
}

test("durations", () => {
  const second = 1_000_000_000n;
  const cases: [string, bigint][] = [
    ["10s", 10n * second],
    ["30min", 1800n * second],
    ["5h", 18000n * second],
    ["1.5h", 5400n * second],
    ["2 days", 172800n * second],
    ["250ms", second / 4n],
    ["0.5ms", 500_000n],
    ["0", 0n],
    ["0s", 0n],
    ["100y", 36525n * 86400n * second],
  ];
  for (const [text, nanoseconds] of cases) assert.equal(duration("x", text), nanoseconds, text);
});

test("durations refused", () => {
  const form = "write a time like 10s, 30min or 5h";
  refuses(() => duration("max-time-from-now", "-10s"), `--max-time-from-now: '-10s' is negative; ${form}`);
  refuses(() => duration("x", "-0s"), `--x: '-0s' is negative; ${form}`);
  for (const text of [
    "",
    "10",
    "s",
    "NaN",
    "NaNs",
    "Infinitys",
    "10 parsecs",
    "1h30min",
    "1e9s",
    "0x10s",
    " 10s",
    "10s ",
  ]) {
    refuses(() => duration("x", text), `--x: '${text}' is not a duration; ${form}`);
  }
  refuses(() => duration("x", "300y"), `--x: '300y' is too long; ${form}`);
  refuses(() => duration("x", "99999999999999999999s"), `--x: '99999999999999999999s' is too long; ${form}`);
});

test("sizes", () => {
  const cases: [string, number][] = [
    ["0", 0],
    ["4096", 4096],
    ["1B", 1],
    ["1K", 1024],
    ["1KiB", 1024],
    ["1kib", 1024],
    ["1KB", 1000],
    ["2 MiB", 2097152],
    ["3M", 3145728],
    ["10MB", 10_000_000],
    ["1GiB", 2 ** 30],
    ["1TB", 1e12],
    ["9007199254740991", Number.MAX_SAFE_INTEGER],
  ];
  for (const [text, bytes] of cases) assert.equal(size("x", text), bytes, text);
});

test("sizes refused", () => {
  const form = "write bytes, or a number with KiB, MiB, GiB, KB, MB or GB";
  refuses(() => size("min-size", "-1"), `--min-size: '-1' is negative; ${form}`);
  for (const text of ["", "x", "1.5", "1PiB", "KiB", "1e3", "0x10", "none", "Infinity"]) {
    refuses(() => size("x", text), `--x: '${text}' is not a size; ${form}`);
  }
  for (const text of ["9007199254740992", "99999999999999999999999", "8192TiB"]) {
    refuses(() => size("x", text), `--x: '${text}' is too large; ${form}, below 2^53 bytes`);
  }
});

test("whole numbers", () => {
  assert.equal(integer("top", "10", 1, 20), 10);
  for (const text of ["0", "21", "-1", "", "x", "1.5", "1e1", "99999999999999999999"]) {
    refuses(
      () => integer("top", text, 1, 20),
      `--top: '${text}' is out of range or no number; write a whole number from 1 to 20`,
    );
  }
});

test("local times", () => {
  const at = (year: number, month: number, day: number, hour: number, minute: number, second: number) =>
    BigInt(new Date(year, month - 1, day, hour, minute, second).getTime()) * 1_000_000n;
  assert.equal(localTime("x", "2026-11-22 21:03:14"), at(2026, 11, 22, 21, 3, 14));
  assert.equal(localTime("x", "2026-11-22T21:03:14"), at(2026, 11, 22, 21, 3, 14));
  assert.equal(localTime("x", "2024-02-29 00:00:00"), at(2024, 2, 29, 0, 0, 0));
  // As memview prints it, so that a line's time can be pasted.
  assert.equal(localTime("x", "2026-11-22 21:03:14.123456789"), at(2026, 11, 22, 21, 3, 14) + 123_456_789n);
  assert.equal(localTime("x", "2026-11-22 21:03:14.5"), at(2026, 11, 22, 21, 3, 14) + 500_000_000n);
});

test("local times refused", () => {
  const form = "write local time as YYYY-MM-DD HH:MM:SS";
  for (const text of [
    "",
    "now",
    "2026-11-22",
    "21:03:14",
    "26-11-22 21:03:14",
    "2026-11-22 21:03",
    "2026-11-22 21:03:14Z",
  ]) {
    refuses(() => localTime("n", text), `--n: '${text}' is not a time; ${form}`);
  }
  for (const day of ["2026-02-30", "2025-02-29", "2026-13-01", "2026-00-10", "2026-10-00"]) {
    refuses(() => localTime("n", `${day} 10:00:00`), `--n: '${day} 10:00:00' is no date of the calendar; ${form}`);
  }
  for (const clock of ["24:00:00", "10:60:00", "10:00:60"]) {
    refuses(
      () => localTime("n", `2026-11-22 ${clock}`),
      `--n: '2026-11-22 ${clock}' is no date of the calendar; ${form}`,
    );
  }
});

test("patterns and words", () => {
  assert.ok(pattern("function", "^std::.*<int>").test("std::vector<int>"));
  refuses(
    () => pattern("function", "operator("),
    "--function: 'operator(' is not a regular expression; write one in JavaScript's syntax, special characters " +
      "escaped with \\",
  );
  assert.equal(word("format", "json", ["text", "json"]), "json");
  refuses(() => word("format", "xml", ["text", "json"]), "--format: 'xml' is unknown; write text or json");
});
