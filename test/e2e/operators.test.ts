// A program that replaces C++ operators new and delete runs as without memhook, and the store holds what malloc gave
// for it: with every combination of replaced and not replaced ones, in three ways. MEMHOOK_TEST_FULL=1 tries them
// all; without it, some that stand for them.
// Runs under Node alone: what it tests is the library, in C.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import process from "node:process";
import test from "node:test";
import { decode } from "../support/decode.js";
import { type Compiler, compilers, noCompiler, runProgram } from "../support/programs.js";
import { root, temporaryFolder } from "../support/run.js";

const folder = temporaryFolder();
const full = process.env.MEMHOOK_TEST_FULL === "1";

// replaced.cc's forms by their number, and the one to which the runtime's own forwards; itself if it calls malloc or
// free.
const FORMS = [
  ["new", 0],
  ["new[]", 0],
  ["new(align)", 2],
  ["new[](align)", 2],
  ["new(nothrow)", 0],
  ["new[](nothrow)", 1],
  ["delete", 6],
  ["delete[]", 6],
  ["delete(sized)", 6],
  ["delete[](sized)", 7],
  ["delete(align)", 10],
  ["delete[](align)", 10],
] as const;
type Form = number;
const BASE: Form[] = [0, 1, 4, 6, 7, 8];
const ALIGNED: Form[] = [2, 3, 10, 11];

/** Which of the forms take and give back the same blocks in replaced.cc. */
const PAIRS: [Form, Form][] = [
  ...([
    [0, 6],
    [0, 8],
    [4, 6],
    [1, 7],
    [1, 9],
    [5, 7],
  ] as [Form, Form][]),
  ...([
    [2, 10],
    [3, 11],
  ] as [Form, Form][]),
];

/** The replaced form that is called in the end, if any is. */
function leadsTo(form: Form, replaced: readonly Form[]): Form | undefined {
  if (replaced.includes(form)) return form;
  const next = FORMS[form]![1];
  return next === form ? undefined : leadsTo(next, replaced);
}

/* /** Blocks with a header, or from a pool, must come back to whom they are from; the runtime's delete would give
 * them to free. */
function isSound(style: string, replaced: readonly Form[]): boolean {
  const own = (form: Form) => leadsTo(form, replaced) !== undefined;
  return style === "count" || PAIRS.every(([take, give]) => !own(take) || own(give));
}

function subsets(forms: readonly Form[]): Form[][] {
  return Array.from({ length: 1 << forms.length }, (_, bits) => forms.filter((_, place) => (bits >> place) & 1));
}

// Each forwarded form once with its end replaced, once with something on its way, and once alone.
const SOME: Form[][] = [
  [],
  [0, 6],
  [0, 6, 8],
  [6],
  [1, 6],
  [0, 7, 6],
  [4, 6, 7],
  [0, 1, 6, 7],
  [2, 10],
  [0, 2, 6, 10, 11],
  [3, 5, 6, 9, 11],
];
const standards = full ? ["11", "14", "17", "20"] : ["17"];
const STYLES = ["count", "header", "pool"];

function compile(compiler: Compiler, name: string, flags: string[]): string {
  const object = join(folder, `${name}-${compiler.name}.o`);
  const [program, ...words] = [
    ...[...compiler.cxx, ...flags, "-O1", "-g", "-fno-builtin", "-fsized-deallocation", "-pthread", "-w"],
    ...["-c", join(root, "test/programs/replaced.cc"), "-o", object],
  ];
  const { status, stderr } = spawnSync(program!, words, { encoding: "utf8", maxBuffer: 1 << 28 });
  assert.equal(status, 0, stderr);
  return object;
}

function link(compiler: Compiler, name: string, objects: readonly string[]): string {
  const target = join(folder, name);
  const [program, ...words] = [...compiler.cxx, "-pthread", ...objects, "-o", target];
  const { status, stderr } = spawnSync(program!, words, { encoding: "utf8", maxBuffer: 1 << 28 });
  assert.equal(status, 0, stderr);
  return target;
}

const isBlock = (line: string) => line.startsWith("live ");

/** Runs the program with and without memhook, and compares what it says, and its log with the store. */
async function compare(program: string, style: string): Promise<void> {
  const store = `${program}.mem`;
  const bare = await runProgram(program, [style]);
  const hooked = await runProgram(program, [style], { store });
  const said = ({ status, signal, stdout, stderr }: typeof bare) => ({
    ...{ status, signal, stderr },
    stdout: stdout.split("\n").filter((line) => !isBlock(line)),
  });
  assert.deepEqual(said(hooked), said(bare));
  assert.equal(bare.status, 0);
  const log = hooked.stdout.split("\n").filter(isBlock);
  // What libraries keep for themselves is not in the log.
  const records = decode(store)
    .records.filter(({ stack }) => stack.some((frame) => frame.module === program))
    .map(({ address, size }) => `live 0x${address.toString(16)} ${size}`);
  assert.deepEqual(records.sort(), log.sort());
}

// Zig's runtime is static: its forms call each other past the hooks. See own_new.cc.
const system = compilers.filter(({ name }) => name !== "zig");
if (system.length === 0) test("replaced operators", { skip: noCompiler || "neither gcc nor clang" }, () => {});

for (const compiler of system) {
  for (const standard of standards) {
    const aligned = Number(standard) >= 17;
    const all = [
      ...subsets(BASE),
      ...(aligned ? subsets(ALIGNED).flatMap((subset) => [subset, [0, 6, ...subset], [...BASE, ...subset]]) : []),
    ];
    const combinations = full ? all : SOME;
    test(`C++${standard} with ${compiler.name}: ${combinations.length} combinations of replaced operators`, async () => {
      const main = compile(compiler, `main${standard}`, [`-std=c++${standard}`]);
      const forms = new Map<Form, string>();
      for (const replaced of combinations) {
        for (const form of replaced) {
          if (!forms.has(form)) forms.set(form, compile(compiler, `form${form}`, ["-std=c++17", `-DFORM=${form}`]));
        }
        const parts = replaced.map((form) => forms.get(form)!);
        const program = link(compiler, `program${standard}-${compiler.name}`, [main, ...parts]);
        for (const style of STYLES.filter((one) => isSound(one, replaced))) {
          try {
            await compare(program, style);
          } catch (error) {
            const names = replaced.map((form) => FORMS[form]![0]).join(", ");
            throw new Error(`${style}, replaced: ${names || "none"}\n${(error as Error).message}`);
          }
        }
      }
    });
  }
}
