// Why a program left no store: the ELF facts behind the sentence, from headers written by hand.

import assert from "node:assert/strict";
import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { elfFacts, findProgram, whyNoStore } from "../../runtime/program.js";
import { temporaryFolder } from "../support/run.js";

const folder = temporaryFolder();
const OWN = process.arch === "arm64" ? { machine: 183, name: "aarch64" } : { machine: 62, name: "x86_64" };

/** An executable file with an ELF header and, if it has an interpreter, the program header for it. */
function elf(name: string, bits: 32 | 64, machine: number, interpreter?: string): string {
  const file = Buffer.alloc(256);
  file.set([0x7f, 0x45, 0x4c, 0x46, bits / 32, 1, 1]);
  file.writeUInt16LE(machine, 18);
  const table = 64;
  const text = 160;
  if (bits === 64) {
    file.writeBigUInt64LE(BigInt(table), 32);
    file.writeUInt16LE(56, 54);
    file.writeUInt16LE(interpreter ? 1 : 0, 56);
    file.writeUInt32LE(3, table);
    file.writeBigUInt64LE(BigInt(text), table + 8);
    file.writeBigUInt64LE(BigInt((interpreter ?? "").length + 1), table + 32);
  } else {
    file.writeUInt32LE(table, 28);
    file.writeUInt16LE(32, 42);
    file.writeUInt16LE(interpreter ? 1 : 0, 44);
    file.writeUInt32LE(3, table);
    file.writeUInt32LE(text, table + 4);
    file.writeUInt32LE((interpreter ?? "").length + 1, table + 16);
  }
  file.write(`${interpreter ?? ""}\0`, text);
  return executable(name, file);
}

function executable(name: string, contents: string | Uint8Array, mode = 0o755): string {
  const path = join(folder, name);
  writeFileSync(path, contents);
  chmodSync(path, mode);
  return path;
}

test("ELF facts", () => {
  assert.deepEqual(elfFacts(elf("dynamic", 64, 62, "/lib64/ld.so")), {
    bits: 64,
    machine: 62,
    interpreter: "/lib64/ld.so",
  });
  assert.deepEqual(elfFacts(elf("static", 64, 183)), { bits: 64, machine: 183, interpreter: null });
  assert.deepEqual(elfFacts(elf("old", 32, 3, "/lib/ld.so.2")), { bits: 32, machine: 3, interpreter: "/lib/ld.so.2" });
  assert.equal(elfFacts(executable("text", "echo\n")), null);
  assert.equal(elfFacts(executable("empty", "")), null);
  assert.equal(elfFacts(executable("magic", "\x7fELF")), null);
  assert.ok(elfFacts(process.execPath)?.interpreter, "the runtime itself is linked dynamically");
});

test("a program header table that lies outside of the file is no crash", () => {
  const path = elf("outside", 64, 62, "/lib64/ld.so");
  const broken = Buffer.alloc(64);
  broken.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  broken.writeUInt16LE(62, 18);
  broken.writeBigUInt64LE(2n ** 63n - 1n, 32);
  broken.writeUInt16LE(56, 54);
  broken.writeUInt16LE(4, 56);
  writeFileSync(path, broken);
  assert.equal(elfFacts(path), null);
});

test("why a program left no store", () => {
  const dynamic = elf("dynamic", 64, OWN.machine, "/lib64/ld.so");
  const fixed = elf("static", 64, OWN.machine);
  const script = executable("script.sh", `#! ${fixed} -x\n`);
  const byEnv = executable("script.py", "#!/usr/bin/env -S A=1 static\n");
  const cases: [string, string][] = [
    [fixed, `${fixed} is linked statically, and only the dynamic loader can preload a library: link it dynamically`],
    [elf("other", 64, 243), `${folder}/other is a program for riscv64, the library is for ${OWN.name}`],
    [elf("old", 32, 3, "/lib/ld.so.2"), `${folder}/old is a program for 32-bit x86, the library is for ${OWN.name}`],
    [elf("strange", 64, 999), `${folder}/strange is a program for machine 999, the library is for ${OWN.name}`],
    [
      executable("raised", "", 0o4755),
      `${folder}/raised runs with its owner's privileges (setuid or setgid), and the loader then ignores LD_PRELOAD: run a copy without that bit`,
    ],
    [executable("text", "echo\n"), `${folder}/text is neither an ELF program nor a script with a #! line`],
    [
      script,
      `${script} is a script: ${fixed} is linked statically, and only the dynamic loader can preload a library: link it dynamically`,
    ],
    [
      dynamic,
      `memhook switched itself off in ${dynamic}, or it ended before it began: run again with MEMHOOK_LOG=stderr`,
    ],
    [join(folder, "gone"), `${folder}/gone was not found afterwards`],
    [executable("loop", `#!${folder}/loop\n`), `${folder}/loop is a script: `],
  ];
  for (const [path, sentence] of cases) {
    const said = whyNoStore(path);
    if (path.endsWith("loop")) assert.ok(said.startsWith(sentence) && said.length < 1000);
    else assert.equal(said, sentence);
  }
  const before = process.env.PATH;
  process.env.PATH = `/nonexistent:${folder}`;
  try {
    assert.equal(findProgram("static"), fixed);
    assert.equal(findProgram("no-such-program"), null);
    assert.match(whyNoStore(byEnv), /script\.py is a script: .*static is linked statically/);
  } finally {
    process.env.PATH = before;
  }
});
