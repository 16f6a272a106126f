// How fast is memview against a native C program that does the same?
//
//   node dist/bench/viewer.js [RECORDS=10000000] [STACKS=50000] [RUNS=5]
//
// Makes a store, groups it by call stack with bench/viewer/native.c (compiled with $CC or cc) and in each runtime that is
// there, one after the other in every round, and prints the medians: the work itself, and the process from start to end.
// All have to print the same 50 rows.

import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import * as L from "../asm/layout.js";
import { StoreBuilder } from "../test/support/store-builder.js";

const [records = 10_000_000, stacks = 50_000, runs = 5] = process.argv.slice(2).map(Number);
const root = fileURLToPath(new URL("../..", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "memhook-bench-"));

interface Contestant {
  name: string;
  command: string[];
  work: number[];
  whole: number[];
  resident: number[];
}

try {
  const path = join(folder, "large.store");
  makeStore(path);
  const native = join(folder, "native");
  run([process.env.CC ?? "cc", "-O3", "-march=native", `-I${root}build`, "-o", native, `${root}bench/viewer/native.c`]);
  const contestants = [contestant("native C", [native, path])];
  const script = fileURLToPath(new URL("viewer/group.js", import.meta.url));
  contestants.push(contestant("node", [process.execPath, script, path]));
  const bin = join(root, "node_modules/.bin");
  if (existsSync(join(bin, "bun"))) contestants.push(contestant("bun", [join(bin, "bun"), script, path]));
  if (existsSync(join(bin, "deno")))
    contestants.push(contestant("deno", [join(bin, "deno"), "run", "-A", script, path]));

  for (let round = 0; round < runs; round++) {
    let expected = "";
    for (const { name, command, work, whole, resident } of contestants) {
      const start = performance.now();
      const { stdout, stderr } = run(command);
      whole.push(performance.now() - start);
      const [milliseconds, kibibytes] = stderr.trim().split("\n").at(-1)!.split(" ").map(Number);
      work.push(milliseconds!);
      if (kibibytes !== undefined) resident.push(kibibytes / 1024);
      expected ||= stdout;
      if (stdout !== expected) throw new Error(`${name} prints other rows than ${contestants[0]!.name}`);
    }
  }

  const [reference] = contestants;
  console.log(`${records} records, ${stacks} stacks, top 50 by bytes, medians of ${runs}`);
  for (const { name, work, whole, resident } of contestants) {
    const ratio = (median(work) / median(reference!.work)).toFixed(2);
    const wholeRatio = (median(whole) / median(reference!.whole)).toFixed(2);
    const times = `work ${median(work).toFixed(0)} ms (${ratio}), process ${median(whole).toFixed(0)} ms (${wholeRatio})`;
    console.log(`${name.padEnd(9)} ${times}${resident.length ? `, ${median(resident).toFixed(0)} MiB resident` : ""}`);
  }
} finally {
  rmSync(folder, { recursive: true });
}

function contestant(name: string, command: string[]): Contestant {
  return { name, command, work: [], whole: [], resident: [] };
}

function run(command: string[]): { stdout: string; stderr: string } {
  const [program, ...args] = command;
  const result = spawnSync(program!, args, { encoding: "utf8" });
  if (result.error) throw result.error;
  if (result.status !== 0) throw new Error(`${command.join(" ")} failed\n${result.stderr}`);
  return result;
}

function median(values: number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1]!;
}

/** One slot in ten free, stacks of different weight, sizes of 16 to 4111 bytes, times in the order of slots. */
function makeStore(path: string): void {
  const store = new StoreBuilder();
  const app = store.module("/usr/bin/app", { executable: true });
  const frames = Array.from({ length: 20_000 }, (_, i) => store.frame(app, BigInt(0x1000 + 16 * i)));
  let random = 12345;
  const next = () => (random = (Math.imul(random, 1664525) + 1013904223) >>> 0);
  for (let i = 0; i < stacks; i++) {
    store.stack(Array.from({ length: 12 }, (_, depth) => frames[(depth < 3 ? next() : depth) % frames.length]!));
  }
  store.thread({ allocations: BigInt(records), allocatedBytes: 0n });
  store.recordSource({
    count: records,
    fill(view, offset, index) {
      const a = next();
      const b = next();
      const free = a % 10 === 0;
      view.setUint32(offset + L.RECORD_ADDRESS, free ? 0 : index * 16, true);
      view.setUint32(offset + L.RECORD_ADDRESS + 4, free ? 0 : 0x7f00, true);
      view.setUint32(offset + L.RECORD_SIZE, 16 + (a >>> 20), true);
      view.setUint32(offset + L.RECORD_SIZE + 4, 0, true);
      view.setUint32(offset + L.RECORD_TIME, index, true);
      view.setUint32(offset + L.RECORD_TIME + 4, index >>> 20, true);
      view.setUint32(offset + L.RECORD_THREAD, 4242, true);
      // The product of two even distributions: some stacks have many, most have few.
      const weight = ((a >>> 8) / 2 ** 24) * (b / 2 ** 32);
      view.setUint32(offset + L.RECORD_STACK, 1 + Math.floor(weight * stacks), true);
    },
  });
  store.write(path);
}
