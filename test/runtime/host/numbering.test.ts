// Numbering: the same as a Map of strings.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Numbering } from "../../../runtime/host/numbering.js";
import { randomNumbers } from "../../support/snapshots.js";

test("numbering: 60,000 sequences, each several times, have the numbers that a map would give", () => {
  const random = randomNumbers(3);
  const known = new Map<string, number>();
  const numbering = new Numbering();
  const sources = [0, 1].map(() => Buffer.from(Uint8Array.from({ length: 50_000 }, () => random(4))));
  for (let i = 0; i < 200_000; i++) {
    const source = sources[random(2)]!;
    const from = random(source.length);
    const to = Math.min(source.length, from + random(13));
    const text = source.toString("latin1", from, to);
    const expected = known.get(text) ?? -1;
    if (to > from) {
      // Up to its last byte, if that is not in it before.
      const last = source[to - 1]!;
      const number = numbering.findThrough(source, from, last);
      if (source.indexOf(last, from) === to - 1) assert.deepEqual([number, numbering.end], [expected, to]);
    }
    if (expected < 0) known.set(text, known.size);
    assert.equal(numbering.of(source, from, to), known.get(text));
    assert.equal(numbering.size, known.size);
  }
  assert.ok(known.size > 60_000, `${known.size} different`);
  for (const [text, number] of known) {
    assert.equal(numbering.arena.toString("latin1", numbering.startOf(number), numbering.endOf(number)), text);
  }
});

test("numbering: a sequence has a number of its own in each scope", () => {
  const numbering = new Numbering();
  const text = Buffer.from("leak.c");
  const numbers = [0, 1, 2, 1, 0].map((scope) => numbering.of(text, 0, text.length, scope));
  assert.deepEqual(numbers, [0, 1, 2, 1, 0]);
  assert.deepEqual(
    [1, 0].map((scope) => numbering.of(text, 2, 2, scope)),
    [3, 4],
  );
});
