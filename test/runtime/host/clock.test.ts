// Ages, times and growth by a clock of the test's own: steps of hours, suspension, daylight saving, reboots, copies.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import * as L from "../../../asm/layout.js";
import { localTime } from "../../../cli/values.js";
import { type Clock, clock, using } from "../../../runtime/host/clock.js";
import { StorePaths } from "../../../runtime/memdb/storefile.js";
import { timeBounds } from "../../../runtime/stores/ages.js";
import { openSource, type Store } from "../../../runtime/stores/store.js";
import { temporaryFolder } from "../../support/run.js";
import { StoreBuilder } from "../../support/store-builder.js";
import type { HeaderFields } from "../../support/store-fields.js";
import { memorySource } from "../../support/stores.js";

const folder = temporaryFolder();
const SECOND = 1_000_000_000n;
const HOUR = 3600n * SECOND;
const BOOT_ID = "0123456789abcdef0123456789abcdef";
// 2026-03-01T12:00:00Z
const START_WALL = 1_772_366_400n * SECOND;

/**
 * Began when the machine had been up for 5 hours, of which it slept one; blocks
 * of 1, 2 and 3 bytes, from 0, 1 and 2 hours after that.
 */
function store(header: Partial<HeaderFields> = {}): Store {
  const built = new StoreBuilder({
    bootId: new Uint8Array(Buffer.from(BOOT_ID, "hex")),
    startWall: START_WALL,
    startMonotonic: 4n * HOUR,
    startBoottime: 5n * HOUR,
    startSuspended: HOUR,
    suspended: HOUR,
    seenTime: 2n * HOUR,
    endKind: L.END_NONE,
    endTime: 0n,
    ...header,
  });
  for (const hours of [0n, 1n, 2n]) built.record({ address: 16n + hours, size: Number(hours) + 1, time: hours * HOUR });
  return openSource(memorySource(built.image()), "app.mem");
}

/** Three hours after that store began. */
function later(changed: Partial<Record<keyof Clock, bigint | string | null>> = {}): Clock {
  const said = { wall: START_WALL + 3n * HOUR, boot: 8n * HOUR, suspended: HOUR, bootId: BOOT_ID, ...changed };
  const tell = (name: keyof Clock) => () => said[name] as never;
  return { wall: tell("wall"), boot: tell("boot"), suspended: tell("suspended"), bootId: tell("bootId") };
}

const NOW: [what: string, hours: number, known: boolean, clock: Clock, header?: Partial<HeaderFields>][] = [
  ["nothing happens", 3, true, later()],
  ["the clock is put forward", 3, true, later({ wall: START_WALL + 11n * HOUR })],
  ["the clock is put back", 3, true, later({ wall: START_WALL + 2n * HOUR })],
  ["a board without a clock: 1970", 3, true, later({ wall: 0n })],
  ["a clock that was years ahead at the start", 3, true, later(), { startWall: START_WALL + 20_000n * HOUR }],
  ["the machine slept for 8 h, which the writer saw", 3, true, later({ boot: 16n * HOUR }), { suspended: 9n * HOUR }],
  ["it slept, which only the reader sees", 3, true, later({ boot: 16n * HOUR, suspended: 9n * HOUR })],
  ["it slept, which neither sees", 11, true, later({ boot: 16n * HOUR, suspended: null })],
  ["a reader whose clock lies ahead", 3, true, later({ suspended: -7n * HOUR })],
  ["a reader whose clock lies behind", 3, true, later({ suspended: 3n * HOUR })],
  ["before the machine was started again", 2, false, later({ bootId: BOOT_ID.replace("0", "f") })],
  ["so, with a clock that was ahead", 2, false, later({ bootId: "f" }), { startWall: START_WALL + 20_000n * HOUR }],
  ["on a machine that nobody knows", 2, false, later(), { bootId: new Uint8Array(16) }],
  ["where nobody tells", 2, false, later({ boot: null, bootId: "" })],
  ["another machine with the same id", 2, false, later({ boot: 4n * HOUR })],
  ["last written: its newest block", 2, false, later({ bootId: "f" }), { seenTime: 0n }],
  ["last written: the end of its process", 5, false, later({ bootId: "f" }), { endTime: 5n * HOUR }],
  ["last written: its peak", 4, false, later({ bootId: "f" }), { peakTime: 4n * HOUR }],
  [
    "format 1.3",
    3,
    true,
    later({ suspended: 0n }),
    { versionMinor: 3, startMonotonic: 5n * HOUR, startBoottime: 0n, startSuspended: 0n, suspended: 0n, seenTime: 0n },
  ],
  [
    "format 1.3, of a machine that had slept",
    3,
    true,
    later(),
    { versionMinor: 3, startBoottime: 0n, startSuspended: 0n, suspended: 0n, seenTime: 0n },
  ],
];

async function sizes(its: Store, ages: Parameters<typeof timeBounds>[1]): Promise<number[]> {
  const { allocations } = await its.query({ aggregate: false, sort: "time", ...timeBounds(its, ages) });
  return allocations.map(({ size }) => size);
}

for (const [what, hours, known, at, header] of NOW) {
  test(`now and ages: ${what}`, () =>
    using(at, async () => {
      const its = store(header);
      assert.deepEqual(its.now(), { time: BigInt(hours) * HOUR, known });
      for (const age of [0.5, 1.5, 2.5, 3.5, 10.5]) {
        const old = (size: number) => hours - (size - 1) >= age;
        const nanoseconds = BigInt(age * 3600) * SECOND;
        const expected = [1, 2, 3];
        assert.deepEqual(await sizes(its, { minTimeFromNow: nanoseconds }), expected.filter(old), `at least ${age} h`);
        assert.deepEqual(
          await sizes(its, { maxTimeFromNow: nanoseconds }),
          expected.filter((size) => !old(size)),
          `at most ${age} h`,
        );
      }
      assert.deepEqual(await sizes(its, { minTimeFromStart: HOUR }), [2, 3]);
      its.close();
    }));
}

// ── What the wall clock said ─────────────────────────────────────────────────────────────────────

const HALF = HOUR / 2n;
/** Hours after the start by the wall clock: of each block, and what filters find, from and up to some. */
const JUMPS: [
  what: string,
  jumps: [time: bigint, wall: bigint][],
  walls: number[],
  from: Record<number, number[]>,
  upTo: Record<number, number[]>,
][] = [
  ["none", [], [0, 1, 2], { 0.5: [2, 3], 2: [3], 2.5: [] }, { 0: [1], 1.5: [1, 2], 9: [1, 2, 3], [-1]: [] }],
  [
    "8 h of suspension",
    [[HALF, 8n * HOUR + HALF]],
    [0, 9, 10],
    { 0.25: [2, 3], 5: [2, 3], 9: [2, 3], 9.5: [3] },
    { 0.75: [1], 5: [1], 9: [1, 2] },
  ],
  [
    "put back by 3 h, so that some hours are there twice",
    [[HOUR + HALF, HALF - 2n * HOUR]],
    [0, 1, -1],
    { [-3]: [1, 2, 3], [-1.25]: [1, 2, 3], 0.5: [2, 3], 1.25: [3], 1.75: [] },
    { [-2]: [], [-1.25]: [1, 2], [-1]: [1, 2, 3], 0: [1, 2, 3], 0.5: [1, 2, 3] },
  ],
  [
    "put forward from 1970, then asleep",
    [
      [HALF, 400_000n * HOUR],
      [HOUR + HALF, 400_009n * HOUR],
    ],
    [0, 400_000.5, 400_009.5],
    { 1: [2, 3], 400001: [3] },
    { 399999: [1], 400005: [1, 2], 400009: [1, 2] },
  ],
];

for (const [what, jumps, walls, from, upTo] of JUMPS) {
  test(`wall times: ${what}`, async () => {
    const its = store({ jumps: jumps.map(([time, wall]) => ({ time, wall: START_WALL + wall })) });
    const hours = (wall: bigint) => Number((wall - START_WALL) / (SECOND * 36n)) / 100;
    assert.deepEqual(
      [0n, HOUR, 2n * HOUR].map((time) => hours(its.wallTime(time))),
      walls,
    );
    const wall = (text: string) => START_WALL + BigInt(Number(text) * 3600) * SECOND;
    for (const [text, expected] of Object.entries(from))
      assert.deepEqual(await sizes(its, { minTime: wall(text) }), expected, `from ${text} h`);
    for (const [text, expected] of Object.entries(upTo))
      assert.deepEqual(await sizes(its, { maxTime: wall(text) }), expected, `up to ${text} h`);
    its.close();
  });
}

test("wall times: more jumps than there is room for are not read", () => {
  const built = new StoreBuilder({
    jumps: Array.from({ length: 12 }, (_, i) => ({ time: BigInt(i), wall: BigInt(i) })),
  });
  const image = built.image();
  new DataView(image.buffer).setUint32(L.HEADER_JUMP_COUNT, 0xffff_ffff, true);
  const its = openSource(memorySource(image), "app.mem");
  assert.equal(its.wallTime(100n), 100n);
  its.close();
});

/** Local times in Berlin: the first or last moment in UTC. */
const LOCAL: [text: string, earlier: string, later: string][] = [
  ["2026-07-01 12:00:00", "2026-07-01T10:00:00.000000000", "2026-07-01T10:00:00.000000000"],
  // There twice.
  ["2026-10-25 02:30:00.5", "2026-10-25T00:30:00.500000000", "2026-10-25T01:30:00.500000000"],
  ["2026-10-25 01:59:59", "2026-10-24T23:59:59.000000000", "2026-10-24T23:59:59.000000000"],
  ["2026-10-25 03:00:00", "2026-10-25T02:00:00.000000000", "2026-10-25T02:00:00.000000000"],
  // Not there: the clock went from 2 to 3.
  ["2026-03-29 02:30:00", "2026-03-29T01:00:00.000000000", "2026-03-29T00:59:59.999999999"],
  ["2026-03-29 01:59:59", "2026-03-29T00:59:59.000000000", "2026-03-29T00:59:59.000000000"],
  ["2026-03-29 03:00:00", "2026-03-29T01:00:00.000000000", "2026-03-29T01:00:00.000000000"],
];

test("local times: hours that daylight saving shows twice, and leaves out", async () => {
  const zone = process.env.TZ;
  process.env.TZ = "Europe/Berlin";
  try {
    const utc = (text: string) => BigInt(Date.parse(`${text.slice(0, 19)}Z`)) * 1_000_000n + BigInt(text.slice(20));
    for (const [text, earlier, later] of LOCAL) {
      assert.equal(localTime("n", text), utc(earlier), text);
      assert.equal(localTime("x", text, "later"), utc(later), text);
    }
  } finally {
    if (zone === undefined) delete process.env.TZ;
    else process.env.TZ = zone;
  }
});

// ── What belongs to a run, and to memdb ──────────────────────────────────────────────────────────

const BEGAN: [what: string, after: bigint, began: boolean, header?: Partial<HeaderFields>][] = [
  ["before", 5n * HOUR - 1n, true],
  ["at once", 5n * HOUR, true],
  ["afterwards", 5n * HOUR + 1n, false],
  ["on another boot", HOUR, false, { bootId: new Uint8Array(16).fill(1) }],
  ["whatever the wall clock says", 5n * HOUR, true, { startWall: 0n }],
  ["as far as a tick tells", 5n * HOUR + 1n, true, { startBoottime: 0n, processStart: 5n * 360_000n }],
  ["a tick later", 5n * HOUR + SECOND, false, { startBoottime: 0n, processStart: 5n * 360_000n }],
];

for (const [what, boot, began, header] of BEGAN) {
  test(`whether a store is of a run that began ${what}`, () =>
    using(later(), () => {
      const its = store(header);
      assert.equal(its.beganAfter(boot), began);
      its.close();
    }));
}

test("memdb keeps the path of a process elsewhere for half a minute, however the clock is set", async () => {
  const path = join(folder, "kept.mem");
  const elsewhere = {
    pid: 7,
    parent: 1,
    start: 1n,
    namespace: 12345n,
    bootId: new Uint8Array(Buffer.from(BOOT_ID, "hex")),
  };
  const claimant = { key: "", stranger: false, proven: false };
  for (const step of [0n, 8n * HOUR, -8n * HOUR]) {
    const wall = clock.wall();
    const at = (seconds: bigint, wall: bigint) => later({ boot: 8n * HOUR + seconds * SECOND, wall });
    const paths = await using(at(0n, wall), () => new StorePaths(path));
    const built = new StoreBuilder({
      ...elsewhere,
      pidNamespace: elsewhere.namespace,
      endKind: L.END_NONE,
      endTime: 0n,
    });
    const taken = (seconds: bigint, wall: bigint, pid: number) =>
      using(at(seconds, wall), () => {
        const file = paths.claim({ ...elsewhere, pid, start: 2n }, claimant);
        if (pid !== 7) paths.release(file.path);
        return file.path === path;
      });
    assert.equal(await taken(1000n, wall, 7), true);
    writeFileSync(path, built.image());
    await using(at(1000n, wall), () => paths.release(path));
    assert.equal(await taken(1029n, wall + step + 29n * SECOND, 8), false, `29 s later, ${step}`);
    assert.equal(await taken(1031n, wall + step + 31n * SECOND, 9), true, `31 s later, ${step}`);
    writeFileSync(path, "");
  }
});

// ── The kernel's own ─────────────────────────────────────────────────────────────────────────────

test("the kernel's clock: since the start of the machine, in the namespace of none", () => {
  const [before] = readFileSync("/proc/uptime", "latin1").split(" ");
  const offset = /^boottime\s+(-?\d+)/m.exec(readFileSync("/proc/self/timens_offsets", "latin1"))?.[1] ?? "0";
  const boot = clock.boot()!;
  const [after] = readFileSync("/proc/uptime", "latin1").split(" ");
  const seconds = Number(boot) / 1e9 + Number(offset);
  assert.ok(seconds >= Number(before) && seconds <= Number(after), `${before} ≤ ${seconds} ≤ ${after}`);
  assert.match(clock.bootId(), /^[\da-f]{32}$/);
});

// Seconds that the machine has been up for, and that it was not suspended, more in there.
const elsewhen = ["-rTf", "--boottime", "100000", "--monotonic", "50000"];
const skip =
  spawnSync("unshare", [...elsewhen, "true"]).status === 0 ? false : "cannot make time namespaces (unshare -rT)";

test("the kernel's clock is the same in another time namespace", { skip }, () => {
  const module = new URL("../../../runtime/host/clock.js", import.meta.url).href;
  const code = `import { clock } from "${module}"; console.log(String(clock.boot()), String(clock.suspended()));`;
  const command = [process.execPath, ...("deno" in process.versions ? ["eval"] : ["--input-type=module", "-e"]), code];
  const before = [clock.boot()!, clock.suspended()] as const;
  const { stdout } = spawnSync("unshare", [...elsewhen, ...command], { encoding: "utf8" });
  const [boot, suspended] = stdout.trim().split(" ");
  assert.ok(BigInt(boot!) >= before[0] && BigInt(boot!) <= clock.boot()!, `${before[0]} ≤ ${boot}`);
  if (before[1] === null) assert.equal(suspended, "null");
  else
    assert.ok(
      BigInt(suspended!) - before[1] < SECOND && before[1] - BigInt(suspended!) < SECOND,
      `${before[1]} and ${suspended}`,
    );
});
