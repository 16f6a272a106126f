// Where something stands in memhook's way, one line says what it truly is and what to do: privileges, full disks,
// limits, folders that are read-only, files that are something else, what Deno refuses.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { after } from "../support/after.js";
import { build, noCompiler, which } from "../support/programs.js";
import { commandLine, onceIsEnough, RUNTIMES, root, run, temporaryFolder } from "../support/run.js";

const folder = temporaryFolder();
const TMPDIR = temporaryFolder();
const env = { TMPDIR };
chmodSync(folder, 0o755);

// With a build id, so that nothing is doubted.
const obedient = noCompiler ? "" : build("obedient.c", { flags: ["-Wl,--build-id=sha1"] });
const program = join(folder, "program");
if (!noCompiler) copyFileSync(obedient, program);

/** The one line of a command that failed. */
function failure(launcher: "memview" | "memhook" | "memdb", args: string[], more: Record<string, string> = {}): string {
  const { code, stderr } = run(launcher, args, { env: { ...env, ...more } });
  assert.equal(code, 2, stderr);
  assert.match(stderr, /^[^\n]+\n$/);
  return stderr.trim();
}

/** The lines of a run that recorded nothing, and whose program was not disturbed. */
function unrecorded(args: string[], more: Record<string, string> = {}): string {
  const { code, stderr } = run("memhook", ["run", ...args, "leak", "5"], { env: { ...env, ...more } });
  assert.equal(code, 0, stderr);
  return stderr;
}

// ── Privileges ───────────────────────────────────────────────────────────────────────────────────

const capable = join(folder, "capable");
const asAnother = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
const noCapabilities =
  noCompiler ||
  (process.getuid?.() !== 0 && "wants root") ||
  (!which("setcap") && "no setcap") ||
  (!which("setpriv") && "no setpriv");

test("a program with file capabilities", { skip: noCapabilities }, (t) => {
  copyFileSync(obedient, capable);
  assert.equal(spawnSync("setcap", ["cap_net_bind_service=ep", capable]).status, 0);
  const script = join(folder, "capable.sh");
  writeFileSync(script, `#!${capable}\n`, { mode: 0o755 });
  const theirs = mkdtempSync(join(tmpdir(), "memhook-test-"));
  chmodSync(theirs, 0o777);
  t.after(() => rmSync(theirs, { recursive: true }));
  const ignored = "and the loader then ignores LD_PRELOAD";
  const cause = `${capable} has file capabilities (setcap), ${ignored}: run a copy, which has none`;
  for (const [path, said] of [
    [capable, cause],
    [script, `${script} is a script: ${cause}`],
  ] as const) {
    const { status, stderr } = spawnSync(
      asAnother[0]!,
      [...asAnother.slice(1), ...commandLine("memhook"), "run", path],
      {
        encoding: "utf8",
        env: { PATH: process.env.PATH, HOME: theirs, TMPDIR: theirs, DENO_DIR: process.env.DENO_DIR },
      },
    );
    assert.equal(stderr, `memhook: nothing was recorded: ${said}\n`);
    assert.equal(status, path === script ? status : 0);
  }
});

// ── Disks ────────────────────────────────────────────────────────────────────────────────────────

function disk(options: string): string | null {
  const point = mkdtempSync(join(tmpdir(), "memhook-disk-"));
  const mounted = spawnSync("mount", ["-t", "tmpfs", "-o", options, "none", point]).status === 0;
  after(() => {
    if (mounted) spawnSync("umount", ["-l", point]);
    rmdirSync(point);
  });
  return mounted ? point : null;
}

const full = disk("size=1m");
const fixed = disk("size=1m");
const noexec = disk("noexec");
const noDisk = noCompiler || (full === null && "cannot mount a tmpfs");
if (full !== null && fixed !== null && noexec !== null) {
  assert.throws(() => writeFileSync(join(full, "ballast"), new Uint8Array(2 << 20)), /ENOSPC|no space/i);
  spawnSync("mount", ["-o", "remount,ro", fixed]);
  if (!noCompiler) copyFileSync(obedient, join(noexec, "program"));
}
const places = [
  { what: "a full disk", at: () => full!, why: "no space is left there" },
  { what: "a read-only file system", at: () => fixed!, why: "the file system is read-only" },
];

for (const { what, at, why } of places) {
  test(`${what}: the program runs, and the cause is told`, { skip: noDisk }, () => {
    const said =
      `memhook: nothing was recorded: no store can be written in ${at()} (${why}): name another place with -f or ` +
      "TMPDIR\n";
    assert.equal(unrecorded(["-f", join(at(), "app.mem"), program]), said);
  });

  test(`${what}: snapshots, reports, memdb`, { skip: noDisk }, () => {
    const store = join(folder, `${why.length}.mem`);
    run("memhook", ["run", "-f", store, program, "leak", "5"], { env });
    const before = join(folder, `${why.length}.snap`);
    run("memview", ["snapshot", store, "-o", before]);
    const snap = join(at(), "x.snap");
    assert.equal(failure("memview", ["snapshot", store, "-o", snap]), `memview: ${snap}: cannot be written (${why})`);
    const out = join(at(), "out");
    assert.equal(
      failure("memhook", ["run", "--baseline", before, "-o", out, program, "leak", "500"]),
      `memhook: --output ${out}: cannot be written (${why})`,
    );
    assert.match(failure("memdb", ["-p", "0", join(at(), "db.mem")]), new RegExp(`^memdb: \\S+ .*\\(${why}\\)$`));
  });
}

test("a full disk behind the standard output", { skip: noDisk || (!existsSync("/dev/full") && "no /dev/full") }, () => {
  const store = join(folder, "output.mem");
  run("memhook", ["run", "-f", store, program, "leak", "5"], { env });
  const words = [...commandLine("memview"), store].map((word) => `'${word}'`).join(" ");
  const { status, stderr } = spawnSync("sh", ["-c", `${words} >/dev/full`], { encoding: "utf8" });
  assert.deepEqual([status, stderr], [2, "memview: the output cannot be written (no space is left there)\n"]);
});

test("no folder for a temporary store", { skip: noDisk }, () => {
  const said = failure("memhook", ["run", program], { TMPDIR: fixed! });
  assert.equal(
    said,
    `memhook: no folder can be made in ${fixed} (the file system is read-only): set TMPDIR, or name the store's ` +
      "file with -f",
  );
});

test("a file system that is mounted noexec", { skip: noDisk }, () => {
  const path = join(noexec!, "program");
  assert.equal(failure("memhook", ["run", path]), `memhook: cannot run ${path}: ${noexec} is mounted noexec`);
});

const ownFiles = "deno" in process.versions && "Deno's own files are larger";

test("a limit for the size of files", { skip: noCompiler || ownFiles }, () => {
  const words = [...commandLine("memhook"), "run", "-f", join(folder, "limit.mem"), program]
    .map((word) => `'${word}'`)
    .join(" ");
  // In units of 512 bytes.
  const { status, stderr } = spawnSync("sh", ["-c", `ulimit -f 16; ${words}`], { encoding: "utf8" });
  const said =
    "memhook: nothing was recorded: a store needs files of 262144 bytes, and no more than 8192 are allowed: " +
    "ulimit -f\n";
  assert.deepEqual([status, stderr], [0, said]);
});

// ── Files that are something else ────────────────────────────────────────────────────────────────

test("something else is where a store is meant", { skip: noCompiler }, () => {
  const text = join(folder, "text");
  writeFileSync(text, "not a store");
  const kept =
    `${text} is there already and no store of this user's alone, so memhook does not touch it: name another one ` +
    "with -f\n";
  assert.ok(unrecorded(["-f", text, program]).endsWith(`memhook: nothing was recorded: ${kept}`));
  assert.equal(readFileSync(text, "utf8"), "not a store");
  mkdirSync(join(folder, "a-folder"));
  assert.match(
    unrecorded(["-f", join(folder, "a-folder"), program]),
    /a-folder is no regular file: name another one with -f\n$/,
  );
});

test("a snapshot is where a store is meant", { skip: noCompiler }, () => {
  const [store, snap] = [join(folder, "meant.mem"), join(folder, "meant.snap")];
  run("memhook", ["run", "-f", store, program, "leak", "5"], { env });
  run("memview", ["snapshot", store, "-o", snap]);
  for (const command of [[], ["info"], ["top"], ["watch"]]) {
    const line = failure("memview", [...command, snap]);
    assert.match(line, /is not a memhook store; .* \(this one is a snapshot, for memview diff\)$/);
  }
});

// ── Deno ─────────────────────────────────────────────────────────────────────────────────────────

const deno = ["run", "--no-prompt", "--quiet"];
const refused: [launcher: string, flags: string[], args: string[], line: RegExp][] = [
  [
    "memview",
    [],
    ["STORE"],
    /Deno refuses read access to "[^"]+": run it with --allow-read --allow-env --allow-sys\)?$/,
  ],
  [
    "memview",
    ["--allow-read"],
    ["-ac", "STORE"],
    /^memview: Deno refuses env access to "[^"]+": run it with --allow-read --allow-env --allow-sys$/,
  ],
  [
    "memview",
    ["--allow-read", "--allow-env", "--allow-sys"],
    ["snapshot", "STORE", "-o", "NEW"],
    /Deno refuses write access to "[^"]+": run it with --allow-read --allow-env --allow-sys --allow-write\)?$/,
  ],
  ["memdb", [], ["-p", "0", "NEW"], /^memdb: .*Deno refuses read access to "[^"]+": run it with --allow-all\)?$/],
  [
    "memdb",
    ["--allow-read"],
    ["-p", "0", "NEW"],
    /^memdb: .*Deno refuses \w+ access to "[^"]+": run it with --allow-all\)?$/,
  ],
  [
    "memdb",
    ["--allow-read", "--allow-write", "--allow-net"],
    ["-p", "0", "NEW"],
    /^memdb: .*Deno refuses all access to "[^"]+": run it with --allow-all\)?$/,
  ],
  ["memhook", [], ["run", "true"], /^memhook: Deno refuses \w+ access to "[^"]+": run it with --allow-all$/],
  [
    "memhook",
    ["--allow-read", "--allow-env"],
    ["run", "true"],
    /^memhook: Deno refuses all access to "[^"]+": run it with --allow-all$/,
  ],
];

test("what Deno refuses, with all the flags that it takes", { skip: noCompiler || onceIsEnough }, () => {
  const store = join(folder, "deno.mem");
  run("memhook", ["run", "-f", store, program, "leak", "5"], { env });
  for (const [launcher, flags, args, line] of refused) {
    const words = args.map((word) => ({ STORE: store, NEW: join(folder, "new") })[word] ?? word);
    const { status, stderr } = spawnSync(RUNTIMES.deno![0]!, [...deno, ...flags, join(root, launcher), ...words], {
      encoding: "utf8",
      env: { ...process.env, NO_COLOR: "1" },
    });
    assert.equal(status, 2, stderr);
    assert.match(stderr.trim(), line, `${launcher} ${flags}`);
    assert.match(stderr, /^[^\n]+\n$/);
  }
  const enough = spawnSync(
    RUNTIMES.deno![0]!,
    [...deno, "--allow-read", "--allow-env", "--allow-sys", join(root, "memview"), "-ac", store],
    {
      encoding: "utf8",
    },
  );
  assert.deepEqual([enough.status, enough.stderr], [0, ""]);
});
