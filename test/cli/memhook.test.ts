// memhook run and lib as users run them, with a real program under the real library.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, realpathSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { crossCompilers, muslTarget } from "../support/compilers.js";
import { madeFiles } from "../support/elf.js";
import { build, compiler, noCompiler, Running } from "../support/programs.js";
import { commandLine, root, run, temporaryFolder } from "../support/run.js";

const folder = temporaryFolder();
const skip = noCompiler;
// Temporary stores go to a folder of ours, so that what stays behind is seen.
const TMPDIR = temporaryFolder();
const env = { TMPDIR };

/** A program for a processor that there is no library for. */
const unfit = (name: string, machine: number) => madeFiles(folder).elf(name, 64, machine, "/lib/ld.so");

const obedient = skip ? "" : build("obedient.c");
const leftovers = () => readdirSync(TMPDIR).filter((name) => name.startsWith("memhook-"));

/** Standard error with the process id, and addresses and places outside of the program, replaced. */
function plain(text: string): string {
  return text
    .replaceAll(obedient, "obedient")
    .replace(/pid \d+/g, "pid N")
    .replace(/ at .*\/test\/programs\//g, " at ")
    .replace(/^ {4}(?!(leak|main) ).*\n/gm, "");
}

test("memhook run keeps the program's output, input and exit code", { skip }, () => {
  const { code, stdout, stderr } = run("memhook", ["run", obedient, "ready", "exit", "7"], { env });
  assert.deepEqual([code, stdout], [7, "ready\n"]);
  assert.equal(plain(stderr), "memhook: obedient (pid N) exited with code 7, no live allocations\n");
  assert.deepEqual(leftovers(), []);
  const cat = run("memhook", ["run", "--", "cat"], { env, input: "from standard input\n" });
  assert.equal(cat.stdout, "from standard input\n");
});

test("memhook run shows what is live, worst last", { skip }, () => {
  const { code, stderr } = run("memhook", ["run", "--", obedient, "leak", "1000", "leak", "24", "leak", "1000"], {
    env,
  });
  assert.equal(code, 0);
  const lines = plain(stderr).replace(/ at obedient\.c:\d+/g, "");
  assert.equal(
    lines,
    "memhook: obedient (pid N) exited with code 0, 2024 bytes live in 3 allocations\nsize=2024, times=3\n" +
      "    leak\n    main\n",
  );
});

test("memhook run opens with the places in the program's own code, and has settings that are none told", {
  skip,
}, () => {
  const { stderr } = run("memhook", ["run", "--", obedient, "leak", "1000", "leak", "24"], {
    env: { ...env, MEMHOOK_SIZE_MBS: "9" },
  });
  const [setting, place, head] = stderr.split("\n");
  assert.equal(setting, "memhook: MEMHOOK_SIZE_MBS is no setting of memhook's: is MEMHOOK_SIZE_MB meant?");
  assert.match(place!, /^ {4}1\.0 KiB {2}2 blocks {2}leak {2}\S*obedient\.c:\d+ {2}← main$/);
  assert.match(head!, /^memhook: \S*obedient /);
});

test("memhook run tells equal processes once, and a shell only where nothing else has anything to tell", {
  skip,
}, () => {
  const script = '"$1" leak 111; "$1" leak 111; exit 0';
  const { stderr } = run("memhook", ["run", "--", "sh", "-c", script, "sh", obedient], { env });
  const opening = stderr.split("\n").filter((line) => line.startsWith("    ") && / {2}leak {2}|\(pid \d+\)/.test(line));
  assert.equal(opening.length, 2, stderr);
  assert.match(opening[0]!, /^ {4}obedient \(pid \d+\), and the same in 1 more:$/);
  assert.match(opening[1]!, /^ {4}111 bytes {2}1 block {2}leak /);
});

test("memhook run --top", { skip }, () => {
  const leaks = build("leaks.c");
  const sizes = (...options: string[]) =>
    [...run("memhook", ["run", ...options, leaks], { env }).stderr.matchAll(/^size=(\d+), times=(\d+)$/gm)].map(
      (match) => match[1],
    );
  const all = sizes("--top", "1000");
  assert.ok(all.length > 10, "more stacks than are shown by default");
  assert.equal(all.at(-1), "300000");
  assert.deepEqual(sizes(), all.slice(-10));
  assert.deepEqual(sizes("--top", "2"), all.slice(-2));
});

test("memhook run --exit-code", { skip }, () => {
  const codes: [string[], string[], number][] = [
    [["--exit-code", "9"], ["leak", "5"], 9],
    [["--exit-code=9"], ["leak", "5", "exit", "3"], 9],
    [["--exit-code=9"], ["exit", "3"], 3],
    [["--exit-code=9"], [], 0],
    [["--exit-code=0"], ["leak", "5", "exit", "3"], 0],
    [["--exit-code=9"], ["leak", "5", "signal", "15"], 128 + 15],
    [[], ["leak", "5"], 0],
  ];
  for (const [options, words, expected] of codes) {
    assert.equal(
      run("memhook", ["run", ...options, obedient, ...words], { env }).code,
      expected,
      [...options, ...words].join(" "),
    );
  }
});

test("memhook run tells which signal ended the program", { skip }, () => {
  const { code, stderr } = run("memhook", ["run", obedient, "leak", "5", "signal", "11"], { env });
  assert.equal(code, 128 + 11);
  assert.match(plain(stderr), /^memhook: obedient \(pid N\) was ended by SIGSEGV, 5 bytes live in 1 allocation\n/);
});

/**
 * Runs a shell script that has memhook's command line in "$@", $! of it in $pid and a job's normal signal handling.
 * It goes on when the program has said "ready". In a shell, because not every runtime's child.kill() tells the truth.
 */
function whileRunning(args: string[], script: string): { stdout: string; stderr: string } {
  const pipe = join(folder, "pipe");
  const around =
    `set -m; rm -f '${pipe}'; mkfifo '${pipe}'; "$@" >'${pipe}' & pid=$!; read -r word <'${pipe}'; echo "$word"; ` +
    `${script}; wait $pid; echo "code $?"`;
  const { stdout, stderr } = spawnSync("bash", ["-c", around, "bash", ...commandLine("memhook"), "run", ...args], {
    encoding: "utf8",
    env: { ...process.env, ...env },
    timeout: 60_000,
  });
  return { stdout, stderr };
}

test("memhook run waits for a program that handles SIGTERM", { skip }, () => {
  const program = 'trap "exit 5" TERM; echo ready; while :; do sleep 0.05; done';
  const { stdout, stderr } = whileRunning(["sh", "-c", program], "kill -TERM $pid");
  assert.equal(stdout, "ready\ncode 5\n");
  assert.match(stderr, /^memhook: sh \(pid \d+\) exited with code 5, /m);
});

test("memhook run -f keeps the store, readable while the program runs", { skip }, () => {
  const path = join(folder, "kept.mem");
  const view = commandLine("memview")
    .map((word) => `'${word}'`)
    .join(" ");
  const { stdout, stderr } = whileRunning(
    ["-f", path, obedient, "leak", "12345", "ready", "wait"],
    `${view} info '${path}' | grep ^state:; ${view} -a '${path}'; kill -TERM $pid`,
  );
  assert.equal(stdout, "ready\nstate:     running\nsize=12345, times=1\ncode 143\n");
  assert.match(stderr, new RegExp(`\nmemhook: the store is in ${path}: memview -acs ${path}\n`));
  for (const [name, lines] of [
    ["^leak$", "size=12345, times=1\n"],
    ["^main$", "size=12345, times=1\n"],
    ["^mai$", "No live allocations match.\n"],
  ] as const) {
    assert.equal(run("memview", ["-a", "--function", name, path]).stdout, lines);
  }
});

test("memhook run shows the processes that a program starts", { skip }, () => {
  const path = join(folder, "tree.mem");
  const script = '"$1" leak 111; "$1" leak 222; "$1"; exit 4';
  const { code, stderr } = run("memhook", ["run", "--mapped-file", path, "--", "sh", "-c", script, "sh", obedient], {
    env,
  });
  assert.equal(code, 4);
  const heads = plain(stderr)
    .split("\n")
    .filter((text) => text.startsWith("memhook: obedient"));
  assert.deepEqual(heads.slice(0, 2), [
    `memhook: obedient (pid N) has ended, 111 bytes live in 1 allocation`,
    `memhook: obedient (pid N) has ended, 222 bytes live in 1 allocation`,
  ]);
  assert.match(stderr, /^memhook: sh \(pid \d+\) exited with code 4, /m);
  const names = readdirSync(folder).filter((name) => name.startsWith("tree."));
  assert.equal(names.length, 4);
  for (const name of names) assert.match(name, /^tree\.(\d+\.)?mem$/);
  // What another run left beside it is not this run's business.
  const again = run("memhook", ["run", "-f", path, obedient, "leak", "7"], { env });
  assert.equal(plain(again.stderr).match(/^memhook: obedient/gm)?.length, 1);
});

const RUNNING_ON: [string, string[], number, string][] = [
  ["a daemon", [obedient, "leak", "100", "daemon", "leak", "400", "pid", "wait"], 0, "500 bytes live in 2 allocations"],
  [
    "a child",
    [obedient, "leak", "100", "child", "3", "leak", "400", "pid", "wait"],
    3,
    "500 bytes live in 2 allocations",
  ],
  ["a job", ["sh", "-c", '"$0" leak 400 pid wait & exit 4', obedient], 4, "400 bytes live in 1 allocation"],
  [
    "a job's child",
    ["sh", "-c", '("$0" child 0 leak 9 pid wait) & exit 5', obedient],
    5,
    "9 bytes live in 1 allocation",
  ],
  [
    "what a job handed itself on to",
    ["sh", "-c", `("$0" ${"child 0 ".repeat(40)}leak 9 pid wait) & exit 6`, obedient],
    6,
    "9 bytes live in 1 allocation",
  ],
];

for (const [what, words, expected, live] of RUNNING_ON) {
  test(`memhook run says that ${what} is still running`, { skip }, async () => {
    const [program, ...before] = commandLine("memhook");
    const running = new Running(program!, [...before, "run", ...words], { env });
    const pid = Number(/^pid (\d+)$/.exec((await running.line())!)![1]);
    // It has memhook's standard error.
    running.child.once("exit", () => process.kill(pid, "SIGKILL"));
    const { status, stderr } = await running.finished;
    assert.equal(status, expected);
    assert.match(plain(stderr), new RegExp(`^memhook: obedient \\(pid N\\) is still running, ${live}\n`, "m"));
    assert.match(stderr, new RegExp(`^memhook: .* exited with code ${expected}, `, "m"));
    assert.ok(stderr.includes(`(pid ${pid}) is still running`));
    assert.match(stderr, /^memhook: -f PATH keeps the stores of what is still running$/m);
    assert.deepEqual(leftovers(), []);
  });
}

test("memhook run says why nothing was recorded", { skip }, () => {
  // Zig compiles all of musl first.
  const muslGcc = crossCompilers.find(({ name }) => name === "musl-gcc");
  const target = muslGcc ? [] : ["-target", `${process.arch === "arm64" ? "aarch64" : "x86_64"}-linux-musl`];
  const fixed = build("obedient.c", { compiler: muslGcc ?? compiler("zig"), flags: [...target, "-static"] });
  const { code, stderr } = run("memhook", ["run", fixed, "exit", "3"], { env });
  assert.equal(code, 3);
  assert.equal(
    stderr,
    `memhook: nothing was recorded: ${fixed} is linked statically, and only the dynamic loader can preload a ` +
      "library: link it dynamically\n",
  );
  assert.equal(run("memhook", ["run", "--exit-code=9", fixed, "leak", "5"], { env }).code, 2);
  assert.deepEqual(leftovers(), []);
});

test("memhook run, memview and its JSON say that the program's own malloc comes first", { skip }, () => {
  const path = join(folder, "own.mem");
  const said = /calls of malloc bypass memhook: another one comes first, /;
  assert.match(run("memhook", ["run", "-f", path, build("own_malloc.c")], { env }).stderr, said);
  for (const args of [["-a"], [], ["info"]]) assert.match(run("memview", [...args, path]).stdout, said);
  assert.equal(JSON.parse(run("memview", ["--format", "json", path]).stdout).bypassed, true);
  assert.equal(JSON.parse(run("memview", ["info", "--format", "json", path]).stdout).store.bypassed, true);
  assert.match(run("memview", ["snapshot", path]).stderr, said);
  const usual = run("memhook", ["run", "-f", path, obedient, "leak", "5"], { env });
  assert.doesNotMatch(usual.stderr, said);
  assert.equal("bypassed" in JSON.parse(run("memview", ["--format", "json", path]).stdout), false);
});

test("run and lib tell of an allocator that is linked into the program, exported or not", { skip: noCompiler }, () => {
  const line =
    /^memhook: \S+ has an allocator of its own \((\w+), linked statically\): what that hands out .* is not recorded$/m;
  const hidden = ["-fvisibility=hidden"];
  const builds: [string, string[], string | undefined, string | undefined][] = [
    ["own_malloc.c", hidden, "malloc", "malloc"],
    ["own_malloc.c", [...hidden, "-Dmalloc=_rjem_malloc"], "_rjem_malloc", "_rjem_malloc"],
    ["own_malloc.c", [...hidden, "-s"], undefined, undefined],
    // The store says it, and whether it matters.
    ["own_malloc.c", [], undefined, "malloc"],
    ["leaks.c", [], undefined, undefined],
  ];
  for (const [source, flags, ran, library] of builds) {
    const program = build(source, { flags });
    const { stderr } = run("memhook", ["run", program]);
    assert.equal(line.exec(stderr)?.[1], ran, `${flags}: ${stderr}`);
    const { code, stdout, stderr: told } = run("memhook", ["lib", program]);
    assert.deepEqual([code, /libmemhook\.so\n$/.test(stdout)], [0, true]);
    assert.equal(line.exec(told)?.[1], library, `${flags}: ${told}`);
  }
});

test("memhook run keeps what was to be preloaded anyway", { skip }, () => {
  const { stdout } = run("memhook", ["run", "sh", "-c", 'echo "$LD_PRELOAD|"'], {
    env: { ...env, LD_PRELOAD: "libc.so.6" },
  });
  assert.match(stdout, /libmemhook\.so:libc\.so\.6\|\n$/);
});

test("memhook run with a store here sends nothing to memdb, and says so", { skip }, () => {
  const folder = temporaryFolder();
  for (const [name, value] of [
    ["mapped-file", join(folder, "it.mem")],
    ["exit-code", "0"],
    ["baseline", join(folder, "it.snap")],
  ] as const) {
    const { stdout, stderr } = run("memhook", ["run", `--${name}`, value, "sh", "-c", 'echo "|$MEMHOOK_NET_HOST|"'], {
      env: { ...env, MEMHOOK_NET_HOST: "elsewhere" },
    });
    assert.equal(stdout, "||\n", name);
    assert.ok(
      stderr.startsWith(`memhook: --${name} wants a store here: nothing is sent to memdb at elsewhere\n`),
      stderr,
    );
  }
});

test("memhook lib", () => {
  const { code, stdout, stderr } = run("memhook", ["lib"]);
  assert.deepEqual([code, stderr], [0, ""]);
  assert.match(stdout, /^\/.*\/libmemhook\.so\n$/);
  assert.ok(existsSync(stdout.trimEnd()));
  // Perhaps by way of a link: LD_PRELOAD could not hold every folder's name.
  assert.ok(realpathSync(stdout.trimEnd()).startsWith(realpathSync(join(root, "build/lib"))));
  // This very runtime is a program of this machine.
  assert.deepEqual(run("memhook", ["lib", process.execPath]), { code, signal: null, stdout, stderr });
});

test("memhook run and lib choose by the program", { skip: skip || muslTarget.missing }, () => {
  const musl = build("obedient.c", { compiler: crossCompilers.find(({ target }) => target === muslTarget)! });
  assert.equal(run("memhook", ["lib", musl]).stdout, `${muslTarget.library}\n`);
  const { code, stderr } = run("memhook", ["run", musl, "leak", "77"], { env });
  assert.equal(code, 0);
  assert.match(stderr, /^memhook: .*obedient \(pid \d+\) exited with code 0, 77 bytes live in 1 allocation\n/m);
  // The shell is of another C library than its child.
  const below = run("memhook", ["run", "sh", "-c", '"$1" leak 78; exit 3', "sh", musl], { env });
  assert.equal(below.code, 3);
  assert.match(below.stderr, /^memhook: .*obedient \(pid \d+\) has ended, 78 bytes live in 1 allocation\n/m);
});

const mistakes: [string[], RegExp][] = [
  [[], /^memhook: what to do\? memhook run PROGRAM, or memhook --help$/],
  [["walk"], /^memhook: unknown command 'walk': run or lib or init$/],
  [["--fast"], /^memhook: unknown option --fast: /],
  [["run"], /^memhook: run which program\? memhook run PROGRAM \[ARG…\]$/],
  [["run", "--"], /^memhook: run which program\?/],
  [["run", "--fast", "ls"], /^memhook: unknown option --fast: /],
  [["run", "--top", "x", "ls"], /^memhook: --top: 'x' is out of range or no number; /],
  [
    ["run", "--exit-code", "256", "ls"],
    /^memhook: --exit-code: '256' is out of range or no number; write a whole number from 0 to 255$/,
  ],
  [["run", "no-such-program-anywhere"], /^memhook: cannot run no-such-program-anywhere: no such program$/],
  [["run", "./no/such/program"], /^memhook: cannot run \.\/no\/such\/program: no such program$/],
  [["run", "/etc/passwd"], /^memhook: cannot run \/etc\/passwd: not executable$/],
  [
    ["run", "-f", "/no/such/folder/x.mem", "true"],
    /^memhook: -f \/no\/such\/folder\/x\.mem: there is no folder \/no\/such\/folder$/,
  ],
  [
    ["run", "-f", "/tmp/%p/x.mem", "true"],
    /^memhook: -f \/tmp\/%p\/x\.mem: %p and %e can only stand in the file's name$/,
  ],
  [["lib", "true", "extra"], /^memhook: one argument too many: 'extra'/],
  [["lib", "no-such-program-anywhere"], /^memhook: no-such-program-anywhere: no such program, or not executable$/],
  [["lib", unfit("power", 21)], /power is a program for powerpc64, the library is for x86_64 and aarch64$/],
  [["run", unfit("riscv", 243)], /riscv is a program for riscv64, the library is for x86_64 and aarch64$/],
];

for (const [args, message] of mistakes) {
  test(`memhook refuses ${args.join(" ") || "to guess"}`, () => {
    const { code, stdout, stderr } = run("memhook", args, { env });
    assert.deepEqual([code, stdout], [2, ""]);
    assert.match(stderr, /^[^\n]*\n$/, "one line");
    assert.match(stderr.trimEnd(), message);
    assert.deepEqual(leftovers(), []);
  });
}

test("memhook --help", () => {
  for (const args of [["--help"], ["run", "--help"], ["lib", "-h"]]) {
    const { code, stdout, stderr } = run("memhook", args);
    assert.deepEqual([code, stderr], [0, ""]);
    assert.ok(stdout.startsWith("memhook"));
  }
  // Behind the program, options are the program's.
  assert.equal(run("memhook", ["run", "echo", "--help-me", "--top"], { env }).stdout, "--help-me --top\n");
});
