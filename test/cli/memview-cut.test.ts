// Stacks that end where nobody knows the way out: every report of memview says so, and what helps.

import assert from "node:assert/strict";
import { join } from "node:path";
import { before, test } from "node:test";
import { run, temporaryFolder } from "../support/run.js";
import { StoreBuilder } from "../support/store-builder.js";

const folder = temporaryFolder();
const [bare, generated, nothing] = ["bare.mem", "generated.mem", "nothing.mem"].map((name) => join(folder, name));
const LIBRARY = "… callers unknown: libx.so lacks -fasynchronous-unwind-tables";
const GENERATED = "… callers unknown: generated code (MEMHOOK_UNWIND=fp may find them)";

/** A store with 8 bytes that a function of the program allocated; `module` "" called it, nobody knows from where. */
function write(path: string, module: string | null): void {
  const store = new StoreBuilder();
  const app = store.module("/nowhere/app", { bias: 0x5500_0000_0000n, executable: true });
  if (module !== null) {
    const caller = module === "" ? 0 : store.module(module, { bias: 0x7f00_0000_0000n });
    const stack = store.stack([store.frame(app, 0x1010n), store.frame(caller, 0x200n, false, true)]);
    store.record({ address: 0x1000n, size: 8, time: 1n, thread: 7, stack });
  }
  store.write(path);
}

before(() => {
  write(bare!, "/nowhere/lib\u001b/libx.so");
  write(generated!, "");
  write(nothing!, null);
});

test("text and JSON of a stack whose callers are lost", () => {
  for (const [path, end] of [
    [bare!, LIBRARY],
    [generated!, GENERATED],
  ] as const) {
    for (const options of [["-c"], ["-a", "-c"]])
      assert.ok(
        run("memview", [...options, path])
          .stdout.split("\n")
          .includes(`    ${end}`),
        `${options} ${path}`,
      );
    for (const [options, rows] of [
      [[], "allocations"],
      [["-a"], "stacks"],
    ] as const) {
      const report = JSON.parse(run("memview", [...options, "--format", "json", path]).stdout);
      const [{ cut, lost, stack }] = report[rows];
      assert.deepEqual([cut, lost, stack.length], [true, true, 2]);
    }
  }
});

test("what is said of it fits on a terminal of 80 columns", () => {
  for (const path of [bare!, generated!]) {
    const { stdout } = run("memview", ["-a", "-c", path]);
    assert.deepEqual(
      stdout.split("\n").filter((line) => line.length > 80),
      [],
    );
  }
});

test("snapshots keep it, and every format of a diff that has frames tells it", () => {
  const [base, head] = ["base.snap", "head.snap"].map((name) => join(folder, name));
  assert.equal(run("memview", ["snapshot", "-o", base!, nothing!]).code, 0);
  assert.equal(run("memview", ["snapshot", "-o", head!, bare!]).code, 0);
  for (const format of ["text", "markdown", "github", "junit"]) {
    const { stdout } = run("memview", ["diff", "--format", format, base!, head!]);
    assert.match(stdout, /callers unknown: libx\.so lacks/, format);
  }
  const { changes } = JSON.parse(run("memview", ["diff", "--format", "json", base!, head!]).stdout);
  assert.deepEqual([changes[0].status, changes[0].cut, changes[0].lost], ["new", true, true]);
});
