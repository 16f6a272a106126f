// Generates build/layout.h from asm/layout.ts, so that C shares the one definition of every record.
//
//   node tools/layout-header.mjs asm/layout.ts build/layout.h
//
// Each `export const NAME = 123;` becomes `#define MH_NAME 123`.
import { readFileSync, writeFileSync } from "node:fs";

const [source, target] = process.argv.slice(2);
const lines = ["/* Generated from asm/layout.ts by tools/layout-header.mjs. Do not edit. */", "#pragma once"];
for (const [index, line] of readFileSync(source, "utf8").split("\n").entries()) {
  if (line === "" || line.startsWith("//")) continue;
  const match = /^export const ([A-Z][A-Z0-9_]*) = (0x[0-9a-f]+|\d+);$/.exec(line);
  if (!match || Number(match[2]) >= 2 ** 31) {
    console.error(`${source}:${index + 1}: not of the form "export const NAME = 123;" with a value below 2^31`);
    process.exit(2);
  }
  lines.push(`#define MH_${match[1]} ${match[2]}`);
}
writeFileSync(target, `${lines.join("\n")}\n`);
