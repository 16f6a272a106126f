// Programs and libraries whose ELF files are laid out as few linkers do it, and code that is not where it was loaded:
// every block still has its functions' names, and every module its build id.
// Runs under Node alone: what it tests is the library, in C.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, readFileSync, realpathSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { openStore } from "../../runtime/stores/store.js";
import { identityOf } from "../runtime/symbols/symbolize-elf.js";
import { moveHeaders, note, PT_LOAD, PT_NOTE, PT_NULL } from "../support/elf-edit.js";
import { assertTable, expectations, readReport } from "../support/expectations.js";
import { build, compiler, noCompiler, runWell } from "../support/programs.js";
import { root, temporaryFolder } from "../support/run.js";

const folder = realpathSync(temporaryFolder());
const skip = noCompiler;
const NT_GNU_BUILD_ID = 3;
const FLAGS = ["-Wl,--build-id=sha1"];

/** Runs dlopen.c with this library. */
async function assertLibrary(name: string, library: Buffer): Promise<string> {
  const path = join(folder, `${name}.so`);
  writeFileSync(path, library);
  const program = build("dlopen.c");
  const store = join(folder, `${name}.mem`);
  const { stdout } = await runWell(program, [path], { store });
  assertTable(await readReport(store), expectations("dlopen.c"), stdout, program, path);
  return store;
}

async function moduleOf(store: string, path: string) {
  const opened = await openStore(store);
  const module = opened.modules().find((candidate) => candidate.path === path);
  opened.close();
  assert.ok(module !== undefined, `${path} is no module`);
  return module;
}

async function buildIdOf(store: string, path: string): Promise<string> {
  return Buffer.from((await moduleOf(store, path)).buildId).toString("hex");
}

// Address and offset in the file differ, or are the same as for the file's beginning.
for (const [what, offset, address] of [
  ["far behind, as llvm-bolt", 2 << 20, 2 << 20],
  ["far behind, and elsewhere in memory", 2 << 20, 5 << 20],
  ["near, but elsewhere in memory", 256 << 10, 3 << 20],
  ["not loaded at all", 2 << 20, null],
] as const) {
  test(`a library's program headers: ${what}`, { skip }, async () => {
    const library = readFileSync(build("plugin.c", { shared: true, flags: FLAGS }));
    await assertLibrary(`headers-${offset}-${address}`, moveHeaders(library, offset, address));
  });
}

test("a program's program headers far behind in the file", { skip }, async () => {
  const program = join(folder, "moved-program");
  writeFileSync(program, moveHeaders(readFileSync(build("leaks.c", { flags: FLAGS })), 2 << 20, 2 << 20));
  chmodSync(program, 0o755);
  const store = join(folder, "moved-program.mem");
  const { stdout } = await runWell(program, [], { store });
  assertTable(await readReport(store), expectations("leaks.c"), stdout, program);
});

const id = Buffer.from("00112233445566778899aabbccddeeff00112233", "hex");
for (const [what, content, align] of [
  ["behind a note larger than a page", Buffer.concat([note("Big", 1, Buffer.alloc(9000)), note("GNU", 3, id)]), 4],
  ["behind 200 small notes", Buffer.concat([...Array(200).fill(note("Some", 7, id)), note("GNU", 3, id)]), 4],
  ["among notes that are padded to 8 bytes", Buffer.concat([note("GNU", 5, id, 8), note("GNU", 3, id, 8)]), 8],
] as const) {
  test(`a build id ${what}`, { skip }, async () => {
    const name = `note-${content.length}`;
    const library = readFileSync(build("plugin.c", { shared: true, flags: FLAGS }));
    const moved = moveHeaders(library, 1 << 20, 3 << 20, content, (segments, at) => [
      ...segments.map((segment) => (segment.type === PT_NOTE ? { ...segment, type: PT_NULL } : segment)),
      { type: PT_NOTE, flags: 4, ...at, bytes: content.length, align },
    ]);
    const path = join(folder, `${name}.so`);
    writeFileSync(path, moved);
    const store = join(folder, `${name}.mem`);
    await runWell(build("dlopen.c"), [path], { store });
    assert.equal(await buildIdOf(store, path), id.toString("hex"));
  });
}

test("a build id in a later note segment, and one whose address is wrong", { skip }, async () => {
  const library = readFileSync(build("plugin.c", { shared: true, flags: FLAGS }));
  const other = note("Some", 7, id);
  const content = Buffer.concat([other, note("GNU", NT_GNU_BUILD_ID, id)]);
  const moved = moveHeaders(library, 1 << 20, 3 << 20, content, (segments, at) => [
    ...segments.filter(({ type }) => type === PT_LOAD || type === 2),
    { type: PT_NOTE, flags: 4, ...at, bytes: other.length, align: 4 },
    { type: PT_NOTE, flags: 4, offset: at.offset + other.length, address: 0x40, bytes: 36, align: 4 },
  ]);
  const path = join(folder, "later.so");
  writeFileSync(path, moved);
  const store = join(folder, "later.mem");
  await runWell(build("dlopen.c"), [path], { store });
  assert.equal(await buildIdOf(store, path), id.toString("hex"));
});

for (const flag of ["--build-id=sha1", "--build-id=none"]) {
  test(`which file a module was, with ${flag}`, { skip }, async () => {
    const path = build("plugin.c", { shared: true, flags: [`-Wl,${flag}`] });
    const store = join(folder, `file${flag}.mem`);
    await runWell(build("dlopen.c"), [path], { store });
    const { file, buildId } = await moduleOf(store, path);
    const { seen } = file!;
    assert.deepEqual(file, { ...identityOf(path), seen });
    assert.ok(seen > file!.written && seen <= BigInt(Date.now() + 1000) * 1_000_000n);
    assert.equal(buildId.length, flag.endsWith("none") ? 0 : 20);
    assert.equal(file!.bytes, statSync(path, { bigint: true }).size);
    assert.notEqual(file!.layout, 0n);
  });
}

// ── Frame information ────────────────────────────────────────────────────────────────────────────

const noObjcopy = skip || (compiler("gcc").name !== "gcc" && "gcc and objcopy make such a library");

test("frame information in another segment than its table is read without libunwind", { skip: noObjcopy }, async () => {
  const command = (program: string, ...args: string[]) => {
    const { status, stderr } = spawnSync(program, args, { encoding: "utf8" });
    assert.equal(status, 0, stderr);
  };
  const object = join(folder, "plugin.o");
  const library = join(folder, "writable.so");
  const source = join(root, "test/programs/plugin.c");
  command("gcc", "-O1", "-g", "-fPIC", "-fno-builtin", "-c", source, "-o", object);
  command("objcopy", "--set-section-flags", ".eh_frame=alloc,load,data,contents", object);
  command("gcc", "-shared", "-nostartfiles", object, "-o", library);
  const program = build("asking.c", { flags: ["-rdynamic"] });
  const store = join(folder, "writable.mem");
  const { stdout } = await runWell(program, [library], { store });
  assert.match(stdout, /^asked 0$/m);
  const { allocations } = await readReport(store);
  const stacks = allocations.map(({ stack }) => stack.map((frame) => frame.function ?? ""));
  assert.ok(
    stacks.some((stack) => stack[0] === "plugin_lend" && stack.includes("main")),
    JSON.stringify(stacks),
  );
});

// ── Code that is not where it was loaded ─────────────────────────────────────────────────────────

for (const how of ["all", "part"]) {
  test(`code moved onto anonymous memory: ${how} of it`, { skip }, async () => {
    const program = build("large_text.c");
    const store = join(folder, `large-${how}.mem`);
    const { stdout } = await runWell(program, [how, build("plugin.c", { shared: true })], { store });
    const report = await readReport(store);
    assertTable(report, expectations("large_text.c"), stdout, program);
    const leak = report.allocations.find(({ size }) => size === 77)!;
    assert.ok(leak.stack.some((frame) => frame.function === "main"));
  });
}

test("code of a file that is mapped a second time", { skip }, async () => {
  const program = build("mapped_again.c");
  const store = join(folder, "again.mem");
  const { stdout } = await runWell(program, [], { store });
  assertTable(await readReport(store), expectations("mapped_again.c"), stdout, program);
});
