// memview as users run it: every option, with the whole output, over a store whose contents are known.

import assert from "node:assert/strict";
import { copyFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import * as L from "../../asm/layout.js";
import { onceIsEnough, RUNTIMES, run, temporaryFolder } from "../support/run.js";
import { StoreBuilder } from "../support/store-builder.js";

const folder = temporaryFolder();
const SECOND = 1_000_000_000n;

// The process ran for a minute from 2026-03-01 12:00:00 UTC and left five allocations from four stacks.
const path = join(folder, "app.mem");
{
  const store = new StoreBuilder({ pid: 4242, exe: "/nowhere/app", command: ["app", "-v", "a b"] });
  const app = store.module("/nowhere/app", { bias: 0x5500_0000_0000n, executable: true });
  const lib = store.module("/nowhere/libx.so", { bias: 0x7f00_0000_0000n });
  const main = store.frame(app, 0x1020n);
  const work = store.stack([store.frame(app, 0x1010n), main]);
  const inLibrary = store.stack([store.frame(lib, 0x200n), main]);
  const cut = store.stack([store.frame(0, 0xabcd1234n)], { cut: true });
  store.record({ address: 0x1000n, size: 16, time: SECOND, thread: 7, stack: work });
  store.record({
    address: 0x3000n,
    size: 4096,
    time: 2n * SECOND + 500_000_000n,
    thread: 7,
    kind: 1,
    stack: inLibrary,
  });
  store.freeSlot();
  store.record({ address: 0x2000n, size: 64, time: 3n * SECOND + 1n, thread: 8, stack: work });
  store.record({ address: 0x4000n, size: 100, time: 30n * SECOND, thread: 8, kind: 2 });
  store.record({ address: 0x7fff_0000_5000n, size: 65, time: 40n * SECOND, thread: 8, stack: cut });
  store.write(path);
}

const LINES = {
  work: "0x1000, size=16, ts=2026-03-01 12:00:01.000000000",
  library: "0x3000, size=4096, ts=2026-03-01 12:00:02.500000000",
  again: "0x2000, size=64, ts=2026-03-01 12:00:03.000000001",
  custom: "0x4000, size=100, ts=2026-03-01 12:00:30.000000000",
  cut: "0x7fff00005000, size=65, ts=2026-03-01 12:00:40.000000000",
};
type Line = keyof typeof LINES;
const lines = (...names: Line[]) => names.map((name) => `${LINES[name]}\n`).join("");
const ALL: Line[] = ["work", "library", "again", "custom", "cut"];

const WORK = "    /nowhere/app+0x1010\n    /nowhere/app+0x1020\n";
const LIBRARY = "    /nowhere/libx.so+0x200\n    /nowhere/app+0x1020\n";
const UNKNOWN = "    (unknown stack)\n";
const CUT = "    0xabcd1234\n    … outer frames cut (MEMHOOK_DEPTH)\n";

/** Arguments besides the store, and what is printed. */
const outputs: [string[], string][] = [
  [[], lines(...ALL)],
  [["-t"], lines(...ALL)],
  [["--sort-by-time"], lines(...ALL)],
  [["-s"], lines("work", "again", "cut", "custom", "library")],
  [["--sort-by-size"], lines("work", "again", "cut", "custom", "library")],
  [["-p"], lines("work", "again", "library", "custom", "cut")],
  [["--sort-by-address"], lines("work", "again", "library", "custom", "cut")],
  [["-s", "-t"], lines(...ALL)],
  [["--top", "2"], lines("custom", "cut")],
  [["--top=2", "-s"], lines("custom", "library")],
  [["--top", "9"], lines(...ALL)],
  [["--no-lock"], lines(...ALL)],
  [["--no-lock=1"], lines(...ALL)],
  [["--no-lock=0"], lines(...ALL)],

  [["-z", "65"], lines("library", "custom", "cut")],
  [["--min-size", "4KiB"], lines("library")],
  [["-z65", "-z", "100"], lines("library", "custom")],
  [["--max-size=64"], lines("work", "again")],
  [["-z", "64", "--max-size", "65"], lines("again", "cut")],
  [["--thread", "7"], lines("work", "library")],
  [["--kind", "heap"], lines("work", "again", "cut")],
  [["--kind", "mmap"], lines("library")],
  [["--kind", "all"], lines(...ALL)],
  [["--module", "libx"], lines("library")],
  [["--module", "/app$", "--max-size", "64"], lines("work", "again")],

  [["--min-time-from-start", "3s"], lines("again", "custom", "cut")],
  [["--min-time-from-start=30s"], lines("custom", "cut")],
  [["--max-time-from-start", "2500ms"], lines("work", "library")],
  [["--min-time-from-start", "2s", "--max-time-from-start", "30s"], lines("library", "again", "custom")],
  [["--min-time-from-now", "10s"], lines(...ALL)],
  [["--max-time-from-now", "100y"], lines(...ALL)],
  [["-n", "2026-03-01 12:00:03"], lines("again", "custom", "cut")],
  [["--min-time=2026-03-01 12:00:03.000000002"], lines("custom", "cut")],
  [["-x", "2026-03-01 12:00:03"], lines("work", "library")],
  [["--max-time", "2026-03-01 12:00:03.000000001"], lines("work", "library", "again")],
  [["-n", "2020-01-01 00:00:00", "-x", "2030-01-01 00:00:00"], lines(...ALL)],
  [["-n", "2026-03-01 12:00:02", "--max-time-from-start", "29s"], lines("library", "again")],
  [["--min-time-from-start", "10s", "-n", "2026-03-01 12:00:02"], lines("custom", "cut")],

  [["--max-time-from-now", "1ms"], "No live allocations match.\n"],
  [["--min-time-from-now", "100y"], "No live allocations match.\n"],
  [["-x", "2026-03-01 11:59:59"], "No live allocations match.\n"],
  [["-a", "-z", "1GiB"], "No live allocations match.\n"],
  [["--function", "main"], "No live allocations match.\n"],

  [["-a", "-s"], "size=65, times=1\nsize=80, times=2\nsize=100, times=1\nsize=4096, times=1\n"],
  [["-as", "--top=1"], "size=4096, times=1\n"],
  [["-a", "--top=1"], "size=80, times=2\n"],
  [["-a0"], lines(...ALL)],
  [["--aggregate=false"], lines(...ALL)],
  [["-a", "-a0"], lines(...ALL)],
  [["--aggregate=1", "--thread=8", "-s"], "size=64, times=1\nsize=65, times=1\nsize=100, times=1\n"],
  [["-c", "--thread=7"], `${lines("work")}${WORK}${lines("library")}${LIBRARY}`],
  [["-c", "-z65", "-s"], `${lines("cut")}${CUT}${lines("custom")}${UNKNOWN}${lines("library")}${LIBRARY}`],
  [
    ["-acs"],
    `size=65, times=1\n${CUT}size=80, times=2\n${WORK}size=100, times=1\n${UNKNOWN}size=4096, times=1\n${LIBRARY}`,
  ],
  [["--show-callstack=1", "--aggregate=1", "--top=1"], `size=80, times=2\n${WORK}`],
  [["-ac0", "--top=1"], "size=80, times=2\n"],
  [["--format", "text", "--top=1"], lines("cut")],
];

for (const [options, expected] of outputs) {
  test(`memview ${options.join(" ") || "alone"}`, () => {
    const { code, stdout, stderr } = run("memview", [...options, path]);
    assert.equal(stdout, expected);
    assert.equal(code, 0, stderr);
  });
}

test("memview finds the store by -f, glued, by long option, by position and behind --", () => {
  for (const store of [
    ["-f", path],
    [`-f${path}`],
    [`-f=${path}`],
    ["--mapped-file", path],
    [`--mapped-file=${path}`],
    ["--", path],
  ]) {
    const { code, stdout } = run("memview", ["--top=1", ...store]);
    assert.deepEqual([code, stdout], [0, lines("cut")], store.join(" "));
  }
  // The last one counts.
  assert.equal(run("memview", ["-f", "/nonexistent", "-f", path, "--top=1"]).stdout, lines("cut"));
});

test("memview prints local time", () => {
  const { stdout } = run("memview", ["--top=1", path], { env: { TZ: "Asia/Kolkata" } });
  assert.equal(stdout, "0x7fff00005000, size=65, ts=2026-03-01 17:30:40.000000000\n");
  const since = run("memview", ["-n", "2026-03-01 17:30:30", path], { env: { TZ: "Asia/Kolkata" } });
  assert.equal(
    since.stdout,
    "0x4000, size=100, ts=2026-03-01 17:30:30.000000000\n0x7fff00005000, size=65, ts=2026-03-01 17:30:40.000000000\n",
  );
});

test("of an hour that daylight saving repeats, --min-time is the earlier and --max-time the later one", () => {
  const repeated = join(folder, "repeated.mem");
  const start = BigInt(Date.UTC(2026, 9, 25));
  const store = new StoreBuilder({ startWall: start * 1_000_000n });
  // 2:15 and 2:45, and an hour later the same.
  for (const minutes of [15, 45, 75, 105])
    store.record({ address: BigInt(minutes) * 16n, size: minutes, time: BigInt(minutes) * 60_000_000_000n });
  store.write(repeated);
  const sizes = (...args: string[]) => {
    const { allocations } = JSON.parse(
      run("memview", ["--format=json", ...args, repeated], { env: { TZ: "Europe/Berlin" } }).stdout,
    );
    return allocations.map(({ size }: { size: number }) => size);
  };
  assert.deepEqual(sizes("--min-time=2026-10-25 02:30:00"), [45, 75, 105]);
  assert.deepEqual(sizes("--max-time=2026-10-25 02:30:00"), [15, 45, 75]);
  assert.deepEqual(sizes("--min-time=2026-10-25 02:30:00", "--max-time=2026-10-25 02:30:00"), [45, 75]);
  assert.deepEqual(sizes("--min-time=2026-10-25 03:00:00"), []);
  assert.deepEqual(sizes("--max-time=2026-03-29 02:30:00"), []);
  assert.deepEqual(sizes("--min-time=2026-03-29 02:30:00"), [15, 45, 75, 105]);
});

test("memview's age is counted to when a store from elsewhere was last written, and memview says so", () => {
  const ages = join(folder, "ages.mem");
  const hour = 3600n * SECOND;
  const store = new StoreBuilder({ bootId: new Uint8Array(16).fill(7), seenTime: 3n * hour, endTime: 0n });
  store.record({ address: 0x1000n, size: 1, time: 0n });
  store.record({ address: 0x2000n, size: 2, time: hour });
  store.record({ address: 0x3000n, size: 3, time: 2n * hour });
  store.write(ages);
  const sizes = (...options: string[]) =>
    [...run("memview", [...options, ages]).stdout.matchAll(/size=(\d+)/g)].map((match) => Number(match[1]));
  assert.deepEqual(sizes("--min-time-from-now", "90min"), [1, 2]);
  assert.deepEqual(sizes("--max-time-from-now", "90min"), [3]);
  assert.deepEqual(sizes("--min-time-from-now", "1.5h", "--max-time-from-now", "2.5h"), [2]);
  assert.deepEqual(sizes("--max-time-from-now", "150min", "--min-time-from-start", "90min"), [3]);
  const said =
    `memview: ${ages}: of another machine, or from before this one was started: ages count to when it was last ` +
    "written, not to now\n";
  assert.equal(run("memview", ["--min-time-from-now", "90min", ages]).stderr, said);
  assert.equal(run("memview", ["--min-time-from-start", "90min", ages]).stderr, "");
});

test("memview finds shared memory by its name", () => {
  const name = `memhook-test-${process.pid}`;
  const memory = `/dev/shm/${name}`;
  copyFileSync(path, memory);
  try {
    for (const options of [["-m", name], [`-m${name}`], [`--shared-memory=${name}`]]) {
      assert.equal(run("memview", ["--top=1", ...options]).stdout, lines("cut"), options.join(" "));
    }
  } finally {
    rmSync(memory);
  }
});

test("memview --get-storage-info", () => {
  const half = join(folder, "half.mem");
  new StoreBuilder({ sizeLimit: 10n << 20n, committedBytes: 4n << 20n }).write(half);
  assert.equal(run("memview", ["--get-storage-info", half]).stdout, "size=10485760, free=6291456\n");
  const full = join(folder, "over.mem");
  new StoreBuilder({ sizeLimit: 1n << 20n, committedBytes: 2n << 20n }).write(full);
  assert.equal(run("memview", ["--get-storage-info", full]).stdout, "size=1048576, free=0\n");
});

test("memview info", () => {
  const told = join(folder, "told.mem");
  const store = new StoreBuilder({
    pid: 77,
    exe: "/opt/my app",
    command: ["my app", "-v", "it's"],
    endKind: 1,
    endStatus: 3,
    sizeLimit: 8n << 30n,
    committedBytes: 3n << 20n,
    peakBytes: 9_000_000n,
    peakTime: 20n * SECOND,
    reservedBytes: 1n << 30n,
  });
  store.record({ address: 0x1000n, size: 5_242_880, time: SECOND });
  for (let i = 0n; i < 30n; i++) store.timeline({ time: i * SECOND, liveBytes: i, liveCount: i, allocations: i });
  store.write(told);
  const { code, stdout, stderr } = run("memview", ["info", told]);
  const shown = [0, 3, 5, 8, 11, 13, 16, 18, 21, 24, 26, 29].map(
    (second) =>
      `  2026-03-01 12:00:${String(second).padStart(2, "0")}.000000000  ${second} bytes in ${second} allocations\n`,
  );
  assert.deepEqual([code, stderr], [0, ""]);
  assert.equal(
    stdout,
    `process:   77 /opt/my app
command:   'my app' -v 'it'\\''s'
started:   2026-03-01 12:00:00.000000000
state:     exited with code 3 at 2026-03-01 12:01:00.000000000
live:      5242880 bytes (5.0 MiB) in 1 allocation
allocated: 5242880 bytes (5.0 MiB) in 1 allocation
temporary: 0 allocations (0.0 %), freed before their thread's next one
peak:      9000000 bytes (8.6 MiB) at 2026-03-01 12:00:20.000000000
store:     ${told}, by the library, format ${L.STORE_VERSION_MAJOR}.${L.STORE_VERSION_MINOR}
taken:     3145728 bytes (3.0 MiB) of at most 8589934592 bytes (8.0 GiB)
reserved:  1073741824 bytes (1.0 GiB) of addresses, no memory (PROT_NONE)
stacks:    0 of at most 256 frames, unwinder dwarf
live over time:
${shown.join("")}`,
  );
  const json = JSON.parse(run("memview", ["info", "--format", "json", told]).stdout);
  assert.deepEqual(Object.keys(json), ["version", "process", "totals", "end", "store", "timeline"]);
  assert.equal(json.store.reservedBytes, 2 ** 30);
  assert.deepEqual(json.end, { kind: "exit", status: 3, time: "2026-03-01T12:01:00.000000000Z" });
  assert.equal(json.timeline.length, 30);
  assert.deepEqual(json.timeline[29], {
    time: "2026-03-01T12:00:29.000000000Z",
    liveBytes: 29,
    liveCount: 29,
    allocations: 29,
  });
});

test("memview says that memhook switched itself off", () => {
  const off = join(folder, "off.mem");
  new StoreBuilder({ flags: 1 }).write(off);
  const said = "memhook switched itself off in this process: what is stored is not all (MEMHOOK_LOG tells why)\n";
  assert.equal(run("memview", [off]).stderr, `memview: ${said}`);
  assert.equal(run("memview", ["--format=json", off]).stderr, `memview: ${said}`);
  assert.ok(run("memview", ["info", off]).stdout.endsWith(said));
});

test("memview says what was not recorded, in every output", () => {
  const full = join(folder, "full.mem");
  const store = new StoreBuilder({ dropped: 3n });
  store.record({ address: 0x1000n, size: 1 });
  store.write(full);
  const said =
    "3 allocations were not recorded and missing here: the store was full (MEMHOOK_SIZE makes it larger, where " +
    "its disk has room) or busy, or a signal handler made them inside of another\n";
  assert.equal(run("memview", [full]).stdout, `0x1000, size=1, ts=2026-03-01 12:00:00.000000000\n${said}`);
  assert.equal(run("memview", ["-ac", full]).stdout, `size=1, times=1\n${UNKNOWN}${said}`);
  assert.equal(run("memview", ["-z2", full]).stdout, `No live allocations match.\n${said}`);
  assert.ok(run("memview", ["info", full]).stdout.endsWith(said));
  assert.ok(run("memview", ["--get-storage-info", full]).stdout.endsWith(said));
  assert.equal(JSON.parse(run("memview", ["--format=json", full]).stdout).totals.dropped, 3);
  assert.equal(JSON.parse(run("memview", ["info", "--format=json", full]).stdout).totals.dropped, 3);
});

test("memview of an empty store", () => {
  const empty = join(folder, "empty.mem");
  new StoreBuilder().write(empty);
  assert.equal(run("memview", [empty]).stdout, "No live allocations.\n");
  assert.equal(run("memview", ["-ac", empty]).stdout, "No live allocations.\n");
  assert.deepEqual(JSON.parse(run("memview", ["--format=json", empty]).stdout).allocations, []);
  assert.deepEqual(JSON.parse(run("memview", ["-a", "--format=json", empty]).stdout).stacks, []);
});

const PROCESS =
  '"process":{"pid":4242,"exe":"/nowhere/app","command":["app","-v","a b"],' +
  '"startTime":"2026-03-01T12:00:00.000000000Z","state":"exited"}';
const TOTALS =
  '"totals":{"liveCount":5,"liveBytes":4341,"allocatedCount":5,"allocatedBytes":4341,' +
  '"peakBytes":4341,"peakTime":"2026-03-01T12:00:40.000000000Z","dropped":0}';
const frame = (address: string, module: string, offset: string) =>
  `{"address":"${address}","module":"${module}","offset":"${offset}",` +
  '"function":null,"file":null,"line":null,"inlined":false}';
const MAIN = frame("0x550000001020", "/nowhere/app", "0x1020");

test("memview --format json", () => {
  const { stdout, code } = run("memview", ["--format", "json", "--min-time-from-start", "2s", "-s", "--top=2", path]);
  assert.equal(
    stdout,
    `{"version":1,
${PROCESS},
${TOTALS},
"matched":{"count":4,"bytes":4325},
"allocations":[
{"address":"0x4000","size":100,"time":"2026-03-01T12:00:30.000000000Z","thread":8,"kind":"custom","stack":[]},
{"address":"0x3000","size":4096,"time":"2026-03-01T12:00:02.500000000Z","thread":7,"kind":"mmap",\
"stack":[${frame("0x7f0000000200", "/nowhere/libx.so", "0x200")},${MAIN}]}
]}
`,
  );
  assert.equal(code, 0);
});

test("memview -a --format json", () => {
  const { stdout } = run("memview", ["-a", "--format=json", "--kind=heap", path]);
  assert.equal(
    stdout,
    `{"version":1,
${PROCESS},
${TOTALS},
"matched":{"count":3,"bytes":145},
"stacks":[
{"bytes":65,"count":1,"oldest":"2026-03-01T12:00:40.000000000Z","newest":"2026-03-01T12:00:40.000000000Z",\
"stack":[${frame("0xabcd1234", "", "0xabcd1234")}],"cut":true},
{"bytes":80,"count":2,"oldest":"2026-03-01T12:00:01.000000000Z","newest":"2026-03-01T12:00:03.000000001Z",\
"stack":[${frame("0x550000001010", "/nowhere/app", "0x1010")},${MAIN}]}
]}
`,
  );
  JSON.parse(stdout);
});

test("the symbolizer's notes go to standard error, one line each", () => {
  const { stderr } = run("memview", ["-c", path]);
  const notes = stderr.trimEnd().split("\n");
  assert.equal(notes.length, 2);
  for (const note of notes) assert.match(note, /^memview: \/nowhere\/(app|libx\.so): /);
  assert.equal(run("memview", [path]).stderr, "");
});

test("memview gives the same bytes in Node, Bun and Deno", { skip: onceIsEnough }, () => {
  for (const options of [
    ["-c"],
    ["-ac"],
    ["--format=json"],
    ["-a", "--format=json"],
    ["info"],
    ["info", "--format=json"],
    ["--help"],
  ]) {
    const results = Object.entries(RUNTIMES).map(([name, runtime]) => ({
      name,
      ...run("memview", [...options, path], { runtime }),
    }));
    for (const { name, ...result } of results) {
      const { name: _, ...first } = results[0]!;
      assert.deepEqual(result, first, `${name}: ${options}`);
      assert.equal(result.code, 0);
    }
  }
});
