// One definition: --help of every command, the manual pages, docs/options.md and README's tables say what cli/ defines,
// and cli/environment.ts names the variables that the code reads.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { callable, PROGRAMS } from "../../cli/definition.js";
import { CHECKING, SETTINGS, type Variable, VIEWING } from "../../cli/environment.js";
import { help, sections, spelling } from "../../cli/help.js";
import { root, run } from "../support/run.js";

const { documents, withTables } = (await import(pathToFileURL(join(root, "tools/docs.mjs")).href)) as {
  documents(folder?: string): Promise<{ path: string; text: string }[]>;
  withTables(text: string, makers: Record<string, (argument: string) => string>): string;
};
const made = await documents();
const commands = (await Promise.all(PROGRAMS.map(callable))).flat();
const read = (path: string) => readFileSync(join(root, path), "utf8");

for (const { path, text } of made) {
  test(`${path} is in step with the definitions`, () => {
    assert.equal(read(path), text, `run: node tools/docs.mjs`);
  });
}

test("a table that was edited by hand is not in step, nor is a marker that nothing makes", () => {
  const text = "a\n<!-- made: exits -->\n\n| by hand |\n<!-- end -->\nb\n";
  const makers = { exits: () => "| made |" };
  assert.equal(withTables(text, makers), "a\n<!-- made: exits -->\n\n| made |\n<!-- end -->\nb\n");
  assert.throws(() => withTables(text.replace("exits", "exists"), makers), /nothing makes 'exists'/);
});

test("the definitions are those of the programs that package.json installs", () => {
  const { bin } = JSON.parse(read("package.json")) as { bin: Record<string, string> };
  assert.deepEqual(PROGRAMS.map(({ meta }) => meta.name).sort(), Object.keys(bin).sort());
});

for (const { path, command } of commands) {
  const [program, ...words] = path.split(" ") as ["memview", ...string[]];

  test(`${path} --help is its definition`, async () => {
    const { code, stdout, stderr } = run(program, [...words, "--help"]);
    assert.deepEqual([code, stderr, stdout], [0, "", await help(command, path)]);
    for (const line of stdout.split("\n")) assert.ok(line.length <= 80, line);
    assert.match(stdout, /\nExamples:\n/);
    assert.match(stdout, /\nExit code:\n/);
  });

  test(`${path}: help, manual and docs/options.md name every option, variable and exit code`, () => {
    const { stdout } = run(program, [...words, "--help"]);
    const manual = read(`docs/man/${program}.1`).replaceAll("\\-", "-").replaceAll("\\(aq", "'");
    const page = read("docs/options.md").replaceAll("\\|", "|");
    for (const { options } of sections(command.args)) {
      for (const [name, option] of options) {
        const spelt = spelling(name, option);
        for (const text of [stdout, manual, page]) assert.ok(text.includes(spelt), spelt);
        assert.match(option.description ?? "", /[.)]$/, `${spelt} has a description in sentences`);
      }
    }
    for (const [code] of command.exits) assert.ok(page.includes(`| ${code} |`), code);
  });
}

test("the manual pages have no warnings", (context) => {
  const pages = readdirSync(join(root, "docs/man")).map((name) => join(root, "docs/man", name));
  assert.equal(pages.length, PROGRAMS.length);
  // Whatever this machine has of the two; without any, what roff would warn of is looked for by hand.
  const groff = spawnSync("groff", ["-man", "-Tutf8", "-ww", "-z", ...pages], { encoding: "utf8" });
  if (!groff.error) assert.deepEqual([groff.status, groff.stderr], [0, ""]);
  const mandoc = spawnSync("mandoc", ["-Tlint", "-Wwarning", ...pages], { encoding: "utf8" });
  // An unreleased version has no date.
  if (!mandoc.error) assert.equal(mandoc.stdout.replace(/.*cannot parse date.*TH unreleased\n/g, ""), "");
  context.diagnostic?.(`groff: ${groff.error ? "not here" : "asked"}, mandoc: ${mandoc.error ? "not here" : "asked"}`);
  for (const page of pages) {
    for (const line of readFileSync(page, "utf8").split("\n")) {
      assert.match(line, /^(\.(TH|SH|SS|PP|TP|B|BR|\\") |\.(PP|TP)$|[^.'])|^$/, line);
      assert.doesNotMatch(line.replace(/\\(-|e|&|\(aq|\(ga|\(dq|\(ha|\(ti|")/g, ""), /\\/, line);
    }
  }
});

const names = (variables: readonly Variable[]) => variables.flatMap((each) => each.names).sort();
const distinct = (found: Iterable<RegExpMatchArray>) =>
  [...new Set([...found].flatMap((match) => match.slice(1).filter((each) => each !== undefined)))].sort();

test("the settings are those that preload/base/settings.c reads, with its defaults", () => {
  const source = read("preload/base/settings.c");
  assert.deepEqual(names(SETTINGS), distinct(source.matchAll(/"(MEMHOOK_\w+)"/g)));
  const fallback = (name: string) => SETTINGS.find((each) => each.names.includes(name))!.fallback;
  const value = (name: string) => SETTINGS.find((each) => each.names.includes(name))!.value;
  const inSource = (pattern: RegExp) => pattern.exec(source)?.[1];
  assert.equal(fallback("MEMHOOK_DEPTH"), inSource(/#define DEPTH_DEFAULT (\d+)/));
  assert.equal(fallback("MEMHOOK_SHM_NAME"), inSource(/shm_name = "(\w+)"/));
  assert.equal(fallback("MEMHOOK_NET_PORT"), inSource(/port = (\d+);/));
  assert.equal(fallback("MEMHOOK_CACHE_FLUSH_INTERVAL"), `${inSource(/net_interval = (\d+) \* 1000000000ull;/)}s`);
  assert.match(source, /size = sizeof\(void \*\) == 8 \? 8ull << 30 : 1ull << 30;/);
  assert.equal(fallback("MEMHOOK_SIZE"), "8 GiB; 1 GiB in 32-bit programs");
  for (const [name, list] of [
    ["MEMHOOK_UNWIND", "unwinds"],
    ["MEMHOOK_CHILDREN", "children"],
  ] as const) {
    const words = inSource(new RegExp(`${list}\\[\\] = \\{(.*), NULL\\}`))!
      .replace(/[" ]/g, "")
      .split(",");
    assert.equal(value(name), words.join("|"));
    assert.equal(fallback(name), words[0]);
  }
});

test("the programs' variables are those that their code reads", () => {
  const sources = ["runtime", "cli"].flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
      .filter((name) => name.endsWith(".ts"))
      .map((name) => read(`${folder}/${name}`)),
  );
  const found = distinct(
    sources.flatMap((text) => [
      ...text.matchAll(/\b(?:process\.env|environment)\.([A-Z]\w+)|\{ ([A-Z]\w+)[^}]*\} = process\.env/g),
    ]),
  );
  // Not memhook's own: where programs and caches are, and what a terminal can do.
  const common = ["PATH", "TERM", "XDG_CACHE_HOME"];
  // The library's, which memhook run hands over to it.
  const handed = ["MEMHOOK_NET_HOST", "MEMHOOK_NET_PORT"];
  assert.deepEqual(found, [...names([...CHECKING, ...VIEWING]), ...common, ...handed].sort());
});
