// memhook run names functions of modules that are gone by the time of the report:
// plugins that are removed at once, programs that remove themselves or run from
// memory, files that were built anew, bundles that unpack into a folder and tidy up.

import assert from "node:assert/strict";
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { copyFileSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { KeptModules } from "../../runtime/programs/keptmodules.js";
import { report } from "../../runtime/reports/report.js";
import { openStore } from "../../runtime/stores/store.js";
import { Symbolizer } from "../../runtime/symbols/symbolize.js";
import { after } from "../support/after.js";
import { build, environment, noCompiler } from "../support/programs.js";
import { run, temporaryFolder } from "../support/run.js";

const skip = noCompiler;
const folder = temporaryFolder();
const TMPDIR = temporaryFolder();
const env = { TMPDIR };

const gone = skip ? "" : build("gone.c");
const obedient = skip ? "" : build("obedient.c");
const plugin = skip ? "" : build("plugin.c", { shared: true, flags: ["-Wl,--build-id=sha1"] });
const unidentified = skip ? "" : build("plugin.c", { shared: true, flags: ["-Wl,--build-id=none"] });

let copies = 0;
/** A copy of a module of its own, to be removed. */
function copyOf(module: string, where = folder): string {
  const copy = join(where, `copy${process.pid}-${++copies}`);
  copyFileSync(module, copy);
  return copy;
}

/** The two innermost functions of each row with this size. */
function stacks(stderr: string, size: number): string[] {
  const rows = stderr.split(/^(?=size=)/m).filter((row) => row.startsWith(`size=${size},`));
  return rows.map((row) =>
    row
      .split("\n")
      .filter((line) => line.startsWith("    "))
      .map((line) => line.trim().split(" ")[0])
      .slice(0, 2)
      .join(" < "),
  );
}

const HOW = ["unlinked", "closed", "memory", "nameless", "replaced"];

test("plugins, and nothing is left but the store", { skip }, () => {
  const home = mkdtempSync(join(folder, "home-"));
  const pairs = [plugin, unidentified].flatMap((module) => HOW.flatMap((how) => [how, copyOf(module)]));
  const { code, stderr } = run("memhook", ["run", "--top", "99", "-f", join(home, "app.mem"), gone, ...pairs], { env });
  assert.equal(code, 0, stderr);
  // One row for each build: which path a module of the same build has makes none of its own.
  assert.ok(!/^ {4}\S+\+0x.*\n.* main /m.test(stderr), stderr);
  const named = [
    ...stderr.matchAll(/^size=(\d+), times=(\d+)\n {4}plugin_leak .*plugin\.c:\d+\n {4}main .*gone\.c:\d+$/gm),
  ];
  assert.equal(
    named.map(([, size]) => Number(size)).reduce((sum, size) => sum + size, 0),
    10 * 333,
    stderr,
  );
  assert.deepEqual(readdirSync(home), ["app.mem"]);
  assert.deepEqual(readdirSync(TMPDIR), []);
});

test("a pipe by the name of a store is not waited for", { skip }, () => {
  const home = mkdtempSync(join(folder, "home-"));
  execFileSync("mkfifo", [join(home, "app.1.mem")]);
  // Long enough for a look at the run's stores.
  const args = ["run", "-f", join(home, "app.mem"), "sh", "-c", "sleep 0.2; exit 3"];
  const { code, signal } = run("memhook", args, { env, timeout: 60_000, killSignal: "SIGKILL" });
  assert.deepEqual({ code, signal }, { code: 3, signal: null });
});

// As PyInstaller and self-extracting archives do it; and one that is built anew when it has run.
const PROGRAMS = `
"$1" self "$1"
"$2" start "$3" leak 77777
d=$(mktemp -d); cp "$3" "$d/app"; "$d/app" leak 55555; rm -r "$d"
"$4" leak 66666; cp "$2" "$4.new"; mv "$4.new" "$4"`;

test("a file that stays is left as it was", { skip }, () => {
  // What has no build id is known by its times.
  const program = copyOf(obedient);
  const store = join(folder, "stays.mem");
  const before = statSync(program).ctimeMs;
  run("memhook", ["run", "-f", store, program, "leak", "5"], { env });
  assert.equal(statSync(program).ctimeMs, before);
  assert.equal(run("memview", ["-ac", store]).stderr, "");
});

test("programs", { skip }, () => {
  const itself = copyOf(gone);
  const { stderr } = run("memhook", ["run", "sh", "-c", PROGRAMS, "sh", itself, gone, obedient, copyOf(obedient)], {
    env,
  });
  assert.ok(!existsSync(itself));
  assert.match(stacks(stderr, 44444)[0] ?? "", /^main\b/, stderr);
  for (const size of [55555, 66666, 77777]) assert.deepEqual(stacks(stderr, size), ["leak < main"], stderr);
});

test("in a baseline", { skip }, () => {
  const baseline = join(folder, "gone.snap");
  const { code, stderr } = run("memhook", ["run", "--baseline", baseline, gone, "unlinked", copyOf(plugin)], { env });
  assert.equal(code, 0, stderr);
  assert.match(readFileSync(baseline, "utf8"), /plugin_leak/);
});

// A file system that is there only for the program, as an AppImage's is.
const mount = mkdtempSync(join(tmpdir(), "memhook-mount-"));
const mountable = spawnSync("mount", ["-t", "tmpfs", "none", mount]).status === 0;
if (mountable) spawnSync("umount", [mount]);
after(() => rmdirSync(mount));

test("a file system that goes away is not kept from it", {
  skip: skip || (!mountable && "cannot mount a tmpfs"),
}, () => {
  const script = 'mount -t tmpfs none "$1"; cp "$2" "$1/app"; "$1/app" leak 444; umount "$1" && echo unmounted';
  const { stdout, stderr } = run("memhook", ["run", "sh", "-c", script, "sh", mount, obedient], { env });
  assert.equal(stdout, "unmounted\n");
  assert.deepEqual(stacks(stderr, 444), ["leak < main"], stderr);
});

test("an old file is held while it is mapped, and let go; then the report says that it is gone", { skip }, async () => {
  // Neither new nor in a folder for temporary files: the library keeps none such.
  const program = copyOf(obedient, dirname(obedient));
  const store = join(mkdtempSync(join(folder, "held-")), "app.mem");
  const child = spawn(program, ["leak", "888", "ready", "wait"], {
    env: environment({ store }),
    stdio: ["ignore", "pipe", "ignore"],
  });
  const kept = new KeptModules(store);
  const symbolizer = new Symbolizer({ kept, environment: {} });
  try {
    await new Promise((resolve) => child.stdout.once("data", resolve));
    kept.look();
    rmSync(program);
    const ended = new Promise((resolve) => child.once("exit", resolve));
    process.kill(child.pid!, "SIGKILL");
    await ended;
    const opened = await openStore(store);
    const { stacks: rows } = await report(opened, { aggregate: true, sort: "size" }, symbolizer, { stacks: true });
    const [row] = [...rows!].filter(({ bytes }) => bytes === 888);
    assert.deepEqual(
      row?.stack.slice(0, 2).map((frame) => frame.function),
      ["leak", "main"],
    );
    kept.close();
    const late = new Symbolizer({ kept, environment: {} });
    await report(opened, { aggregate: true, sort: "size" }, late, { stacks: true }).then(({ stacks }) => [...stacks!]);
    assert.ok(late.notes.includes(`${program}: deleted before it could be read: its functions have no names`));
    late.close();
    opened.close();
  } finally {
    symbolizer.close();
    kept.close();
    rmSync(program, { force: true });
  }
  assert.deepEqual(readdirSync(dirname(store)), ["app.mem"]);
});
