// Exports: what each format says of a store and of a snapshot, decoded again, is
// what memview's JSON says; and its bytes are those of test/vectors/exports, which
// test/support/make-export-vectors.ts writes anew after a change that is meant.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import vm from "node:vm";
import { gunzipSync } from "node:zlib";
import { Profile } from "pprof-format";
import { exportProfile } from "../../../api/export.js";
import { type Filter, openStore, readSnapshot, type Store, snapshot } from "../../../api/memhook.js";
import type { COSTS } from "../../../runtime/exports/cost.js";
import { FORMAT_NAMES, type FormatName } from "../../../runtime/exports/formats.js";
import { textOf as text } from "../../support/exports.js";
import { build, noCompiler, runWell } from "../../support/programs.js";
import { root, run, temporaryFolder } from "../../support/run.js";
import { sampleStore } from "../../support/stores.js";

const folder = temporaryFolder();
const sample = join(folder, "sample.mem");
sampleStore().write(sample);

// ── Sums ─────────────────────────────────────────────────────────────────────────────────────────

/** What a file says is live, in bytes and blocks; undefined where the format does not say. */
type Live = { bytes: number; count?: number | undefined };

const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);

const READERS: Record<FormatName, (bytes: Uint8Array) => Live> = {
  pprof(bytes) {
    const { sample, sampleType, stringTable } = Profile.decode(gunzipSync(bytes));
    const place = (name: string) => sampleType.findIndex(({ type }) => stringTable.strings[Number(type)] === name);
    const total = (name: string) => sum(sample.map(({ value }) => Number(value[place(name)])));
    return { bytes: total("inuse_space"), count: total("inuse_objects") };
  },
  speedscope(bytes) {
    const { profiles } = JSON.parse(Buffer.from(bytes).toString());
    const of = (name: string) => profiles.find((each: { name: string }) => each.name === name);
    for (const { weights, endValue, samples } of profiles) {
      assert.equal(sum(weights), endValue);
      assert.equal(samples.length, weights.length);
    }
    return { bytes: of("live bytes").endValue, count: of("live blocks").endValue };
  },
  folded(bytes) {
    const lines = Buffer.from(bytes).toString().trimEnd().split("\n").filter(Boolean);
    return { bytes: sum(lines.map((line) => Number(line.slice(line.lastIndexOf(" ") + 1)))) };
  },
  heaptrack(bytes) {
    const sizes: number[] = [];
    const live = { bytes: 0, count: 0 };
    for (const line of Buffer.from(bytes).toString().split("\n")) {
      const value = Number.parseInt(line.slice(2), 16);
      if (line.startsWith("a ")) sizes.push(value);
      const sign = line.startsWith("+ ") ? 1 : line.startsWith("- ") ? -1 : 0;
      live.count += sign;
      live.bytes += sign * (sizes[value] ?? 0);
    }
    return live;
  },
  massif(bytes) {
    const last = Buffer.from(bytes).toString().split("snapshot=").at(-1)!;
    const [heap, tree] = [/^mem_heap_B=(\d+)$/m, /^n\d+: (\d+) /m].map((form) => Number(form.exec(last)![1]));
    assert.equal(heap, tree);
    return { bytes: heap! };
  },
  dhat(bytes) {
    const { pps } = JSON.parse(Buffer.from(bytes).toString()) as { pps: { eb: number; ebk: number }[] };
    return { bytes: sum(pps.map(({ eb }) => eb)), count: sum(pps.map(({ ebk }) => ebk)) };
  },
};

const FILTERS: [name: string, args: string[], filter: Filter][] = [
  ["all", [], {}],
  ["small ones", ["--max-size", "40"], { maxSize: 40 }],
  ["a module's", ["--module", "plugin"], { module: /plugin/ }],
  ["none", ["--min-size", "1TiB"], { minSize: 2 ** 40 }],
];

for (const format of FORMAT_NAMES) {
  for (const [name, args, filter] of FILTERS) {
    test(`${format}: ${name}, as memview says`, async () => {
      const store = await openStore(sample);
      const { matched } = await store.stacks(filter);
      const live = READERS[format](await exportProfile(store, format, filter));
      assert.deepEqual(live, live.count === undefined ? { bytes: matched.bytes } : { ...live, ...matched });
      if (name !== "none") assert.notEqual(live.bytes, 0);
      store.close();
      const path = join(folder, `${format}.out`);
      const { code, stderr } = run("memview", ["export", "--format", format, "-o", path, ...args, sample]);
      assert.equal(code, 0, stderr);
      assert.deepEqual(READERS[format](readFileSync(path)), live);
    });
  }

  test(`${format}: a snapshot, and two stores`, async () => {
    const store = await openStore(sample);
    const taken = await snapshot(store);
    const live = READERS[format](await exportProfile(taken, format));
    const { count } = live;
    assert.deepEqual(live, count === undefined ? { bytes: taken.bytes } : { bytes: taken.bytes, count: taken.count });
    const twice = READERS[format](await exportProfile([store, taken], format));
    assert.deepEqual(twice, { bytes: 2 * live.bytes, ...(count === undefined ? {} : { count: 2 * count }) });
    store.close();
  });

  test(`${format}: the vector`, async () => {
    const store = await openStore(sample);
    const vector = join(root, `test/vectors/exports/${format}.txt`);
    const now = await text(store, format);
    assert.equal(now, readFileSync(vector, "utf8"));
    store.close();
  });
}

test("folded: every cost, as memview's orders say", async () => {
  const store = await openStore(sample);
  const folded = async (cost: (typeof COSTS)[number]) =>
    READERS.folded(await exportProfile(store, "folded", {}, { cost })).bytes;
  for (const order of ["allocations", "temporary", "peak"] as const) {
    const { stacks } = await store.stacks({ sort: order });
    assert.equal(await folded(order), sum(stacks.map((row) => row[order]!)), order);
  }
  assert.equal(await folded("blocks"), (await store.stacks()).matched.count);
  store.close();
});

// ── Names ────────────────────────────────────────────────────────────────────────────────────────

test("names with what a format uses itself", async () => {
  const path = join(folder, "names.snap");
  const names = ["a;b c", 'q"uo\\te', "two\nlines", "n1: 5 f", "größe", "\u202eright", "</script>"];
  const rows = names.map((name) => ({ program: "p", count: 2, bytes: 7, stack: [["lib.so", name, "x y.c", 3]] }));
  const totals = { count: 14, bytes: 49, stacks: 7 };
  writeFileSync(
    path,
    JSON.stringify({
      format: "memhook snapshot",
      version: 1,
      totals,
      suppressed: { count: 0, bytes: 0 },
      dropped: 0,
      stacks: rows,
    }),
  );
  const taken = await readSnapshot(path);
  for (const format of FORMAT_NAMES) {
    const { bytes } = READERS[format](await exportProfile(taken, format));
    assert.equal(bytes, 49, format);
  }
  const lines = (await text(taken, "folded")).trimEnd().split("\n");
  assert.equal(lines.length, names.length);
  assert.ok(lines.every((line) => !/;/.test(line)));
});

test("what cannot be exported", async () => {
  const mistakes: [string[], RegExp][] = [
    [
      ["--format", "svg", sample],
      /^memview: --format: 'svg' is unknown; write pprof or speedscope or folded or heaptrack or massif or dhat$/,
    ],
    [
      ["--format", "dhat", "--cost", "peak", sample],
      /^memview: --cost: dhat has all costs; leave it out, or write --format folded$/,
    ],
    [["--format", "folded", "--cost", "size", sample], /^memview: --cost: 'size' is unknown; /],
    [["-o", join(folder, "no/such/folder"), sample], /^memview: -o .*: cannot be written \(no such folder\)$/m],
    [[join(folder, "no.mem")], /^memview: .*no\.mem: /],
  ];
  for (const [args, message] of mistakes) {
    const { code, stdout, stderr } = run("memview", ["export", ...args]);
    assert.deepEqual([code, stdout], [2, ""]);
    assert.match(stderr.trimEnd(), message);
  }
  const store = await openStore(sample);
  await assert.rejects(exportProfile(store, "svg" as FormatName), RangeError);
  await assert.rejects(exportProfile(store, "dhat", { size: 5 } as Filter), TypeError);
  store.close();
  await assert.rejects(exportProfile(store, "dhat"), /was closed/);
});

// ── The tools themselves ─────────────────────────────────────────────────────────────────────────

const missing = (tool: string) => spawnSync(tool, ["--version"]).error !== undefined && `there is no ${tool}`;
const DH_VIEW = "/usr/libexec/valgrind/dh_view.js";

/** A program's store with names, inlined calls, blocks that are freed and a peak above what is left. */
const program = noCompiler ? null : build("exported.c");
async function recorded(): Promise<Store> {
  const path = join(folder, "exported.mem");
  if (!existsSync(path)) await runWell(program!, [], { store: path });
  return openStore(path);
}

test("pprof has the program first, build ids, lines and inlined calls", { skip: noCompiler }, async () => {
  const store = await recorded();
  const lines = (await text(store, "pprof"))
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line));
  store.close();
  const mapping = lines.find((line) => line.filename !== undefined && line.memoryStart !== undefined);
  assert.match(mapping.filename, /exported/);
  const functions = new Map(lines.filter((line) => line.systemName !== undefined).map((line) => [line.id, line.name]));
  const inlined = lines.filter((line) => line.line?.length > 1);
  const names = inlined.map(({ line }) => line.map((each: { functionId: number }) => functions.get(each.functionId)));
  assert.ok(
    names.some((each) => each[0] === "inner" && each[1] === "outer"),
    JSON.stringify(names),
  );
});

test("heaptrack_print reads the totals", { skip: noCompiler || missing("heaptrack_print") }, async () => {
  const store = await recorded();
  const path = join(folder, "exported.heaptrack");
  writeFileSync(path, await exportProfile(store, "heaptrack", { noDefaultSuppressions: true }));
  const { stacks, totals } = await store.stacks({ noDefaultSuppressions: true, sort: "peak" });
  store.close();
  const { stdout } = spawnSync("heaptrack_print", ["--print-histogram", join(folder, "histogram"), path], {
    encoding: "utf8",
  });
  const told = (form: RegExp) => amount(form.exec(stdout)?.[1] ?? stdout);
  assert.equal(told(/^total memory leaked: (\S+)$/m), rounded(totals.liveBytes));
  assert.equal(told(/^peak heap memory consumption: (\S+)$/m), rounded(sum(stacks.map(({ peak }) => peak!))));
});

/** A number as heaptrack prints it, in bytes. */
function amount(text: string): number {
  const [, digits, unit] = /^([\d.]+)([BKMG])$/.exec(text)!;
  return Number(digits) * 1000 ** "BKMG".indexOf(unit!);
}

function rounded(bytes: number): number {
  const power = Math.min(3, Math.floor(Math.log10(Math.max(1, bytes)) / 3));
  return Number((bytes / 1000 ** power).toFixed(2)) * 1000 ** power;
}

test("ms_print reads the totals", { skip: noCompiler || missing("ms_print") }, async () => {
  const store = await recorded();
  const path = join(folder, "exported.massif");
  writeFileSync(path, await exportProfile(store, "massif", { noDefaultSuppressions: true }));
  const { totals } = await store.stacks({ noDefaultSuppressions: true });
  store.close();
  const { stdout, stderr, status } = spawnSync("ms_print", [path], { encoding: "utf8" });
  assert.deepEqual([stderr, status], ["", 0]);
  const snapshots = [...stdout.matchAll(/^ +\d+ +[\d,]+ +([\d,]+) /gm)].map(([, bytes]) =>
    Number(bytes!.replaceAll(",", "")),
  );
  assert.equal(snapshots.at(-1), totals.liveBytes);
  assert.match(stdout, /->\d+\.\d\d% \([\d,]+B\) 0x[0-9A-F]+: hold \(exported\.c:\d+\)/);
});

test("dh_view reads the totals", {
  skip: noCompiler || (!existsSync(DH_VIEW) && "there is no dh_view.js"),
}, async () => {
  const store = await recorded();
  const data = Buffer.from(await exportProfile(store, "dhat", { noDefaultSuppressions: true })).toString();
  const { totals } = await store.stacks({ noDefaultSuppressions: true });
  store.close();
  // Its menu of orders is all that it wants of a browser.
  const code = `${readFileSync(DH_VIEW, "utf8")}
    gSelect = { childNodes: gSelectData.map(() => ({})), selectedIndex: 0 };
    gData = JSON.parse(data);
    buildTree();
    JSON.stringify([gRoot._atTEndBytes, gRoot._atTEndBlocks, gRoot._totalBytes, gRoot._totalBlocks])`;
  const [bytes, count, allocatedBytes, allocatedCount] = JSON.parse(vm.runInNewContext(code, { data, document: {} }));
  assert.deepEqual({ bytes, count }, { bytes: totals.liveBytes, count: totals.liveCount });
  assert.deepEqual(
    { allocatedBytes, allocatedCount },
    { allocatedBytes: totals.allocatedBytes, allocatedCount: totals.allocatedCount },
  );
});
