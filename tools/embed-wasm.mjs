// Writes a WebAssembly module as a TypeScript module that contains its bytes, so that a bundle of memhook needs no
// other file.
//
//   node tools/embed-wasm.mjs FROM.wasm TO.ts
//
// TO.ts exports `bytes()`. A small module is only base64, which is decoded in no time. A large one is also deflated:
// inflating half a megabyte takes 2 ms. (Brotli saves another quarter, but takes 15 ms.)

import { readFileSync, writeFileSync } from "node:fs";
import { basename } from "node:path";
import process from "node:process";
import { deflateRawSync } from "node:zlib";

const LARGE = 100_000;

const [from, to] = process.argv.slice(2);
const plain = readFileSync(from);
const large = plain.length > LARGE;
const text = (large ? deflateRawSync(plain, { level: 9 }) : plain).toString("base64");
writeFileSync(
  to,
  `// Made from ${basename(from)} by tools/embed-wasm.mjs.
import { Buffer } from "node:buffer";
${large ? 'import { inflateRawSync } from "node:zlib";\n' : ""}
/** The bytes of ${basename(from)}. */
export function bytes(): Uint8Array<ArrayBuffer> {
  const data = Buffer.from(TEXT, "base64");
  return new Uint8Array(${large ? "inflateRawSync(data)" : "data"});
}

const TEXT = "${text}";
`,
);
