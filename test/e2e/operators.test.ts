// A program that replaces C++ operators new and delete runs as without memhook, and the store holds what malloc gave
// for it: with every combination of replaced and not replaced ones, in three ways. MEMHOOK_TEST_FULL=1 tries them
// all; without it, some that stand for them.
// Runs under Node alone: what it tests is the library, in C.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import process from "node:process";
import test from "node:test";
import { preloadAlways } from "../../runtime/programs/preload.js";
import { decode } from "../support/decode.js";
import { assertTable, expectations, readReport } from "../support/expectations.js";
import { build, type Compiler, compilers, library, noCompiler, runProgram } from "../support/programs.js";
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

/**
 * Blocks with a header, or from a pool, must come back to whom they are from; the runtime's delete would give them to
 * free.
 */
function isSound(style: string, replaced: readonly Form[]): boolean {
  const own = (form: Form) => leadsTo(form, replaced) !== undefined;
  return style === "count" || PAIRS.every(([take, give]) => !own(take) || own(give));
}

function subsets(forms: readonly Form[]): Form[][] {
  return Array.from({ length: 1 << forms.length }, (_, bits) => forms.filter((_, place) => (bits >> place) & 1));
}

// Each forwarded form once with its end replaced, once with something on its way, and once alone.
const SOME: Form[][] = [[], [0, 6], [0, 6, 8], [6], [1, 6], [4, 6, 7], [0, 2, 6, 10, 11], [3, 5, 6, 9, 11]];
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

/**
 * Runs the program with and without memhook, and compares what it says, and its log with the store. `preload`:
 * libraries, `memhook` among them.
 */
async function compare(
  program: string,
  args: string[],
  {
    env = {},
    preload = ["memhook"],
    round = (size: number) => size,
    sparse = false,
  }: {
    env?: Record<string, string | undefined>;
    preload?: string[];
    /** To the sizes that are compared. */
    round?: (size: number) => number;
    /** Only some of the blocks need be in the store. */
    sparse?: boolean;
  } = {},
): Promise<void> {
  const store = `${program}.mem`;
  const libraries = (memhook: string[]) =>
    preload.flatMap((path) => (path === "memhook" ? memhook : [preloadAlways(path)])).join(" ");
  const bare = await runProgram(program, args, { env: { ...env, LD_PRELOAD: libraries([]) || undefined } });
  const hooked = await runProgram(program, args, { store, env: { ...env, LD_PRELOAD: libraries([library]) } });
  const said = ({ status, signal, stdout, stderr }: typeof bare) => ({
    ...{ status, signal, stderr },
    stdout: stdout.split("\n").filter((line) => !isBlock(line)),
  });
  assert.deepEqual(said(hooked), said(bare));
  assert.equal(bare.status, 0);
  const log = hooked.stdout
    .split("\n")
    .filter(isBlock)
    .map((line) => line.replace(/\d+$/, (size) => String(round(Number(size)))));
  // What libraries keep for themselves is not in the log; nor is a static
  // runtime's reserve for exceptions, of 72704 bytes.
  const records = decode(store)
    .records.filter(({ size, stack }) => size !== 72704n && stack.some((frame) => frame.module === program))
    .map(({ address, size }) => `live 0x${address.toString(16)} ${round(Number(size))}`);
  const expected = sparse ? log.filter((line) => records.includes(line)) : log;
  assert.deepEqual(records.sort(), expected.sort());
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
    const title = `C++${standard} with ${compiler.name}`;
    test(`${title}: ${combinations.length} combinations of replaced operators`, async () => {
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
            await compare(program, [style]);
          } catch (error) {
            const names = replaced.map((form) => FORMS[form]![0]).join(", ");
            throw new Error(`${style}, replaced: ${names || "none"}\n${(error as Error).message}`);
          }
        }
      }
    });
  }
}

// Replacements in a library. Before memhook it is as if they were the program's; behind it all calls come by, and the
// blocks are those that the operators returned.
for (const compiler of system) {
  test(`operators replaced in a library with ${compiler.name}, before memhook and behind`, async () => {
    const main = compile(compiler, "main-exporting", ["-std=c++17"]);
    const program = link(compiler, `exporting-${compiler.name}`, [main, "-rdynamic"]);
    // A library without any replaces nothing.
    for (const replaced of full
      ? SOME.filter(({ length }) => length > 0)
      : [
          [0, 6],
          [0, 1, 6, 7],
          [0, 2, 6, 10, 11],
        ]) {
      const forms = replaced.map((form) => compile(compiler, `pic${form}`, ["-std=c++17", "-fPIC", `-DFORM=${form}`]));
      const operators = link(compiler, `operators-${compiler.name}.so`, [...forms, "-shared"]);
      for (const style of STYLES.filter((one) => isSound(one, replaced))) {
        await compare(program, [style], { preload: [operators, "memhook"] });
        await compare(program, [style, "given"], { preload: ["memhook", operators] });
      }
    }
  });

  // The runtime is then part of the program, and each aligned size a multiple of the alignment.
  test(`replaced operators with ${compiler.name} and a static runtime, exported or not`, async () => {
    const main = compile(compiler, "main-static", ["-std=c++17"]);
    for (const replaced of [[], [0, 6]]) {
      const forms = replaced.map((form) => compile(compiler, `form${form}`, ["-std=c++17", `-DFORM=${form}`]));
      for (const flags of [[], ["-rdynamic"]]) {
        const program = link(compiler, `static-${compiler.name}`, [main, ...forms, "-static-libstdc++", ...flags]);
        const round = (size: number) => (size < 300 ? size : Math.ceil(size / 256) * 256);
        for (const style of STYLES) await compare(program, [style], { round });
      }
    }
  });

  test(`replaced operators with ${compiler.name}, with a sample of everything and of little`, async () => {
    const main = compile(compiler, "main-sampled", ["-std=c++17"]);
    for (const replaced of [[], [0, 2, 6, 10, 11]]) {
      const forms = replaced.map((form) => compile(compiler, `form${form}`, ["-std=c++17", `-DFORM=${form}`]));
      const program = link(compiler, `sampled-${compiler.name}`, [main, ...forms]);
      for (const style of STYLES.filter((one) => isSound(one, replaced))) {
        await compare(program, [style], { env: { MEMHOOK_SAMPLE: "1" } });
        await compare(program, [style], { env: { MEMHOOK_SAMPLE: "1KiB" }, sparse: true });
      }
    }
  });
}

/** The lines of a run that do not name an address. */
const spoken = (stdout: string) => stdout.split("\n").filter((line) => !isBlock(line));

for (const compiler of system) {
  test(`operators_asked.cc with ${compiler.name}: the allocator is asked as without memhook`, async () => {
    const program = build("operators_asked.cc", { compiler });
    const asked = preloadAlways(build("operators_asked.c", { compiler, shared: true }));
    const bare = await runProgram(program, [], { env: { LD_PRELOAD: asked } });
    assert.equal(bare.status, 0, bare.stdout.slice(-200));
    for (const sample of [undefined, "1", "1KiB"]) {
      const store = join(folder, `asked-${compiler.name}-${sample}.mem`);
      const env = { LD_PRELOAD: `${library} ${asked}`, MEMHOOK_SAMPLE: sample };
      const hooked = await runProgram(program, [], { store, env });
      assert.deepEqual(spoken(hooked.stdout), spoken(bare.stdout));
      assert.equal(hooked.status, 0);
      if (sample !== "1KiB") {
        assertTable(await readReport(store), expectations("operators_asked.cc"), hooked.stdout, program);
      }
    }
  });
}

// A program in C, and plugins in C++: the runtime comes late, and whose operators one gets depends on what it came
// with. These orders work without memhook; a plugin with operators of its own that comes behind one without does not,
// as the runtime is not its own.
const PLUGINS: Record<string, string[]> = {
  plain: [],
  own: ["-DOWN", "-w"],
  // The same once more.
  other: ["-DOWN", "-w", "-DOTHER"],
  thread: ["-DTHREAD"],
  meanwhile: ["-DMEANWHILE"],
  static: ["-static-libstdc++"],
  "static-own": ["-static-libstdc++", "-DOWN", "-w"],
};
const ORDERS = [
  ...["l:plain", "l:own", "l:own l:other", "l:thread", "l:static", "l:static-own", "d:own"],
  ...["l:plain l:static l:static-own", "l:static l:plain", "c:static l:plain", "g:own l:plain", "g:plain l:own"],
  // Another thread calls operators while a plugin is loaded; a constructor
  // waits, under the loader's lock, for one that does.
  ...["l:meanwhile l:static-own", "g:own l:thread", "g:plain l:thread"],
];

for (const compiler of system) {
  test(`operators_host.c with ${compiler.name}: each plugin gets the operators that it has alone`, async () => {
    const program = build("operators_host.c", { compiler });
    for (const order of ORDERS) {
      const args = order.split(" ").map((word) => {
        const [mode, name] = word.split(":") as [string, string];
        return mode + build("operators_plugin.cc", { compiler, shared: true, flags: PLUGINS[name]! });
      });
      const store = join(folder, `plugins-${compiler.name}.mem`);
      const bare = await runProgram(program, args);
      const hooked = await runProgram(program, args, { store, limit: 20_000 });
      assert.deepEqual([hooked.status, ...spoken(hooked.stdout)], [0, ...spoken(bare.stdout)], order);
      const { records } = decode(store);
      const sizes = new Map(records.map(({ address, size }) => [`0x${address.toString(16)}`, size]));
      // What is opened before all others calls its operators past the hooks: then the blocks are malloc's.
      const blocks = order.startsWith("d") ? [] : hooked.stdout.matchAll(/^live (\S+) (\d+)$/gm);
      for (const [, address, size] of blocks) {
        assert.equal(sizes.get(address!), BigInt(size!), `${order}: ${address}`);
      }
      const header = 16n;
      const plain = [101n, 102n, 103n];
      const leaked = records.filter(({ size }) => plain.includes(size) || plain.includes(size - header));
      assert.equal(leaked.length, hooked.stdout.split("\n").filter(isBlock).length, order);
    }
  });
}
