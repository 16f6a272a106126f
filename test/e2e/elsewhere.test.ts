// memhook in a folder whose name has spaces and letters beyond ASCII, as this user and, for root, as one without
// rights: README's first command, and LD_PRELOAD=$(memhook lib), which cannot hold such a name.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, cpSync, mkdirSync, readdirSync, symlinkSync } from "node:fs";
import { join, relative } from "node:path";
import process from "node:process";
import test from "node:test";
import { findZig, noCompiler, which } from "../support/compilers.js";
import { root, temporaryFolder } from "../support/run.js";

const folder = temporaryFolder();
chmodSync(folder, 0o755);

const NOT_COPIED = new Set([".git", ".zig", "node_modules", "build/test-programs", "build/run", "bench/out"]);
const NOBODY = 65534;

const own = process.getuid?.() ?? 0;

/** A copy of this checkout, as it is built; times are kept, so that nothing is built anew. */
function checkout(name: string): string {
  const place = join(folder, name, "päth with spaces");
  const filter = (path: string) => !NOT_COPIED.has(relative(root, path));
  cpSync(root, place, { recursive: true, preserveTimestamps: true, filter });
  symlinkSync(join(root, "node_modules"), join(place, "node_modules"));
  mkdirSync(join(place, "zig"));
  return place;
}

/** Runs a command line in a checkout, as a user. */
function sh(place: string, uid: number, line: string) {
  const cache = uid === own ? join(root, ".zig/cache") : join(place, "zig");
  const zig = { ZIG_GLOBAL_CACHE_DIR: cache, ZIG_LOCAL_CACHE_DIR: cache, ZIG: findZig() };
  const { PATH } = process.env;
  const env = { PATH, ...zig, HOME: place, TMPDIR: join(folder, "tmp"), LC_ALL: "C.UTF-8" };
  const { status, stdout, stderr } = spawnSync("bash", ["-c", line], { cwd: place, uid, encoding: "utf8", env });
  return { status, stdout, stderr };
}

const temporary = join(folder, "tmp");
mkdirSync(temporary);
chmodSync(temporary, 0o1777);

for (const [who, uid] of [
  ["this user", own],
  ["a user without rights", NOBODY],
] as const) {
  const unreachable = () =>
    sh(folder, uid, `test -x '${join(root, "node_modules")}' && node --version`).status !== 0 &&
    `user ${uid} cannot come here, or has no node`;
  const skip =
    (("bun" in process.versions || "deno" in process.versions) && "once is enough: it is Node that runs there") ||
    (who !== "this user" && own !== 0 && "only root can be somebody else") ||
    noCompiler ||
    (!which("bash") && "no bash") ||
    unreachable();
  test(`a checkout in "päth with spaces", as ${who}`, { skip }, () => {
    const place = checkout(who);
    if (uid !== own) assert.equal(spawnSync("chown", ["-R", String(uid), place]).status, 0);

    const run = sh(place, uid, "./build.sh run ./test/programs/sessions.c");
    assert.equal(run.status, 0, run.stderr);
    assert.equal(run.stdout, "served 1000 sessions\n");
    const program = join(place, "build/run/sessions");
    assert.ok(run.stderr.includes(`\nmemhook: ${program} (pid `), run.stderr);
    assert.match(run.stderr, /\nsize=10000, times=50\n {4}remember at (.*\/)?test\/programs\/sessions\.c:22\n/);
    assert.deepEqual(readdirSync(temporary), []);

    const preloaded = sh(place, uid, 'LD_PRELOAD=$(./memhook lib) MEMHOOK_FILE="my store.mem" build/run/sessions');
    assert.deepEqual(preloaded, { status: 0, stdout: "served 1000 sessions\n", stderr: "" });
    const view = sh(place, uid, './memview -a "my store.mem"');
    assert.deepEqual(view, { status: 0, stdout: "size=8192, times=1\nsize=10000, times=50\n", stderr: "" });
    assert.equal(sh(place, uid, 'rm -r "$TMPDIR"/memhook-*').status, 0);
  });
}
