// The library's questions to a store: the same answers as memview's JSON to the options of the same names.

import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import {
  type Filter,
  openStore,
  type StackReport,
  StoreError,
  SuppressionsError,
  snapshot,
} from "../../api/memhook.js";
import { watch } from "../../api/memview.js";
import { build, noCompiler, runWell } from "../support/programs.js";
import { root, run, temporaryFolder } from "../support/run.js";
import { StoreBuilder } from "../support/store-builder.js";
import { sampleStore } from "../support/stores.js";

const folder = temporaryFolder();
const sample = join(folder, "sample.mem");
sampleStore().write(sample);

/** What memview prints with these options. */
function memview(args: string[], path: string): { process?: unknown; totals?: unknown } {
  const { code, stdout, stderr } = run("memview", ["--format", "json", ...args, path]);
  assert.equal(code, 0, stderr);
  const { version, ...answer } = JSON.parse(stdout);
  assert.equal(version, 1);
  return answer;
}

/** What an answer and memview have in common: nothing of the symbol table, and of what is not so no word. */
function told(answer: object): unknown {
  return JSON.parse(JSON.stringify(answer, (key, value) => (key === "symbol" || value === false ? undefined : value)));
}

const FILTERS: [name: string, args: string[], filter: Filter][] = [
  ["all", [], {}],
  ["by size", ["--min-size", "30", "--max-size", "60"], { minSize: 30, maxSize: 60 }],
  [
    "by age at the start",
    ["--min-time-from-start", "10s", "--max-time-from-start", "20500ms"],
    { minTimeFromStart: 10_000, maxTimeFromStart: 20_500 },
  ],
  ["by age, nothing is so old", ["--min-time-from-now", "1000000h"], { minTimeFromNow: 3.6e12 }],
  ["by age, nothing is so young", ["--max-time-from-now", "0s"], { maxTimeFromNow: 0 }],
  [
    "by time",
    ["--min-time", "2026-03-01 12:00:20", "--max-time", "2026-03-01 12:00:40"],
    { minTime: new Date("2026-03-01T12:00:20Z"), maxTime: new Date("2026-03-01T12:00:40Z") },
  ],
  ["by thread and kind", ["--thread", "1235", "--kind", "heap"], { thread: 1235, kind: "heap" }],
  ["by module", ["--module", "plugin"], { module: /plugin/ }],
];

for (const [name, args, filter] of FILTERS) {
  test(`store: ${name}, as memview`, async () => {
    const store = await openStore(sample);
    const stacks = await store.stacks({ ...filter, sort: "size", top: 3 });
    assert.deepEqual(told(stacks), told(memview(["-ac", "--sort", "size", "--top", "3", ...args], sample)));
    const allocations = await store.allocations(filter);
    assert.deepEqual(told(allocations), told(memview(["-c", ...args], sample)));
    if (!name.includes("nothing")) assert.notEqual(stacks.matched.count, 0);
    store.close();
  });
}

test("store: the filters of this test tell allocations apart", async () => {
  const store = await openStore(sample);
  const all = (await store.stacks()).matched.count;
  for (const [name, , filter] of FILTERS) {
    const { count } = (await store.stacks(filter)).matched;
    assert.ok(name === "all" ? count === all : count < all, `${name}: ${count} of ${all}`);
  }
  store.close();
});

test("store: orders of stacks by what was freed, too", async () => {
  const store = await openStore(sample);
  for (const sort of ["count", "allocations", "temporary", "peak"] as const) {
    assert.deepEqual(told(await store.stacks({ sort })), told(memview(["-ac", "--sort", sort], sample)));
  }
  store.close();
});

test("store: summary", async () => {
  const store = await openStore(sample);
  const { process, totals, ...rest } = await store.summary();
  const answer = memview([], sample);
  assert.deepEqual({ process, totals }, { process: answer.process, totals: answer.totals });
  assert.deepEqual(rest, {});
  assert.equal(store.path, sample);
  store.close();
});

test("store: a sample says that it is one", async () => {
  const builder = new StoreBuilder({ sampleBytes: 512n });
  const stack = builder.stack([builder.frame(builder.module("/app"), 1n)]);
  for (let i = 1; i < 9; i++) builder.record({ address: BigInt(i) * 64n, size: 100, stack });
  const path = join(folder, "estimates.mem");
  builder.write(path);
  const store = await openStore(path);
  assert.deepEqual(told(await store.stacks()), told(memview(["-ac"], path)));
  assert.deepEqual((await store.summary()).sample, { bytes: 512, confidence: 0.999 });
  store.close();
});

test("store: what the C++ runtime keeps for itself counts only when it is asked for", async () => {
  const builder = new StoreBuilder();
  const [loader, runtime] = ["/lib64/ld-linux-x86-64.so.2", "/usr/lib/libstdc++.so.6"].map((path) =>
    builder.module(path),
  );
  const pool = builder.stack([builder.frame(runtime!, 1n), builder.frame(loader!, 1n)]);
  builder.record({ address: 0x1000n, size: 72704, stack: pool });
  const path = join(folder, "runtime.mem");
  builder.write(path);
  const store = await openStore(path);
  assert.deepEqual((await store.stacks()).suppressed, { count: 1, bytes: 72704 });
  assert.equal((await store.stacks()).matched.count, 0);
  const all = await store.stacks({ noDefaultSuppressions: true });
  assert.deepEqual([all.matched.count, all.suppressed], [1, undefined]);
  store.close();
});

test("store: a program's functions, files and lines; suppressions", { skip: noCompiler }, async () => {
  const path = join(folder, "sessions.mem");
  await runWell(build("sessions.c"), [], { store: path });
  const store = await openStore(path);
  const worst = (report: StackReport) => {
    const row = report.stacks.at(-1)!;
    const { function: name, file, line } = row.stack[0]!;
    return [row.bytes, row.count, name, file, line, row.stack[1]!.function];
  };
  const file = join(root, "test/programs/sessions.c");
  assert.deepEqual(worst(await store.stacks({ sort: "size", function: /^remember$/ })), [
    10000,
    50,
    "remember",
    file,
    22,
    "open_session",
  ]);
  const rest = await store.stacks({ suppressions: "leak:remember\n" });
  const listed = { count: 50, bytes: 10000 };
  assert.deepEqual(rest.suppressed, { ...listed, listed });
  assert.equal(worst(rest)[2], "open_log");
  assert.deepEqual(store.notes, []);
  store.close();
});

test("store: what cannot be opened, and questions that make no sense", async () => {
  await assert.rejects(openStore(join(folder, "no.mem")), (error) => {
    assert.ok(error instanceof StoreError);
    assert.match(error.message, /no\.mem: no such file; [^\n]+$/);
    return true;
  });
  const store = await openStore(sample);
  const wrong = { sort: "address" } as unknown as { sort: "size" };
  await assert.rejects(store.stacks(wrong), RangeError);
  await assert.rejects(store.stacks({ minTimeFromNow: Number.NaN }), {
    name: "RangeError",
    message: "minTimeFromNow: NaN is no time; give milliseconds or a Date",
  });
  await assert.rejects(store.allocations({ maxTime: new Date("gibberish") }), RangeError);
  await assert.rejects(store.stacks({ suppressions: "leak\n" }), (error) => error instanceof SuppressionsError);
  store.close();
});

const WRONG: [question: object, name: string, message: RegExp][] = [
  [{ minsize: 16 }, "TypeError", /^question: there is no minsize; there are minSize, /],
  [{ toString: 1 }, "TypeError", /^question: there is no toString; /],
  [{ minSize: "16" }, "RangeError", /^minSize: 16 is not a number$/],
  [{ minSize: Number.NaN }, "RangeError", /^minSize: NaN is not a number$/],
  [{ kind: "stack" }, "RangeError", /^kind: stack is not "heap" or "mmap" or "custom"$/],
  [{ thread: 1.5 }, "RangeError", /^thread: 1.5 is not a whole number from 0 on$/],
  [{ top: -1 }, "RangeError", /^top: -1 is not a whole number from 0 on$/],
  [{ sort: "bytes" }, "RangeError", /^sort: bytes is not /],
  [{ function: "main" }, "RangeError", /^function: main is not a regular expression$/],
  [{ minTime: "2026-03-01" }, "RangeError", /^minTime: 2026-03-01 is not milliseconds or a Date$/],
  [{ noDefaultSuppressions: "yes" }, "RangeError", /^noDefaultSuppressions: yes is not true or false$/],
];
test("store: members of questions that are none are errors, and those that are undefined are not there", async () => {
  const store = await openStore(sample);
  for (const [question, name, message] of WRONG) {
    await assert.rejects(store.stacks(question), { name, message });
    await assert.rejects(store.allocations(question), { name, message });
    if (!("top" in question || "sort" in question))
      await assert.rejects(snapshot(store, question), {
        name,
        message: new RegExp(message.source.replace("question", "filter")),
      });
  }
  const names = ["minSize", "kind", "sort", "top", "minTime", "module", "suppressions"] as const;
  const undefinedOnes = Object.fromEntries(names.map((name) => [name, undefined]));
  assert.deepEqual(await store.stacks(undefinedOnes), await store.stacks());
  store.close();
});

test("store: closed is a state, which no other store notices", async () => {
  const other = join(folder, "other.mem");
  new StoreBuilder().write(other);
  const first = await openStore(sample);
  const { matched } = await first.stacks();
  first.close();
  // Takes the descriptor that the first one had.
  const second = await openStore(sample);
  first.close();
  assert.deepEqual((await second.stacks()).matched, matched);
  second.close();
  const third = await openStore(other);
  const closed = { name: "StoreError", message: `${sample}: was closed; open it again` };
  await assert.rejects(second.stacks(), closed);
  await assert.rejects(second.allocations(), closed);
  await assert.rejects(second.summary(), closed);
  await assert.rejects(snapshot(second), closed);
  await assert.rejects(watch(second).next(), closed);
  third.close();
});
