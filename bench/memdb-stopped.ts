// Does a program wait for memdb? Its speed with memdb stopped (SIGSTOP), against its speed with memdb running.
//
//   node dist/bench/memdb-stopped.js [BLOCKS=50000] [RUNS=15]
//
// test/programs/steady.c, connected to one memdb, holds 20,000 blocks and is told to replace BLOCKS of them, again and
// again: while memdb runs, while it is stopped, and so on in turns. Every 50 ms the sender has a difference for it. The
// program and memdb have a processor each (taskset, where there is one). Printed are the medians and their ratio, and
// the least of both, which others on the machine disturb less.

import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { preloadAlways } from "../runtime/programs/preload.js";
import { libraryFor } from "../runtime/programs/target.js";

const [blocks = 50_000, runs = 15] = process.argv.slice(2).map(Number);
const root = fileURLToPath(new URL("../..", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "memhook-bench-"));
const pinned = spawnSync("taskset", ["-c", "1", "true"]).status === 0;

function start(processor: number, command: string[], env: Record<string, string> = {}) {
  const [program, ...args] = pinned ? ["taskset", "-c", String(processor), ...command] : command;
  const child = spawn(program!, args, { stdio: ["pipe", "pipe", "inherit"], env: { ...process.env, ...env } });
  const lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]();
  const line = async (): Promise<string> => {
    const { value, done } = await lines.next();
    if (done) throw new Error(`${command[0]} has ended`);
    return value;
  };
  return { child, line };
}

function median(values: number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;
}

const children: number[] = [];
try {
  const steady = join(folder, "steady");
  const source = join(root, "test/programs/steady.c");
  const compiled = spawnSync(process.env.CC ?? "cc", ["-O2", "-g", "-o", steady, source, "-lpthread"], {
    stdio: "inherit",
  });
  if (compiled.status !== 0) throw new Error("test/programs/steady.c does not compile");
  const memdb = start(0, ["node", join(root, "memdb"), "--json", "-p0", join(folder, "bench.mem")]);
  children.push(memdb.child.pid!);
  const port = /:(\d+)"/.exec(await memdb.line())![1]!;
  const program = start(1, [steady], {
    LD_PRELOAD: preloadAlways(libraryFor(steady)),
    MEMHOOK_NET_HOST: "127.0.0.1",
    MEMHOOK_NET_PORT: port,
    MEMHOOK_CACHE_FLUSH_INTERVAL: "50ms",
  });
  children.push(program.child.pid!);
  const tell = async (command: string): Promise<number> => {
    const before = performance.now();
    program.child.stdin!.write(`${command}\n`);
    await program.line();
    return performance.now() - before;
  };
  await tell("allocate 20000");
  while (!(await memdb.line()).includes('"snapshot"'));
  await tell(`churn ${blocks}`);
  const running: number[] = [];
  const stopped: number[] = [];
  for (let run = 0; run < runs; run++) {
    running.push(await tell(`churn ${blocks}`));
    memdb.child.kill("SIGSTOP");
    stopped.push(await tell(`churn ${blocks}`));
    memdb.child.kill("SIGCONT");
  }
  for (const [what, of] of [
    ["median", median],
    ["least", (values: number[]) => Math.min(...values)],
  ] as const) {
    const [a, b] = [of(running), of(stopped)];
    console.log(
      `${what} of ${runs}: ${a.toFixed(1)} ms with memdb running, ${b.toFixed(1)} ms stopped: ${(b / a).toFixed(3)}`,
    );
  }
} finally {
  for (const pid of children) process.kill(pid, "SIGKILL");
  rmSync(folder, { recursive: true, force: true });
}
