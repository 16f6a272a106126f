// Small programs in the manner of other tools' test suites: the same output and exit code with memhook as without, and
// at the end the very blocks live that an independent log has. The log, its comparison, and how to run the suites
// themselves: bench/peers.
// Runs under Node alone: what it tests is the library, in C.

import assert from "node:assert/strict";
import { closeSync, openSync, readdirSync, readSync, writeSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { compare, sizesIn } from "../../bench/peers/compare.js";
import { outcomeOf, type Program, runWatched, type Watched } from "../../bench/peers/outcome.js";
import { readReport } from "../support/expectations.js";
import { build, compiler, library, noCompiler } from "../support/programs.js";
import { root, temporaryFolder } from "../support/run.js";

const folder = temporaryFolder();
const skip = noCompiler;
const LIMIT = 60_000;

/** How each ends, how many processes it has with a store, and how many blocks are live in them at least. */
const PROGRAMS: Record<string, [end: string, processes: number, blocks: number]> = {
  "ends.c": ["exit code 5", 1, 4],
  "family.c": ["exit code 0", 1, 100],
  "family_tree.c": ["exit code 0", 15, 2000],
  "handed_over.c": ["exit code 0", 1, 2],
  "handlers.c": ["exit code 0", 1, 15],
  "jumps.c": ["exit code 0", 1, 90],
  "ladder.c": ["exit code 0", 1, 200],
  "libc_gives.c": ["exit code 0", 1, 60],
  "loaded.c": ["exit code 0", 1, 9],
  "objects.cc": ["exit code 0", 1, 100],
  "own_operators.cc": ["exit code 0", 1, 40],
  "pages.c": ["exit code 0", 1, 1],
  "programs.c": ["exit code 12", 8, 10],
};

test("every program is run", () => {
  assert.deepEqual(readdirSync(join(root, "test/programs/peers")).sort(), Object.keys(PROGRAMS).sort());
});

function programOf(source: string): Program {
  // The system's C++ library, where there is one: zig's is part of the program, which so has operators of its own.
  const path = build(join("peers", source), {
    compiler: source.endsWith(".cc") ? compiler("gcc") : compiler("zig"),
    flags: source === "own_operators.cc" ? ["-Wno-unknown-warning-option", "-Wno-sized-deallocation"] : [],
  });
  return { name: source, path, args: [], input: "", folder };
}

async function watched(program: Program, ...behind: string[]): Promise<Watched> {
  const result = await runWatched(program, [library, ...behind], join(folder, "watched"), LIMIT);
  assert.ok(result, `${program.name} does not end`);
  return result;
}

const witness = () => build("../../bench/peers/witness.c", { shared: true });

for (const [source, [end, processes, blocks]] of Object.entries(PROGRAMS)) {
  test(`${source}: the same as alone, and its blocks are those of an independent log`, { skip }, async () => {
    const program = programOf(source);
    const alone = await outcomeOf(program, {}, LIMIT);
    assert.ok(alone, "does not end alone");
    assert.equal(alone.end, end, alone.stderr);
    const plainly = await watched(program);
    assert.deepEqual(plainly.outcome, alone);
    const sizes = await sizesIn(plainly.stores);

    const { outcome, log, stores } = await watched(program, witness());
    assert.deepEqual(outcome, alone);
    const comparison = await compare(log, stores);
    assert.deepEqual(comparison?.faults, []);
    assert.equal(comparison.processes, processes);
    assert.ok(comparison.equal >= blocks, `${comparison.equal} blocks`);
    // The loader keeps a list of all libraries for each that is loaded, and the witness is one more.
    if (source !== "loaded.c") assert.equal(await sizesIn(stores), sizes);
  });
}

/** Adds an event to the log's first space. */
function forge(log: string, kind: number, address: bigint, size: bigint): void {
  const file = openSync(log, "r+");
  const head = new BigUint64Array(1);
  readSync(file, head, 0, 8, 0);
  const event = new DataView(new ArrayBuffer(32));
  event.setBigUint64(0, address, true);
  event.setBigUint64(8, size, true);
  event.setUint32(16, kind, true);
  event.setUint32(20, 1, true);
  writeSync(file, event, 0, 32, 32 + 32 * Number(head[0]));
  head[0]!++;
  writeSync(file, head, 0, 8, 0);
  closeSync(file);
}

const [ALLOCATE, FREE, MAP, UNMAP] = [3, 4, 6, 7];

test("the comparison finds a block too few, too many, of another size, and such mappings", { skip }, async () => {
  const { log, stores } = await watched(programOf("pages.c"), witness());
  const [store] = stores.values();
  const { allocations } = await readReport(store!);
  const address = (kind: string) => BigInt(allocations.find((allocation) => allocation.kind === kind)!.address);
  const faults = async () =>
    (await compare(log, stores))!.faults.map((fault) => fault.replace(/0x\w+|process \d+: /g, ""));
  assert.deepEqual(await faults(), []);
  forge(log, ALLOCATE, 0x5000n, 77n);
  assert.deepEqual(await faults(), ["77 bytes at  missing"]);
  forge(log, FREE, 0x5000n, 0n);
  forge(log, MAP, 0x10000n, 8192n);
  assert.deepEqual(await faults(), ["8192 mapped bytes missing"]);
  forge(log, UNMAP, 0x10000n, 8192n);
  forge(log, UNMAP, address("mmap"), 4096n);
  assert.deepEqual(await faults(), ["4096 mapped bytes invented"]);
  forge(log, MAP, address("mmap"), 4096n);
  const [block] = allocations.filter(({ kind }) => kind === "heap");
  forge(log, ALLOCATE, BigInt(block!.address), BigInt(block!.size) + 5n);
  assert.deepEqual(await faults(), [` is of ${block!.size} bytes, not of ${block!.size + 5}`]);
  forge(log, FREE, BigInt(block!.address), 0n);
  assert.deepEqual(await faults(), [`${block!.size} bytes at  invented`]);
});
