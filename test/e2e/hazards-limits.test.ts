// Hazards of limits: descriptors that are closed or used by the program,
// resource limits, full and missing file systems.
// Runs under Node alone: what it tests is the library, in C.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import test from "node:test";
import { readReport } from "../support/expectations.js";
import { build, library, noCompiler, runProgram, runWell, which } from "../support/programs.js";
import { temporaryFolder } from "../support/run.js";

const folder = temporaryFolder();
const skip = noCompiler;

for (const how of ["close", "reuse", "chdir", "use-up"]) {
  test(`descriptors.c ${how}: the program's files are its own, the store goes on`, { skip }, async () => {
    const place = join(folder, how);
    mkdirSync(place);
    const program = build("descriptors.c");
    const { stdout } = await runWell(program, [how, join(place, "own.txt")], { store: "store.mem", cwd: place });
    const { totals } = await readReport(join(place, "store.mem"));
    // Where the store cannot grow any more it says what it has lost.
    assert.equal(totals.liveCount + totals.dropped, 200_000);
    assert.equal(stdout, "live 200000 4800000\n");
    if (how === "chdir" || how === "use-up") assert.equal(totals.dropped, 0);
  });
}

test("descriptors.c low: 0, 1 and 2 are the program's even if it starts without", { skip }, async () => {
  const file = join(folder, "low.txt");
  const store = join(folder, "low.mem");
  const { status } = await runProgram("sh", ["-c", 'exec "$0" low "$1" <&- >&- 2>&-', build("descriptors.c"), file], {
    store,
  });
  assert.equal(status, 0);
  assert.equal(readFileSync(file, "utf8"), "live 200000 4800000\n");
  const { totals } = await readReport(store);
  assert.deepEqual([totals.liveCount, totals.dropped], [200_000, 0]);
});

test("functions.c with a store too small for anything: what the program sees is the same, errno included", {
  skip,
}, async () => {
  const store = join(folder, "too-small.mem");
  await runWell(build("functions.c"), [], { store, env: { MEMHOOK_SIZE: "100000" } });
});

for (const [limit, value] of [
  ["as", "40000000"],
  ["as", "20000000"],
  ["fsize", "0"],
  ["fsize", "1000000"],
  ["nofile", "3"],
  ["nofile", "0"],
] as const) {
  test(`limited.c ${limit} ${value}: the program ends as without memhook`, { skip }, async () => {
    const store = join(folder, `limit-${limit}-${value}.mem`);
    await runWell(build("limited.c"), [limit, value], { store });
    const { totals } = await readReport(store);
    assert.ok(totals.allocatedCount > 0);
  });
}

test("quota.c: what has no room is counted, to the block, and the rest is right", { skip }, async () => {
  const store = join(folder, "quota.mem");
  const { stdout } = await runWell(build("quota.c"), [String(4 << 20)], { store });
  const { totals } = await readReport(store);
  // Of blocks that were dropped nobody knows which are freed: those allocated first were not.
  const recorded = 200_000 - totals.dropped;
  assert.ok(totals.dropped > 0 && recorded > 10_000, `${totals.dropped} dropped`);
  assert.equal(totals.allocatedCount, recorded);
  assert.equal(totals.liveCount, Math.floor(recorded / 2));
  assert.equal(stdout, "live 100000 2400000\n");
});

/** Whether this user may mount file systems in a namespace of its own. */
const mounting =
  which("unshare") && which("mount")
    ? spawnSync("unshare", ["-rm", "sh", "-c", `mount -t tmpfs none ${folder}`]).status === 0
    : false;
const skipMounts = skip || (mounting ? false : "cannot mount in a namespace (unshare -rm)");

/** Runs a shell script in a mount namespace of its own, with memhook's variables set for `$RUN`. */
function inNamespace(
  script: string,
  env: Record<string, string>,
): Promise<{ status: number | null; stdout: string; stderr: string }> {
  return runProgram("unshare", ["-rm", "sh", "-ec", script], { env: { LIBRARY: library, ...env } });
}

test("descriptors.c chroot: the store goes on where it was", { skip: skipMounts }, async () => {
  const place = join(folder, "chroot");
  mkdirSync(place);
  const store = join(folder, "chroot.mem");
  const { status, stdout, stderr } = await inNamespace(
    'exec env LD_PRELOAD="$LIBRARY" MEMHOOK_FILE="$STORE" "$PROGRAM" chroot "$PLACE"',
    { STORE: store, PROGRAM: build("descriptors.c"), PLACE: place },
  );
  assert.deepEqual({ status, stdout, stderr }, { status: 0, stdout: "live 200000 4800000\n", stderr: "" });
  const { totals } = await readReport(store);
  assert.deepEqual([totals.liveCount, totals.dropped], [200_000, 0]);
});

test("a full file system: the program lives, drops are counted, the store can be read", {
  skip: skipMounts,
}, async () => {
  const place = join(folder, "small");
  mkdirSync(place);
  const copy = join(folder, "from-small.mem");
  const { status, stdout, stderr } = await inNamespace(
    'mount -t tmpfs -o size=2m none "$PLACE"\nstatus=0\n' +
      'LD_PRELOAD=$LIBRARY MEMHOOK_FILE=$PLACE/store.mem "$PROGRAM" 200000 || status=$?\n' +
      'cp --sparse=always "$PLACE/store.mem" "$COPY"\nexit $status',
    { PLACE: place, PROGRAM: build("fill.c"), COPY: copy },
  );
  assert.deepEqual({ status, stdout, stderr }, { status: 7, stdout: "allocated 200000 6400000\n", stderr: "" });
  const { totals } = await readReport(copy);
  assert.ok(totals.dropped > 0 && totals.liveCount > 1000, JSON.stringify(totals));
});

test("a file system that is full from the start, or read-only: the program runs", { skip: skipMounts }, async () => {
  const place = join(folder, "none");
  mkdirSync(place);
  for (const options of ["size=16k", "ro"]) {
    const { status, stdout, stderr } = await inNamespace(
      `mount -t tmpfs -o ${options} none "$PLACE"\nLD_PRELOAD=$LIBRARY MEMHOOK_FILE=$PLACE/store.mem "$PROGRAM" 20000`,
      { PLACE: place, PROGRAM: build("fill.c") },
    );
    assert.deepEqual(
      { status, stdout, stderr },
      { status: 7, stdout: "allocated 20000 640000\n", stderr: "" },
      options,
    );
  }
});

for (const how of ["prctl", "syscall", "threads"]) {
  test(`sandboxed.c ${how}: a filter that kills for unknown calls kills nobody, and drops are counted`, {
    skip,
  }, async () => {
    const store = join(folder, `sandboxed-${how}.mem`);
    const { stdout } = await runWell(build("sandboxed.c"), [how], { store });
    assert.equal(stdout, "live 200000 4800000\n");
    const { totals, process } = await readReport(store);
    assert.equal(totals.liveCount + totals.dropped, 200_000);
    assert.ok(totals.liveCount >= 100 && totals.dropped > 0, JSON.stringify(totals));
    assert.equal(process.state, "exited");
  });
}

for (const how of ["tsc", "tsc-syscall", "tsc-child", "strict", "strict-syscall"]) {
  for (const sample of ["", "4KiB"]) {
    test(`clockless.c ${how}${sample && ", sampled"}: no clock is read that would kill`, {
      skip: skip || (process.arch === "x64" ? false : "only x86-64 has a counter that traps"),
    }, async () => {
      const store = join(folder, `clockless-${how}-${sample}.mem`);
      const { stdout } = await runWell(build("clockless.c"), [how], { store, env: { MEMHOOK_SAMPLE: sample } });
      assert.equal(stdout, "live 50000\n");
      if (sample || how === "tsc-child") return;
      const { totals } = await readReport(store);
      // Where the store may not grow any more, it says what is missing.
      assert.ok(totals.dropped > 0 === how.startsWith("strict"), JSON.stringify(totals));
      assert.ok(totals.liveCount + totals.dropped >= 50_000, JSON.stringify(totals));
    });
  }
}

test("sandboxed.c threads, with memdb: nobody is killed for the sender's thread either", { skip }, async () => {
  // Nobody listens there: the thread sleeps, wakes at the end of the program, and may not end as threads do.
  const env = { LD_PRELOAD: library, MEMHOOK_NET_HOST: "127.0.0.1", MEMHOOK_NET_PORT: "1" };
  for (let round = 0; round < 20; round++) {
    const { stdout } = await runWell(build("sandboxed.c"), ["threads"], { env });
    assert.equal(stdout, "live 200000 4800000\n");
  }
});

// A filter of a launcher, or, where nobody can be seen who has less, of the whole container.
for (const [allowed, launch] of [
  ["loader", []],
  ["memhook", ["unshare", "-rpf", "--mount-proc"]],
] as const) {
  test(`filtered.c ${allowed}: a filter from before the program began kills nobody`, {
    skip: launch.length ? skipMounts : skip,
  }, async () => {
    const store = join(folder, `filtered-${allowed}.mem`);
    const words = [...launch, build("filtered.c"), allowed, library, build("fill.c"), "20000"];
    const env = { MEMHOOK_FILE: store, MEMHOOK_LOG: "stderr" };
    let stderr = "";
    // The second time, the first one's store is there.
    for (let time = 0; time < 2; time++) {
      const run = await runProgram(words[0]!, words.slice(1), { env });
      assert.deepEqual([run.status, run.stdout], [7, "allocated 20000 640000\n"], run.stderr);
      stderr = run.stderr;
    }
    if (allowed === "loader") {
      assert.match(stderr, /^memhook: off: this program began in a sandbox.*\n$/);
      assert.ok(!existsSync(store));
      return;
    }
    const { totals } = await readReport(store);
    assert.deepEqual([totals.liveCount >= 20_000, totals.dropped], [true, 0]);
  });
}

test("without /proc: the program runs, and its blocks are counted", { skip: skipMounts }, async () => {
  const store = join(folder, "no-proc.mem");
  const { status, stdout, stderr } = await inNamespace(
    'mount -t tmpfs none /proc\nLD_PRELOAD=$LIBRARY MEMHOOK_FILE=$STORE "$PROGRAM" 0 20000 4',
    { STORE: store, PROGRAM: build("churn.c") },
  );
  assert.deepEqual({ status, stderr }, { status: 0, stderr: "" });
  const { totals } = await readReport(store);
  assert.equal(`live ${totals.liveCount} ${totals.liveBytes}\n`, stdout);
});
