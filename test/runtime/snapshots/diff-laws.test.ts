// diff: the laws that hold for any two snapshots.

import assert from "node:assert/strict";
import { test } from "node:test";
import { diff, type Status } from "../../../runtime/snapshots/diff.js";
import type { Snapshot } from "../../../runtime/snapshots/snapshot.js";
import { parseSnapshot, snapshotText } from "../../../runtime/snapshots/snapshotfile.js";
import { anySnapshot, held, randomNumbers, snapshot } from "../../support/snapshots.js";

const MIRROR: Record<Status, Status> = {
  new: "fixed",
  fixed: "new",
  grown: "shrunk",
  shrunk: "grown",
  unchanged: "unchanged",
};

test("diff: laws, on 2,000 pairs of snapshots", () => {
  const random = randomNumbers(20261123);
  const sum = (numbers: number[]) => numbers.reduce((total, number) => total + number, 0);
  for (let i = 0; i < 2000; i++) {
    const a = anySnapshot(random);
    const b = anySnapshot(random);
    const same = diff(a, a);
    assert.deepEqual(
      same.changes.filter(({ status }) => status !== "unchanged"),
      [],
    );
    const there = diff(a, b);
    const back = diff(b, a);
    const words = (changes: typeof there.changes, mirrored: boolean) =>
      changes
        .map(({ status, movedFrom, base, head, row }) =>
          JSON.stringify(
            mirrored
              ? [MIRROR[status], movedFrom !== undefined, row.program, head, base]
              : [status, movedFrom !== undefined, row.program, base, head],
          ),
        )
        .sort();
    assert.deepEqual(words(there.changes, false), words(back.changes, true));
    for (const key of ["count", "bytes"] as const) {
      assert.equal(sum(there.changes.map(({ base }) => base[key])), a[key]);
      assert.equal(sum(there.changes.map(({ head }) => head[key])), b[key]);
      assert.equal(sum(a.stacks.map((row) => row[key])), a[key]);
    }
  }
});

test("diff: snapshots of files, of memory, and of both give the same", () => {
  const random = randomNumbers(11);
  const onDisk = (snapshot: Snapshot) => parseSnapshot(Buffer.from([...snapshotText(snapshot)].join("")), "it");
  for (let i = 0; i < 500; i++) {
    const [a, b] = [anySnapshot(random), anySnapshot(random)];
    const [fileA, fileB] = [onDisk(a), onDisk(b)];
    const tell = ({ changes }: ReturnType<typeof diff>) =>
      changes.map(({ status, row, movedFrom, base, head }) => [status, row.text, movedFrom?.text, base, head]);
    const expected = tell(diff(a, b));
    for (const [base, head] of [
      [fileA, fileB],
      [fileA, b],
      [a, fileB],
    ] as const) {
      assert.deepEqual(tell(diff(base, head)), expected);
    }
  }
});

test("diff: the same name written with and without escapes is the same stack", () => {
  const base = snapshot(held(1, 8, "é],[\u{1f600}@src/x y.c:1"), held(1, 9, "+0x10!libx.so.1"));
  const text = [...snapshotText(base)].join("");
  const other = text.replace("é", "\\u00e9").replace("src/x", "other\\/src\\/x");
  assert.notEqual(other, text);
  assert.deepEqual(
    diff(base, parseSnapshot(Buffer.from(other), "it")).changes.map(({ status, movedFrom }) => [status, movedFrom]),
    [
      ["unchanged", undefined],
      ["unchanged", undefined],
    ],
  );
});
