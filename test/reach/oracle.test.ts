// `memview lost` says the right thing of every block of test/programs/reach/oracle.cc: in each way to freeze it, with a
// store, with a sample, and with none.

import assert from "node:assert/strict";
import { copyFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import test from "node:test";
import { build, library } from "../support/programs.js";
import { run, temporaryFolder } from "../support/run.js";
import { cannotLook, start } from "./ready.js";

const folder = temporaryFolder();
const LETTERS: Record<string, string> = { lost: "L", indirect: "D", interior: "I", reachable: "R" };
const ALL = "lost,indirect,interior,reachable";
// Where a program is not position independent its heap lies low, and many a number looks like an address there.
const PIE = ["-fPIE", "-pie"];
const noSnapshot = process.arch !== "x64" && "snapshots are made on x86-64";

/** Without a store these are known only where a mapping begins with them, and what is unknown holds. */
const MAPPED = /mapped by itself$/;

interface Answer {
  pause: { milliseconds: number; method: string };
  looks: number;
  verdicts: Record<string, { count: number; bytes: number }>;
  allocations: { address: string; verdict: string; size: number }[];
}

const WAYS = [
  { name: "a snapshot", freeze: "snapshot", env: {}, store: true },
  { name: "a stop", freeze: "stop", env: {}, store: true },
  { name: "a snapshot, of a sample", freeze: "snapshot", env: { MEMHOOK_SAMPLE: "64KiB" }, store: true },
  { name: "a snapshot, without a store", freeze: "snapshot", env: {}, store: false },
];

for (const { name, freeze, env, store } of WAYS) {
  test(`every verdict is right by ${name}`, {
    skip: cannotLook || (freeze === "snapshot" && noSnapshot),
    timeout: 120_000,
  }, async (t) => {
    const library_ = build("reach/held.c", { shared: true });
    for (const copy of ["libheld.so", "libgone.so"]) copyFileSync(library_, join(folder, copy));
    const path = join(folder, `${WAYS.findIndex((way) => way.name === name)}.mem`);
    const program = await start(
      t,
      [build("reach/oracle.cc", { flags: PIE }), folder, "3000"],
      store ? { LD_PRELOAD: library, MEMHOOK_FILE: path, ...env } : {},
    );
    const which = store ? [path] : ["--pid", String(program.pid)];
    const answer = run("memview", ["lost", "--freeze", freeze, "--format", "json", "--show", ALL, ...which]);
    assert.equal(answer.stderr, "");
    const { allocations, verdicts, pause, looks } = JSON.parse(answer.stdout) as Answer;
    assert.equal(pause.method, freeze);
    assert.equal(looks, 2);
    const said = new Map(allocations.map(({ address, verdict }) => [BigInt(address), LETTERS[verdict]]));
    const circles = new Map<string, string[]>();
    const wrong: string[] = [];
    const named = new Set<bigint>();
    for (const line of program.lines) {
      const [block, expected, hidden] = line.split("\t") as [string, string, string];
      const address = BigInt.asUintN(64, ~BigInt(`0x${hidden}`));
      named.add(address);
      const got = said.get(address) ?? "nothing";
      if (expected === "C") circles.set(block, [...(circles.get(block) ?? []), got]);
      else if (!store && MAPPED.test(block)) continue;
      else if (got !== expected) wrong.push(`${block}: ${got}, not ${expected}`);
    }
    for (const [block, got] of circles) {
      const right = ["L", ...got.slice(1).map(() => "D")].sort().join("");
      if (got.sort().join("") !== right) wrong.push(`${block}: ${got.join("")}, not ${right}`);
    }
    assert.deepEqual(wrong, []);
    assert.ok(program.lines.length >= 90, `${program.lines.length} blocks`);
    // And nothing else is lost.
    const others = allocations.filter(({ address, verdict }) => verdict === "lost" && !named.has(BigInt(address)));
    assert.deepEqual(others, []);
    const sums = Object.fromEntries(Object.keys(LETTERS).map((verdict) => [verdict, { count: 0, bytes: 0 }]));
    for (const { verdict, size } of allocations) {
      sums[verdict]!.count++;
      sums[verdict]!.bytes += size;
    }
    assert.deepEqual(verdicts.lost, sums.lost);
    assert.deepEqual(verdicts.indirect, sums.indirect);

    const text = run("memview", ["lost", "--freeze", freeze, "--exit-code", "7", ...which]);
    assert.equal(text.code, 7);
    const { lost, indirect } = verdicts;
    const inAll = `lost in all: ${lost!.count} blocks, ${lost!.bytes} bytes, and ${indirect!.count} more`;
    assert.ok(text.stdout.includes(`\n${inAll} that only they hold, ${indirect!.bytes} bytes\n`), text.stdout);
    // A sample, and no store, has no call stack for it.
    if (store && !("MEMHOOK_SAMPLE" in env)) {
      assert.match(text.stdout, /^lost 1 block, \d+ bytes, and 3001 more that only they hold, \d+ bytes$/m);
    }
    assert.equal(await program.end(), 0);
  });
}
