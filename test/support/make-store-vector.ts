// Writes test/vectors/stores/ anew, for a new format version. The expected results come from the reader that is tested,
// so read the difference in sample.json line by line before you commit it.
//
//   node dist/test/support/make-store-vector.js

import { mkdirSync, writeFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { openSource } from "../../runtime/stores/store.js";
import { everything, memorySource, sampleStore } from "./stores.js";

const folder = new URL("../../../test/vectors/stores/", import.meta.url);
const image = sampleStore().interleaveBlocks().image();
mkdirSync(folder, { recursive: true });
writeFileSync(new URL("sample.store.gz", folder), gzipSync(image, { level: 9 }));
const answers = await everything(openSource(memorySource(image), "sample.store"));
writeFileSync(new URL("sample.json", folder), `${JSON.stringify(answers, null, 1)}\n`);
