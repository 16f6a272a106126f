// From rows with stack ids to rows with frames: what is asked of the symbolizer, and what becomes of its answers.
// The store and the symbolizer are stand-ins, so that every question is seen.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { CodeLocation, ModuleInfo, Query, QueryResult, RawFrame } from "../../../runtime/host/types.js";
import { report } from "../../../runtime/reports/report.js";
import type { Store } from "../../../runtime/stores/store.js";
import type { Symbolizer } from "../../../runtime/symbols/symbolize.js";

const app: ModuleInfo = {
  id: 1,
  path: "/opt/app",
  buildId: new Uint8Array(),
  file: null,
  bias: 0x5500_0000_0000n,
  start: 0x5500_0000_0000n,
  end: 0x5500_0010_0000n,
  loaded: 0n,
  unloaded: 0n,
  executable: true,
  vdso: false,
};
const libc: ModuleInfo = { ...app, id: 2, path: "/lib/libc.so.6", bias: 0x7f00_0000_0000n };

const leak: RawFrame = { id: 1, module: app, offset: 0x1010n, exact: false };
const main: RawFrame = { id: 2, module: app, offset: 0x1020n, exact: false };
const start: RawFrame = { id: 3, module: libc, offset: 0x29d90n, exact: false };
const nowhere: RawFrame = { id: 4, module: null, offset: 0x1234n, exact: true };

const stacks = [
  { frames: [], cut: false },
  { frames: [leak, main, start], cut: false },
  { frames: [main, start], cut: true },
  { frames: [nowhere], cut: false },
];

const locations: Record<string, CodeLocation[]> = {
  "/opt/app+4112": [
    { function: "_ZN3foo3barEi", file: "/src/foo.h", line: 7, inlined: true },
    { function: "leak", file: "/src/app.c", line: 12, inlined: false },
  ],
  "/opt/app+4128": [{ function: "main", file: null, line: null, inlined: false }],
};

/** A symbolizer that writes down what it is asked. */
function symbolizer(asked: string[][]): Symbolizer {
  return {
    notes: [],
    async symbolize(requests: { module: ModuleInfo; offset: bigint; exact: boolean }[]) {
      const keys = requests.map(({ module, offset }) => `${module.path}+${offset}`);
      asked.push(keys);
      return keys.map((key) => locations[key] ?? []);
    },
  } as unknown as Symbolizer;
}

const result: QueryResult = {
  matched: { count: 3, bytes: 60 },
  allocations: [
    { address: 0x7f00_0000_1000n, size: 10, time: 0n, thread: 9, kind: "heap", stackId: 1 },
    { address: 0x7f00_0000_2000n, size: 20, time: 1_500_000_000n, thread: 9, kind: "mmap", stackId: 1 },
    { address: 0x7f00_0000_3000n, size: 30, time: 2_000_000_001n, thread: 8, kind: "custom", stackId: 3 },
  ],
  stacks: [
    { stackId: 3, count: 1, bytes: 30, oldest: 2_000_000_001n, newest: 2_000_000_001n },
    { stackId: 2, count: 2, bytes: 30, oldest: 0n, newest: 1_500_000_000n },
  ],
};

const totals = {
  liveCount: 3,
  liveBytes: 60,
  allocatedCount: 5,
  allocatedBytes: 100,
  peakBytes: 80,
  peakTime: "2026-03-01T12:00:01.000000000Z",
  dropped: 0,
};

function store(query?: (query: Query) => Promise<void>): Store {
  return {
    process: {
      pid: 1,
      exe: "/opt/app",
      command: ["app"],
      startTime: "2026-03-01T12:00:00.000000000Z",
      state: "exited",
    },
    totals: () => totals,
    wallTime: (relative: bigint) => 1_772_366_400_000_000_000n + relative,
    frames: (id: number) => stacks[id],
    async query(asked: Query) {
      await query?.(asked);
      return result;
    },
  } as unknown as Store;
}

test("report: inlined calls become frames of their own, names are demangled", async () => {
  const { allocations, stacks: none } = await report(store(), { aggregate: false, sort: "time" }, symbolizer([]), {
    stacks: true,
  });
  assert.equal(none, undefined);
  const rows = [...allocations!];
  assert.deepEqual(rows[0], {
    address: "0x7f0000001000",
    size: 10,
    time: "2026-03-01T12:00:00.000000000Z",
    thread: 9,
    kind: "heap",
    cut: false,
    stack: [
      {
        address: "0x550000001010",
        module: "/opt/app",
        offset: "0x1010",
        function: "foo::bar(int)",
        symbol: "_ZN3foo3barEi",
        file: "/src/foo.h",
        line: 7,
        inlined: true,
      },
      {
        address: "0x550000001010",
        module: "/opt/app",
        offset: "0x1010",
        function: "leak",
        symbol: "leak",
        file: "/src/app.c",
        line: 12,
        inlined: false,
      },
      {
        address: "0x550000001020",
        module: "/opt/app",
        offset: "0x1020",
        function: "main",
        symbol: "main",
        file: null,
        line: null,
        inlined: false,
      },
      {
        address: "0x7f0000029d90",
        module: "/lib/libc.so.6",
        offset: "0x29d90",
        function: null,
        symbol: null,
        file: null,
        line: null,
        inlined: false,
      },
    ],
  });
  assert.equal(rows[1]!.time, "2026-03-01T12:00:01.500000000Z");
  assert.equal(rows[2]!.time, "2026-03-01T12:00:02.000000001Z");
  assert.deepEqual(rows[2]!.stack, [
    {
      address: "0x1234",
      module: "",
      offset: "0x1234",
      function: null,
      symbol: null,
      file: null,
      line: null,
      inlined: false,
    },
  ]);
});

test("report: each frame is asked for once, all in one request", async () => {
  const asked: string[][] = [];
  await report(store(), { aggregate: false, sort: "time" }, symbolizer(asked), { stacks: true });
  assert.deepEqual(asked, [["/opt/app+4112", "/opt/app+4128", "/lib/libc.so.6+171408"]]);
});

test("report: without stacks nothing is asked", async () => {
  const asked: string[][] = [];
  const { allocations } = await report(store(), { aggregate: false, sort: "time" }, symbolizer(asked), {
    stacks: false,
  });
  assert.deepEqual(asked, []);
  assert.deepEqual(
    [...allocations!].map((row) => row.stack),
    [[], [], []],
  );
});

test("report: aggregated rows, cut stacks, and a list that can be read twice", async () => {
  const answer = await report(store(), { aggregate: true, sort: "count" }, symbolizer([]), { stacks: true });
  assert.equal(answer.allocations, undefined);
  assert.deepEqual(answer.matched, { count: 3, bytes: 60 });
  assert.deepEqual(answer.totals, totals);
  const rows = [...answer.stacks!];
  assert.deepEqual(
    rows.map(({ bytes, count, oldest, newest, cut, stack }) => [bytes, count, oldest, newest, cut, stack.length]),
    [
      [30, 1, "2026-03-01T12:00:02.000000001Z", "2026-03-01T12:00:02.000000001Z", false, 1],
      [30, 2, "2026-03-01T12:00:00.000000000Z", "2026-03-01T12:00:01.500000000Z", true, 2],
    ],
  );
  assert.deepEqual([...answer.stacks!], rows);
});

test("report: stacks are chosen by module and function", async () => {
  const choices: Record<string, { module?: RegExp; function?: RegExp; chosen: number[]; names: boolean }> = {
    module: { module: /libc\.so/, chosen: [0, 1, 1, 0], names: false },
    "inlined function": { function: /^foo::bar/, chosen: [0, 1, 0, 0], names: true },
    "both, in different frames": { module: /libc/, function: /^main$/, chosen: [0, 1, 1, 0], names: true },
    nothing: { function: /^nobody$/, chosen: [0, 0, 0, 0], names: true },
    "with a global flag": { module: /app/g, chosen: [0, 1, 1, 0], names: false },
  };
  for (const [name, { chosen, names, ...patterns }] of Object.entries(choices)) {
    const asked: string[][] = [];
    let answer: Uint8Array | undefined;
    const reader = store(async (query) => {
      answer = await query.selectStacks!(Uint32Array.of(0, 1, 2, 3));
    });
    await report(reader, Object.freeze({ aggregate: true, sort: "count" }), symbolizer(asked), {
      stacks: false,
      ...patterns,
    });
    assert.deepEqual([...answer!], chosen, name);
    assert.equal(asked.length > 0, names, `${name}: names are looked up only where a function is wanted`);
  }
});

test("report: frames that were loaded without names get them afterwards", async () => {
  const reader = store(async (query) => {
    await query.selectStacks!(Uint32Array.of(1));
  });
  const { allocations } = await report(reader, { aggregate: false, sort: "time" }, symbolizer([]), {
    stacks: true,
    module: /app/,
  });
  assert.equal([...allocations!][0]!.stack[1]!.function, "leak");
});
