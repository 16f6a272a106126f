// Writes a WebAssembly module as a TypeScript one that carries its bytes, so
// that whoever bundles memhook has no file to find.
//
//   node tools/embed-wasm.mjs FROM.wasm TO.ts
//
// TO.ts exports `bytes()`. A small module is base64 alone, which is decoded in no time; a large one is compressed
// besides, and its reader waits a few milliseconds for it.

import { readFileSync, writeFileSync } from "node:fs";
import { basename } from "node:path";
import process from "node:process";
import { brotliCompressSync } from "node:zlib";

const LARGE = 100_000;

const [from, to] = process.argv.slice(2);
const plain = readFileSync(from);
const large = plain.length > LARGE;
const text = (large ? brotliCompressSync(plain) : plain).toString("base64");
writeFileSync(
  to,
  `// Made from ${basename(from)} by tools/embed-wasm.mjs.
import { Buffer } from "node:buffer";
${large ? 'import { brotliDecompressSync } from "node:zlib";\n' : ""}
/** The bytes of ${basename(from)}. */
export function bytes(): Uint8Array<ArrayBuffer> {
  const data = Buffer.from(TEXT, "base64");
  return new Uint8Array(${large ? "brotliDecompressSync(data)" : "data"});
}

const TEXT = "${text}";
`,
);
