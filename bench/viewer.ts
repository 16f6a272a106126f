// How fast is memview against a native C program that does the same?
//
//   node dist/bench/viewer.js [RECORDS=10000000] [STACKS=50000] [RUNS=5]
//
// Makes a store, and asks two questions of it, each of a program in C (bench/viewer/, compiled with $CC or cc) and of
// memview in each runtime that is there, one after the other in every round: `-a --top 50`, the sums by call stack, and
// `verdict`, the places in a program's own code. Each is a process from its start to its end, so a runtime's own start
// counts; a line shows what that alone takes. All have to answer alike. Printed are medians of the time and of the most
// memory that a process was seen with.

import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { isDeepStrictEqual } from "node:util";
import * as L from "../asm/layout.js";
import { StoreBuilder } from "../test/support/store-builder.js";

const [records = 10_000_000, stacks = 50_000, runs = 5] = process.argv.slice(2).map(Number);
const root = fileURLToPath(new URL("../..", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "memhook-bench-"));

interface Contestant {
  name: string;
  command: string[];
  /** Milliseconds, and the largest resident set in MiB, of each run. */
  times: number[];
  resident: number[];
}

interface Question {
  title: string;
  /** A source in bench/viewer/, and what its program takes behind the store. */
  native: string;
  arguments: string[];
  /** Of memview, before the store. */
  memview: string[];
  /** What has to be the same. */
  answer(text: string, native: boolean): unknown;
}

const questions: Question[] = [
  {
    title: "the 50 stacks with most allocations",
    native: "native.c",
    arguments: [],
    memview: ["-a", "--top", "50"],
    answer: (text) => text,
  },
  {
    title: "the ten places that hold most",
    native: "places.c",
    arguments: ["1"],
    memview: ["verdict", "--format", "json", "--top", "10"],
    answer(text, native) {
      if (native) return text.trim().split("\n").slice(0, 3);
      const { findings } = JSON.parse(text) as { findings: { bytes: number; count: number }[] };
      return findings.slice(0, 3).map(({ bytes, count }) => `${bytes} ${count}`);
    },
  },
];

try {
  const path = join(folder, "large.store");
  makeStore(path);
  const bin = join(root, "node_modules/.bin");
  for (const question of questions) {
    const native = join(folder, question.native.replace(".c", ""));
    const source = `${root}bench/viewer/${question.native}`;
    const { status } = spawnSync(
      process.env.CC ?? "cc",
      ["-O3", "-march=native", `-I${root}build`, "-o", native, source],
      { stdio: "inherit" },
    );
    if (status !== 0) throw new Error(`${source} does not compile`);
    const memview = [join(root, "memview"), ...question.memview, path];
    const contestants = (
      [
        ["native C", [native, path, ...question.arguments]],
        ["node", ["node", ...memview]],
        ["bun", [join(bin, "bun"), ...memview]],
        ["deno", [join(bin, "deno"), "run", "-A", ...memview]],
        ["node alone", ["node", "-e", "0"]],
      ] as const
    )
      .filter(([, [program]]) => !program!.startsWith(bin) || existsSync(program!))
      .map(([name, command]): Contestant => ({ name, command: [...command], times: [], resident: [] }));

    for (let round = 0; round < runs; round++) {
      let expected: unknown;
      for (const { name, command, times, resident } of contestants) {
        const { milliseconds, mebibytes, text } = await run(command);
        times.push(milliseconds);
        resident.push(mebibytes);
        if (name === "native C") expected = question.answer(text, true);
        else if (name !== "node alone" && !isDeepStrictEqual(question.answer(text, false), expected))
          throw new Error(`${name} answers otherwise than native C`);
      }
    }

    console.log(`${records} records, ${stacks} stacks, ${question.title}, medians of ${runs}`);
    for (const { name, times, resident } of contestants) {
      const ratio = (median(times) / median(contestants[0]!.times)).toFixed(2);
      const time = `${median(times).toFixed(0).padStart(5)} ms (${ratio})`;
      console.log(`${name.padEnd(11)} ${time}, ${median(resident).toFixed(0)} MiB resident`);
    }
  }
} finally {
  rmSync(folder, { recursive: true });
}

async function run([program, ...args]: string[]): Promise<{ milliseconds: number; mebibytes: number; text: string }> {
  const start = performance.now();
  const child = spawn(program!, args, { stdio: ["ignore", "pipe", "inherit"] });
  let kibibytes = 0;
  const look = setInterval(() => {
    try {
      const status = readFileSync(`/proc/${child.pid}/status`, "latin1");
      kibibytes = Number(/VmHWM:\s+(\d+)/.exec(status)?.[1] ?? kibibytes);
    } catch {
      // It has ended.
    }
  }, 10);
  let milliseconds = 0;
  child.on("exit", () => {
    milliseconds = performance.now() - start;
  });
  let text = "";
  for await (const piece of child.stdout.setEncoding("utf8")) text += piece;
  const code = child.exitCode ?? (await new Promise((resolve) => child.on("exit", resolve)));
  clearInterval(look);
  if (code !== 0) throw new Error(`${program} ${args.join(" ")} ended with ${code}`);
  return { milliseconds, mebibytes: kibibytes / 1024, text };
}

function median(values: number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1]!;
}

/**
 * One slot in ten free, stacks of different weight, sizes of 16 to 4111 bytes, times in the order of slots over all
 * the life. The innermost frames of two stacks in three are of a library.
 */
function makeStore(path: string): void {
  const store = new StoreBuilder({ endTime: BigInt((records >>> 20) + 1) << 32n });
  const library = store.module("/usr/lib/x86_64-linux-gnu/libany.so.1", { executable: true });
  const app = store.module("/srv/app", { executable: true });
  const frames = Array.from({ length: 20_000 }, (_, i) =>
    store.frame(i % 3 === 0 ? app : library, BigInt(0x1000 + 16 * i)),
  );
  const outer = Array.from({ length: 12 }, (_, i) => store.frame(app, BigInt(0x100 + 16 * i)));
  let random = 12345;
  const next = () => (random = (Math.imul(random, 1664525) + 1013904223) >>> 0);
  for (let i = 0; i < stacks; i++) {
    store.stack(outer.map((frame, depth) => (depth < 3 ? frames[next() % frames.length]! : frame)));
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
