// What README and docs/ tell users to type exists: every option and variable is defined, every link leads somewhere,
// every shell block is one, and those marked `sh run` are run.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { copyFileSync, existsSync, mkdtempSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { canonical } from "../../cli/arguments.js";
import { SETTINGS, VIEWING } from "../../cli/environment.js";
import { commands, fences, fencesWith, PAGES, page, shellFunctions, type Typed, typedIn } from "../support/docs.js";
import { build, noCompiler, which } from "../support/programs.js";
import { root, temporaryFolder } from "../support/run.js";

const folder = temporaryFolder();

/** Made from the definitions: its usage lines are no commands. */
const MADE = "docs/options.md";
const withoutTables = (text: string) => text.replace(/<!-- made: [\s\S]*?<!-- end -->/g, "");

/** @throws UsageError when a program does not have such an option. */
function parse({ path, args }: Typed): void {
  const { command } = commands.find((each) => each.path === path)!;
  // Words of the page for what is to be filled in.
  const words = args.filter((word) => !/^\[.*\]$/.test(word));
  canonical(words, command.args);
}

for (const path of PAGES.filter((each) => each !== MADE)) {
  test(`${path}: every command line has options that there are`, () => {
    const text = withoutTables(page(path));
    const lines = [
      ...fences(path)
        .filter(({ words }) => words[0] === undefined || words[0] === "sh")
        .flatMap((fence) => fence.text.split("\n")),
      ...[...text.replace(/^```[\s\S]*?^```/gm, "").matchAll(/`([^`\n]+)`/g)].map((match) => match[1]!),
    ];
    for (const typed of lines.flatMap(typedIn)) {
      try {
        parse(typed);
      } catch (error) {
        assert.fail(`${typed.path} ${typed.args.join(" ")}: ${(error as Error).message}`);
      }
    }
  });
}

test("every example of --help has options that there are", () => {
  for (const { path, command } of commands) {
    const typed = command.examples.flatMap(([line]) => typedIn(line));
    assert.ok(typed.length > 0, path);
    typed.forEach(parse);
  }
});

test("what is looked for in a line of shell", () => {
  const found = (line: string) => typedIn(line).map(({ path, args }) => [path, ...args].join(" "));
  assert.deepEqual(found("x=1 node memview -ac --top 10 app.mem > out 2>&1  # ten"), ["memview -ac --top 10 app.mem"]);
  assert.deepEqual(found('LD_PRELOAD=$(memhook lib "a b") ./app; memview info x | jq .y'), [
    "memhook lib a b",
    "memview info x",
  ]);
  assert.deepEqual(found("memhook: not found, nor a memviewer"), []);
  assert.deepEqual(found("memhook run --top 3 -- ./memview"), ["memhook run --top 3 -- ./memview", "memview"]);
  assert.throws(() => typedIn("memview --no-such app.mem").forEach(parse), /unknown option --no-such/);
});

test("every variable that a page names is one of the library's, or of the programs that show what it has", () => {
  const known = new Set([...SETTINGS, ...VIEWING].flatMap(({ names }) => names));
  for (const path of PAGES) {
    for (const [name] of page(path).matchAll(/\bMEMHOOK_(?!TEST_)[A-Z_]*[A-Z]\b/g))
      assert.ok(known.has(name), `${path}: ${name}`);
  }
});

/** The anchor that GitHub gives a heading. */
const anchorOf = (heading: string) =>
  heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, "")
    .replaceAll(" ", "-");

test("every link leads somewhere", () => {
  const rooms = ["preload", "runtime"].flatMap((house) =>
    readdirSync(join(root, house), { recursive: true, encoding: "utf8" })
      .filter((name) => name.endsWith("README.md"))
      .map((name) => `${house}/${name}`),
  );
  for (const path of [...PAGES, ...rooms, "ARCHITECTURE.md", "bench/README.md", "test/programs/README.md"]) {
    for (const [, target] of page(path).matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^https?:/.test(target!)) continue;
      const [file, anchor] = target!.split("#");
      const there = file === "" ? path : normalize(join(dirname(path), file!));
      assert.ok(existsSync(join(root, there)), `${path}: ${target}`);
      if (anchor === undefined) continue;
      const headings = [...readFileSync(join(root, there), "utf8").matchAll(/^#+ (.*)$/gm)].map((match) =>
        anchorOf(match[1]!),
      );
      assert.ok(headings.includes(anchor), `${path}: ${target}`);
    }
  }
});

test("every shell block is one", { skip: which("bash") ? false : "no bash" }, () => {
  for (const { text, line, page: path } of PAGES.flatMap((each) => fencesWith(each, "sh"))) {
    const { status, stderr } = spawnSync("bash", ["-n"], { input: text, encoding: "utf8" });
    assert.equal(status, 0, `${path}:${line}: ${stderr}`);
  }
});

// docs/services.md has a test of its own: recipes.test.ts.
for (const path of PAGES.filter((each) => each !== "docs/services.md" && fencesWith(each, "sh", "run").length > 0)) {
  test(`${path}: its commands run`, { skip: noCompiler }, () => {
    const cwd = mkdtempSync(join(folder, "run "));
    for (const name of ["app", "tests"]) copyFileSync(build("sessions.c"), join(cwd, name));
    for (const { text, line } of fencesWith(path, "sh", "run")) {
      const { status, stdout, stderr } = spawnSync(
        "bash",
        ["-euo", "pipefail", "-c", `${shellFunctions()}${text}\nwait`],
        {
          cwd,
          encoding: "utf8",
          env: { ...process.env, NO_COLOR: "1" },
        },
      );
      assert.equal(status, 0, `${path}:${line}: ${stdout}${stderr}`);
    }
  });
}

test("README's report is what its command prints", {
  skip: noCompiler || (which("script") ? false : "script is not here"),
}, () => {
  const [fence] = fencesWith("README.md", "text", "report");
  const shown = fence!.text.trimEnd().split("\n");
  const command = /^\.\/build\.sh run .*$/m.exec(page("README.md"))![0];
  const { stdout } = spawnSync("script", ["-qec", `stty cols 120; ${command}`, "/dev/null"], {
    cwd: root,
    encoding: "utf8",
    env: { ...process.env, NO_COLOR: "1" },
  });
  // Process ids differ, and frames outside of main are cut from the page.
  const plain = (line: string) => line.trimEnd().replace(/pid \d+/, "pid N");
  const printed = stdout.split("\n").map(plain);
  const outside = /^ {4}(_|\S+ at .*libc|\S*\/libc\S*\+0x)/;
  assert.deepEqual(
    printed.filter((line) => line !== "" && !outside.test(line)),
    shown.filter((line) => line !== "    …").map(plain),
  );
});

/** Ratios of the rows of a table in bench/README.md; each cell begins with one. */
function measured(head: RegExp, column: string): number[] {
  const lines = page("bench/README.md").split("\n");
  const start = lines.findIndex((line) => head.test(line));
  const cells = (line: string) => line.split("|").map((cell) => cell.trim());
  const at = cells(lines[start]!).indexOf(column);
  assert.ok(at > 0, column);
  const end = lines.findIndex((line, i) => i > start && line === "");
  return lines
    .slice(start + 2, end)
    .filter((line) => !/pairs/.test(line))
    .map((line) => Number.parseFloat(cells(line)[at]!));
}

test("README's figures are those of bench/README.md", () => {
  const table = [...page("README.md").matchAll(/^\| ([^|]+) \| ([\d.]+) to ([\d.]+) \|$/gm)];
  const now = /^\| \| alone, s \|/;
  const all = /^\| \| alone \| interposition \|/;
  const columns: [RegExp, string][] = [
    [now, "memhook"],
    [now, "heaptrack, process only"],
    [now, "heaptrack, as shipped"],
    [all, "sampled"],
    [all, "jemalloc, sampled"],
    [all, "jemalloc, every allocation"],
    [all, "gperftools"],
  ];
  assert.equal(table.length, columns.length);
  for (const [i, [head, column]] of columns.entries()) {
    const ratios = measured(head, column);
    assert.equal(ratios.length, 7, column);
    const [, name = "", low, high] = table[i]!;
    assert.deepEqual([Number(low), Number(high)], [Math.min(...ratios), Math.max(...ratios)], name);
  }
});
