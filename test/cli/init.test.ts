// memhook init in a project that has this very checkout as its memhook, under the runtime that runs the tests. What
// clients install is in test/package/install.test.ts.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { commandLine, root, run, temporaryFolder } from "../support/run.js";

const folder = temporaryFolder();
const init = (cwd: string) => run("memhook", ["init"], { cwd });
const runtime = commandLine("").slice(0, -1);

function project(name: string): string {
  const place = join(folder, name);
  mkdirSync(join(place, "node_modules"), { recursive: true });
  symlinkSync(root, join(place, "node_modules/memhook"));
  // As every client leaves one; without it Deno looks into no node_modules.
  writeFileSync(join(place, "package.json"), '{ "dependencies": { "memhook": "*" } }');
  return place;
}

/** The first line that a launcher in a folder prints when it is asked for help. */
function help(command: readonly string[], cwd: string): string {
  const [program, ...args] = command;
  const { status, stdout, stderr } = spawnSync(program!, [...args, "--help"], { cwd, encoding: "utf8" });
  assert.deepEqual([status, stderr], [0, ""], command.join(" "));
  return stdout.slice(0, stdout.indexOf("\n"));
}

test("memhook init writes launchers that this runtime, and a shell, can start", () => {
  const place = project("fresh");
  assert.deepEqual(init(place), {
    code: 0,
    signal: null,
    stdout: "wrote memview, memdb, memhook\n",
    stderr: "",
  });
  for (const name of ["memview", "memdb", "memhook"]) {
    assert.equal(statSync(join(place, name)).mode & 0o777, 0o755);
    assert.match(help([...runtime, name], place), new RegExp(`^${name}: `));
  }
  assert.match(help(["./memview"], place), /^memview: /);
});

test("memhook init again changes nothing, and puts back what is missing", () => {
  const place = project("again");
  init(place);
  chmodSync(join(place, "memdb"), 0o700);
  const before = readFileSync(join(place, "memview"), "utf8");
  assert.equal(init(place).stdout, "memview, memdb and memhook are here already\n");
  assert.equal(statSync(join(place, "memdb")).mode & 0o777, 0o700);
  const other = project("part");
  writeFileSync(join(other, "memview"), before);
  assert.equal(init(other).stdout, "wrote memdb, memhook\n");
  assert.equal(readFileSync(join(other, "memview"), "utf8"), before);
});

test("memhook init in a folder of a project finds what is installed above it", () => {
  const place = join(project("workspace"), "services/with space");
  mkdirSync(place, { recursive: true });
  assert.equal(init(place).code, 0);
  assert.match(readFileSync(join(place, "memdb"), "utf8"), /^import\("\.\.\/\.\.\/node_modules\/memhook\/memdb"\)/m);
  assert.match(help([...runtime, "memdb"], place), /^memdb: /);
});

test("memhook init writes over nothing that is not its own", () => {
  for (const [name, there] of [
    ["memhook", (path: string) => writeFileSync(path, "mine\n")],
    ["memdb", (path: string) => mkdirSync(path)],
  ] as const) {
    const place = project(`taken-${name}`);
    there(join(place, name));
    assert.deepEqual(init(place), {
      code: 2,
      signal: null,
      stdout: "",
      stderr: `memhook: ${name} is there already and is no launcher of memhook's; move it away\n`,
    });
    assert.deepEqual(readdirSync(place).sort(), [name, "node_modules", "package.json"].sort());
  }
});

test("memhook init says what to do where memhook is not installed", () => {
  const place = join(folder, "nothing");
  mkdirSync(place);
  const { code, stderr } = init(place);
  assert.equal(code, 2);
  assert.equal(
    stderr,
    "memhook: there is no memhook in node_modules here; npm install memhook, bun add memhook, or deno add " +
      "npm:memhook in a folder with a package.json\n",
  );
  assert.deepEqual(readdirSync(place), []);
});

test("memhook init where something keeps it from writing", () => {
  const place = project("closed");
  symlinkSync("nowhere", join(place, "memview"));
  const { code, stderr } = init(place);
  assert.equal(code, 2);
  assert.match(stderr, /^memhook: memview cannot be written \(.*EEXIST.*\)\n$/);
});

test("a launcher whose memhook has gone says so in one line", () => {
  const place = project("gone");
  init(place);
  const text = readFileSync(join(place, "memview"), "utf8");
  const lonely = join(folder, "lonely");
  mkdirSync(lonely);
  writeFileSync(join(lonely, "memview"), text);
  const [program, ...args] = [...runtime, "memview"];
  const { status, stdout, stderr } = spawnSync(program!, args, { cwd: lonely, encoding: "utf8" });
  assert.deepEqual([status, stdout], [2, ""]);
  assert.match(stderr, /^memview: cannot start \(.*\); install memhook again\n$/);
});
