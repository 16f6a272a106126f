// Every check of tools/check.mjs can fail: small trees, each broken in one place, and what is said about them. That of
// the formats is in check-format.test.ts.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { compiler, noCompiler } from "../support/programs.js";
import { root } from "../support/run.js";
import { FORMAT, LAYOUT, says, tree } from "./tree.js";

const PACKAGE = JSON.stringify({ dependencies: { citty: "1" }, devDependencies: { typescript: "1" } });

const IMPORTS: [string, string, string, string[]][] = [
  ["cli may import runtime", "cli/a.ts", 'import { x } from "../runtime/b.js";', []],
  ["runtime may import the layout", "runtime/stores/a.ts", 'import * as l from "../../asm/layout.js";', []],
  ["a room may import itself and those below", "runtime/stores/a.ts", 'import "./b.js";\nimport "../host/c.js";', []],
  [
    "a room → one above it",
    "runtime/stores/a.ts",
    'import { x } from "../reports/b.js";',
    ["runtime/stores/a.ts:1: must not import ../reports/b.js"],
  ],
  [
    "a room → one beside it",
    "runtime/memdb/a.ts",
    'import { x } from "../programs/b.js";',
    ["runtime/memdb/a.ts:1: must not import ../programs/b.js"],
  ],
  ["a file in no room", "runtime/a.ts", "export {};", ["runtime/a.ts:1: is in no room"]],
  ["a file of asm in no room", "asm/a.ts", "export {};", ["asm/a.ts:1: is in no room"]],
  ["runtime may import node and dependencies", "runtime/stores/a.ts", 'import "node:fs";\nimport c from "citty";', []],
  ["cli may import what is bundled into it", "cli/a.ts", 'import ts from "typescript";', []],
  ["tests may import everything", "test/a.ts", 'import { x } from "../asm/core/core.js";\nimport "typescript";', []],
  ["launchers' modules may import commands", "cli/memview.ts", 'const x = import("./commands/view.js");', []],
  ["an import in a comment is none", "asm/core/a.ts", '// import { x } from "../runtime/b";', []],
  ["cli → asm", "cli/a.ts", 'import { x } from "../asm/layout.js";', ["cli/a.ts:1: must not import ../asm/layout.js"]],
  [
    "asm → runtime",
    "asm/core/a.ts",
    '\n\nexport { x } from "../../runtime/b";',
    ["asm/core/a.ts:3: must not import ../../runtime/b"],
  ],
  ["asm may import the layout", "asm/core/a.ts", 'import { x } from "../layout";\nimport { y } from "./b";', []],
  [
    "asm → another of its rooms",
    "asm/core/a.ts",
    'import "../symbols/b";',
    ["asm/core/a.ts:1: must not import ../symbols/b"],
  ],
  ["the layout → anything", "asm/layout.ts", 'import "./core/b";', ["asm/layout.ts:1: must not import ./core/b"]],
  ["asm → a package", "asm/core/a.ts", 'import "citty";', ["asm/core/a.ts:1: must not import citty"]],
  [
    "runtime → cli",
    "runtime/stores/a.ts",
    'import {\n  x,\n} from "../../cli/b.js";',
    ["runtime/stores/a.ts:1: must not import ../../cli/b.js"],
  ],
  ["api may import runtime", "api/a.ts", 'export { x } from "../runtime/b.js";', []],
  ["api → cli", "api/a.ts", 'export { x } from "../cli/b.js";', ["api/a.ts:1: must not import ../cli/b.js"]],
  [
    "runtime → the core",
    "runtime/stores/a.ts",
    'import "../../asm/core/core.js";',
    ["runtime/stores/a.ts:1: must not import ../../asm/core/core.js"],
  ],
  [
    "command → command",
    "cli/commands/a.ts",
    'import type { X } from "./b.js";',
    ["cli/commands/a.ts:1: must not import ./b.js"],
  ],
  [
    "report → command",
    "cli/reports/a.ts",
    'const x = await import("../commands/b.js");',
    ["cli/reports/a.ts:1: must not import ../commands/b.js"],
  ],
  [
    "runtime → test",
    "runtime/stores/a.ts",
    'import "../../test/b.js";',
    ["runtime/stores/a.ts:1: must not import ../../test/b.js"],
  ],
  ["tools → test", "tools/a.mjs", 'import "../test/b.js";', ["tools/a.mjs:1: must not import ../test/b.js"]],
  [
    "a package that users do not get",
    "runtime/stores/a.ts",
    'import ts from "typescript";',
    ["runtime/stores/a.ts:1: typescript is not in package.json's dependencies"],
  ],
  ["a runtime's name in its adapter", "runtime/host/bun.ts", "Bun.file(x);", []],
  [
    "a runtime's name elsewhere",
    "runtime/stores/a.ts",
    "\nDeno.exit(1);",
    ["runtime/stores/a.ts:2: names a runtime: that belongs into runtime/host/"],
  ],
  ["asking for the time in its adapter", "runtime/host/clock.ts", "Date.now();", []],
  [
    "asking for the time elsewhere",
    "cli/a.ts",
    "f(new Date(0));\nf(new Date());",
    ["cli/a.ts:2: asks for the time: that is runtime/host/clock.ts's to do"],
  ],
  [
    "an `after` that Deno may not call",
    "test/a.ts",
    `import test, { before } from "node:test";\nimport { ${"after"}, test } from "node:test";\n`,
    ["test/a.ts:2: takes `after` from node:test: that is test/support/after.ts's to do"],
  ],
  [
    "asking which runtime it is",
    "cli/a.ts",
    'if ("Bun" in globalThis) x();',
    ["cli/a.ts:1: names a runtime: that belongs into runtime/host/"],
  ],
];

for (const [name, path, code, expected] of IMPORTS) {
  test(`imports: ${name}`, () => {
    assert.deepEqual(says("checkImports", tree({ "package.json": PACKAGE, [path]: code })), expected);
  });
}

test("imports: circles, each once, the shortest way around", () => {
  const place = tree({
    "cli/a.ts": 'import "./c.js";\nimport type { B } from "./b.js";\n',
    "cli/b.ts": 'const a = import("./a.js");\n',
    "cli/c.ts": 'import "./b.js";\nimport "./d.js";\n',
    "cli/d.ts": "export {};\n",
    "asm/core/e.ts": 'import { f } from "./f";\n',
    "asm/core/f.ts": '\nexport { e } from "./e";\n',
  });
  assert.deepEqual(says("checkImports", place), [
    "asm/core/e.ts:1: imports in a circle: asm/core/e.ts → asm/core/f.ts → asm/core/e.ts",
    "cli/a.ts:2: imports in a circle: cli/a.ts → cli/b.ts → cli/a.ts",
  ]);
});

test("includes: only system headers, libunwind's and the library's own", () => {
  const place = tree({
    "preload/send/a.c":
      '#include "a.h"\n#include "layout.h"\n#include <libunwind.h>\n#include <sys/mman.h>\n// #include <zlib.h>\n',
    "preload/send/a.h": '#include <stdint.h>\n#  include <zlib.h>\n#include "../../runtime/b.h"\n#include "gone.h"\n',
    "runtime/b.h": "",
  });
  assert.deepEqual(says("checkIncludes", place), [
    "preload/send/a.h:2: must not include zlib.h",
    "preload/send/a.h:3: must not include ../../runtime/b.h",
    "preload/send/a.h:4: must not include gone.h",
  ]);
});

test("includes: only from rooms behind, in no circle, all files in rooms", () => {
  const place = tree({
    "preload/memhook.h": "",
    "preload/hooks/a.c": '#include "../memhook.h"\n#include "../base/b.h"\n',
    "preload/base/b.h": '#include "c.h"\n#include "../hooks/d.h"\n',
    "preload/base/c.h": '\n#include "b.h"\n',
    "preload/hooks/d.h": "",
    "preload/stray.c": "",
    "preload/cellar/e.h": "",
  });
  assert.deepEqual(says("checkIncludes", place).sort(), [
    "preload/base/b.h:1: includes in a circle: preload/base/b → preload/base/c → preload/base/b",
    "preload/base/b.h:2: must not include ../hooks/d.h",
    "preload/cellar/e.h:1: is in no room",
    "preload/stray.c:1: is in no room",
  ]);
});

test("life: who keeps something has a row, which says what is true of its lock", () => {
  const place = tree({
    "preload/life/table.c": [
      "  ROW(base/kept, NO_LOCK)",
      "  ROW(base/locked, NO_LOCK, [MH_START] = start)",
      "  ROW(base/unlocked, REPAIRED)",
      "  ROW(base/repaired, RESTARTED)",
      "  ROW(base/restarted, REPAIRED)",
      "  ROW(base/empty, NO_LOCK)",
      "  ROW(base/gone, NO_LOCK)",
      "  ROW(base/kept, NO_LOCK)",
      "  ROW(base/called, NO_LOCK, [MH_START] = start)",
      "",
    ].join("\n"),
    "preload/base/kept.c": "static int kept;\n",
    "preload/base/locked.c": "static struct {\n  struct mh_lock lock;\n} parts;\n",
    "preload/base/unlocked.c": "int *mh_kept[3];\n",
    "preload/base/repaired.c":
      "static struct mh_lock lock;\nbool f(void) {\n  return take(&lock) == MH_LOCK_TAKEN_OVER;\n}\n",
    "preload/base/restarted.c": "static struct mh_lock lock;\n",
    "preload/base/empty.c": "static const int one = 1;\nstatic int f(void) {\n  return one;\n}\n",
    "preload/base/called.c": "void start(void) {\n  int here = 1;\n}\n",
    "preload/base/forgotten.c": "void f(void) {\n  static bool known;\n}\n",
    "preload/base/pointer.c": "void (*mh_told)(void);\n",
    "preload/base/initial.c": "struct mh_table mh_table[] = {\n  1,\n};\n",
    "preload/base/typed.c": "static struct shard {\n  int count;\n} __attribute__((aligned(64))) shards[SHARDS];\n",
    "preload/base/lasting.c":
      "static const char *const names[] = {0};\nconst int mh_bytes[] = {1};\n// static int x;\n",
  });
  const keeps = "keeps something, and has no row in preload/life/table.c";
  assert.deepEqual(says("checkLife", place).sort(), [
    `preload/base/forgotten.c:2: ${keeps}`,
    `preload/base/initial.c:1: ${keeps}`,
    `preload/base/pointer.c:1: ${keeps}`,
    `preload/base/typed.c:3: ${keeps}`,
    "preload/life/table.c:2: base/locked has a lock",
    "preload/life/table.c:3: base/unlocked has no lock",
    "preload/life/table.c:4: base/repaired repairs what its lock protects",
    "preload/life/table.c:5: base/restarted does not look whether its lock was taken over",
    "preload/life/table.c:6: base/empty keeps nothing",
    "preload/life/table.c:7: there is no preload/base/gone.c",
    "preload/life/table.c:8: base/kept has two rows",
  ]);
});

test("includes: a header and its source are one part of a circle", () => {
  const place = tree({
    "preload/base/a.h": "",
    "preload/base/a.c": '#include "a.h"\n#include "b.h"\n',
    "preload/base/b.h": "",
    "preload/base/b.c": '#include "b.h"\n#include "a.h"\n',
  });
  assert.deepEqual(says("checkIncludes", place), [
    "preload/base/a.c:2: includes in a circle: preload/base/a → preload/base/b → preload/base/a",
  ]);
});

test("library: exports, needed libraries and the C library's version", { skip: noCompiler }, () => {
  const place = tree({
    "build/libmemhook.map": "{\n  global:\n    malloc; free;\n    calloc;\n  local: *;\n};\n",
    "preload/hooks/malloc.c": "",
    "bad.c":
      "#include <math.h>\nint _Unwind_Find; int unw_step; int stray;\n" +
      "void *malloc(unsigned long n) { return (void *)(long)pow(n, n); }\nvoid free(void *p) { (void)p; }\n" +
      'extern int stat(const char *, void *);\nint calloc_is_gone(void) { return stat("", 0); }\n',
  });
  assert.deepEqual(says("checkLibrary", place), ["build/lib:1: holds no libmemhook.so: build first"]);

  mkdirSync(join(place, "build/lib/here"), { recursive: true });
  const library = "build/lib/here/libmemhook.so";
  const [program, ...flags] = compiler("gcc", "zig").c;
  const compile = (...words: string[]) => {
    const compiled = spawnSync(program!, [...flags, "-shared", "-fPIC", ...words], { cwd: place, encoding: "utf8" });
    assert.equal(compiled.status, 0, compiled.stderr);
  };
  compile("-x", "c", "/dev/null", "-Wl,-soname,libc.so", "-o", "musl.so");
  compile("-fno-builtin", "-w", "bad.c", "-o", library, "-Wl,--no-as-needed", "-lm", "./musl.so");
  const found = says("checkLibrary", place);
  for (const line of [
    `${library}:1: exports _Unwind_Find of the unwinder inside it`,
    `${library}:1: exports unw_step of the unwinder inside it`,
    `${library}:1: exports stray, which build/libmemhook.map does not list`,
    `build/libmemhook.map:4: calloc is not exported by ${library}`,
    `${library}:1: needs libm.so.6`,
    `${library}:1: needs libc.so`,
  ]) {
    assert.ok(found.includes(line), `${line}\nis not in\n${found.join("\n")}`);
  }
  assert.ok(
    found.some((line) => /: needs GLIBC_2\.\d+, newer than GLIBC_2\.17$/.test(line)),
    found.join("\n"),
  );

  utimesSync(join(place, library), 1, 1);
  assert.deepEqual(says("checkLibrary", place), ["build/lib:1: holds no libmemhook.so: build first"]);
  writeFileSync(join(place, library), "not a library");
  assert.deepEqual(says("checkLibrary", place), [`${library}:1: is no 64-bit little-endian ELF file`]);
});

test("style: what the linter and the formatter find", () => {
  const place = tree({ "runtime/host/a.ts": "export const x = 1;\n", "cli/b.ts": "export   const y = [1,2]\n" });
  assert.match(says("checkStyle", place).join("\n"), /^node_modules\/\.bin\/biome:1: is missing/);
  cpSync(join(root, "biome.json"), join(place, "biome.json"));
  symlinkSync(join(root, "node_modules"), join(place, "node_modules"));
  const found = says("checkStyle", place);
  assert.equal(found.length, 1, found.join("\n"));
  assert.match(found[0]!, /^cli\/b\.ts:\d+: format/);
});

const LONG = "x ".repeat(60);

/** A file, its content, and what is said of it. */
const SIZES: [what: string, path: string, content: string, expected: string[]][] = [
  ["what fits", "cli/a.ts", `${"\n".repeat(400)}`, []],
  ["a file of too many lines", "tools/a.mjs", "\n".repeat(401), ["401: has 401 lines, more than 400: what is a job"]],
  ["a script of too many lines", "build.sh", `${"\n".repeat(400)}fi`, ["401: has 401 lines, more than 400"]],
  ["ARCHITECTURE.md", "ARCHITECTURE.md", "\n".repeat(151), ["151: has 151 lines, more than 150"]],
  ["a room's README.md", "runtime/host/README.md", "\n".repeat(61), ["61: has 61 lines, more than 60"]],
  ["another README.md", "README.md", "\n".repeat(400), []],
  ["what is generated", "docs/options.md", "\n".repeat(900), []],
  ["a line of too many columns", "cli/a.ts", `\n// ${LONG}\n`, ["2: has 123 columns, more than 120"]],
  ["columns are not bytes", "cli/a.ts", `// ${"é ".repeat(58)}\n`, []],
  ["a line of a script", "bench/soak/run", `# ${LONG}\n`, ["1: has 122 columns, more than 120"]],
  ["a file in C", "preload/base/a.c", "\n".repeat(401), ["401: has 401 lines, more than 400"]],
  ["a line in C", "test/programs/a.cc", `// ${LONG}\n`, ["1: has 123 columns, more than 120"]],
  ["prose", "docs/a.md", `${LONG}x\n`, ["1: has 121 columns, more than 120"]],
  ["a table", "docs/a.md", `| ${LONG} |\n`, []],
  ["one word", "docs/a.md", `- https://example.org/${"x".repeat(120)}\n`, []],
  [
    "one word and another",
    "docs/a.md",
    `see https://example.org/${"x".repeat(120)}\n`,
    ["1: has 144 columns, more than"],
  ],
  ["what is no text of ours", "test/vectors/a.json", `${LONG}x\n`, []],
];

for (const [what, path, content, expected] of SIZES) {
  test(`size: ${what}`, () => {
    const found = says("checkSize", tree({ [path]: content }));
    assert.equal(found.length, expected.length, found.join("\n"));
    for (const [i, line] of expected.entries()) assert.ok(found[i]!.startsWith(`${path}:${line}`), found[i]!);
  });
}

test("documents: what their tool finds, and that it fails", () => {
  const place = tree({
    "tools/docs.mjs": 'console.log("README.md: is old");\nprocess.exitCode = 1;\n',
  });
  assert.deepEqual(says("checkDocuments", place), ["README.md:1: is old"]);
  const broken = tree({ "tools/docs.mjs": 'throw new Error("no such command");\n' });
  assert.deepEqual(says("checkDocuments", broken), ["tools/docs.mjs:1: Error: no such command"]);
});

test("text: unfinished work, one machine's paths, registries, resolved packages", () => {
  // Put together here, so that this file passes the check itself.
  const [todo, work, registry] = [["TO", "DO"].join(""), ["/wo", "rk/x"].join(""), ["registry.npmjs", "org"].join(".")];
  const place = tree({
    "a.md": `fine\n${todo}: more\nsee ${work}\n`,
    "b.ts": `// ${registry}/x\n`,
    "package-lock.json": '{\n  "resolved": "somewhere"\n}\n',
    "build/c.txt": `${todo}\n`,
    "ok.md": "https://example.org/work/root/home/x mastodon todo list\n",
  });
  assert.deepEqual(says("checkText", place), [
    `a.md:2: is unfinished: ${todo}`,
    `a.md:3: names a path of one machine: ${work}`,
    `b.ts:1: names a package registry: ${registry}`,
    "package-lock.json:2: says where a package was fetched from",
  ]);
});

test("the command: one line for each violation and exit code 1, one line and 0 otherwise", () => {
  const place = tree({ "package.json": PACKAGE, "asm/FORMAT.md": FORMAT, "asm/layout.ts": LAYOUT });
  const { status, stdout } = spawnSync("node", [join(root, "tools/check.mjs"), "--root", place], {
    encoding: "utf8",
    cwd: place,
  });
  assert.equal(status, 1);
  assert.deepEqual(stdout.split("\n"), [
    "build/libmemhook.map:1: is missing: it lists what the library exports",
    "node_modules/.bin/biome:1: is missing: run ./build.sh",
    "",
  ]);
});
