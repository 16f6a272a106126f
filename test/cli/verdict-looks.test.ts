// The text of the verdict, line by line, at widths of terminals, without colour, and in a pipe.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { columns } from "../../cli/reports/columns.js";
import { LOOKS, vectorOf, verdictIn } from "../support/verdicts.js";

for (const [name, look] of Object.entries(LOOKS)) {
  test(`the verdict is as test/vectors/verdict/${name}.txt has it`, async () => {
    const text = await verdictIn(look);
    assert.equal(text, readFileSync(vectorOf(name), "utf8"));
    const { colour, width } = look.style;
    assert.equal(text.includes("\u001b"), colour);
    // What is told of the whole process is a sentence, and as long as that.
    const rows = text.split("\n").slice(3);
    if (!colour)
      assert.deepEqual(
        rows.filter((row) => columns(row) > width),
        [],
      );
  });
}
