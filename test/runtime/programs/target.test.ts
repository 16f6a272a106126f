// Which build of the library a program gets, by ELF headers written by hand, scripts and names on PATH.

import assert from "node:assert/strict";
import { chmodSync, chownSync, existsSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { libraryFor, libraryToRun } from "../../../runtime/programs/target.js";
import { madeFiles } from "../../support/elf.js";
import { root, temporaryFolder } from "../../support/run.js";
import { randomNumbers } from "../../support/stores.js";

const folder = temporaryFolder();
const { elf, executable } = madeFiles(folder);

/**
 * The target whose library `find` gives; or what it says instead. Of a build
 * that is not there it says which it would be.
 */
function chosen(find: (program: string) => string, program: string): string {
  try {
    const library = find(program);
    assert.ok(existsSync(library) && library.startsWith(join(root, "build/lib/")), library);
    return basename(dirname(library));
  } catch (error) {
    const { name, message } = error as Error;
    assert.equal(name, "LaunchError");
    assert.doesNotMatch(message, /\n/);
    return (
      /^the library for (\S+) is not built: \S.* is missing; run \.\/build\.sh( targets)?$/.exec(message)?.[1] ??
      message
    );
  }
}

const own = chosen(() => libraryFor(), "");
const [X86, ARM] = [62, 183];
const glibc = "/lib64/ld-linux-x86-64.so.2";
const intel = elf("intel", 64, X86, glibc);
const musl = elf("musl", 64, X86, "/lib/ld-musl-x86_64.so.1");

test("without a program it is that for this runtime", () => {
  assert.equal(chosen(libraryFor, process.execPath), own);
  assert.ok(own.startsWith(process.arch === "arm64" ? "aarch64-" : "x86_64-"), own);
});

const programs: [string, string][] = [
  [intel, "x86_64-gnu"],
  [musl, "x86_64-musl"],
  [elf("arm", 64, ARM, "/lib/ld-linux-aarch64.so.1"), "aarch64-gnu"],
  [elf("arm-musl", 64, ARM, "/lib/ld-musl-aarch64.so.1"), "aarch64-musl"],
  [elf("nix", 64, X86, "/nix/store/0abc-musl-1.2.5/lib/ld-musl-x86_64.so.1"), "x86_64-musl"],
  [elf("musl-in-path", 64, X86, `/opt/ld-musl/lib/${basename(glibc)}`), "x86_64-gnu"],
  [executable("script", `#!${musl}\n`), "x86_64-musl"],
  [executable("script-of-script", `#! \t${join(folder, "script")} -x\n`), "x86_64-musl"],
  [executable("no-shebang", "echo hello\n"), own],
  [executable("empty", ""), own],
];

for (const [path, target] of programs) {
  test(`${basename(path)} gets ${target}`, () => {
    assert.equal(chosen(libraryFor, path), target);
    assert.equal(chosen(libraryToRun, path), target);
  });
}

const sentence = "the library is for x86_64 and aarch64";
const refused: [string, string][] = [
  [elf("i386", 32, 3, "/lib/ld-linux.so.2"), `is a program for 32-bit x86, ${sentence}`],
  [elf("x32", 32, X86, "/libx32/ld-linux-x32.so.2"), `is a program for x86_64 (x32), ${sentence}`],
  [elf("riscv", 64, 243, "/lib/ld-linux-riscv64-lp64d.so.1"), `is a program for riscv64, ${sentence}`],
  [elf("power", 64, 21, "/lib64/ld64.so.1", { bigEndian: true }), `is a program for big-endian powerpc64, ${sentence}`],
  [elf("arm-be", 64, ARM, "/lib/ld.so", { bigEndian: true }), `is a program for big-endian aarch64, ${sentence}`],
  [
    elf("android", 64, ARM, "/system/bin/linker64"),
    "is run by the loader /system/bin/linker64, the library is for those of glibc and musl",
  ],
  [elf("cut", 64, X86, glibc, { bytes: 50 }), "cannot be examined (its ELF headers are cut off or damaged)"],
  [executable("magic", "\x7fELF garbage"), "cannot be examined (its ELF headers are cut off or damaged)"],
  [
    executable("loop", `#!${join(folder, "loop")}\n`),
    "cannot be examined (its interpreter is a script, and so is that one's, and so on)",
  ],
  [executable("orphan", "#!/no/such/sh\n"), "cannot be examined (its interpreter /no/such/sh is missing)"],
];

for (const [path, why] of refused) {
  test(`${basename(path)} gets none`, () => {
    assert.equal(chosen(libraryFor, path), `${path} ${why}`);
    assert.equal(chosen(libraryToRun, path), `${path} ${why}`);
  });
}

test("garbage behind an ELF header is no crash", () => {
  const random = randomNumbers(1);
  for (let i = 0; i < 300; i++) {
    const bytes = Buffer.from(Array.from({ length: i }, () => random(256)));
    bytes.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1].slice(0, i));
    if (i >= 64) bytes.writeUInt16LE(X86, 18);
    const path = executable("garbage", bytes);
    const target = chosen(libraryToRun, path);
    assert.ok(target === own || target === "x86_64-gnu" || target.startsWith(`${path} `), target);
  }
});

// Nothing is preloaded into these; memhook run says so when they have ended.
const barred: [string, string][] = [
  [
    elf("static", 64, X86),
    "is linked statically, and only the dynamic loader can preload a library: link it dynamically",
  ],
  [join(folder, "gone"), ": no such program, or not executable"],
  [executable("plain-file", "", 0o644), ": no such program, or not executable"],
  ["no-such-name-on-path", ": no such program, or not executable"],
];

for (const [path, why] of barred) {
  test(`${basename(path)} is run with this machine's, and told of when asked`, () => {
    assert.equal(chosen(libraryFor, path), `${path}${why.startsWith(":") ? "" : " "}${why}`);
    assert.equal(chosen(libraryToRun, path), own);
  });
}

test("a program that runs as somebody else", {
  skip: process.getuid?.() !== 0 && "needs root, to own a file of nobody's",
}, () => {
  for (const [mode, bars] of [
    [0o4755, true],
    [0o2755, true],
    [0o755, false],
  ] as const) {
    const path = elf(`raised-${mode.toString(8)}`, 64, X86, glibc);
    chownSync(path, 65534, 65534);
    chmodSync(path, mode);
    const said = chosen(libraryFor, path);
    if (bars) assert.match(said, /runs with its owner's privileges \(setuid or setgid\)/);
    else assert.equal(said, "x86_64-gnu");
    assert.equal(chosen(libraryToRun, path), "x86_64-gnu");
  }
  // It is no other user.
  assert.equal(chosen(libraryFor, elf("own", 64, X86, glibc, { mode: 0o4755 })), "x86_64-gnu");
});

test("names on PATH, also those that env looks up", () => {
  const before = process.env.PATH;
  process.env.PATH = `/nonexistent:${folder}`;
  try {
    assert.equal(chosen(libraryFor, "musl"), "x86_64-musl");
    for (const [name, line] of [
      ["by-env", "#!/usr/bin/env musl"],
      ["by-env-S", "#!/usr/bin/env -S A=1 musl -x"],
      ["by-script", "#!/usr/bin/env script"],
    ] as const) {
      assert.equal(chosen(libraryFor, executable(name, `${line}\n`)), "x86_64-musl", name);
    }
    const path = executable("by-env-none", "#!/usr/bin/env nobody-has-this\n");
    assert.equal(chosen(libraryFor, path), `${path} cannot be examined (its interpreter nobody-has-this is missing)`);
  } finally {
    process.env.PATH = before;
  }
});
