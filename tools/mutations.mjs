// Removes one protection of the library at a time and runs the test for it, which must fail: a test that cannot fail
// proves nothing.
//
//   node tools/mutations.mjs            all
//   node tools/mutations.mjs fork jump  those with one of the words in their line
//   node tools/mutations.mjs --tenth    a tenth of them, another one each day: what CI runs (--tenth=3: that one)
//
// Each mutation replaces one place in preload/ (in a copy under build/mutations), builds the library from it, and runs
// one test with it while the next one is built. Prints a line for each mutation, and at the end "N passed, N failed".
// Exit code 1 if a mutation was not noticed, or its place is gone.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { rmSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { CONTROL } from "./mutations/control.mjs";
import { LIMITS } from "./mutations/limits.mjs";
import { PROCESSES } from "./mutations/processes.mjs";
import { PROGRAMS } from "./mutations/programs.mjs";
import { STORES } from "./mutations/stores.mjs";
import { THREADS } from "./mutations/threads.mjs";
import { buildVariant, zigEnvironment } from "./variant.mjs";

/** Suites that are not hazards-NAME. */
const SUITES = { programs: "programs", family: "store-family", path: "store-path", users: "two-users" };

/**
 * What is taken out; the file; the place; what is there instead; the suite and
 * the test, of which the name's beginning is enough.
 *
 * @typedef {[what: string, file: string, place: string, instead: string, suite: string, test: string]} Mutation
 */

/** @type {Mutation[]} */
const MUTATIONS = [PROCESSES, THREADS, STORES, PROGRAMS, CONTROL, LIMITS].flat();

const root = fileURLToPath(new URL("..", import.meta.url));
const folder = join(root, "build/mutations");

const env = zigEnvironment();
delete env.NODE_TEST_CONTEXT;

/** Builds the mutated library, without link-time optimization, so that what is unchanged need not be compiled again. */
function build([, file, from, to], number) {
  return buildVariant(join(folder, `libmemhook-${number}.so`), [[file, from, to]], ["-O2", "-w"]);
}

/** How the test fails with this library. It must not fail for another reason: that there is no such test. */
async function failure(library, suite, name) {
  const path = SUITES[suite] ?? `hazards-${suite}`;
  const pattern = name.replace(/[.*+?^${}()|[\]\\/]/g, "\\$&");
  const run = spawn(
    process.execPath,
    ["--test", "--test-reporter=tap", `--test-name-pattern=^${pattern}`, `dist/test/e2e/${path}.test.js`],
    {
      cwd: root,
      env: { ...env, MEMHOOK_TEST_LIBRARY: library },
      timeout: 240_000,
      stdio: ["ignore", "pipe", "ignore"],
    },
  );
  let output = "";
  run.stdout.setEncoding("utf8").on("data", (text) => {
    output += text;
  });
  await once(run, "close");
  if (run.killed) return "it hung";
  const failed = [...output.matchAll(/^ *not ok \d+ - (.*)$/gm)].length;
  return failed > 0 ? `${failed} failed` : undefined;
}

/** Whether a mutation is noticed; prints a line about it. */
async function judge([what, , , , suite, name], { library, why }) {
  const noticed = library && (await failure(library, suite, name));
  const columns = [
    noticed ? "noticed" : "MISSED ",
    what.padEnd(52),
    `${suite}: ${name}`.padEnd(36),
    why ?? noticed ?? "",
  ];
  console.log(columns.join("  "));
  if (library) rmSync(library);
  return noticed !== undefined && noticed !== "";
}

/** The mutations that the words on the command line name. */
function chosen(words) {
  const tenth = /^--tenth(?:=([0-9]))?$/.exec(words[0] ?? "");
  if (!tenth) return MUTATIONS.filter((one) => !words.length || words.some((word) => one.join(" ").includes(word)));
  const number = Number(tenth[1] ?? Math.floor(Date.now() / 86_400_000) % 10);
  console.log(`mutations: tenth ${number} of 0 to 9, again with --tenth=${number}`);
  return MUTATIONS.filter((_, at) => at % 10 === number);
}

let passed = 0;
let failed = 0;
const count = (good) => (good ? passed++ : failed++);
let before = Promise.resolve();
for (const [number, mutation] of chosen(process.argv.slice(2)).entries()) {
  const built = build(mutation, number);
  await before;
  before = judge(mutation, built).then(count);
}
await before;
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed ? 1 : 0;
