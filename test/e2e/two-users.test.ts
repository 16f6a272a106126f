// Two users on one machine: in a folder that both may write to, neither reads, truncates, replaces nor forges what the
// other's programs keep there, and no program does otherwise for it than to put its store beside.
// Runs under Node alone: what it tests is the library, in C.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  appendFileSync,
  chmodSync,
  chownSync,
  copyFileSync,
  existsSync,
  lchownSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { basename, join } from "node:path";
import process from "node:process";
import { before, test } from "node:test";
import { storeNames } from "../../runtime/stores/storenames.js";
import { readReport } from "../support/expectations.js";
import { build, library, neighbour, noCompiler, Running, runWell, which } from "../support/programs.js";
import { temporaryFolder } from "../support/run.js";

const folder = temporaryFolder();
const skip = noCompiler || (which("sh") ? false : "no sh");
const skipUnlessRoot = skip || (process.getuid?.() !== 0 && "needs root, to become other users");

const ROOT = 0;
const NOBODY = 65534;
/** Whoever is neither. */
const OTHER = 65533;

let program = "";
let ended = "";
let preload: Record<string, string> = {};

// What other users may run, which a checkout need not be.
before(async () => {
  if (skip) return;
  chmodSync(folder, 0o755);
  program = join(folder, "leaks");
  copyFileSync(build("leaks.c"), program);
  copyFileSync(library, join(folder, "libmemhook.so"));
  preload = { LD_PRELOAD: join(folder, "libmemhook.so") };
  ended = join(folder, "ended.mem");
  await runWell(program, [], { store: ended, env: preload });
});

/** A new folder that everybody may write to, and only owners remove from, like /tmp. */
function shared(): string {
  const path = mkdtempSync(join(folder, "shared-"));
  chmodSync(path, 0o1777);
  return path;
}

function give(path: string, mode: number, uid: number): void {
  chmodSync(path, mode);
  chownSync(path, uid, uid);
}

/** What somebody may put at a path, and another's program find there. `bait`: a file of that other one's. */
const PLANTS: [string, (path: string, uid: number, bait: string) => void][] = [
  [
    "an empty file that everybody may write to",
    (path, uid) => {
      writeFileSync(path, "");
      give(path, 0o666, uid);
    },
  ],
  [
    "an empty file that only he may open",
    (path, uid) => {
      writeFileSync(path, "");
      give(path, 0o600, uid);
    },
  ],
  [
    "the store of a process that has ended",
    (path, uid) => {
      copyFileSync(ended, path);
      give(path, 0o666, uid);
    },
  ],
  [
    "a folder",
    (path, uid) => {
      mkdirSync(path);
      give(path, 0o777, uid);
    },
  ],
  [
    "a pipe",
    (path, uid) => {
      assert.equal(spawnSync("mkfifo", [path]).status, 0);
      give(path, 0o666, uid);
    },
  ],
  [
    "a symbolic link to a file of the program's user",
    (path, uid, bait) => {
      symlinkSync(bait, path);
      lchownSync(path, uid, uid);
    },
  ],
  [
    "a symbolic link to nothing",
    (path, uid, bait) => {
      symlinkSync(`${bait}.none`, path);
      lchownSync(path, uid, uid);
    },
  ],
];

/** All that can be seen of a file that nobody has touched. */
function look(path: string): string {
  const { ino, mode, uid, size, nlink, mtimeMs, ctimeMs } = lstatSync(path);
  return JSON.stringify({ ino, mode, uid, size, nlink, mtimeMs, ctimeMs });
}

function assertPrivate(path: string, uid: number): void {
  const { mode, uid: owner, nlink } = lstatSync(path);
  assert.deepEqual({ mode: mode & 0o7777, owner, nlink }, { mode: 0o600, owner: uid, nlink: 1 });
}

for (const [what, plant] of PLANTS) {
  test(`somebody else has put ${what} where the store should be: it is beside that`, {
    skip: skipUnlessRoot,
  }, async () => {
    for (const [planter, user] of [
      [OTHER, ROOT],
      [OTHER, NOBODY],
      [ROOT, NOBODY],
    ] as const) {
      const place = shared();
      const store = join(place, "app.mem");
      const bait = join(place, "bait");
      writeFileSync(bait, "");
      give(bait, 0o600, user);
      plant(store, planter, bait);
      const was = [look(store), look(bait)];
      const { pid } = await runWell(program, [], { store, env: preload, uid: user });
      assert.deepEqual([look(store), look(bait)], was);
      assert.deepEqual(readdirSync(place).sort(), [`app.${pid}.mem`, "app.mem", "bait"]);
      assertPrivate(neighbour(store, pid), user);
      assert.equal((await readReport(neighbour(store, pid))).totals.liveCount, 18);
    }
  });
}

test("… and at every name beside it, too: there is no store, and the log says so", {
  skip: skipUnlessRoot,
}, async (t) => {
  const place = shared();
  const store = join(place, "app.mem");
  const log = join(place, "log");
  const script = 'echo $$; read go; export LD_PRELOAD="$1"; exec "$0"';
  const running = new Running(which("sh")!, ["-c", script, program, preload.LD_PRELOAD!], {
    env: { MEMHOOK_FILE: store, MEMHOOK_LOG: log },
    uid: NOBODY,
  });
  t.after(() => running.stop());
  assert.equal(await running.line(), String(running.pid));
  const names = [...storeNames(store, running.pid)];
  for (const path of names) PLANTS[0]![1](path, OTHER, "");
  const was = names.map(look);
  running.tell("go\n");
  const { status, stderr } = await running.finished;
  assert.deepEqual({ status, stderr }, { status: 0, stderr: "" });
  assert.deepEqual(names.map(look), was);
  assert.match(
    readFileSync(log, "utf8"),
    /^memhook: off: cannot make a store at \S+: it and all names beside it are taken\n$/,
  );
});

const noSharedMemory =
  skipUnlessRoot || ((statSync("/dev/shm").mode & 0o1777) !== 0o1777 && "no /dev/shm for everybody");

test("shared memory is such a folder", { skip: noSharedMemory }, async () => {
  const name = `memhook-test-${process.pid}`;
  const store = `/dev/shm/${name}`;
  try {
    PLANTS[0]![1](store, OTHER, "");
    const was = look(store);
    const { pid } = await runWell(program, [], { env: { ...preload, MEMHOOK_SHM_NAME: name }, uid: NOBODY });
    assert.equal(look(store), was);
    assertPrivate(`${store}.${pid}`, NOBODY);
  } finally {
    for (const file of readdirSync("/dev/shm")) if (file.startsWith(name)) rmSync(join("/dev/shm", file));
  }
});

test("nobody but its user and root opens, truncates or removes a store", { skip: skipUnlessRoot }, async () => {
  const store = join(shared(), "app.mem");
  await runWell(program, [], { store, env: preload, uid: NOBODY });
  const was = look(store);
  const script =
    'cat "$0" && echo read; : >"$0" && echo written; rm -f "$0" && echo removed; mv "$0" "$0.2" && echo moved';
  const { stdout } = spawnSync("sh", ["-c", script, store], { uid: OTHER, gid: OTHER, encoding: "utf8" });
  assert.equal(stdout, "");
  assert.equal(look(store), was);
});

test("root's program does not replace another user's store, though its process has ended", {
  skip: skipUnlessRoot,
}, async () => {
  const place = shared();
  const store = join(place, "app.mem");
  await runWell(program, [], { store, env: preload, uid: NOBODY });
  const was = look(store);
  const { pid } = await runWell(program, [], { store, env: preload });
  assert.equal(look(store), was);
  assertPrivate(neighbour(store, pid), ROOT);
});

// ── What is one's own ────────────────────────────────────────────────────────────────────────────

test("a store is its user's alone, whatever the umask", { skip }, async () => {
  for (const umask of ["000", "022", "777"]) {
    const store = join(folder, `umask-${umask}.mem`);
    const script = 'umask "$1"; export LD_PRELOAD="$2"; exec "$0"';
    await runWell(which("sh")!, ["-c", script, program, umask, preload.LD_PRELOAD!], { env: { MEMHOOK_FILE: store } });
    assertPrivate(store, process.getuid!());
    assert.equal((await readReport(store)).totals.liveCount, 18);
  }
});

test("an empty file of one's own: used if nobody else can open it, else made anew", { skip }, async () => {
  for (const [mode, kept] of [
    [0o600, true],
    [0o644, false],
    [0o620, false],
    [0o606, false],
  ] as const) {
    const store = join(folder, `own-${mode.toString(8)}.mem`);
    writeFileSync(store, "");
    chmodSync(store, mode);
    const { ino } = lstatSync(store);
    // So that the next file is not made in the place of this one.
    linkSync(store, `${store}.kept`);
    if (kept) rmSync(`${store}.kept`);
    const { pid } = await runWell(program, [], { store, env: preload });
    assert.equal((await readReport(store)).process.pid, pid);
    assert.equal(lstatSync(store).ino === ino, kept);
    assertPrivate(store, process.getuid!());
    if (!kept) assert.equal(lstatSync(`${store}.kept`).size, 0);
  }
});

test("an empty file of one's own with a second name is not written to", { skip }, async () => {
  const store = join(folder, "linked.mem");
  writeFileSync(store, "");
  chmodSync(store, 0o600);
  linkSync(store, `${store}.2`);
  await runWell(program, [], { store, env: preload });
  assertPrivate(store, process.getuid!());
  assert.equal(lstatSync(`${store}.2`).size, 0);
});

test("a file, a folder and a link of one's own are not touched, and nothing is put beside them", { skip }, async () => {
  for (const kind of ["text", "folder", "link"]) {
    const place = mkdtempSync(join(folder, "own-"));
    const store = join(place, "app.mem");
    if (kind === "text") writeFileSync(store, "not a store\n");
    if (kind === "folder") mkdirSync(store);
    if (kind === "link") symlinkSync(join(place, "elsewhere"), store);
    const was = look(store);
    await runWell(program, [], { store, env: preload });
    assert.equal(look(store), was);
    assert.deepEqual(readdirSync(place), ["app.mem"]);
  }
});

// ── The log ──────────────────────────────────────────────────────────────────────────────────────

for (const [what, plant] of PLANTS) {
  if (what === "a folder") continue;
  test(`somebody else has put ${what} where the log should be: nothing is written`, {
    skip: skipUnlessRoot,
  }, async () => {
    for (const user of [ROOT, NOBODY]) {
      const place = shared();
      const log = join(place, "log");
      const bait = join(place, "bait");
      writeFileSync(bait, "");
      give(bait, 0o600, user);
      plant(log, OTHER, bait);
      const was = [look(log), look(bait)];
      await runWell(program, [], { store: join(place, "app.mem"), env: { ...preload, MEMHOOK_LOG: log }, uid: user });
      assert.deepEqual([look(log), look(bait)], was);
      assert.ok(!existsSync(`${bait}.none`));
    }
  });
}

test("a log is made for its user alone, and one that is there is written on", { skip }, async () => {
  const place = mkdtempSync(join(folder, "log-"));
  const log = join(place, "log");
  const store = join(place, "app.mem");
  const run = () => runWell(program, [], { store, env: { ...preload, MEMHOOK_LOG: "log" }, cwd: place });
  await run();
  assertPrivate(log, process.getuid!());
  chmodSync(log, 0o644);
  appendFileSync(log, "mine\n");
  await run();
  assert.equal(readFileSync(log, "utf8"), `memhook: store ${store}\nmine\nmemhook: store ${store}\n`);
  assert.deepEqual(readdirSync(place).sort(), [basename(store), "log"]);
});
