// How fast does memdb take records in, against a C receiver that only counts them?
//
//   node dist/bench/memdb.js [RECORDS=4000000] [RUNS=5]
//
// bench/memdb/traffic.c is both the sender and the C receiver. That counts by the runs' headers, so it reads a word in
// 256 KiB of a snapshot; it also runs as one that looks at each record, and as one that stores what it gets, unchecked:
// memory that is touched for the first time is most of a snapshot's cost, and nothing that counts pays for it. Receiver
// and sender have a processor each (taskset, where there is one). Every round asks every receiver once, each newly
// started. Printed are medians, for a snapshot, for differences and for removals: million records a second, its ratio
// to the counting, to the looking and to the storing receiver's, and the receiver's CPU milliseconds for a million; and
// its memory for a live record, above what it had before the first. The runtimes' own garbage is in that; it does not
// grow with the records. When others use the processors as well, the rates are theirs too: then a line says how long
// the receivers had to wait.

import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const [records = 4_000_000, runs = 5] = process.argv.slice(2).map(Number);
const SESSIONS = [1, 4, 16];
const PARTS = ["snapshot", "differences", "removals"];

const root = fileURLToPath(new URL("../..", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "memhook-bench-"));
const traffic = join(folder, "traffic");
const pinned = spawnSync("taskset", ["-c", "1", "true"]).status === 0;

interface Part {
  seconds: number;
  cpuSeconds: number;
  /** Ready to run, but somebody else had the processor. */
  waitedSeconds: number;
}

interface Measure {
  parts: Part[];
  bytes: number;
}

interface Contestant {
  name: string;
  command: string[];
  /** By number of sessions. */
  measures: Map<number, Measure[]>;
}

function onProcessor(number: number, command: string[]): string[] {
  return pinned ? ["taskset", "-c", String(number), ...command] : command;
}

/** What a process has used so far: all of its threads. */
function usage(pid: number): { bytes: number; cpuSeconds: number; waitedSeconds: number } {
  let cpu = 0;
  let waited = 0;
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    const [ran = 0, ready = 0] = readFileSync(`/proc/${pid}/task/${thread}/schedstat`, "latin1").split(" ").map(Number);
    cpu += ran;
    if (thread === String(pid)) waited = ready;
  }
  const status = readFileSync(`/proc/${pid}/status`, "latin1");
  return {
    bytes: Number(/VmRSS:\s*(\d+)/.exec(status)![1]) * 1024,
    cpuSeconds: cpu / 1e9,
    waitedSeconds: waited / 1e9,
  };
}

async function line(child: ChildProcess): Promise<string> {
  for await (const text of createInterface({ input: child.stdout! })) return text;
  throw new Error("the receiver has ended");
}

async function measure(contestant: Contestant, sessions: number): Promise<Measure> {
  const [command, ...args] = onProcessor(0, contestant.command);
  const receiver = spawn(command!, args, { stdio: ["ignore", "pipe", "inherit"] });
  const ended = new Promise((resolve) => receiver.on("exit", resolve));
  const port = /(\d+)(",.*)?$/.exec(await line(receiver))![1]!;
  const before = usage(receiver.pid!);
  const [send, ...sendArgs] = onProcessor(1, [traffic, "send", port, String(sessions), String(records)]);
  const sender = spawn(send!, sendArgs, { stdio: ["pipe", "pipe", "inherit"] });
  const closed = new Promise((resolve) => sender.on("close", resolve));
  const parts: Part[] = [];
  let last = before;
  let bytes = 0;
  for await (const seconds of createInterface({ input: sender.stdout! })) {
    const now = usage(receiver.pid!);
    const { cpuSeconds, waitedSeconds } = last;
    parts.push({
      seconds: Number(seconds),
      cpuSeconds: now.cpuSeconds - cpuSeconds,
      waitedSeconds: now.waitedSeconds - waitedSeconds,
    });
    bytes = Math.max(bytes, now.bytes - before.bytes);
    last = now;
    sender.stdin!.write("\n");
  }
  const code = await closed;
  if (code !== 0) throw new Error(`the sender ended with ${code}`);
  receiver.kill("SIGTERM");
  await ended;
  for (const name of ["bench.mem", ...Array.from({ length: sessions }, (_, i) => `bench.${1000 + i}.mem`)]) {
    rmSync(join(folder, name), { force: true });
  }
  return { parts, bytes };
}

function median(values: number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;
}

try {
  const compile = [process.env.CC ?? "cc", "-std=gnu11", "-O3", "-o", traffic];
  const sources = ["bench/memdb/traffic.c", "preload/send/wire.c"].map((path) => join(root, path));
  const { status } = spawnSync(compile[0]!, [...compile.slice(1), `-I${root}build`, ...sources, "-lpthread"], {
    stdio: "inherit",
  });
  if (status !== 0) throw new Error("bench/memdb/traffic.c does not compile");

  const memdb = [join(root, "memdb"), "--json", "-p0", join(folder, "bench.mem")];
  const bin = join(root, "node_modules/.bin");
  const contestants = (
    [
      ["C, only counts", [traffic, "count", "0"]],
      ["C, looks", [traffic, "look", "0"]],
      ["C, stores", [traffic, "store", "0"]],
      ["memdb, node", ["node", ...memdb]],
      ["memdb, bun", [join(bin, "bun"), ...memdb]],
      ["memdb, deno", [join(bin, "deno"), "run", "-A", ...memdb]],
    ] as const
  )
    .filter(([, [command]]) => !command!.startsWith(bin) || existsSync(command!))
    .map(([name, command]): Contestant => ({ name, command: [...command], measures: new Map() }));

  for (const sessions of SESSIONS) {
    for (let round = 0; round < runs; round++) {
      for (const contestant of contestants) {
        const { measures } = contestant;
        measures.set(sessions, [...(measures.get(sessions) ?? []), await measure(contestant, sessions)]);
      }
    }
    console.log(`\n${sessions} sessions, ${records} records in all, medians of ${runs}`);
    console.log(`receiver        ${PARTS.map((part) => part.padStart(38)).join("")}   bytes/live`);
    const part = (contestant: Contestant, index: number, field: keyof Part) =>
      median(contestant.measures.get(sessions)!.map(({ parts }) => parts[index]![field]));
    const million = records / 1e6;
    let waited = 0;
    let worked = 0;
    for (const contestant of contestants) {
      const columns = PARTS.map((_, i) => {
        const seconds = part(contestant, i, "seconds");
        waited += part(contestant, i, "waitedSeconds");
        worked += seconds;
        const [counting, looking, storing] = [0, 1, 2].map((c) =>
          (part(contestants[c]!, i, "seconds") / seconds).toFixed(2),
        );
        const cpu = ((part(contestant, i, "cpuSeconds") * 1000) / million).toFixed(0);
        const speed = (million / seconds).toFixed(1);
        return `${speed} M/s (${counting}, ${looking}, ${storing}) ${cpu.padStart(3)} ms`.padStart(38);
      });
      const bytes = median(contestant.measures.get(sessions)!.map(({ bytes }) => bytes)) / records;
      console.log(`${contestant.name.padEnd(16)}${columns.join("")}${bytes.toFixed(0).padStart(13)}`);
    }
    if (waited > worked / 10) {
      console.log(
        `busy machine: the receivers waited for their processor ${Math.round((100 * waited) / worked)} % of the time`,
      );
    }
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
