// Which files belong to a run: the store's own path and what other processes put beside it.

import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { test } from "node:test";
import { shellCode } from "../../../runtime/programs/launch.js";
import { storeNames, storesAt } from "../../../runtime/stores/storenames.js";
import { temporaryFolder } from "../../support/run.js";

const folder = temporaryFolder();
const files = [
  ...["app.mem", "app.12.mem", "app.x.mem", "app.12.mem.gz", "app.mem.12", "my-app.mem", "app..mem", "app.1.2.mem"],
  ...["app.1.1.mem", "app.1.02.mem", "app.1.99.mem", "app.1.100.mem", "app.1.2.3.mem", "bare.7.2"],
  ...["bare", "bare.7", "bare.x", ".hidden", ".hidden.8"],
  ...["job.33.log", "job.33.44.log", "job.log", "a+b.mem", "a+b.5.mem", "aab.mem", "run-cc1.mem", "run-.mem"],
];
for (const file of files) writeFileSync(join(folder, file), "");

test("stores at a path", () => {
  const cases: [string, string[]][] = [
    ["app.mem", ["app.1.2.mem", "app.1.99.mem", "app.12.mem", "app.mem"]],
    ["bare", ["bare", "bare.7", "bare.7.2"]],
    [".hidden", [".hidden", ".hidden.8"]],
    ["a+b.mem", ["a+b.5.mem", "a+b.mem"]],
    ["job.%p.log", ["job.33.44.log", "job.33.log"]],
    ["run-%e.mem", ["run-cc1.mem"]],
    ["none.mem", []],
  ];
  for (const [name, found] of cases) {
    assert.deepEqual(
      storesAt(join(folder, name)).map((path) => basename(path)),
      found,
      name,
    );
  }
});

test("every name that is made is found", () => {
  for (const path of ["made.mem", "made", ".made", "made.", "made.x.mem"]) {
    const there = join(folder, path.replaceAll(".", "_"));
    mkdirSync(there);
    const names = [...storeNames(join(there, path), 7)];
    for (const name of names) writeFileSync(name, "");
    assert.equal(new Set(names).size, 100);
    assert.deepEqual(storesAt(join(there, path)), [...names].sort(), path);
  }
});

test("exit codes as a shell gives them", () => {
  assert.equal(shellCode({ pid: 1, code: 3, signal: null }), 3);
  assert.equal(shellCode({ pid: 1, code: null, signal: "SIGKILL" }), 137);
  assert.equal(shellCode({ pid: 1, code: null, signal: "SIGSEGV" }), 139);
});
