// Hazards of control flow: jumps, coroutines, deep and tiny stacks, exceptions,
// generated code, tail calls, code without unwind information, libraries that come and
// go, other allocators and other preloads. Signals are in hazards-threads.test.ts.
// Runs under Node alone: what it tests is the library, in C.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { preloadAlways } from "../../runtime/programs/preload.js";
import { assertTable, expectations, owned, readReport } from "../support/expectations.js";
import {
  type BuildOptions,
  build,
  compiler,
  compilers,
  library,
  noCompiler,
  runProgram,
  runWell,
  which,
} from "../support/programs.js";
import { temporaryFolder } from "../support/run.js";

const folder = temporaryFolder();
const skip = noCompiler;
const sum = (allocations: { size: number }[]) => allocations.reduce((total, { size }) => total + size, 0);

for (const compiler of compilers) {
  test(`generated.c with ${compiler.name}: code of no module is an address`, async () => {
    const store = join(folder, `generated-${compiler.name}.mem`);
    const program = build("generated.c", { compiler });
    await runWell(program, [], { store });
    const { allocations } = await readReport(store);
    const generated = allocations.filter(({ size }) => size === 91);
    assert.equal(generated.length, 91);
    for (const { stack } of generated) {
      assert.ok(stack[0]?.module === "" && stack[0].function === null, JSON.stringify(stack));
    }
  });

  for (const source of ["coroutines.c", "exceptions.cc", "own_new.cc", "own_malloc.c", "own_clock.c", "generated.c"]) {
    test(`${source} with ${compiler.name}: the store holds exactly what is in its table`, async () => {
      const store = join(folder, `${source}-${compiler.name}.mem`);
      const program = build(source, { compiler });
      const { stdout } = await runWell(program, [], { store });
      assertTable(await readReport(store), expectations(source), stdout, program);
    });
  }
}

const FLAGS: Record<string, string[]> = {
  "-O0": ["-O0"],
  "-O2": ["-O2"],
  "-O3": ["-O3"],
  "frame pointers": ["-fno-omit-frame-pointer"],
  "no frame pointers": ["-fomit-frame-pointer"],
  "no unwind information": [
    "-fomit-frame-pointer",
    "-fno-asynchronous-unwind-tables",
    "-fno-unwind-tables",
    "-fno-exceptions",
  ],
  "link-time optimization": ["-O2", "-flto"],
};

for (const compiler of compilers) {
  for (const [name, flags] of Object.entries(FLAGS)) {
    // Without unwind information nothing but the innermost frame is certain, and that is what the tables ask for.
    test(`leaks.c and realloc.c, ${name}, with ${compiler.name}`, async () => {
      for (const source of ["leaks.c", "realloc.c"]) {
        const options: BuildOptions = { compiler, flags };
        const program = build(source, options);
        const store = join(folder, `${source}-${compiler.name}-${name.replaceAll(" ", "-")}.mem`);
        const { stdout } = await runWell(program, [], { store });
        assertTable(await readReport(store), expectations(source), stdout, program);
      }
    });
  }
}

for (const compiler of compilers) {
  test(`tailcalls.c with ${compiler.name}: who called owns the block`, async () => {
    const store = join(folder, `tailcalls-${compiler.name}.mem`);
    const program = build("tailcalls.c", { compiler, flags: ["-O2", "-foptimize-sibling-calls"] });
    const { stdout } = await runWell(program, [], { store });
    const report = await readReport(store);
    assertTable(report, expectations("tailcalls.c"), stdout, program);
    for (const { stack } of report.allocations) assert.ok(stack.some((frame) => frame.function === "main"));
  });
}

/** Whether gcc can build programs whose stacks grow by pieces: it takes gold, and a part of libgcc. */
const splitStacks = (() => {
  if (!which("gcc")) return "no gcc";
  const probe = spawnSync("gcc", ["-fsplit-stack", "-fuse-ld=gold", "-x", "c", "-", "-o", join(folder, "split")], {
    input: "int main(void) { return 0; }",
  });
  return probe.status === 0 ? false : "gcc cannot link -fsplit-stack programs (no gold linker)";
})();

test("deep.c with split stacks: recursion of 100,000 frames through pieces of stack", {
  skip: skip || splitStacks,
}, async () => {
  const store = join(folder, "split-stacks.mem");
  const flags = ["-fsplit-stack", "-fuse-ld=gold"];
  const program = build("deep.c", { compiler: compiler("gcc"), flags });
  const { stdout } = await runWell(program, [], { store });
  assertTable(await readReport(store), expectations("deep.c"), stdout, program);
});

test("MEMHOOK_UNWIND=fp walks frame pointers to main", { skip }, async () => {
  const store = join(folder, "fp.mem");
  const program = build("leaks.c", { flags: ["-fno-omit-frame-pointer"] });
  const { stdout } = await runWell(program, [], { store, env: { MEMHOOK_UNWIND: "fp" } });
  const report = await readReport(store);
  assertTable(report, expectations("leaks.c"), stdout, program);
  for (const { stack } of report.allocations) assert.ok(stack.some((frame) => frame.function === "main"));
});

test("MEMHOOK_UNWIND=libunwind and dwarf give the same stacks", { skip }, async () => {
  const program = build("coroutines.c");
  const stacks = [];
  for (const unwind of ["libunwind", "dwarf"]) {
    const store = join(folder, `unwind-${unwind}.mem`);
    await runWell(program, [], { store, env: { MEMHOOK_UNWIND: unwind, MEMHOOK_DEPTH: "64" } });
    const { allocations } = await readReport(store);
    stacks.push(
      owned(allocations, program)
        // Within a thread time gives the order; between threads it is only known to a tick.
        .sort((a, b) => a.size - b.size || (a.time < b.time ? -1 : 1))
        // Which frame of libc comes last below a coroutine is a matter of taste.
        .map(({ size, stack }) => [
          size,
          ...stack.filter(({ module }) => module === program).map(({ function: name, offset }) => `${name}+${offset}`),
        ]),
    );
  }
  assert.deepEqual(stacks[0], stacks[1]);
});

test("1,000 loads and unloads of two libraries: each stack names the one that was loaded", { skip }, async () => {
  const store = join(folder, "reloading.mem");
  const program = build("reloading.c");
  const plugins = [build("plugin.c", { shared: true }), build("plugin.c", { shared: true, flags: ["-DOTHER"] })];
  const { stdout } = await runWell(program, plugins, { store });
  assertTable(await readReport(store), expectations("reloading.c"), stdout, program, ...plugins);
});

test("generated.c with a library: new code all the time does not hide what is loaded", { skip }, async () => {
  const store = join(folder, "generated-plugin.mem");
  const plugin = build("plugin.c", { shared: true });
  await runWell(build("generated.c"), [plugin], { store });
  const leaks = owned((await readReport(store)).allocations, plugin).filter(({ size }) => size === 333);
  assert.deepEqual(
    leaks.map(({ stack }) => stack[0]?.function),
    Array(10).fill("plugin_leak"),
  );
});

test("dlmopen.c: namespaces of their own, and the program's own", { skip }, async () => {
  const store = join(folder, "dlmopen.mem");
  const plugins = [build("plugin.c", { shared: true }), build("plugin.c", { shared: true, flags: ["-DOTHER"] })];
  const program = build("dlmopen.c");
  const { stdout } = await runWell(program, plugins, { store });
  assertTable(await readReport(store), expectations("dlmopen.c"), stdout, program, ...plugins);
});

/**
 * Programs in which another malloc is found before memhook's, how they are
 * built, and how many blocks of 100 bytes are seen of them.
 */
const FIRST: [string, string[], number][] = [
  ["own_malloc.c", [], 0],
  ["first_malloc.c", ["-DWRAPS"], 3],
  ["first_malloc.c", ["-no-pie", "-fno-pic"], 3],
];

for (const compiler of compilers) {
  for (const [source, flags, seen] of FIRST) {
    // Zig makes no other code than position independent.
    if (compiler.name === "zig" && flags.includes("-no-pie")) continue;
    const bypassed = seen === 0;
    const title = `${[source, ...flags].join(" ")} with ${compiler.name}`;
    test(`${title}: ${bypassed ? "it bypasses" : "it does not bypass"} memhook`, async () => {
      const store = join(folder, `first-${source}-${flags.length}-${compiler.name}.mem`);
      await runWell(build(source, { compiler, flags }), [], { store });
      const report = await readReport(store);
      assert.equal(report.allocations.filter(({ size }) => size === 100).length, seen);
      assert.equal(report.bypassed, bypassed || undefined);
    });
  }
}

test("another preload that interposes malloc, before and behind memhook", { skip }, async () => {
  const other = preloadAlways(build("other_preload.c", { shared: true }));
  const program = build("churn.c");
  const args = ["0", "50000", "9"];
  const bare = await runProgram(program, args);
  for (const preload of [`${library} ${other}`, `${other} ${library}`]) {
    const store = join(folder, `preload-${preload.startsWith(library) ? "first" : "last"}.mem`);
    const { status, stdout, stderr } = await runProgram(program, args, { store, env: { LD_PRELOAD: preload } });
    assert.deepEqual({ status, stdout, stderr }, { status: 0, stdout: bare.stdout, stderr: "seen calls\n" });
    const { totals, bypassed } = await readReport(store);
    assert.equal(`live ${totals.liveCount} ${totals.liveBytes}\n`, stdout);
    assert.equal(bypassed, undefined);
  }
});

const PLACES = ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/lib", "/usr/local/lib"];

for (const name of [
  "libjemalloc.so.2",
  "libtcmalloc.so.4",
  "libtcmalloc_minimal.so.4",
  "libmimalloc.so.2",
  "libmimalloc.so.2.0",
]) {
  const path = PLACES.map((place) => join(place, name)).find((candidate) => existsSync(candidate));
  test(`${name} in the place of libc's malloc: counts are exact`, {
    skip: skip || (path ? false : "not on this machine"),
  }, async () => {
    for (const [source, args] of [
      ["churn.c", ["4", "50000", "2"]],
      ["churn.c", ["0", "50000", "2"]],
      ["granules.c", ["200000"]],
    ] as const) {
      const store = join(folder, `${name}-${args[0]}.mem`);
      const program = build(source);
      const { status, stdout, stderr } = await runProgram(program, [...args], {
        store,
        env: { LD_PRELOAD: `${library} ${path}`, MALLOC_CONF: "narenas:1,tcache:false" },
      });
      assert.deepEqual({ status, stderr }, { status: 0, stderr: "" }, stdout);
      const { allocations, totals } = await readReport(store);
      const mine = owned(allocations, program);
      assert.equal(`live ${mine.length} ${sum(mine)}\n`, stdout);
      assert.equal(totals.dropped, 0);
    }
    const store = join(folder, `${name}-operators.mem`);
    const operators = build("operators.cc", {
      compiler: compilers.find(({ name: known }) => known === "gcc") ?? compilers[0]!,
    });
    const { stdout } = await runProgram(operators, [], { store, env: { LD_PRELOAD: `${library} ${path}` } });
    // mimalloc's operators are of C, and do not throw: then the program ends there.
    const table = expectations("operators.cc").filter(
      ({ function: place }) => !name.startsWith("libmimalloc") || place !== "deeper_after_a_throw()",
    );
    assertTable(await readReport(store), table, stdout, operators);
  });
}
