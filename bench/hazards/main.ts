// Which hazards does a program survive under memhook, and which under
// heaptrack? Runs the programs of test/programs alone and under each.
//
//   node dist/bench/hazards/main.js [--only REGEX] [--runs N=3] [--seconds N=30]
//
// For each run:
//   lives      it ends in time with the exit code and the output (numbers and addresses aside) that it has alone
//   readable   afterwards the tool's own reader reads its data, all of it
//   exact      what is live is what the program says, to the byte, for each of its functions; "–" where it does not say
//
// A run that takes longer than --seconds is stopped, with everything it
// started. The report goes to stdout and to bench/out/hazards-DATE.md.

import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { cpus, release, tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { root } from "../../test/support/run.js";
import { readOptions } from "../options.js";
import { type Case, cases } from "./cases.js";
import { heaptrack, memhook, type Tool } from "./tools.js";

const { only, numbers } = readOptions("bench/hazards/main", { runs: 3, seconds: 30 });
const LIMIT = numbers.seconds * 1000;

interface Outcome {
  pid: number;
  code: string;
  stdout: string;
  stderr: string;
}

/** As a shell sees it, for heaptrack is one. */
const SIGNALS: Record<string, number> = { SIGABRT: 134, SIGKILL: 137, SIGSEGV: 139, SIGTERM: 143 };

function run(words: string[], env: Record<string, string>, cwd: string): Promise<Outcome> {
  const child = spawn(words[0]!, words.slice(1), {
    cwd,
    env: { PATH: process.env.PATH, HOME: process.env.HOME, LC_ALL: "C", ...env },
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
  });
  const outcome: Outcome = { pid: child.pid ?? 0, code: "", stdout: "", stderr: "" };
  for (const stream of ["stdout", "stderr"] as const) {
    child[stream].setEncoding("utf8").on("data", (piece: string) => {
      outcome[stream] += piece;
    });
  }
  const timer = setTimeout(() => {
    outcome.code = "hangs";
    process.kill(-outcome.pid, "SIGKILL");
  }, LIMIT);
  return new Promise((done) => {
    child.on("close", (status, signal) => {
      clearTimeout(timer);
      if (!outcome.code) outcome.code = String(signal ? (SIGNALS[signal] ?? signal) : status);
      done(outcome);
    });
  });
}

/** Output as it is compared: process ids, addresses and counts of what happened meanwhile differ from run to run. */
const shape = (text: string) => [...new Set(text.replace(/0x[0-9a-f]+|\d+/g, "N").split("\n"))].join("\n");

/** Output of the shell about a killed program is the shell's. */
const withoutShell = (text: string) =>
  text
    .split("\n")
    .filter((line) => !/^(.*heaptrack: \d+: |.*: line \d+: )?(Killed|Terminated|Aborted|Segmentation fault)/.test(line))
    .join("\n");

/** What the program says is live, by function; null when it does not say. */
function expected(one: Case, stdout: string): Map<string, number> | null {
  if (one.live === null || one.live instanceof Map) return one.live;
  const printed = /^live (\d+) (\d+)$/m.exec(stdout);
  return printed ? new Map([[one.live.printedFor, Number(printed[2])]]) : null;
}

interface Verdict {
  lives: boolean;
  readable: boolean;
  exact: boolean | null;
  why: string;
}

async function judge(tool: Tool, one: Case, alone: Outcome, folder: string): Promise<Verdict> {
  const data = mkdtempSync(join(folder, "data-"));
  const cwd = mkdtempSync(join(folder, "work-"));
  const { words, env } = tool.command([one.program, ...one.args], data);
  const outcome = await run(words, { ...env, ...one.env }, cwd);
  const stdout = tool.output(outcome.stdout);
  const stderr = tool.output(withoutShell(outcome.stderr));
  const why: string[] = [];
  if (outcome.code !== alone.code)
    why.push(outcome.code === "hangs" ? "hangs" : `exit code ${outcome.code}, not ${alone.code}`);
  else if (shape(tool.output(alone.stdout)).trim() !== shape(stdout).trim()) why.push("other output");
  else if (shape(alone.stderr).trim() !== shape(stderr).trim()) {
    why.push(`says "${stderr.trim().split("\n")[0]}"`);
  }
  const lives = why.length === 0;
  const wanted = expected(one, stdout);
  let exact: boolean | null = null;
  let readable = true;
  try {
    const found = await tool.live(data, outcome.pid, new Set(wanted?.keys() ?? []));
    if (wanted && lives) {
      const wrong = [...wanted].filter(([name, bytes]) => (found.get(name) ?? 0) !== bytes);
      exact = wrong.length === 0;
      if (wrong[0]) why.push(`${found.get(wrong[0][0]) ?? 0} bytes of ${wrong[0][0]}, not ${wrong[0][1]}`);
    }
  } catch (error) {
    readable = false;
    why.push(error instanceof Error ? error.message : String(error));
  }
  return { lives, readable, exact, why: why.join("; ") };
}

const tools = [memhook, heaptrack].filter((tool) => {
  if (tool.missing) process.stderr.write(`${tool.name} is left out: ${tool.missing}\n`);
  return !tool.missing;
});
const folder = mkdtempSync(join(tmpdir(), "memhook-hazards-"));
const wanted = cases().filter(({ name }) => only.test(name));
const rows: { name: string; verdicts: Verdict[][] }[] = [];
try {
  for (const one of wanted) {
    const work = mkdtempSync(join(folder, "alone-"));
    const alone = await run([one.program, ...one.args], one.env, work);
    const verdicts: Verdict[][] = tools.map(() => []);
    for (let i = 0; i < numbers.runs; i++) {
      for (const [at, tool] of tools.entries()) verdicts[at]!.push(await judge(tool, one, alone, folder));
    }
    rows.push({ name: one.name, verdicts });
    const words = verdicts.map((of) => of.map(({ why }) => why || "fine").join(" | "));
    process.stderr.write(`${one.name}: ${words.join(" — ")}\n`);
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}

const share = (of: Verdict[], what: "lives" | "readable" | "exact") => {
  const told = of.filter((verdict) => verdict[what] !== null);
  if (told.length === 0) return "–";
  const good = told.filter((verdict) => verdict[what]).length;
  return good === of.length ? "yes" : good === 0 ? "**no**" : `**${good} of ${of.length}**`;
};
const cells = (of: Verdict[]) => (["lives", "readable", "exact"] as const).map((what) => share(of, what)).join(" | ");
const totals = (at: number) =>
  (["lives", "readable", "exact"] as const)
    .map((what) => {
      const told = rows.filter(({ verdicts }) => verdicts[at]!.some((verdict) => verdict[what] !== null));
      const good = told.filter(({ verdicts }) => verdicts[at]!.every((verdict) => verdict[what]));
      return `${good.length} of ${told.length}`;
    })
    .join(" | ");
const report = [
  `${cpus().length} processors (${cpus()[0]?.model}), Linux ${release()}, ` +
    `${new Date().toISOString().slice(0, 10)}; ${numbers.runs} runs each, at most ${numbers.seconds} s.`,
  "",
  `| hazard | ${tools.map(({ name }) => `${name}: lives | readable | exact`).join(" | ")} |`,
  `|---|${tools.map(() => "---|---|---|").join("")}`,
  ...rows.map(({ name, verdicts }) => `| ${name} | ${verdicts.map(cells).join(" | ")} |`),
  `| in all | ${tools.map((_, at) => totals(at)).join(" | ")} |`,
  "",
  ...rows.flatMap(({ name, verdicts }) =>
    tools.flatMap((tool, at) =>
      [...new Set(verdicts[at]!.map(({ why }) => why).filter((why) => why))]
        .slice(0, 2)
        .map((why) => `- ${name}, ${tool.name}: ${why}`),
    ),
  ),
  "",
].join("\n");
mkdirSync(join(root, "bench/out"), { recursive: true });
writeFileSync(join(root, `bench/out/hazards-${new Date().toISOString().slice(0, 10)}.md`), report);
process.stdout.write(report);
