// Hazards of names: the same heap by other names, names that are not there, RTLD_DEEPBIND, auditors of every binding.
// Runs under Node alone: what it tests is the library, in C.

import assert from "node:assert/strict";
import { copyFileSync, existsSync } from "node:fs";
import { release } from "node:os";
import { dirname, join } from "node:path";
import test from "node:test";
import { ownTarget } from "../support/compilers.js";
import { assertTable, expectations, owned, readReport } from "../support/expectations.js";
import { build, compilers, library, noCompiler, runProgram, runWell } from "../support/programs.js";
import { temporaryFolder } from "../support/run.js";

const folder = temporaryFolder();
const skip = noCompiler;

const PLACES = ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/lib", "/usr/local/lib"];

/** Where one of these libraries is. */
const find = (...names: string[]) =>
  PLACES.flatMap((place) => names.map((name) => join(place, name))).find((candidate) => existsSync(candidate));

const ALLOCATORS: [name: string, path: string | undefined][] = [
  ["jemalloc", find("libjemalloc.so.2")],
  ["mimalloc", find("libmimalloc.so.2", "libmimalloc.so.2.0", "libmimalloc.so")],
  ["tcmalloc", find("libtcmalloc_minimal.so.4")],
  ["TBB", find("libtbbmalloc.so.2")],
];

/** What second_names.c says is there, and what it keeps. */
function said(stdout: string) {
  const lines = stdout.split("\n");
  const live = lines.flatMap((line) => {
    const [, address, size] = /^live (\w+) (\d+)$/.exec(line) ?? [];
    return address === undefined ? [] : [`${address} ${size}`];
  });
  return { names: lines.filter((line) => line.includes("there")), live: live.sort() };
}

let runs = 0;

/** Runs second_names.c with a library before it or behind memhook, or linked in; `by`: a program that becomes it. */
async function secondNames(route: string, preload: string, flags: string[] = [], by?: string): Promise<void> {
  const program = build("second_names.c", { flags: ["-fPIC", ...flags] });
  const others = preload.replace(library, "").trim();
  const bare = await runProgram(program, [route], { env: { LD_PRELOAD: others === "" ? undefined : others } });
  const store = join(folder, `names-${++runs}.mem`);
  const [command, ...args] = [...(by ? [by] : []), program, route];
  const { status, stdout, stderr } = await runProgram(command!, args, { store, env: { LD_PRELOAD: preload } });
  assert.deepEqual({ status, stderr }, { status: 0, stderr: "" }, stdout);
  const expected = said(stdout);
  assert.deepEqual(expected.names, said(bare.stdout).names, "what is there is what is there without memhook");
  assert.ok(expected.live.length > 0);
  const { allocations, totals } = await readReport(store);
  const mine = owned(allocations, program);
  assert.deepEqual(mine.map(({ address, size }) => `${address} ${size}`).sort(), expected.live);
  for (const { stack } of mine) assert.equal(stack[0]?.function, "main");
  assert.equal(totals.dropped, 0);
}

for (const route of ["weak", "dlsym"]) {
  test(`second names by ${route}: libc's, and what is not there stays away`, { skip }, async () => {
    await secondNames(route, library);
  });

  test(`second names by ${route}: free_sized where a library brings it`, { skip }, async () => {
    const sized = build("sized_free.c", { shared: true });
    await secondNames(route, `${library} ${sized}`);
    await secondNames(route, `${sized} ${library}`);
  });

  for (const [name, path] of ALLOCATORS) {
    const missing = skip || (path ? false : `${name} is not on this machine`);
    test(`second names by ${route}: ${name} behind memhook and before it`, { skip: missing }, async () => {
      await secondNames(route, `${library} ${path}`);
      await secondNames(route, `${path} ${library}`);
    });
    for (const binding of ["lazy", "now"]) {
      test(`second names by ${route}: ${name} linked in, -z ${binding}`, { skip: missing }, async () => {
        await secondNames(route, library, ["-Wl,--no-as-needed", path!, "-Wl,-z,relro", `-Wl,-z,${binding}`]);
      });
    }
  }
}

const gcc = compilers.find(({ name }) => name === "gcc");
const recent = release().localeCompare("6.3", "en", { numeric: true }) >= 0;

test("second names in a library whose symbol table is on a page with code, where code cannot be made writable", {
  skip: skip || (gcc ? false : "no gcc") || (recent ? false : "no PR_SET_MDWE before Linux 6.3"),
}, async () => {
  const sized = build("sized_free.c", { compiler: gcc!, shared: true, flags: ["-DAROUND", "-Wl,-z,noseparate-code"] });
  await secondNames("dlsym", `${library} ${sized}`, [], build("no_new_code.c"));
});

const tbb = find("libtbbmalloc.so.2");
test("second names of an allocator that is loaded later", { skip: skip || (tbb ? false : "no TBB here") }, async () => {
  await secondNames(tbb!, library);
});

test("names of an allocator's that are something else in a library stay what they are", { skip }, async () => {
  const other = build("same_names.c", { shared: true, flags: ["-DLIBRARY"] });
  const program = build("same_names.c", { flags: ["-Wl,--no-as-needed", other] });
  for (const args of [[], ["dlsym"]]) {
    const store = join(folder, `same-${args.length}.mem`);
    const { status, stdout } = await runProgram(program, args, { store });
    assert.deepEqual([status, stdout.split("\n")[0]], [0, "891 7.5 2.5 4"]);
    const { allocations } = await readReport(store);
    const mine = owned(allocations, program, other);
    assert.deepEqual(
      mine.map(({ address, size }) => `${address} ${size}`),
      said(stdout).live,
    );
  }
});

test("a thread that waits for the loader handles its signals", { skip: skip || (gcc ? false : "no gcc") }, async () => {
  const runtime = build("operators_plugin.cc", { compiler: gcc!, shared: true });
  const plugin = build("loading.c", { shared: true, flags: ["-DPLUGIN"] });
  const program = build("loading.c", { flags: ["-pthread", "-Wl,--export-dynamic"] });
  const { status, stdout } = await runProgram(program, [runtime, plugin], { store: join(folder, "loading.mem") });
  assert.deepEqual([status, stdout], [0, "handled\n"]);
});

test("second names that are taken over while another thread loads what is bound to them", { skip }, async () => {
  const allocator = build("bound_meanwhile.c", { shared: true, flags: ["-DALLOCATOR", "-fPIC"] });
  const flags = ["-DPLUGIN", "-fPIC", "-fno-plt", "-Wl,-z,now", "-Wl,-z,relro", allocator];
  const plugin = build("bound_meanwhile.c", { shared: true, flags });
  const program = build("bound_meanwhile.c", { flags: ["-pthread"] });
  const { status, stdout } = await runProgram(program, [plugin], { store: join(folder, "bound.mem") });
  assert.deepEqual([status, stdout], [0, "ended\n"]);
});

test("dlsym in a child of fork, where another thread had asked what is loaded", { skip }, async () => {
  const loaded = build("sized_free.c", { shared: true });
  const program = build("asked_after_fork.c", { flags: ["-pthread"] });
  const store = join(folder, "asked.mem");
  const { status, stdout } = await runProgram(program, [loaded], { store, limit: 10_000 });
  assert.deepEqual([status, stdout], [0, "ended\n"]);
});

/** Runs deepbind.c with these plugins: the store holds what was printed as live, and nothing else of theirs. */
async function deep(mode: string, plugins: string[], env: Record<string, string> = {}, says = ""): Promise<void> {
  const program = build("deepbind.c");
  const store = join(folder, `deep-${++runs}.mem`);
  const { status, stdout, stderr } = await runProgram(program, [mode, ...plugins], { store, env });
  assert.deepEqual({ status, stderr }, { status: 0, stderr: says }, stdout);
  const { allocations, totals } = await readReport(store);
  const modules = [program, ...plugins, ...plugins.map((plugin) => join(dirname(plugin), "other.so"))];
  // What an operator, or another library's malloc, asks for belongs to who called that.
  const mine = owned(
    allocations.map((allocation) => ({
      ...allocation,
      stack: allocation.stack.filter(({ module }) => !/libstdc\+\+|libc\+\+|other_preload/.test(module)),
    })),
    ...modules,
  );
  assert.deepEqual(mine.map(({ address, size }) => `${address} ${size}`).sort(), said(stdout).live);
  assert.equal(totals.dropped, 0);
}

for (const mode of ["lazy", "now"]) {
  test(`RTLD_DEEPBIND, ${mode}: a plugin, several, and one linked with -z now`, { skip }, async () => {
    const plain = build("deep_plugin.c", { shared: true });
    const bound = build("deep_plugin.c", { shared: true, flags: ["-Wl,-z,now", "-Wl,-z,relro"] });
    await deep(mode, [plain]);
    await deep(mode, [plain, bound]);
  });

  test(`RTLD_DEEPBIND, ${mode}: a plugin in C++`, { skip }, async () => {
    for (const compiler of compilers) await deep(mode, [build("deep_plugin_cxx.cc", { compiler, shared: true })]);
  });
}

test("RTLD_DEEPBIND: a plugin that opens another in its constructor", { skip }, async () => {
  const opening = build("deep_plugin.c", { shared: true, flags: ["-DOPENS"] });
  copyFileSync(build("deep_plugin.c", { shared: true }), join(dirname(opening), "other.so"));
  await deep("now", [opening]);
});

test("RTLD_DEEPBIND: with another preloaded library that passes malloc on, in both orders", { skip }, async () => {
  const plain = build("deep_plugin.c", { shared: true });
  const other = build("other_preload.c", { shared: true });
  for (const order of [`${library} ${other}`, `${other} ${library}`]) {
    await deep("now", [plain], { LD_PRELOAD: order }, "seen calls\n");
  }
});

test("RTLD_DEEPBIND: a plugin's own malloc stays its own", { skip }, async () => {
  await deep("now", [build("deep_plugin.c", { shared: true, flags: ["-DHAS_HEAP"] })]);
});

const AUDITORS = ["-DCALLS", "-DCALLS -DALLOCATES", "-DFOLLOWS", "-DCHANGES", "-DWATCHES -DALLOCATES", "-DLOADS"];
const isGlibc = ownTarget.name.endsWith("-gnu");

for (const what of AUDITORS) {
  test(`an auditor with ${what}: the program runs, and memhook sees it`, {
    skip: skip || (isGlibc ? false : "musl has no auditors"),
  }, async () => {
    const auditor = build("auditor.c", { shared: true, flags: what.split(" ") });
    for (const flags of [["-Wl,-z,lazy"], ["-Wl,-z,now"], ["-no-pie", "-Wl,-z,lazy"]]) {
      const program = build("leaks.c", { flags });
      const store = join(folder, `audited-${++runs}.mem`);
      const { stdout } = await runWell(program, [], { store, env: { LD_AUDIT: auditor } });
      const report = await readReport(store);
      // An auditor that follows returns has the loader call in the program's place.
      const ofProgram = ({ module }: { module: string }) => !/\/ld-linux|\/ld-\d/.test(module);
      const allocations = report.allocations
        .filter(({ stack }) => stack.some(ofProgram))
        .map((allocation) => ({ ...allocation, stack: allocation.stack.filter(ofProgram) }));
      assertTable({ ...report, allocations }, expectations("leaks.c"), stdout, program);
    }
  });
}
