// Runs every program with the library as it is and with one part of the stack cache left out, interleaved.
//
//   bench/stack-cache/run [--count] [--repeats N=15] [--only REGEX] [--without REGEX]
//
//   --count     instructions instead of time: one run each, counted by valgrind, of small inputs
//   --only      only the programs whose name matches; --without: only the parts
//
// A number says how much more the program takes without the part, in percent. Time is CPU time, user and system
// together: how it divides is known to a tick of the clock only, and some programs take a dozen ticks. The number is
// the median of the ratios of each round; the lower and the upper quartile follow. The last column leaves nothing out:
// it says what chance does. The table goes to stdout and to bench/out; each line goes to stderr as soon as it is known.

import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { buildVariant } from "../../tools/variant.mjs";
import { run } from "../programs/running.mjs";
import { workloads } from "../programs/workloads.mjs";
import { PARTS } from "./parts.mjs";

const text = { type: "string", default: "" };
const { values: options } = parseArgs({
  options: {
    count: { type: "boolean", default: false },
    repeats: { type: "string", default: "15" },
    only: text,
    without: text,
  },
});
const size = options.count ? 0.1 : 0.4;
const repeats = options.count ? 1 : Number(options.repeats);
const seconds = options.count ? 600 : 60;
const out = resolve("bench/out/programs");
const built = resolve("bench/out/stack-cache");
const folder = mkdtempSync(join(tmpdir(), "memhook-bench-"));
const counts = join(folder, "counts");
const note = (line) => process.stderr.write(`${line}\n`);

/** The library without a part, as build.sh makes it. Its path is as long as that of any other. */
function build(name, edits) {
  const number = 1 + Object.keys(PARTS).indexOf(name);
  const path = join(built, `${number}`.padStart(2, "0"), "libmemhook.so");
  const { library, why } = buildVariant(path, edits, ["-O2", "-flto", "-s", "-w"]);
  if (!library) throw new Error(`bench/stack-cache/run: ${name}: ${why}`);
  note(`${name}: built`);
  return library;
}

// Where a tail is kept depends on the stack pointer, and so does which tails push each other out. That can be a third
// of all instructions. So addresses are the same for all of a round, and others in each round.
let round = 0;

function contestant(name, library) {
  const valgrind = ["valgrind", "--tool=exp-bbv", "--instr-count-only=yes", "--trace-children=yes"];
  return {
    name,
    prepare: (own) => {
      const variables = [`LD_PRELOAD=${library}`, `MEMHOOK_FILE=${join(own, "%e.%p.store")}`];
      variables.push(`ROUND=${"x".repeat(16 * round)}`);
      const logs = [`--bb-out-file=${own}/%p.bb`, `--log-file=${counts}/%p`];
      const wrap = ["setarch", "--addr-no-randomize", "env", ...variables];
      return { variables, wrap: options.count ? [...wrap, ...valgrind, ...logs] : wrap };
    },
  };
}

/** Instructions of all processes of the last run. */
function counted() {
  let sum = 0;
  for (const name of readdirSync(counts))
    for (const found of readFileSync(join(counts, name), "utf8").matchAll(/Total instructions: (\d+)/g))
      sum += Number(found[1]);
  return sum;
}

/** Seconds, or instructions. */
async function measured(workload, one) {
  rmSync(counts, { recursive: true, force: true });
  mkdirSync(counts);
  const used = await run(workload, one, { folder, out, seconds, size });
  if (!used) throw new Error(`it failed or took more than ${seconds} s`);
  return options.count ? counted() : used.cpu;
}

/** What each contestant took in each round. Every round begins with another one. */
async function measureAll(workload, field) {
  const used = new Map(field.map((one) => [one, []]));
  for (round = 0; round < repeats; round++)
    for (let i = 0; i < field.length; i++) {
      const one = field[(i + round) % field.length];
      used.get(one).push(await measured(workload, one));
    }
  return [...used.values()];
}

const at = (sorted, share) => sorted[Math.round((sorted.length - 1) * share)];
const percent = (ratio) => `${ratio >= 1 ? "+" : "−"}${Math.abs(100 * (ratio - 1)).toFixed(1)}`;

function cell(used, whole) {
  const ratios = used.map((one, round) => one / whole[round]).sort((a, b) => a - b);
  const middle = percent(at(ratios, 0.5));
  return ratios.length < 4 ? middle : `${middle} (${percent(at(ratios, 0.25))} to ${percent(at(ratios, 0.75))})`;
}

try {
  const wanted = Object.entries(PARTS).filter(([name]) => new RegExp(options.without).test(name));
  const field = [contestant("", build("all", []))];
  for (const [name, edits] of wanted) field.push(contestant(name, build(name, edits)));
  const lines = [
    `| | ${options.count ? "million instructions" : "s"} | ${wanted.map(([name]) => name).join(" | ")} |`,
    `|---|---|${wanted.map(() => "---|").join("")}`,
  ];
  for (const workload of await workloads(folder, out)) {
    if (!new RegExp(options.only).test(workload.name)) continue;
    try {
      if (workload.missing) throw new Error(workload.missing);
      const [whole, ...without] = await measureAll(workload, field);
      const sorted = [...whole].sort((a, b) => a - b);
      const first = options.count ? (at(sorted, 0.5) / 1e6).toFixed(0) : at(sorted, 0.5).toFixed(3);
      lines.push(`| ${workload.name} | ${first} | ${without.map((one) => cell(one, whole)).join(" | ")} |`);
      note(lines.at(-1));
    } catch (error) {
      note(`${workload.name}: left out, ${error.message}`);
    }
  }
  const path = `bench/out/stack-cache-${options.count ? "count" : "time"}.md`;
  writeFileSync(path, `${lines.join("\n")}\n`);
  process.stdout.write(`${lines.join("\n")}\n`);
  note(`written to ${path}`);
} catch (error) {
  note(error.message);
  process.exitCode = 2;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
