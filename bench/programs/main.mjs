// Runs every workload under every contestant, interleaved, and reports ratios to the program alone.
//
//   bench/programs/run [--quick] [--repeats N=5] [--only REGEX] [--against REGEX] [--library FILE] [--seconds N=60]
//
//   --quick     two fifths of the input, 3 repeats
//   --only      only the workloads whose name matches; --against: only the contestants (and the program alone)
//   --library   another build of libmemhook.so
//   --seconds   a run that takes longer is stopped, and its contestant left out of that workload
//
// The report goes to stdout and to bench/out/programs-DATE.md.

import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { contestants } from "./contestants.mjs";
import { report } from "./report.mjs";
import { inFolder, readResult, run } from "./running.mjs";
import { workloads } from "./workloads.mjs";

function fail(why) {
  process.stderr.write(`bench/programs/run: ${why}; the first lines of bench/programs/main.mjs tell its options\n`);
  process.exit(2);
}

function pattern(name, text) {
  try {
    return new RegExp(text);
  } catch {
    return fail(`--${name}: ${text} is no regular expression`);
  }
}

function readOptions() {
  const text = { type: "string" };
  const flag = { type: "boolean" };
  try {
    const options = { quick: flag, repeats: text, only: text, against: text, library: text, seconds: text };
    return parseArgs({ options }).values;
  } catch (error) {
    return fail(error.message.split("\n")[0]);
  }
}

const options = readOptions();
const quick = options.quick ?? false;
const only = pattern("only", options.only ?? "");
const against = pattern("against", options.against ?? "");
const [repeats, seconds] = ["repeats", "seconds"].map((name) => {
  const number = Number(options[name] ?? { repeats: quick ? 3 : 5, seconds: 60 }[name]);
  return Number.isInteger(number) && number > 0
    ? number
    : fail(`--${name}: ${options[name]} is no whole number above 0`);
});
const architecture = { x64: "x86_64", arm64: "aarch64" }[process.arch] ?? process.arch;
const memhook = resolve(options.library ?? `build/lib/${architecture}-gnu/libmemhook.so`);
const out = resolve("bench/out/programs");
const folder = mkdtempSync(join(tmpdir(), "memhook-bench-"));
const note = (line) => process.stderr.write(`${line}\n`);

/** Memory and disk for 1,000,000 live blocks, and for a small program. */
function memory(contestant) {
  return inFolder(folder, (own) => {
    const once = (blocks, variables) => {
      const result = join(own, "result");
      spawnSync(join(out, "measure"), [result, "60", ...variables, "--", join(out, "million"), `${blocks}`]);
      return readResult(result);
    };
    const grown = (blocks) => {
      const { variables } = contestant.prepare(own);
      const difference = once(blocks, variables).memory - once(blocks, []).memory;
      const stores = readdirSync(own).filter((name) => name.endsWith(".store"));
      const disk = stores.reduce((sum, name) => sum + statSync(join(own, name)).blocks * 512, 0);
      for (const name of stores) rmSync(join(own, name));
      return { memory: difference, disk };
    };
    return { million: grown(1_000_000), small: grown(100) };
  });
}

try {
  mkdirSync(out, { recursive: true });
  const all = contestants(memhook, out);
  const wanted = all.filter((one) => against.test(one.name));
  const bases = new Set(["native", ...wanted.map((one) => one.base)]);
  const field = all.filter((one) => bases.has(one.name) || (wanted.includes(one) && !one.hidden));
  const missing = [];
  const skip = (name, why) => {
    missing.push(`${name}: left out, ${why}`);
    note(missing.at(-1));
  };
  for (const one of field) if (one.missing) skip(one.title, one.missing);
  const able = field.filter((one) => !one.missing);

  const results = [];
  for (const workload of await workloads(folder, out)) {
    if (!only.test(workload.name)) continue;
    if (workload.missing) {
      skip(workload.name, workload.missing);
      continue;
    }
    const runs = new Map(able.filter((one) => workload.against?.includes(one.name) ?? true).map((one) => [one, []]));
    note(workload.name);
    for (let round = 0; round < repeats; round++) {
      // Every round begins with another contestant, so that none always follows the same one.
      const order = [...runs.keys()];
      for (let i = 0; i < order.length; i++) {
        const one = order[(i + round) % order.length];
        const size = (quick ? 0.4 : 1) / (one.slow ?? 1);
        const used = await run(workload, one, { folder, out, seconds, size });
        if (used) {
          runs.get(one).push(used);
        } else {
          skip(`${workload.name}, ${one.title}`, `it failed or took more than ${seconds} s`);
          runs.delete(one);
        }
      }
    }
    results.push({ name: workload.name, runs: Object.fromEntries([...runs].map(([one, used]) => [one.name, used])) });
  }
  const hook = able.find((one) => one.name === "memhook");
  const text = report({
    field: able,
    results,
    missing,
    repeats,
    quick,
    memory: hook && !options.only ? await memory(hook) : null,
  });
  const path = `bench/out/programs-${new Date().toISOString().slice(0, 10)}.md`;
  writeFileSync(path, text);
  process.stdout.write(text);
  note(`written to ${path}`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
