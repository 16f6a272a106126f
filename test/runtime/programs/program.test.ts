// What a program is, and why it left no store, from headers written by hand.

import assert from "node:assert/strict";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { elfFacts, findProgram, whyNoStore } from "../../../runtime/programs/program.js";
import { madeFiles } from "../../support/elf.js";
import { temporaryFolder } from "../../support/run.js";

const folder = temporaryFolder();
const { elf, executable } = madeFiles(folder);
test("ELF facts", () => {
  assert.deepEqual(elfFacts(elf("dynamic", 64, 62, "/lib64/ld.so")), {
    bits: 64,
    bigEndian: false,
    machine: 62,
    interpreter: "/lib64/ld.so",
  });
  assert.deepEqual(elfFacts(elf("static", 64, 183)), { bits: 64, bigEndian: false, machine: 183, interpreter: null });
  assert.deepEqual(elfFacts(elf("old", 32, 3, "/lib/ld.so.2")), {
    bits: 32,
    bigEndian: false,
    machine: 3,
    interpreter: "/lib/ld.so.2",
  });
  assert.deepEqual(elfFacts(elf("power", 64, 21, "/lib64/ld64.so.1", { bigEndian: true })), {
    bits: 64,
    bigEndian: true,
    machine: 21,
    interpreter: null,
  });
  assert.equal(elfFacts(executable("text", "echo\n")), null);
  assert.equal(elfFacts(executable("empty", "")), null);
  for (const [name, bytes] of [
    ["magic", 4],
    ["half", 40],
    ["headless", 64],
    ["wordless", 165],
  ] as const) {
    const path = elf(name, 64, 62, "/lib64/ld-linux-x86-64.so.2", { bytes });
    assert.throws(() => elfFacts(path), { message: "its ELF headers are cut off or damaged" }, name);
  }
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
  executable("outside", broken);
  assert.throws(() => elfFacts(path), { message: "its ELF headers are cut off or damaged" });
});

const [OWN, OTHER] = process.arch === "arm64" ? ["aarch64", "x86_64"] : ["x86_64", "aarch64"];
const [OWN_MACHINE, OTHER_MACHINE] = process.arch === "arm64" ? [183, 62] : [62, 183];

test("why a program left no store", () => {
  const dynamic = elf("dynamic", 64, OWN_MACHINE, "/lib64/ld.so");
  const fixed = elf("static", 64, OWN_MACHINE);
  const script = executable("script.sh", `#! ${fixed} -x\n`);
  const byEnv = executable("script.py", "#!/usr/bin/env -S A=1 static\n");
  const cases: [string, string][] = [
    [fixed, `${fixed} is linked statically, and only the dynamic loader can preload a library: link it dynamically`],
    [elf("other", 64, 243), `${folder}/other is a program for riscv64, the library is for x86_64 and aarch64`],
    [
      elf("old", 32, 3, "/lib/ld.so.2"),
      `${folder}/old is a program for 32-bit x86, the library is for x86_64 and aarch64`,
    ],
    [elf("strange", 64, 999), `${folder}/strange is a program for machine 999, the library is for x86_64 and aarch64`],
    [
      elf("foreign", 64, OTHER_MACHINE, "/lib64/ld.so"),
      `${folder}/foreign is a program for ${OTHER}, which this ${OWN} machine needs an emulator for: is one ` +
        "registered (binfmt_misc)?",
    ],
    [
      executable("raised", "", 0o4755),
      `${folder}/raised runs with its owner's privileges (setuid or setgid), and the loader then ignores ` +
        "LD_PRELOAD: run a copy without that bit",
    ],
    [executable("text", "echo\n"), `${folder}/text is neither an ELF program nor a script with a #! line`],
    [
      script,
      `${script} is a script: ${fixed} is linked statically, and only the dynamic loader can preload a library: ` +
        "link it dynamically",
    ],
    [
      dynamic,
      `memhook switched itself off in ${dynamic}, or it ended before it began: run again with MEMHOOK_LOG=stderr`,
    ],
    [join(folder, "gone"), `${folder}/gone was not found afterwards`],
    [
      executable("loop", `#!${folder}/loop\n`),
      `${folder}/loop cannot be examined (its interpreter is a script, and so is that one's, and so on)`,
    ],
    [
      executable("orphan", "#!/no/such/interpreter\n"),
      `${folder}/orphan cannot be examined (its interpreter /no/such/interpreter is missing)`,
    ],
  ];
  for (const [path, sentence] of cases) assert.equal(whyNoStore(path), sentence);
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
