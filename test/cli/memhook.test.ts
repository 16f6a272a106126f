// memhook run and lib as users run them, with a real program under the real library.

import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { build, compiler, noCompiler } from "../support/programs.js";
import { commandLine, root, run, temporaryFolder } from "../support/run.js";

const folder = temporaryFolder();
const skip = noCompiler;
// Temporary stores go to a folder of ours, so that what stays behind is seen.
const TMPDIR = temporaryFolder();
const env = { TMPDIR };

const ending = skip ? "" : build("ending.c");
const leftovers = () => readdirSync(TMPDIR).filter((name) => name.startsWith("memhook-"));

/** Standard error with the process id, and addresses and places outside of the program, replaced. */
function plain(text: string): string {
  return text
    .replaceAll(ending, "ending")
    .replace(/pid \d+/g, "pid N")
    .replace(/\S*\/test\/programs\//g, "")
    .replace(/^ {4}(?!(leak|main) ).*\n/gm, "");
}

test("memhook run keeps the program's output, input and exit code", { skip }, () => {
  const { code, stdout, stderr } = run("memhook", ["run", ending, "ready", "exit", "7"], { env });
  assert.deepEqual([code, stdout], [7, "ready\n"]);
  assert.equal(plain(stderr), "memhook: ending (pid N) exited with code 7, no live allocations\n");
  assert.deepEqual(leftovers(), []);
  const cat = run("memhook", ["run", "--", "cat"], { env, input: "from standard input\n" });
  assert.equal(cat.stdout, "from standard input\n");
});

test("memhook run shows what is live, worst last", { skip }, () => {
  const { code, stderr } = run("memhook", ["run", "--", ending, "leak", "1000", "leak", "24", "leak", "1000"], { env });
  assert.equal(code, 0);
  const lines = plain(stderr).replace(/ at ending\.c:\d+/g, "");
  assert.equal(
    lines,
    "memhook: ending (pid N) exited with code 0, 2024 bytes live in 3 allocations\nsize=2024, times=3\n    leak\n    main\n",
  );
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
      run("memhook", ["run", ...options, ending, ...words], { env }).code,
      expected,
      [...options, ...words].join(" "),
    );
  }
});

test("memhook run tells which signal ended the program", { skip }, () => {
  const { code, stderr } = run("memhook", ["run", ending, "leak", "5", "signal", "11"], { env });
  assert.equal(code, 128 + 11);
  assert.match(plain(stderr), /^memhook: ending \(pid N\) was ended by SIGSEGV, 5 bytes live in 1 allocation\n/);
});

/** Starts memhook run and waits until the program says that it is ready. */
async function started(args: string[]): Promise<{ child: ChildProcess; ended: Promise<[number | null, string]> }> {
  const [command, ...before] = commandLine("memhook");
  const child = spawn(command!, [...before, "run", ...args], {
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let stderr = "";
  child.stderr!.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  const ended = new Promise<[number | null, string]>((resolve) => {
    child.on("close", (code) => resolve([code, stderr]));
  });
  await new Promise<void>((resolve, reject) => {
    child.stdout!.once("data", () => resolve());
    child.on("close", () => reject(new Error(`ended too soon: ${stderr}`)));
  });
  return { child, ended };
}

test("memhook run passes SIGTERM on, and leaves SIGINT to the program", { skip, timeout: 60_000 }, async () => {
  const { child, ended } = await started([ending, "leak", "5", "ready", "wait"]);
  // The program is not told of this one; had memhook died of it, the code would say so.
  child.kill("SIGINT");
  child.kill("SIGTERM");
  const [code, stderr] = await ended;
  assert.equal(code, 128 + 15);
  assert.match(plain(stderr), /^memhook: ending \(pid N\) was ended by SIGTERM, 5 bytes live in 1 allocation\n/);
});

test("memhook run -f keeps the store, readable while the program runs", { skip, timeout: 60_000 }, async () => {
  const path = join(folder, "kept.mem");
  const { child, ended } = await started(["-f", path, ending, "leak", "12345", "ready", "wait"]);
  const during = run("memview", ["info", "--format=json", path]);
  assert.equal(JSON.parse(during.stdout).process.state, "running");
  assert.equal(run("memview", ["-a", path]).stdout, "size=12345, times=1\n");
  child.kill("SIGTERM");
  const [, stderr] = await ended;
  assert.match(stderr, new RegExp(`\nmemhook: the store is in ${path}: memview -acs ${path}\n$`));
  assert.equal(run("memview", ["-a", path]).stdout, "size=12345, times=1\n");
});

test("memhook run shows the processes that a program starts", { skip }, () => {
  const path = join(folder, "tree.mem");
  const script = '"$1" leak 111; "$1" leak 222; "$1"; exit 4';
  const { code, stderr } = run("memhook", ["run", "--mapped-file", path, "--", "sh", "-c", script, "sh", ending], {
    env,
  });
  assert.equal(code, 4);
  const heads = plain(stderr)
    .split("\n")
    .filter((text) => text.startsWith("memhook: ending"));
  assert.deepEqual(heads.slice(0, 2), [
    `memhook: ending (pid N) has ended, 111 bytes live in 1 allocation`,
    `memhook: ending (pid N) has ended, 222 bytes live in 1 allocation`,
  ]);
  assert.match(stderr, /^memhook: sh \(pid \d+\) exited with code 4, /m);
  const names = readdirSync(folder).filter((name) => name.startsWith("tree."));
  assert.equal(names.length, 4);
  for (const name of names) assert.match(name, /^tree\.(\d+\.)?mem$/);
  // What another run left beside it is not this run's business.
  const again = run("memhook", ["run", "-f", path, ending, "leak", "7"], { env });
  assert.equal(plain(again.stderr).match(/^memhook: ending/gm)?.length, 1);
});

test("memhook run says why nothing was recorded", { skip }, () => {
  const fixed = build("ending.c", {
    compiler: compiler("zig"),
    flags: ["-target", `${process.arch === "arm64" ? "aarch64" : "x86_64"}-linux-musl`, "-static"],
  });
  const { code, stderr } = run("memhook", ["run", fixed, "exit", "3"], { env });
  assert.equal(code, 3);
  assert.equal(
    stderr,
    `memhook: nothing was recorded: ${fixed} is linked statically, and only the dynamic loader can preload a library: link it dynamically\n`,
  );
  assert.equal(run("memhook", ["run", "--exit-code=9", fixed, "leak", "5"], { env }).code, 2);
  assert.deepEqual(leftovers(), []);
});

test("memhook run keeps what was to be preloaded anyway", { skip }, () => {
  const { stdout } = run("memhook", ["run", "sh", "-c", 'echo "$LD_PRELOAD|$MEMHOOK_NET_HOST|"'], {
    env: { ...env, LD_PRELOAD: "libc.so.6", MEMHOOK_NET_HOST: "elsewhere" },
  });
  assert.match(stdout, /libmemhook\.so:libc\.so\.6\|\|\n$/);
});

test("memhook lib", () => {
  const { code, stdout, stderr } = run("memhook", ["lib"]);
  assert.deepEqual([code, stderr], [0, ""]);
  assert.match(stdout, /^\/.*\/libmemhook\.so\n$/);
  assert.ok(existsSync(stdout.trimEnd()));
  assert.ok(stdout.startsWith(root));
});

const mistakes: [string[], RegExp][] = [
  [[], /^memhook: what to do\? memhook run PROGRAM, or memhook --help$/],
  [["walk"], /^memhook: unknown command 'walk': run or lib$/],
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
  [["lib", "extra"], /^memhook: one argument too many: 'extra'/],
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
