// memview list: the stores of one run.

import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { run, temporaryFolder } from "../support/run.js";
import { StoreBuilder } from "../support/store-builder.js";

const folder = temporaryFolder();
const path = join(folder, "app.mem");
function build(target: string, pid: number, parentPid: number, command: string[], sizes: number[]): void {
  const store = new StoreBuilder({ pid, parentPid, exe: `/bin/${command[0]}`, command });
  sizes.forEach((size, i) => {
    store.record({ address: BigInt(i + 1) * 16n, size });
  });
  store.write(target);
}
build(path, 100, 1, ["sh", "-c", "app 'x'"], [10, 20]);
build(join(folder, "app.102.mem"), 102, 100, ["app", "x"], []);
build(join(folder, "app.101.mem"), 101, 100, ["app"], [4096]);
build(join(folder, "other.mem"), 7, 1, ["other"], [1]);

const [first, second, third] = [
  `pid=102, parent=100, exited, size=0, times=0, ${folder}/app.102.mem: app x\n`,
  `pid=100, parent=1, exited, size=30, times=2, ${folder}/app.mem: sh -c 'app '\\''x'\\'''\n`,
  `pid=101, parent=100, exited, size=4096, times=1, ${folder}/app.101.mem: app\n`,
] as const;

test("memview list: the whole family, who holds most last", () => {
  const { code, stdout, stderr } = run("memview", ["list", path]);
  assert.deepEqual([code, stdout, stderr], [0, first + second + third, ""]);
});

test("memview list --format json", () => {
  const { stores, version } = JSON.parse(run("memview", ["list", "--format=json", "-f", path]).stdout);
  assert.equal(version, 1);
  assert.deepEqual(stores[2], {
    path: join(folder, "app.101.mem"),
    pid: 101,
    parentPid: 100,
    exe: "/bin/app",
    command: ["app"],
    startTime: "2026-03-01T12:00:00.000000000Z",
    state: "exited",
    liveCount: 1,
    liveBytes: 4096,
    dropped: 0,
  });
  assert.deepEqual(
    stores.map(({ pid }: { pid: number }) => pid),
    [102, 100, 101],
  );
});

test("memview list goes on behind a file that is no store, and fails without any", () => {
  const mixed = join(folder, "mixed");
  mkdirSync(mixed);
  build(join(mixed, "a.mem"), 5, 4, ["a"], [1]);
  writeFileSync(join(mixed, "a.6.mem"), "no store");
  const { code, stdout, stderr } = run("memview", ["list", join(mixed, "a.mem")]);
  assert.deepEqual([code, stdout], [0, `pid=5, parent=4, exited, size=1, times=1, ${mixed}/a.mem: a\n`]);
  assert.match(stderr, /^memview: .*a\.6\.mem: [^\n]*\n$/);
  for (const missing of [join(folder, "nothing.mem"), join(folder, "nowhere/app.mem")]) {
    const result = run("memview", ["list", missing]);
    assert.deepEqual([result.code, result.stdout], [2, ""]);
    assert.match(result.stderr, /^memview: .*: no such file, nor any beside it; [^\n]*\n$/);
  }
});

const told = (options: string[]) => run("memview", options).stderr;

test("a store whose relatives hold more says so, once and on standard error", () => {
  const line = `memview: 1 more process of this run holds more: memview list ${path}\n`;
  assert.equal(told(["-a", path]), line);
  assert.equal(told(["verdict", path]), line);
  // The one that holds most has nothing to say, and so has a stranger beside it.
  assert.equal(told(["-a", join(folder, "app.101.mem")]), "");
  // Its sister does, by way of their parent: 30 bytes, and 4096.
  const two = `memview: 2 more processes of this run hold more: memview list ${path}\n`;
  assert.equal(told(["-a", join(folder, "app.102.mem")]), two);
});

test("stores of an older run, and of the same grandparent, are no relatives", () => {
  const apart = join(temporaryFolder(), "a run.mem");
  build(apart, 200, 1, ["app"], [10]);
  build(apart.replace(".mem", ".300.mem"), 300, 1, ["app"], [4096]);
  build(apart.replace(".mem", ".400.mem"), 400, 399, ["app"], [4096]);
  assert.equal(told(["-a", apart]), "");
  build(apart.replace(".mem", ".401.2.mem"), 401, 200, ["app"], [4096]);
  assert.equal(told(["-a", apart]), `memview: 1 more process of this run holds more: memview list '${apart}'\n`);
});
