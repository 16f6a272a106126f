// Which modules a program has, where, and with which build id: as the loader says it of files that many tools wrote, of
// this system's libraries and of the programs that compile. Build ids are those that readelf reads.
// Runs under Node alone: what it tests is the library, in C.
//
//   MEMHOOK_SYSTEM_LIBRARIES=200 node --test dist/test/e2e/modules.test.js

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import process from "node:process";
import test from "node:test";
import { openStore } from "../../runtime/stores/store.js";
import { ElfFile } from "../../runtime/symbols/elffile.js";
import { SymbolCore } from "../../runtime/symbols/symbolcore.js";
import { moveHeaders, PT_NULL } from "../support/elf-edit.js";
import { build, library, noCompiler, runWell, which } from "../support/programs.js";
import { root, temporaryFolder } from "../support/run.js";

const folder = realpathSync(temporaryFolder());
const LONG = `/${"long/".repeat(60)}`;
const LIBRARIES = Number(process.env.MEMHOOK_SYSTEM_LIBRARIES ?? 10);
const FOLDERS = ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu"];
/** Libraries that replace malloc, or end programs that they were not linked into. */
const NOT_TO_LOAD = /san\.so|malloc|memusage|pcprofile|fakeroot|SegFault/;
const linkers = { bfd: "ld.bfd", gold: "ld.gold", mold: "ld.mold", lld: "ld.lld" };

const skip =
  noCompiler || (["gcc", "readelf"].some((tool) => which(tool) === undefined) && "gcc or readelf is missing");

/** Links a file; false where its tools cannot be had or do not know the option. */
type Make = (target: string, object: string, shared: boolean) => boolean;

function ran(command: string, ...args: string[]): boolean {
  return spawnSync(command, args, { cwd: folder, stdio: "ignore" }).status === 0;
}

function linked(linker: keyof typeof linkers, ...flags: string[]): Make {
  return (target, object, shared) => {
    // gcc looks for the linker of any version, too.
    const found = [linkers[linker], ...["19", "16", "14"].map((version) => `ld.lld-${version}`)].find(which);
    if (found === undefined || (linker !== "lld" && found !== linkers[linker])) return false;
    const bin = join(folder, linker);
    if (!existsSync(bin)) {
      mkdirSync(bin);
      symlinkSync(which(found)!, join(bin, linkers[linker]));
    }
    const kind = [shared ? "-shared" : "-pthread", "-Wl,--build-id", `-B${bin}`, `-fuse-ld=${linker}`];
    return ran("gcc", ...kind, ...flags, object, "-o", target);
  };
}

/** Changes what another way made. */
function then(make: Make, change: (target: string) => boolean): Make {
  return (target, object, shared) => make(target, object, shared) && change(target);
}

const patched = (...options: string[]) => then(linked("bfd"), (target) => ran("patchelf", ...options, target));
const copied = (...options: string[]) => then(linked("bfd"), (target) => ran("objcopy", ...options, target));
/** Of llvm-bolt, as there are several versions. */
const bolted = then(linked("bfd", "-Wl,-q"), (target) => {
  const bolt = ["llvm-bolt", "llvm-bolt-19", "llvm-bolt-16", "llvm-bolt-14"].find(which);
  if (bolt === undefined || !ran(bolt, target, "-o", `${target}.bolt`)) return false;
  copyFileSync(`${target}.bolt`, target);
  return true;
});
const edited = (edit: (elf: Buffer) => Buffer) =>
  then(linked("bfd"), (target) => {
    writeFileSync(target, edit(readFileSync(target)));
    return true;
  });
const nulls = (count: number) =>
  Array.from({ length: count }, () => ({ type: PT_NULL, flags: 0, offset: 0, address: 0, bytes: 0, align: 1 }));

const ways: [what: string, make: Make][] = [
  ["bfd", linked("bfd")],
  ["bfd, code and data in one segment", linked("bfd", "-Wl,-z,noseparate-code")],
  ["bfd, code apart", linked("bfd", "-Wl,-z,separate-code")],
  ["bfd, segments at 2 MiB", linked("bfd", "-Wl,-z,max-page-size=0x200000")],
  ["bfd, at an address", linked("bfd", "-Wl,-Ttext-segment=0x7000000")],
  ["bfd, relocations packed", linked("bfd", "-Wl,-z,pack-relative-relocs")],
  ["bfd, no build id", linked("bfd", "-Wl,--build-id=none")],
  ["bfd, a build id of 64 bytes", linked("bfd", `-Wl,--build-id=0x${"ab".repeat(64)}`)],
  ["gold", linked("gold")],
  ["gold, constants apart", linked("gold", "-Wl,--rosegment")],
  ["gold, functions folded", linked("gold", "-Wl,--icf=all", "-ffunction-sections")],
  ["mold", linked("mold")],
  ["mold, code not apart", linked("mold", "-Wl,-z,noseparate-code")],
  ["mold, segments apart", linked("mold", "-Wl,-z,separate-loadable-segments")],
  ["lld", linked("lld")],
  ["lld, constants with the code", linked("lld", "-Wl,--no-rosegment")],
  ["lld, segments apart", linked("lld", "-Wl,-z,separate-loadable-segments")],
  ["llvm-bolt", bolted],
  ["patchelf, a path", patched("--set-rpath", LONG)],
  ["patchelf, a library and larger pages", patched("--page-size", "65536", "--add-needed", "libm.so.6")],
  ["patchelf, of mold's", then(linked("mold"), (target) => ran("patchelf", "--set-rpath", LONG, target))],
  ["patchelf, of lld's", then(linked("lld"), (target) => ran("patchelf", "--set-rpath", LONG, target))],
  [
    "patchelf, twice",
    then(patched("--set-rpath", LONG), (target) => ran("patchelf", "--set-rpath", LONG + LONG, target)),
  ],
  ["strip", then(linked("bfd"), (target) => ran("strip", target))],
  ["eu-strip", then(linked("bfd"), (target) => ran("eu-strip", target))],
  ["objcopy, compressed with zlib", copied("--compress-debug-sections=zlib")],
  ["objcopy, the section of the build id removed", copied("-R", ".note.gnu.build-id")],
  ["dwz", then(linked("bfd"), (target) => ran("dwz", target))],
  ["program headers elsewhere", edited((elf) => moveHeaders(elf, 2 << 20, 5 << 20))],
  [
    "200 program headers",
    edited((elf) => moveHeaders(elf, 2 << 20, 5 << 20, Buffer.alloc(0), (all) => [...all, ...nulls(200)], 204)),
  ],
];

/** Of which there are programs, too. */
const inPrograms = /^(bfd, code and data.*|bfd, at.*|gold|mold|lld, constants.*|llvm-bolt|patchelf, a.*|strip|200.*)$/;

interface Said {
  path: string;
  bias: bigint;
  start: bigint;
  end: bigint;
}

/**
 * Runs a program with libraries, and compares its store with what the loader said. Returns how many modules that were.
 */
async function assertModules(name: string, program: string, args: string[], load: string[]): Promise<Said[]> {
  const [store, said] = [join(folder, `${name}.mem`), join(folder, `${name}.said`)];
  const preload = `${library}:${build("said.c", { shared: true })}`;
  const env = { LD_PRELOAD: preload, SAID_TO: said, SAID_LOAD: load.join("\n") };
  await runWell(program, args, { store, env });
  const expected = readFileSync(said, "utf8")
    .split("\n")
    .flatMap((line): Said[] => {
      const [, bias, start, end, path] = /^([0-9a-f]+) ([0-9a-f]+) ([0-9a-f]+) (.*)$/.exec(line) ?? [];
      // The vDSO has no path that leads to a file.
      if (bias === undefined || (path !== "" && !path!.startsWith("/"))) return [];
      const [at, low, high] = [bias, start!, end!].map((number) => BigInt(`0x${number}`)) as [bigint, bigint, bigint];
      return [{ path: realpathSync(path || program), bias: at, start: low, end: high }];
    });
  const opened = await openStore(store);
  const modules = opened.modules();
  opened.close();
  for (const { path, ...where } of expected) {
    const found = modules.find((module) => module.path === path && module.bias === where.bias);
    assert.ok(found !== undefined, `${path} is no module`);
    const { bias, start, end } = found;
    assert.deepEqual({ bias, start, end }, where, path);
    const file = new ElfFile(new SymbolCore(), path);
    assert.equal(found.file?.layout, file.layout(), path);
    file.close();
    const buildId = Buffer.from(found.buildId).toString("hex");
    assert.equal(buildId, readBuildId(path), path);
    assert.equal(Buffer.from(file.buildId).toString("hex"), buildId, path);
  }
  return expected;
}

function readBuildId(path: string): string {
  const { stdout } = spawnSync("readelf", ["-nW", path], { encoding: "utf8" });
  return /Build ID: ([0-9a-f]+)/.exec(stdout)?.[1] ?? "";
}

function objectOf(source: string): string {
  const object = join(folder, `${source}.o`);
  const flags = ["-O1", "-g", "-fPIC", "-fno-builtin", "-ffunction-sections"];
  assert.ok(ran("gcc", ...flags, "-c", join(root, "test/programs", source), "-o", object));
  return object;
}

test("libraries as many tools write them are the modules that the loader loaded", { skip }, async (t) => {
  const object = objectOf("plugin.c");
  const made = ways.flatMap(([what, make], index) => {
    const path = join(folder, `plugin-${index}.so`);
    if (make(path, object, true)) return [path];
    t.diagnostic(`not made: ${what}`);
    return [];
  });
  const said = await assertModules("libraries", build("leaks.c"), [], made);
  // A few that this system's loader does not take.
  const loaded = made.filter((path) => said.some((module) => module.path === path));
  t.diagnostic(`${loaded.length} of ${ways.length}`);
  assert.ok(loaded.length > 10);
});

test("programs as many tools write them are the modules that the loader loaded", { skip }, async (t) => {
  const object = objectOf("leaks.c");
  let made = 0;
  for (const [index, [what, make]] of ways.entries()) {
    const program = join(folder, `program-${index}`);
    if (!inPrograms.test(what) || !make(program, object, false)) continue;
    chmodSync(program, 0o755);
    const [module] = await assertModules(`program-${index}`, program, [], []);
    assert.equal(module?.path, program);
    made++;
  }
  t.diagnostic(`${made} programs`);
  assert.ok(made > 3);
});

test(`${LIBRARIES} libraries of this system are the modules that the loader loaded`, { skip }, async (t) => {
  const paths = FOLDERS.flatMap((from) => (existsSync(from) ? readdirSync(from).map((name) => join(from, name)) : []))
    .filter((path) => /\.so(\.[\d.]+)?$/.test(path) && !NOT_TO_LOAD.test(path) && lstatSync(path).isFile())
    .slice(0, LIBRARIES);
  const said = await assertModules("system", build("leaks.c"), [], paths);
  t.diagnostic(`${said.length} modules`);
  assert.ok(said.length > LIBRARIES / 2);
});

test("the compilers' own programs, and this runtime's", { skip }, async () => {
  const named = ["cc1", "cc1plus"].map((name) =>
    spawnSync("gcc", [`-print-prog-name=${name}`], { encoding: "utf8" }).stdout.trim(),
  );
  const programs = [...named, process.execPath, ...["ld.gold", "mold", "clang", "lld", "gdb", "perl"].map(which)];
  for (const [index, program] of programs.entries()) {
    if (program?.startsWith("/")) await assertModules(`own-${index}`, realpathSync(program), ["--version"], []);
  }
});
