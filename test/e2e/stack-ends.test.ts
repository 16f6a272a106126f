// Stacks say whether they end because nobody called the last frame, or because nobody knows who did.
// Runs under Node alone: what it tests is the library, in C.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import type { Cut, StackRow } from "../../runtime/host/types.js";
import { crossCompilers } from "../support/compilers.js";
import { readReport } from "../support/expectations.js";
import { build, type Compiler, compiler, noCompiler, runWell, which } from "../support/programs.js";
import { root, temporaryFolder } from "../support/run.js";

const folder = temporaryFolder();
const skip = noCompiler;
const DAMAGED = "120";

/** The table of stack_ends.c: how each size's stack ends. */
function endings(libc: "glibc" | "musl", damaged: boolean): Record<string, string> {
  const text = readFileSync(join(root, "test/programs/stack_ends.c"), "utf8");
  const rows = [...text.matchAll(/^ \* (?:(glibc|musl) )?end (\d+) (whole|lost) /gm)];
  const own = rows.filter(([, only, size]) => (only ?? libc) === libc && (damaged || size !== DAMAGED));
  return Object.fromEntries(own.map(([, , size, end]) => [size!, `3 ${end}`]));
}

/** The same as a store has it: of each size, the stacks with the number of their blocks. */
async function found(store: string, sizes: string[]): Promise<Record<string, string>> {
  const { stacks, totals } = await readReport(store, { aggregate: true, sort: "size" });
  assert.equal(totals.dropped, 0);
  const rows = sizes.map((size) => {
    const own = (stacks as (StackRow & Cut)[]).filter(({ bytes, count }) => bytes === count * Number(size));
    const ends = own.map(({ count, cut, lost }) => `${count} ${lost ? "lost" : cut ? "too deep" : "whole"}`);
    return [size, ends.join(", ")];
  });
  return Object.fromEntries(rows);
}

const musl = crossCompilers.find(({ name }) => name === "musl-gcc");
const native: Compiler[] = ["zig", "gcc"].filter((name) => name === "zig" || which(name)).map((name) => compiler(name));

for (const [which, chosen, libc, unwind] of [
  ...native.flatMap((each) => [
    [each.name, each, "glibc", "dwarf"] as const,
    [`${each.name}, by libunwind`, each, "glibc", "libunwind"] as const,
  ]),
  ["musl-gcc", musl, "musl", "dwarf"] as const,
]) {
  const missing = chosen === undefined ? "musl-gcc is missing: Debian's package musl-tools" : skip;
  test(`how stacks end: ${which}`, { skip: missing }, async () => {
    const store = join(folder, `${which}.mem`);
    const damaged = unwind === "dwarf";
    const program = build("stack_ends.c", { compiler: chosen! });
    await runWell(program, damaged ? ["damaged"] : [], { store, env: { MEMHOOK_UNWIND: unwind } });
    const expected = endings(libc, damaged);
    assert.deepEqual(await found(store, Object.keys(expected)), expected);
  });
}
