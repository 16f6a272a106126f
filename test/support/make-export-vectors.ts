// Writes test/vectors/exports/ anew, after an intended change of a format. Read the difference line by line.
//
//   node dist/test/support/make-export-vectors.js

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openStore } from "../../api/memhook.js";
import { FORMAT_NAMES } from "../../runtime/exports/formats.js";
import { textOf } from "./exports.js";
import { sampleStore } from "./stores.js";

const folder = mkdtempSync(join(tmpdir(), "memhook-vectors-"));
const path = join(folder, "sample.mem");
sampleStore().write(path);
const store = await openStore(path);
for (const format of FORMAT_NAMES) {
  const vector = new URL(`../../../test/vectors/exports/${format}.txt`, import.meta.url);
  writeFileSync(vector, await textOf(store, format));
}
store.close();
rmSync(folder, { recursive: true });
