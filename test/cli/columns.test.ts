// Texts on a terminal: their columns, and how they are cut. Expected widths are those of common terminals.

import assert from "node:assert/strict";
import { test } from "node:test";
import { columns, cut, start, wrapped } from "../../cli/reports/columns.js";
import { BYPASSED } from "../../cli/reports/text.js";

const WIDTHS: [text: string, width: number][] = [
  ["", 0],
  ["plain", 5],
  ["é", 1],
  ["e\u0301", 1],
  ["日本語", 6],
  ["ｆｕｌｌ", 8],
  ["שלום", 4],
  ["한국어", 6],
  ["🙂", 2],
  ["👩‍👩‍👧", 2],
  ["✔", 1],
  ["a\u200bb", 2],
  ["…", 1],
];

test("columns: wide, narrow, and none", () => {
  for (const [text, width] of WIDTHS) assert.equal(columns(text), width, JSON.stringify(text));
});

test("columns: a cut text fits, and has whole characters", () => {
  const text = "ab日本é e\u0301🙂שz";
  const whole = new Set(["a", "b", "日", "本", "é", " ", "e\u0301", "🙂", "ש", "z", "…"]);
  const segmenter = new Intl.Segmenter(undefined, { granularity: "grapheme" });
  for (let most = 0; most <= columns(text) + 1; most++) {
    for (const shown of [cut(text, most), cut(text, most, "front"), start(text, most)]) {
      assert.ok(columns(shown) <= most, `${most}: ${shown}`);
      for (const { segment } of segmenter.segment(shown)) assert.ok(whole.has(segment), `${most}: ${shown}`);
    }
    if (most >= columns(text)) assert.equal(cut(text, most), text);
    else if (most > 0) assert.ok(cut(text, most).endsWith("…") && cut(text, most, "front").startsWith("…"));
  }
  assert.equal(cut("日本語", 4), "日…");
  assert.equal(cut("日本語", 5), "日本…");
  assert.equal(cut("日本語", 4, "front"), "…語");
  assert.equal(cut("plain text", 6), "plain…");
});

test("columns: a sentence in lines, broken between words", () => {
  assert.deepEqual(wrapped("one two three", 13), ["one two three"]);
  assert.deepEqual(wrapped("one two three", 12), ["one two", "    three"]);
  assert.deepEqual(wrapped("日本 日本 日本語", 9, " "), ["日本 日本", " 日本語"]);
  assert.deepEqual(wrapped("of/a/long/path is what it is", 8), [
    "of/a/long/path",
    "    is",
    "    what",
    "    it",
    "    is",
  ]);
  assert.deepEqual(wrapped("", 8), [""]);
  for (const line of wrapped(BYPASSED, 80)) assert.ok(columns(line) <= 80, line);
});
