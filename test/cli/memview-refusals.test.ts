// What memview refuses, each with one line that says what is wrong; its help, which names
// what it takes; and that it ends quietly when nobody reads on.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { commandLine, run, temporaryFolder } from "../support/run.js";
import { StoreBuilder } from "../support/store-builder.js";

const folder = temporaryFolder();
const path = join(folder, "app.mem");
new StoreBuilder().write(path);
writeFileSync(join(folder, "garbage"), "this is no store, whatever its name may say\n".repeat(200));
writeFileSync(join(folder, "nothing"), "");
mkdirSync(join(folder, "folder"));

/** Arguments and the one line on standard error. */
const mistakes: [string[], RegExp][] = [
  [["--agregate", path], /^memview: unknown option --agregate: is --aggregate meant\?$/],
  [["-q", path], /^memview: unknown option -q: --help lists them all$/],
  [
    ["--min-time-from-now", "-1s", path],
    /^memview: --min-time-from-now: '-1s' is negative; write a time like 10s, 30min or 5h$/,
  ],
  [["--max-time-from-start=soon", path], /^memview: --max-time-from-start: 'soon' is not a duration; /],
  [
    ["-n", "yesterday", path],
    /^memview: --min-time: 'yesterday' is not a time; write local time as YYYY-MM-DD HH:MM:SS$/,
  ],
  [["-x2026-02-30 00:00:00", path], /^memview: --max-time: '2026-02-30 00:00:00' is no date of the calendar; /],
  [["-z", "-1", path], /^memview: --min-size: '-1' is negative; /],
  [["-z", "99999999999999999999", path], /^memview: --min-size: '99999999999999999999' is too large; /],
  [["--max-size", "x", path], /^memview: --max-size: 'x' is not a size; /],
  [
    ["--top", "0", path],
    /^memview: --top: '0' is out of range or no number; write a whole number from 1 to 4294967295$/,
  ],
  [["--thread=x", path], /^memview: --thread: 'x' is out of range or no number; /],
  [["--kind", "stack", path], /^memview: --kind: 'stack' is unknown; write heap or mmap or all$/],
  [["--format", "xml", path], /^memview: --format: 'xml' is unknown; write text or json$/],
  [["--function", "(", path], /^memview: --function: '\(' is not a regular expression; /],
  [["--module", "[", path], /^memview: --module: '\[' is not a regular expression; /],
  [["-f"], /^memview: -f needs a value: --mapped-file=PATH$/],
  [["-f", ""], /^memview: -f needs a path/],
  [["-m", "-f", path], /^memview: two stores: shared memory ShmMemHook \(-m\) and file .*app\.mem; name one$/],
  [["-mX", path], /^memview: two stores: shared memory X \(-m\) and file .*app\.mem; name one$/],
  [["-f", path, path], /^memview: two stores: -f .* and .*; name one$/],
  [[path, path], /^memview: one argument too many: /],
  [["-m", "memhook-test-that-nobody-made"], /^memview: .*memhook-test-that-nobody-made/],
  [[join(folder, "missing")], /^memview: .*missing.*$/],
  [[join(folder, "folder")], /^memview: .*folder.*$/],
  [[join(folder, "garbage")], /^memview: .*garbage.*$/],
  [[join(folder, "nothing")], /^memview: .*nothing.*$/],
  [[join(path, "below")], /^memview: .*below.*$/],
  [["info", join(folder, "missing")], /^memview: .*missing.*$/],
  [["info", "-a", path], /^memview: unknown option -a: /],
  [["--get-storage-info", join(folder, "missing")], /^memview: .*missing.*$/],
];

for (const [args, line] of mistakes) {
  test(`memview refuses ${args.map((arg) => arg.replace(folder, "…")).join(" ")}`, () => {
    const { code, stdout, stderr } = run("memview", args);
    assert.equal(code, 2);
    assert.equal(stdout, "");
    assert.match(stderr, /^[^\n]*\n$/, "one line");
    assert.match(stderr.trimEnd(), line);
  });
}

test("memview --help names every option and fits a terminal", () => {
  for (const args of [["--help"], ["-h"], ["-ac", "--help", path], ["info", "--help"]]) {
    const { code, stdout, stderr } = run("memview", args);
    assert.deepEqual([code, stderr], [0, ""]);
    assert.match(stdout, /^memview/);
    for (const line of stdout.split("\n")) assert.ok(line.length <= 80, line);
  }
  const { stdout } = run("memview", ["--help"]);
  const contract =
    "-m, --shared-memory;-f, --mapped-file;-c, --show-callstack;-a, --aggregate;-t, --sort-by-time;" +
    "-s, --sort-by-size;-p, --sort-by-address;--min-time-from-now;--max-time-from-now;--min-time-from-start;" +
    "--max-time-from-start;-n, --min-time;-x, --max-time;-z, --min-size;--get-storage-info;--no-lock;--help;" +
    "--format;--top;--module;--function;--thread;--kind;--max-size";
  for (const option of contract.split(";")) assert.ok(stdout.includes(option), option);
});

test("memview ends quietly when its reader has gone", () => {
  const many = join(folder, "many.mem");
  const store = new StoreBuilder();
  for (let i = 1; i <= 50_000; i++) store.record({ address: BigInt(i) * 16n, size: i, time: BigInt(i) });
  store.write(many);
  const script = 'set -o pipefail; "$@" | head -n 1; echo $?';
  const { stdout, stderr } = spawnSync("bash", ["-c", script, "bash", ...commandLine("memview"), many], {
    encoding: "utf8",
    env: { ...process.env, TZ: "UTC" },
  });
  assert.deepEqual([stdout, stderr], ["0x10, size=1, ts=2026-03-01 12:00:00.000000001\n0\n", ""]);
});
