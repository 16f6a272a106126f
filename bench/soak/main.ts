// The soak: runs each script of programs/ alone and under memhook, the whole family of its processes, and compares.
//
//   bench/soak/run [--seconds N=600] [--only REGEX] [--rounds N=1] [--library FILE]
//
//   --seconds   a script that has not begun by then is left out; one run takes at most 300 s
//   --only      only the scripts whose name matches
//   --rounds    so many runs under memhook, each compared with the one without
//   --library   another build of libmemhook.so
//
// A script runs both times in an empty folder of the same name, so that paths in its output are equal; what else varies
// by itself it takes out of its output, and says so in its head. Asked for: the same standard output, standard error
// and exit code; at least one store; every store readable, nothing dropped in any; nothing left running; and memview's
// own answer for the largest one.
//
// The report goes to stdout and to bench/out/soak-DATE.md, outputs that differ
// to bench/out/soak/. Exit code 1 when anything differed.

import { spawn, spawnSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { arch, cpus, release, tmpdir } from "node:os";
import { join, resolve } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { preloadAlways } from "../../runtime/programs/preload.js";
import { readOptions } from "../options.js";
import { readStores, removeStores, type Stores } from "./stores.js";

const options = readOptions("bench/soak/run", { seconds: 600, rounds: 1 }, true);
const { only, numbers } = options;

const RUN_LIMIT = 300_000;
const SKIPPED = 77;

const root = fileURLToPath(new URL("../../../", import.meta.url));
const programs = join(root, "bench/soak/programs");
const library = preloadAlways(
  resolve(options.library ?? join(root, `build/lib/${arch() === "arm64" ? "aarch64" : "x86_64"}-gnu/libmemhook.so`)),
);
const out = join(root, "bench/out/soak");

interface Outcome {
  code: string;
  stdout: string;
  stderr: string;
  seconds: number;
}

interface Row extends Stores {
  name: string;
  runs: number;
  alone: Outcome;
  ratio: number;
}

const folder = mkdtempSync(join(tmpdir(), "memhook-soak-"));
const stores = join(folder, "stores");
const log = join(folder, "log");
// Some programs become another user, who must get at these.
chmodSync(folder, 0o711);
mkdirSync(stores);
chmodSync(stores, 0o777);

/** Runs a script in an empty folder, alone or under memhook. */
function run(name: string, hooked: boolean): Promise<Outcome> {
  const cwd = join(folder, "work");
  rmSync(cwd, { recursive: true, force: true });
  mkdirSync(cwd);
  const start = process.hrtime.bigint();
  const child = spawn("bash", [join(root, "bench/soak/prelude.sh"), join(programs, `${name}.sh`)], {
    cwd,
    // In a process group of its own, so that all of it can be ended.
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
    env: {
      PATH: process.env.PATH,
      HOME: process.env.HOME,
      LC_ALL: "C.UTF-8",
      TZ: "UTC",
      SOAK_ROOT: root.replace(/\/$/, ""),
      SOAK_PROGRAMS: programs,
      ...(hooked ? { LD_PRELOAD: library, MEMHOOK_FILE: join(stores, "%e.%p.mem"), MEMHOOK_LOG: log } : {}),
    },
  });
  const text = { stdout: "", stderr: "" };
  for (const stream of ["stdout", "stderr"] as const) {
    child[stream].setEncoding("utf8");
    child[stream].on("data", (piece: string) => {
      text[stream] += piece;
    });
  }
  const kill = (signal: NodeJS.Signals) => {
    try {
      process.kill(-child.pid!, signal);
    } catch {} // It has ended meanwhile.
  };
  let late = false;
  const timers = [
    // First so that the script can stop what it started.
    setTimeout(() => {
      late = true;
      kill("SIGTERM");
    }, RUN_LIMIT),
    setTimeout(() => kill("SIGKILL"), RUN_LIMIT + 5000),
  ];
  return new Promise((done) => {
    child.on("close", (status, signal) => {
      for (const timer of timers) clearTimeout(timer);
      const seconds = Number(process.hrtime.bigint() - start) / 1e9;
      done({ ...text, seconds, code: late ? `more than ${RUN_LIMIT / 1000} s` : String(signal ?? status) });
    });
  });
}

/** The first line that differs, of two texts that do. */
function difference(alone: string, hooked: string): string {
  const lines = alone.split("\n");
  const others = hooked.split("\n");
  const at = lines.findIndex((line, i) => line !== others[i]);
  const place = at < 0 ? lines.length : at;
  return (
    `line ${place + 1}: ${JSON.stringify(lines[place] ?? "(end)")} alone, ` +
    `${JSON.stringify(others[place] ?? "(end)")} under memhook`
  );
}

function compare(name: string, alone: Outcome, hooked: Outcome): string[] {
  const faults = [];
  if (hooked.code !== alone.code) faults.push(`exit code ${alone.code} alone, ${hooked.code} under memhook`);
  for (const stream of ["stdout", "stderr"] as const) {
    if (hooked[stream] === alone[stream]) continue;
    faults.push(`${stream}, ${difference(alone[stream], hooked[stream])}`);
    mkdirSync(out, { recursive: true });
    writeFileSync(join(out, `${name}.alone.${stream}`), alone[stream]);
    writeFileSync(join(out, `${name}.memhook.${stream}`), hooked[stream]);
  }
  return faults;
}

/** memview's own answer for a store, names and all. */
function view(path: string): string[] {
  const { status, stderr } = spawnSync(process.execPath, [join(root, "memview"), "-ac", "--top", "5", path], {
    encoding: "utf8",
    timeout: 60_000,
    maxBuffer: 1 << 28,
  });
  return status === 0 ? [] : [`memview ended with ${status}: ${stderr}`];
}

async function soak(name: string): Promise<Row | string> {
  const alone = await run(name, false);
  if (alone.code === String(SKIPPED)) return alone.stdout.trim();
  if (alone.code !== "0")
    return `it fails without memhook, too (${alone.code}): ${alone.stderr.trim().split("\n").at(-1)}`;
  const row: Row = {
    ...{
      name,
      runs: 0,

      alone,
      ratio: 0,
      count: 0,
      allocations: 0,
      liveCount: 0,
      liveBytes: 0,
      dropped: 0,
    },
    ...{ largest: "", faults: [] },
  };
  let seconds = 0;
  for (let round = 0; round < numbers.rounds; round++) {
    removeStores(stores);
    const hooked = await run(name, true);
    const found = await readStores(stores);
    row.runs++;
    seconds += hooked.seconds;
    for (const sum of ["count", "allocations", "dropped"] as const) row[sum] += found[sum];
    row.liveCount = found.liveCount;
    row.liveBytes = found.liveBytes;
    row.faults.push(...compare(name, alone, hooked), ...found.faults);
    if (found.count === 0) row.faults.push("no store");
    else row.faults.push(...view(found.largest));
  }
  row.ratio = seconds / row.runs / alone.seconds;
  return row;
}

const kept: Row[] = [];
const left: string[] = [];
const begun = Date.now();
try {
  const names = readdirSync(programs)
    .filter((file) => file.endsWith(".sh"))
    .map((file) => file.slice(0, -3))
    .filter((name) => only.test(name));
  for (const name of names) {
    if ((Date.now() - begun) / 1000 > numbers.seconds) {
      left.push(`${name}: left out, the ${numbers.seconds} s are over`);
      continue;
    }
    const row = await soak(name);
    if (typeof row === "string") {
      left.push(`${name}: left out, ${row}`);
    } else {
      kept.push(row);
      process.stderr.write(`${name}: ${row.faults.length === 0 ? "fine" : row.faults.slice(0, 10).join("\n  ")}\n`);
    }
  }
  // What the library itself had to say, besides where its stores are.
  const said = existsSync(log) ? readFileSync(log, "utf8").split("\n") : [];
  const messages = [...new Set(said.filter((line) => line && !line.startsWith("memhook: store ")))];
  const report = [
    `${cpus().length} processors (${cpus()[0]?.model}), Linux ${release()}, ` +
      `${new Date().toISOString().slice(0, 10)}, ${((Date.now() - begun) / 1000).toFixed(0)} s.`,
    "",
    "| program | runs | output and exit code | stores | allocations | dropped | live at the end | time, × alone |",
    "|---|---|---|---|---|---|---|---|",
    ...kept.map((row) =>
      [
        `| ${row.name} | ${row.runs} | ${row.faults.length === 0 ? "same" : "**see below**"} | ${row.count}`,
        `${row.allocations} | ${row.dropped} | ${row.liveCount} blocks, ${(row.liveBytes / 2 ** 20).toFixed(1)} MiB`,
        `${row.ratio.toFixed(2)} (${row.alone.seconds.toFixed(1)} s) |`,
      ].join(" | "),
    ),
    "",
    ...kept.flatMap((row) => row.faults.slice(0, 20).map((fault) => `- **${row.name}**: ${fault}`)),
    ...left.map((line) => `- ${line}`),
    ...messages.map((line) => `- the library's log: ${line}`),
    "",
  ].join("\n");
  mkdirSync(join(root, "bench/out"), { recursive: true });
  writeFileSync(join(root, `bench/out/soak-${new Date().toISOString().slice(0, 10)}.md`), report);
  process.stdout.write(report);
  process.exitCode = kept.length > 0 && kept.every((row) => row.faults.length === 0) ? 0 : 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
