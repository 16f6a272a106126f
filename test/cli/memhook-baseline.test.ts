// memhook run --baseline: what is refused before the tests run, what is left out, and the command that accepts.

import assert from "node:assert/strict";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { isRunner } from "../../runtime/programs/runners.js";
import { build, noCompiler, which } from "../support/programs.js";
import { run, temporaryFolder } from "../support/run.js";

const skip = noCompiler;
const folder = temporaryFolder();
const env = { TMPDIR: temporaryFolder() };
const obedient = skip ? "" : build("obedient.c");

const inFolder = (name: string, text: string) => {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
};
const damaged = inFolder("damaged.snap", '{"memhook":"snapshot","version":1,\nno\n');
const wrongList = inFolder("wrong.txt", "race:x\n");
const missing = join(folder, "missing.snap");

const refusals: [what: string, options: string[], CI: string, line: RegExp][] = [
  ["--update under CI", ["--baseline", missing, "--update"], "true", /--update is refused where CI=true is set/],
  [
    "a baseline that is missing under CI",
    ["--baseline", missing],
    "true",
    /missing\.snap: there is no such file; make/,
  ],
  ["a baseline that is none", ["--baseline", damaged], "", /damaged\.snap: /],
  ["no folder for the baseline", ["--baseline", join(folder, "no/it.snap")], "", /it\.snap: cannot be written \(/],
  ["no folder for the output", ["--baseline", missing, "-o", join(folder, "no/out")], "", /out: cannot be written \(/],
  ["no list", ["--baseline", missing, "--suppressions", join(folder, "none")], "", /--suppressions: .*cannot be read/],
  ["a wrong list", ["--baseline", missing, "--suppressions", wrongList], "", /wrong\.txt: line 1, 'race:x'/],
  ["a wrong pattern", ["--baseline", missing, "--ignore-module", "("], "", /--ignore-module: /],
  ["a wrong limit", ["--baseline", missing, "--min-bytes", "x"], "", /--min-bytes: /],
];
for (const [what, options, CI, line] of refusals) {
  test(`refused before the tests run: ${what}`, () => {
    const ran = join(folder, "ran");
    const { code, stderr } = run("memhook", ["run", ...options, "--", "touch", ran], { env: { ...env, CI } });
    assert.equal(code, 2, stderr);
    assert.match(stderr, line);
    assert.deepEqual([existsSync(ran), existsSync(missing)], [false, false]);
  });
}

const runners: Record<string, boolean> = {
  "/usr/bin/dash": true,
  "/bin/sh": true,
  "/usr/bin/make": true,
  "/usr/bin/ctest": true,
  "/usr/local/bin/cmake": true,
  "/usr/bin/x86_64-linux-gnu-gcc-12": true,
  "/usr/libexec/gcc/x86_64-linux-gnu/12/cc1plus": true,
  "/usr/lib/llvm-14/bin/clang": true,
  "/home/.cargo/bin/cargo": true,
  "/srv/.rustup/toolchains/stable/bin/rustc": true,
  "/usr/local/go/bin/go": true,
  "/usr/local/go/pkg/tool/linux_amd64/link": true,
  "/usr/bin/python3.11": false,
  "/usr/bin/git-annex": false,
  "/srv/project/go": false,
  "/srv/project/build/make": false,
  "/usr/bin/redis-server": false,
  "": false,
};
test("runners are told by name and by where they are installed", () => {
  assert.deepEqual(Object.fromEntries(Object.keys(runners).map((exe) => [exe, isRunner(exe)])), runners);
});

const programs = (snapshot: string) =>
  [...new Set([...readFileSync(snapshot, "utf8").matchAll(/"program":"([^"]+)"/g)].map((found) => found[1]))].sort();
const noBash = which("bash") === undefined && "bash is not here";

test("what a shell holds is left out, and said; unless it is asked for, or alone", { skip: skip || noBash }, () => {
  const baseline = (...more: string[]) => {
    const path = join(folder, `runners${more.length}.snap`);
    const script = [obedient, "leak 24; true"].join(" ");
    const { code, stderr } = run("memhook", ["run", "--baseline", path, ...more, "bash", "-c", script], { env });
    assert.equal(code, 0, stderr);
    return { stderr, of: programs(path) };
  };
  const without = baseline();
  assert.deepEqual(without.of, ["obedient"]);
  assert.match(without.stderr, /^memhook: what bash held is left out \(--runners compares it, too\)\n/);
  const all = baseline("--runners");
  assert.deepEqual(all.of, ["bash", "obedient"]);
  assert.ok(!all.stderr.includes("left out"), all.stderr);
  const alone = join(folder, "alone.snap");
  assert.equal(run("memhook", ["run", "--baseline", alone, "bash", "-c", "true"], { env }).code, 0);
  assert.deepEqual(programs(alone), ["bash"]);
});

test("the command that accepts has all options that decide what is compared", { skip }, () => {
  const path = join(folder, "accept.snap");
  assert.equal(run("memhook", ["run", "--baseline", path, obedient], { env }).code, 0);
  const options = ["--min-bytes", "1", "--ignore-module", "^lib x", "--runners", "--top", "1"];
  const { code, stderr } = run("memhook", ["run", "--baseline", path, ...options, obedient, "leak", "99"], { env });
  assert.equal(code, 1, stderr);
  const accept = /^To accept what is live now: memhook (.*)$/m.exec(stderr)![1]!;
  assert.equal(
    accept,
    `run --baseline ${path} --min-bytes 1 --ignore-module '^lib x' --runners --update -- ${obedient} leak 99`,
  );
});
