// Snapshot files: what is written is read, and whatever else is in a file gives one line.

import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { kindOfFile } from "../../../runtime/host/filekind.js";
import { diff } from "../../../runtime/snapshots/diff.js";
import { type Snapshot, type SnapshotStack, snapshotOf } from "../../../runtime/snapshots/snapshot.js";
import { parseSnapshot, readSnapshot, snapshotText, writeSnapshot } from "../../../runtime/snapshots/snapshotfile.js";
import { Row } from "../../../runtime/snapshots/snapshotrow.js";
import { root, temporaryFolder } from "../../support/run.js";
import { anySnapshot, held, randomNumbers } from "../../support/snapshots.js";

const folder = temporaryFolder();

/** All that a snapshot says, with frames that a file's are compared by. */
function said({ stacks, ...sums }: Snapshot) {
  return {
    ...sums,
    stacks: stacks.map(({ program, count, bytes, cut, lost, stack, text }) => ({
      ...{ program, count, bytes, cut, lost, stack, text },
    })),
  };
}
const textOf = (snapshot: Snapshot) => [...snapshotText(snapshot)].join("");
const parse = (text: string) => parseSnapshot(Buffer.from(text), "it");

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
  assert.deepEqual(said(parse(EXAMPLE)), said(example));
  assert.ok(readFileSync(join(root, "docs/snapshot.md"), "utf8").includes(EXAMPLE), "docs/snapshot.md shows it");
});

test("snapshot file: a stack whose callers are lost, which older versions read as a whole one", () => {
  const lost = snapshotOf([
    { ...held(1, 8, "a@a.c:1"), cut: true, lost: true },
    held(1, 8, "a@a.c:1"),
    held(1, 8, "b@b.c:1"),
  ]);
  const text = textOf(lost);
  assert.match(text, /"count":2,"bytes":16,"lost":true,"stack":\[\["app","a",/);
  assert.deepEqual(said(parse(text)), said(lost));
  assert.deepEqual(said(parse(JSON.stringify(JSON.parse(text)))), said(lost));
  assert.throws(() => parse(JSON.stringify(JSON.parse(text.replace('"lost":true', '"lost":1')))), {
    message: /damaged/,
  });
});

test("snapshot file: laid out by something else it is the same", () => {
  const document = JSON.parse(EXAMPLE);
  document.stacks.reverse();
  for (const text of [JSON.stringify(document), JSON.stringify(document, null, 4)]) {
    assert.deepEqual(said(parse(text)), said(example));
  }
});

test("snapshot file: names that hold what separates frames", () => {
  const odd = snapshotOf([held(1, 8, 'a],["b'), held(1, 8, 'a","b')]);
  assert.deepEqual(said(parse(textOf(odd))), said(odd));
});

test("snapshot file: brackets in a name that another writer did not escape", () => {
  for (const name of ["a],[b", '],[\\"x', '"]', "[[]]", "\\],["]) {
    const written = JSON.stringify(name);
    const read = parse(EXAMPLE.replace('"make_leak"', () => written));
    assert.ok(read.stacks[0] instanceof Row);
    assert.equal(read.stacks[0].stack[0]!.function, name);
    assert.equal(read.stacks[0].stack.length, 2);
  }
});

test("snapshot file: what is beyond U+FFFF is in the order of the bytes, too", () => {
  const odd = snapshotOf([held(1, 8, "\u{1f600}"), held(2, 8, "\ue000"), held(4, 8, "\uffff\u{1f601}")]);
  assert.doesNotMatch(textOf(odd), /[\ud800-\udfff]/);
  const read = parse(textOf(odd));
  assert.ok(read.stacks.every((row) => row instanceof Row));
  assert.deepEqual(said(read), said(odd));
});

test("snapshot file: what is beyond U+FFFF written as it is, in either order", () => {
  const names = ["\u{1f600}", "\ue000"];
  const lines = names.map(
    (name, i) => `{"program":"app","count":${i + 1},"bytes":8,"stack":[["app","${name}",null,null]]}`,
  );
  const head =
    '{"format":"memhook snapshot","version":1,\n"totals":{"count":3,"bytes":16,"stacks":2},\n' +
    '"suppressed":{"count":0,"bytes":0},\n"dropped":0,\n"stacks":[\n';
  const expected = snapshotOf(names.map((name, i) => held(i + 1, 8, name)));
  for (const order of [lines, lines.toReversed()]) {
    const read = parse(`${head}${order.join(",\n")}\n]}\n`);
    assert.deepEqual([read.count, read.bytes], [3, 16]);
    assert.deepEqual(
      new Set(read.stacks.map(({ stack, count }) => `${stack[0]!.function} ${count}`)),
      new Set(["\u{1f600} 1", "\ue000 2"]),
    );
    assert.deepEqual(
      diff(read, expected).changes.map(({ status, movedFrom }) => [status, movedFrom]),
      [
        ["unchanged", undefined],
        ["unchanged", undefined],
      ],
    );
  }
});

test("snapshot file: begins with a byte order mark", () => {
  assert.deepEqual(said(parse(`\ufeff${EXAMPLE}`)), said(example));
});

test("snapshot file: written and read again, 300 times any", () => {
  const random = randomNumbers(7);
  for (let i = 0; i < 300; i++) {
    const any = anySnapshot(random);
    const text = textOf(any);
    const again = parse(text);
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
  const bad = parse(EXAMPLE.replace('"src/leak.c",12]', '"src/leak.c",-12]'));
  assert.throws(() => bad.stacks[0]!.stack, {
    name: "SnapshotError",
    message: "it: is damaged in the frames of a stack; make it anew",
  });
});

test("snapshot file: a stack that is not closed, of frames that are known", () => {
  const text = textOf(snapshotOf([held(1, 8, "a", "b"), held(1, 8, "b")]));
  const read = parse(text.replace(/\]\]\}\n\]\}\n$/, "]}\n]}\n"));
  assert.equal(read.stacks[0]!.stack.length, 2);
  assert.throws(() => read.stacks[1]!.stack, { message: "it: is damaged in the frames of a stack; make it anew" });
});

/** Reads a text and every frame of it; null where that is refused in one line. */
function readWhole(text: Buffer): Snapshot | null {
  try {
    const read = parseSnapshot(text, "it");
    for (const { stack } of read.stacks) assert.ok(Array.isArray(stack));
    return read;
  } catch (error) {
    assert.equal((error as Error).name, "SnapshotError");
    assert.doesNotMatch((error as Error).message, /\n/);
    return null;
  }
}

test("snapshot file: 20,000 mutations give one line or what any JSON reader finds", () => {
  const random = randomNumbers(99);
  const texts = [EXAMPLE, textOf(snapshotOf([held(1, 8, 'a],["b'), held(10, 8, "\u{1f600}@src/é.c:10")]))];
  // What the format consists of, so that much is damaged without being nonsense.
  const signs = Buffer.from('[]{}",:\\\n 0123456789nulltrue');
  let refused = 0;
  let read = 0;
  for (let i = 0; i < 20_000; i++) {
    let mutated = Buffer.from(texts[i % texts.length]!);
    for (let k = 1 + random(3); k > 0; k--) {
      const at = random(mutated.length);
      const sign = random(2) === 0 ? random(256) : signs[random(signs.length)]!;
      const [before, after] = [mutated.subarray(0, at), mutated.subarray(at)];
      const change = random(4);
      if (change < 2) mutated[at] = sign;
      if (change === 2) mutated = Buffer.concat([before, Buffer.of(sign), after]);
      if (change === 3) mutated = Buffer.concat([before, after.subarray(1 + random(3))]);
    }
    const snapshot = readWhole(mutated);
    if (snapshot === null) refused++;
    else {
      read++;
      const { totals, stacks } = JSON.parse(mutated.toString()) as { totals: Snapshot; stacks: SnapshotStack[] };
      assert.deepEqual({ count: snapshot.count, bytes: snapshot.bytes }, { count: totals.count, bytes: totals.bytes });
      if (snapshot.stacks[0] instanceof Row) {
        assert.deepEqual(
          snapshot.stacks.map(({ program, count, bytes, cut, text }) => [program, count, bytes, cut, JSON.parse(text)]),
          stacks.map(({ program, count, bytes, cut = false, stack }) => [program, count, bytes, cut, stack]),
        );
      }
      assert.equal(diff(snapshot, snapshot).changes.length, snapshot.stacks.length);
    }
  }
  assert.ok(refused > 5000 && read > 1000, `${refused} refused, ${read} read`);
});

test("snapshot file: what cannot be written leaves the old file as it was", () => {
  const path = join(folder, "none", "x.snap");
  assert.throws(() => writeSnapshot(path, example, false), { name: "SnapshotError" });
});
