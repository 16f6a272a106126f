// The command line's grammar: what canonical() makes of what users type.

import assert from "node:assert/strict";
import { test } from "node:test";
import { canonical, type Options, UsageError } from "../../cli/arguments.js";

const options: Options = {
  "show-callstack": { type: "boolean", alias: "c", bare: true },
  aggregate: { type: "boolean", alias: "a", bare: true },
  "sort-by-time": { type: "boolean", alias: "t", replaces: ["sort-by-size"] },
  "sort-by-size": { type: "boolean", alias: "s", replaces: ["sort-by-time"] },
  "shared-memory": { type: "string", alias: "m", bare: "ShmMemHook", valueHint: "NAME" },
  "mapped-file": { type: "string", alias: "f", valueHint: "PATH" },
  "min-size": { type: "string", alias: "z", valueHint: "BYTES" },
  "no-lock": { type: "boolean", bare: true },
  path: { type: "positional", required: false },
};

/** What is typed, blank-separated, and what citty gets. */
const meanings: [string, string][] = [
  ["", "--"],
  ["-a", "--aggregate=true --"],
  ["-ac", "--aggregate=true --showCallstack=true --"],
  ["-ca", "--showCallstack=true --aggregate=true --"],
  ["-a0", "--aggregate=false --"],
  ["-a1c0", "--aggregate=true --showCallstack=false --"],
  ["-a=no", "--aggregate=false --"],
  ["--aggregate", "--aggregate=true --"],
  ["--aggregate=false", "--aggregate=false --"],
  ["--aggregate=on", "--aggregate=true --"],
  ["-a 1", "--aggregate=true -- 1"],
  ["-a -a0", "--aggregate=false --"],
  ["-a0 -a", "--aggregate=true --"],
  ["-t -s", "--sortBySize=true --"],
  ["-s -t", "--sortByTime=true --"],
  ["-ts", "--sortBySize=true --"],
  ["-m", "--sharedMemory=ShmMemHook --"],
  ["-m mine", "--sharedMemory=mine --"],
  ["-mmine", "--sharedMemory=mine --"],
  ["-m=mine", "--sharedMemory=mine --"],
  ["-m -a", "--sharedMemory=ShmMemHook --aggregate=true --"],
  ["-am mine", "--aggregate=true --sharedMemory=mine --"],
  ["--shared-memory", "--sharedMemory=ShmMemHook --"],
  ["--shared-memory mine", "--sharedMemory=mine --"],
  ["--shared-memory=mine", "--sharedMemory=mine --"],
  ["-fx.mem", "--mappedFile=x.mem --"],
  ["-f x.mem", "--mappedFile=x.mem --"],
  ["-f=x.mem", "--mappedFile=x.mem --"],
  ["-acfx.mem", "--aggregate=true --showCallstack=true --mappedFile=x.mem --"],
  ["--mapped-file=a=b", "--mappedFile=a=b --"],
  ["--mapped-file=", "--mappedFile= --"],
  ["-f -", "--mappedFile=- --"],
  ["-z 1 -z 2", "--minSize=2 --"],
  ["-z -5", "--minSize=-5 --"],
  ["-z-5", "--minSize=-5 --"],
  ["--no-lock", "--noLock=true --"],
  ["--no-lock=0", "--noLock=false --"],
  ["x.mem", "-- x.mem"],
  ["x.mem -a", "--aggregate=true -- x.mem"],
  ["-a -- -c", "--aggregate=true -- -c"],
  ["-- --no-lock", "-- --no-lock"],
];

const mistakes: [string, RegExp][] = [
  ["--agregate", /^unknown option --agregate: is --aggregate meant\?$/],
  ["--aggr", /^unknown option --aggr: is --aggregate meant\?$/],
  ["--lock", /^unknown option --lock: --help lists them all$/],
  ["--sharedMemory", /^unknown option --sharedMemory: /],
  ["--no-aggregate", /^unknown option --no-aggregate: /],
  ["--path=x", /^unknown option --path: /],
  ["--constructor", /^unknown option --constructor: /],
  ["-q", /^unknown option -q: /],
  ["-aq", /^unknown option -q in -aq: /],
  ["-a2", /^unknown option -2 in -a2: /],
  ["--aggregate=2", /^--aggregate: '2' is neither yes nor no; write --aggregate=1 or --aggregate=0$/],
  ["--aggregate=", /^--aggregate: '' is neither yes nor no/],
  ["--sort-by-time=1", /^--sort-by-time takes no value: write just --sort-by-time$/],
  ["-f", /^-f needs a value: --mapped-file=PATH$/],
  ["-f -a", /^-f needs a value: --mapped-file=PATH$/],
  ["--min-size", /^--min-size needs a value: --min-size=BYTES$/],
  ["x.mem y.mem", /^one argument too many: 'y.mem'; the value of an option like -a is glued to it: -a0$/],
];

const words = (text: string) => (text === "" ? [] : text.split(" "));

for (const [typed, meant] of meanings) {
  test(`arguments: ${typed || "none"}`, () => {
    assert.equal(canonical(words(typed), options).join(" "), meant);
  });
}

for (const [typed, message] of mistakes) {
  test(`arguments refused: ${typed}`, () => {
    assert.throws(
      () => canonical(words(typed), options),
      (error: Error) => error instanceof UsageError && message.test(error.message) && !error.message.includes("\n"),
    );
  });
}

test("arguments: a program's own options are left alone", () => {
  const run: Options = { top: { type: "string" }, program: { type: "positional", required: false, rest: true } };
  assert.deepEqual(canonical(["--top", "3", "ls", "-l", "--top", "--", "x"], run), [
    "--top=3",
    "--",
    "ls",
    "-l",
    "--top",
    "--",
    "x",
  ]);
  assert.deepEqual(canonical(["--", "ls", "-l"], run), ["--", "ls", "-l"]);
  assert.deepEqual(canonical(["--top=3", "--", "--odd"], run), ["--top=3", "--", "--odd"]);
});
