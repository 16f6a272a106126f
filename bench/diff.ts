// How long memview diff takes for two snapshots of 50,000 call stacks each, under Node, Bun and Deno.
//
//   node dist/bench/diff.js [STACKS] [REPEATS]
//
// Stacks have 8 to 32 of 20,000 frames. In the second snapshot a third has moved lines, a tenth has grown, a hundredth
// has a call more. Prints the median wall time of the whole command, and the highest resident memory.

import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { type SnapshotFrame, snapshotOf, type UntoldStack } from "../runtime/snapshots/snapshot.js";
import { writeSnapshot } from "../runtime/snapshots/snapshotfile.js";

/** Runs a command and prints its wall time in seconds and its peak resident memory in KiB to standard error. */
const MEASURE = `
import resource, subprocess, sys, time
start = time.monotonic()
code = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL).returncode
print(time.monotonic() - start, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr)
sys.exit(code)
`;

const stacks = Number(process.argv[2] ?? 50_000);
const repeats = Number(process.argv[3] ?? 5);
const root = fileURLToPath(new URL("../../", import.meta.url));

/** Numbers below `end`, the same in every run (mulberry32). */
let state = 1;
function random(end: number): number {
  state = (state + 0x6d2b79f5) | 0;
  let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
  mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
  return ((mixed ^ (mixed >>> 14)) >>> 0) % end;
}

const frames = Array.from({ length: 20_000 }, (_, i): SnapshotFrame => {
  const name = `method${i}`;
  return {
    module: `lib${i % 37}.so.1`,
    function: `_ZN7project6Widget${name.length}${name}Ev`,
    file: `src/module${i % 100}/widget_${i}.cc`,
    line: 1 + (i % 2000),
  };
});
const base = Array.from({ length: stacks }, (_, i): UntoldStack => {
  const stack = Array.from({ length: 8 + random(25) }, () => frames[random(frames.length)]!);
  return { program: "service", count: 1 + (i % 7), bytes: 100 + i, cut: false, stack };
});
const moved = new Map(frames.map((frame) => [frame, { ...frame, line: frame.line! + 5 }]));
const head = base.map((row, i): UntoldStack => {
  if (i % 100 === 0) return { ...row, stack: [frames[i % frames.length]!, ...row.stack] };
  if (i % 10 === 1) return { ...row, bytes: row.bytes + 24, count: row.count + 1 };
  return i % 3 === 0 ? { ...row, stack: row.stack.map((frame) => moved.get(frame)!) } : row;
});

const folder = mkdtempSync(join(tmpdir(), "memhook-bench-"));
try {
  const files = [join(folder, "base.snap"), join(folder, "head.snap")] as const;
  writeSnapshot(files[0], snapshotOf(base), false);
  writeSnapshot(files[1], snapshotOf(head), false);
  const megabytes = files.map((file) => (statSync(file).size / 1e6).toFixed(1));
  process.stdout.write(`${stacks} stacks each, files of ${megabytes.join(" and ")} MB, median of ${repeats}\n`);
  const runtimes = {
    Node: [process.execPath],
    Bun: [join(root, "node_modules/.bin/bun")],
    Deno: [join(root, "node_modules/.bin/deno"), "run", "-A"],
  };
  for (const [name, [program, ...words]] of Object.entries(runtimes)) {
    const seconds: number[] = [];
    let memory = 0;
    for (let i = 0; i < repeats; i++) {
      const command = [program!, ...words, join(root, "memview"), "diff", ...files];
      const run = spawnSync("python3", ["-c", MEASURE, ...command], { encoding: "utf8" });
      if (run.status !== 1) throw new Error(`${name}: exit code ${run.status}, ${run.stderr}`);
      const [wall, peak] = run.stderr.trim().split(" ").map(Number) as [number, number];
      seconds.push(wall);
      memory = Math.max(memory, peak);
    }
    const median = seconds.sort((a, b) => a - b)[repeats >> 1]!;
    process.stdout.write(`${name.padEnd(5)} ${median.toFixed(2)} s, ${(memory / 1024).toFixed(0)} MiB\n`);
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
