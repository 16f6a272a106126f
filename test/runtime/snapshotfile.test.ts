// Snapshot files: what is written is read, and whatever else is in a file gives one line.

import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { type Snapshot, snapshotOf } from "../../runtime/snapshot.js";
import { kindOfFile, parseSnapshot, readSnapshot, snapshotText, writeSnapshot } from "../../runtime/snapshotfile.js";
import { root, temporaryFolder } from "../support/run.js";
import { anySnapshot, held, randomNumbers } from "../support/snapshots.js";

const folder = temporaryFolder();

/** All that a snapshot says, with frames that a file's are compared by. */
function said({ stacks, ...sums }: Snapshot) {
  return {
    ...sums,
    stacks: stacks.map(({ program, count, bytes, cut, stack, text }) => ({ program, count, bytes, cut, stack, text })),
  };
}
const textOf = (snapshot: Snapshot) => [...snapshotText(snapshot)].join("");

const example = snapshotOf(
  [
    held(1, 24, "make_leak@src/leak.c:12", "main@src/main.c:7"),
    { ...held(2, 48, "+0x11f0!libx.so.1"), cut: true },
    held(3, 0),
  ],
  { count: 1, bytes: 72704 },
  5,
  524288,
);
const EXAMPLE = `{"format":"memhook snapshot","version":1,
"totals":{"count":6,"bytes":72,"stacks":3},
"suppressed":{"count":1,"bytes":72704},
"dropped":5,
"sample":524288,
"stacks":[
{"program":"app","count":1,"bytes":24,"stack":[["app","make_leak","src/leak.c",12],["app","main","src/main.c",7]]},
{"program":"app","count":2,"bytes":48,"cut":true,"stack":[["libx.so.1","+0x11f0",null,null]]},
{"program":"app","count":3,"bytes":0,"stack":[]}
]}
`;

test("snapshot file: the example, byte for byte", () => {
  assert.equal(textOf(example), EXAMPLE);
  assert.deepEqual(said(parseSnapshot(EXAMPLE, "it")), said(example));
  assert.ok(readFileSync(join(root, "asm/FORMAT.md"), "utf8").includes(EXAMPLE), "FORMAT.md shows it");
});

test("snapshot file: laid out by something else it is the same", () => {
  const document = JSON.parse(EXAMPLE);
  document.stacks.reverse();
  for (const text of [JSON.stringify(document), JSON.stringify(document, null, 4)]) {
    assert.deepEqual(said(parseSnapshot(text, "it")), said(example));
  }
});

test("snapshot file: names that hold what separates frames", () => {
  const odd = snapshotOf([held(1, 8, 'a],["b'), held(1, 8, 'a","b')]);
  assert.deepEqual(said(parseSnapshot(textOf(odd), "it")), said(odd));
});

test("snapshot file: written and read again, 300 times any", () => {
  const random = randomNumbers(7);
  for (let i = 0; i < 300; i++) {
    const any = anySnapshot(random);
    const text = textOf(any);
    const again = parseSnapshot(text, "it");
    assert.deepEqual(said(again), said(any));
    assert.equal(textOf(again), text);
  }
});

test("snapshot file: compressed", () => {
  const path = join(folder, "compressed.snap");
  writeSnapshot(path, example, true);
  assert.equal(kindOfFile(path), "compressed");
  assert.deepEqual(said(readSnapshot(path)), said(example));
});

const damaged: [string, string | Uint8Array, string][] = [
  [
    "a merge that is not finished",
    EXAMPLE.replace('"dropped"', '<<<<<<< ours\n"dropped"'),
    "line 4 is a mark of an unfinished merge; make the snapshot anew",
  ],
  ["cut off in the stacks", EXAMPLE.slice(0, -60), "is truncated or damaged; make it anew"],
  ["cut off in the head", EXAMPLE.slice(0, 60), "is no snapshot; memview snapshot makes them"],
  [
    "a line lost",
    EXAMPLE.replace(/^.*make_leak.*\n/m, ""),
    "its stacks do not add up to its totals, it was edited or merged; make it anew",
  ],
  [
    "a number edited",
    EXAMPLE.replace('"count":2', '"count":3'),
    "its stacks do not add up to its totals, it was edited or merged; make it anew",
  ],
  ["a negative number", EXAMPLE.replace('"count":2', '"count":-2'), "is damaged; make it anew"],
  [
    "a newer version",
    EXAMPLE.replace('"version":1', '"version":2'),
    "has version 2, this memview reads 1; make it anew",
  ],
  ["another document", '{"name":"memhook"}\n', "is no snapshot; memview snapshot makes them"],
  ["no document", "{garbage", "is no snapshot; memview snapshot makes them"],
  [
    "totals that are none",
    EXAMPLE.replace('"totals":{', '"totals":{"count":"6",').replace('"count":6,', ""),
    "is damaged; make it anew",
  ],
  ["compressed garbage", Uint8Array.of(0x1f, 0x8b, 8, 0, 1, 2, 3), "is damaged or truncated (gzip); make it anew"],
  ["compressed and cut off", gzipSync(EXAMPLE).subarray(0, 100), "is damaged or truncated (gzip); make it anew"],
  ["compressed garbage text", gzipSync("\u0000\u0001"), "is no snapshot; memview snapshot makes them"],
];
for (const [name, content, expected] of damaged) {
  test(`snapshot file: ${name}`, () => {
    const path = join(folder, "damaged.snap");
    writeFileSync(path, content);
    assert.throws(() => readSnapshot(path), { name: "SnapshotError", message: `${path}: ${expected}` });
  });
}

test("snapshot file: damage inside a frame is found by who reads the frame", () => {
  const bad = parseSnapshot(EXAMPLE.replace('"src/leak.c",12]', '"src/leak.c",-12]'), "it");
  assert.throws(() => bad.stacks[0]!.stack, {
    name: "SnapshotError",
    message: "it: is damaged in the frames of a stack; make it anew",
  });
});

test("snapshot file: 20,000 mutations give a snapshot or one line", () => {
  const random = randomNumbers(99);
  const bytes = Buffer.from(EXAMPLE);
  let refused = 0;
  for (let i = 0; i < 20_000; i++) {
    const mutated = Buffer.from(bytes);
    for (let k = 1 + random(3); k > 0; k--) mutated[random(mutated.length)] = random(256);
    try {
      for (const { stack } of parseSnapshot(mutated.toString("latin1"), "it").stacks) assert.ok(Array.isArray(stack));
    } catch (error) {
      refused++;
      assert.equal((error as Error).name, "SnapshotError");
      assert.doesNotMatch((error as Error).message, /\n/);
    }
  }
  assert.ok(refused > 5000, `${refused} refused`);
});

test("snapshot file: what cannot be written leaves the old file as it was", () => {
  const path = join(folder, "none", "x.snap");
  assert.throws(() => writeSnapshot(path, example, false), { name: "SnapshotError" });
});
