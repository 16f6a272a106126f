// What a program calls itself, its arguments, its functions and its files reaches nobody's terminal as it is: every
// command and every format is run on a program that is all controls. A new way out belongs into one of the tables here.

import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { before, test } from "node:test";
import { printable } from "../../runtime/host/printable.js";
import { Client } from "../memdb/client.js";
import { build, noCompiler, runProgram } from "../support/programs.js";
import { commandLine, run, temporaryFolder } from "../support/run.js";
import { Stream } from "../wire/stream.js";

const folder = temporaryFolder();
const options = { skip: noCompiler };

/**
 * Clears the screen, begins a line that GitHub obeys, rings and deletes, turns
 * the direction, and C1's way to begin a sequence.
 */
const HOSTILE = ["\x1b[2Jevil", "\n::error::forged", "\x07\b\x7f\r", "\u202eback\u2028\u2066", "\x9b2J"] as const;
const NAME = `a${HOSTILE.join("")}`;
// biome-ignore lint/suspicious/noControlCharactersInRegex: that is what is looked for
const OBEYED = /[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/;
/** JSON holds these exactly, and programs read it. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: that is what is looked for
const OBEYED_IN_JSON = /[\x00-\x09\x0b-\x1f]/;

// biome-ignore lint/suspicious/noControlCharactersInRegex: that is what is allowed
const COLOURS = /\x1b\[(1|2|22)m|\r$/gm;

const place = join(folder, NAME);
const program = join(place, "app\x1b[31m");
const store = join(place, "app.mem");
const empty = join(folder, "empty.snap");
const snapshot = join(folder, "now.snap");

before(async () => {
  if (noCompiler) return;
  let bytes = readFileSync(build("named.c")).toString("latin1");
  for (const [i, name] of HOSTILE.slice(0, 4).entries()) {
    const mark = `mark_${i}_${"x".repeat(24)}`;
    const written = Buffer.from(name).toString("latin1");
    assert.ok(bytes.includes(mark));
    bytes = bytes.replaceAll(mark, written + "y".repeat(mark.length - written.length));
  }
  mkdirSync(place);
  writeFileSync(program, Buffer.from(bytes, "latin1"));
  chmodSync(program, 0o755);
  const { status } = await runProgram(program, [...HOSTILE], { store });
  assert.equal(status, 0);
  assert.equal(run("memview", ["snapshot", "-z", "1GiB", store, "-o", empty]).code, 0);
  assert.equal(run("memview", ["snapshot", store, "-o", snapshot]).code, 0);
});

function sound(what: string, { stdout, stderr }: { stdout: string; stderr: string }, json = false): void {
  for (const [name, text] of Object.entries({ stdout, stderr })) {
    const found = (json && name === "stdout" ? OBEYED_IN_JSON : OBEYED).exec(text);
    assert.equal(found, null, `${what}: ${name}: ${JSON.stringify(text.slice(Math.max(0, (found?.index ?? 0) - 40)))}`);
    assert.doesNotMatch(text, /^::error::forged/m, what);
  }
}

/** Arguments, and the exit code that belongs to them. Each shows something of the program. */
const views: [args: () => string[], code: number][] = [
  [() => [store], 0],
  [() => ["-c", store], 0],
  [() => ["-ac", store], 0],
  [() => ["-acs", "--wide", "--source", store], 0],
  [() => ["-ac", "--no-demangle", store], 0],
  ...["function", "file", "line", "module", "thread"].map((by): [() => string[], number] => [
    () => ["--by", by, store],
    0,
  ]),
  [() => ["list", store], 0],
  [() => ["info", store], 0],
  [() => ["top", store], 0],
  [() => ["watch", "--count", "1", store], 0],
  [() => ["growth", "--every", "1h", empty, empty, snapshot], 0],
  [() => ["diff", "--format", "text", empty, store], 1],
  [() => ["diff", "--format", "markdown", empty, snapshot], 1],
  [() => ["diff", "--format", "github", empty, snapshot], 1],
  [() => ["diff", "--format", "junit", empty, snapshot], 1],
  // What is wrong, with the name in it.
  [() => [join(folder, `no${NAME}`)], 2],
  [() => [program], 2],
  [() => [NAME, store, NAME], 2],
  [() => ["--sort", NAME, store], 2],
  [() => ["-z", NAME, store], 2],
  [() => ["--module", `(${NAME}`, store], 2],
  [() => [`--${NAME}`, store], 2],
  [() => ["diff", "--format", NAME, empty, store], 2],
  [() => ["diff", `${empty}${NAME}`, `${store}${NAME}`], 2],
  [() => ["snapshot", store, "-o", join(folder, NAME, NAME, "x")], 2],
];

test("memview, in every text", options, () => {
  for (const [args, code] of views) {
    const ended = run("memview", args());
    assert.equal(ended.code, code, `${args().join(" ")}: ${ended.stderr}`);
    assert.ok(ended.stdout + ended.stderr !== "");
    sound(`memview ${args().join(" ")}`, ended);
  }
});

test("memview, in JSON: exact, and without raw controls", options, () => {
  for (const args of [
    ["-a", "--format", "json", store],
    ["info", "--format", "json", store],
    ["list", "--format", "json", store],
    ["snapshot", store],
  ]) {
    const ended = run("memview", args);
    assert.equal(ended.code, 0);
    sound(`memview ${args.join(" ")}`, ended, true);
  }
  const { stdout } = run("memview", ["-a", "--format", "json", store]);
  assert.deepEqual(JSON.parse(stdout).process.command.slice(1), [...HOSTILE]);
  const sarif = run("memview", ["diff", "--format", "sarif", empty, snapshot]);
  sound("sarif", sarif, true);
  assert.equal(JSON.parse(sarif.stdout).version, "2.1.0");
});

test("what GitHub is told, and the summary that it shows", options, () => {
  const summary = join(folder, "summary.md");
  sound("github", run("memview", ["diff", empty, snapshot], { env: { GITHUB_STEP_SUMMARY: summary } }));
  assert.ok(existsSync(summary));
  sound("summary", { stdout: readFileSync(summary, "utf8"), stderr: "" });
  sound(
    "no summary",
    run("memview", ["diff", empty, snapshot], { env: { GITHUB_STEP_SUMMARY: join(place, NAME, "s") } }),
  );
});

test("memhook run, and what it complains about", options, () => {
  const cases: [string[], Record<string, string>][] = [
    [["run", "-f", join(place, "run.mem"), "--", program, ...HOSTILE], {}],
    [["run", "--baseline", empty, "--", program, ...HOSTILE], {}],
    [["run", `${program}none`], {}],
    [["run", "-f", join(place, NAME, "x"), program], {}],
    [["run", "--exit-code", NAME, program], {}],
    [["run", program], { MEMHOOK_DEPTH: NAME, MEMHOOK_LOG: "stderr", MEMHOOK_SHM_NAME: NAME }],
    [["lib", `${program}none`], {}],
  ];
  for (const [args, env] of cases) sound(`memhook ${args.join(" ")}`, run("memhook", args, { env }));
});

test("the library's own complaints", options, async () => {
  const bad = "\x1b[2J\n\x7f\u009b\u202e\u2028é€😀";
  const env = { MEMHOOK_DEPTH: bad, MEMHOOK_LOG: "stderr", MEMHOOK_NET_HOST: undefined };
  const { stderr } = await runProgram(program, [], { store: join(place, "said.mem"), env });
  sound("library", { stdout: "", stderr });
  assert.ok(stderr.includes(`MEMHOOK_DEPTH='${printable(bad)}' is not`), stderr);
});

test("memdb's log and status", options, async () => {
  const socket = join(folder, "s");
  const [command, ...before] = commandLine("memdb");
  const memdb = spawn(command!, [...before, "--unix", socket, join(place, "memdb.mem")], { stdio: "pipe" });
  const exit = new Promise((resolve) => memdb.on("exit", resolve));
  let log = "";
  const listening = new Promise<void>((resolve) => {
    memdb.stderr.on("data", (chunk: Uint8Array) => {
      log += Buffer.from(chunk).toString();
      if (log.includes("listening")) resolve();
    });
  });
  try {
    await listening;
    const client = await new Client({ path: socket }).shake();
    client.stream.process({ exe: NAME, command: [NAME] });
    await client.commit();
    const status = run("memdb", ["status", "--unix", socket]);
    assert.equal(status.code, 0, status.stderr);
    sound("status", status);
    sound("status in JSON", run("memdb", ["status", "--unix", socket, "--format", "json"]), true);
    await client.cut();
  } finally {
    memdb.kill("SIGTERM");
    await exit;
  }
  assert.ok(log.includes(printable(NAME)), log);
  sound("log", { stdout: "", stderr: log });
  const wrong = [
    ["-f", join(place, NAME, "x")],
    ["--size", NAME],
    ["--unix", join(place, NAME)],
    ["status", "--unix", NAME],
    ["dump", NAME],
  ];
  for (const args of wrong) {
    const ended = run("memdb", args);
    assert.equal(ended.code, 2);
    sound(`memdb ${args.join(" ")}`, ended);
  }
  const input = new Stream()
    .hello()
    .process({ exe: NAME, command: [NAME] })
    .take();
  const dumped = run("memdb", ["dump", "-"], { input });
  assert.equal(dumped.code, 0, dumped.stdout);
  sound("dump", dumped);
});

const hasScript = spawnSync("script", ["--version"]).status === 0;
test("on a terminal only memview's own colours are obeyed", {
  skip: noCompiler || (!hasScript && "script is not here"),
}, () => {
  const command = [...commandLine("memview"), "-ac", "--source"].map((word) => `'${word}'`).join(" ");
  const { stdout } = spawnSync("script", ["-qec", `stty cols 200; ${command} "$STORE"`, "/dev/null"], {
    encoding: "utf8",
    input: "",
    env: { ...process.env, STORE: store, TERM: "xterm", NO_COLOR: "" },
  });
  assert.ok(stdout.includes("\x1b[1m"));
  sound("terminal", { stdout: stdout.replace(COLOURS, ""), stderr: "" });
});
