// Writes test/vectors/verdict/ anew, after an intended change of the text. Read the difference line by line.
//
//   node dist/test/support/make-verdict-vectors.js

import { mkdirSync, writeFileSync } from "node:fs";
import { LOOKS, vectorOf, verdictIn } from "./verdicts.js";

mkdirSync(new URL(".", vectorOf("x")), { recursive: true });
for (const [name, look] of Object.entries(LOOKS)) writeFileSync(vectorOf(name), await verdictIn(look));
