// memview diff and snapshot: what is printed in each format, exit codes, and accepting a change.

import assert from "node:assert/strict";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { test } from "node:test";
import { Ajv, type AnySchema } from "ajv";
import addFormats from "ajv-formats";
import { writeSnapshot } from "../../runtime/snapshots/snapshotfile.js";
import { run, temporaryFolder } from "../support/run.js";
import { held, snapshot } from "../support/snapshots.js";
import { StoreBuilder } from "../support/store-builder.js";

const folder = temporaryFolder();
const memview = (args: string[], more: Record<string, string> = {}) => run("memview", args, { cwd: folder, env: more });

const base = snapshot(
  held(2, 64, "_ZN5cache3putEi@src/cache.cc:40", "main@src/main.cc:9"),
  held(1, 8, "old@src/old.c:3"),
);
const head = snapshot(
  held(3, 96, "_ZN5cache3putEi@src/cache.cc:40", "main@src/main.cc:9"),
  held(1, 24, "strdup!libc.so.6", "make|leak@src/leak, 100%.c:12", "main@src/main.cc:11"),
);
writeSnapshot(join(folder, "base.snap"), base, false);
writeSnapshot(join(folder, "head.snap"), head, false);
writeSnapshot(join(folder, "head.snap.gz"), head, true);

const TEXT = `regression: 1 new call stack, 1 grown: +56 bytes in 2 allocations

grown  +32 bytes in 1 allocation  cache::put(int) at src/cache.cc:40
new    +24 bytes in 1 allocation  make|leak at src/leak, 100%.c:12
fixed  −8 bytes in −1 allocation  old at src/old.c:3

grown, app: +32 bytes in 1 allocation
    cache::put(int) at src/cache.cc:40
    main at src/main.cc:9

new, app: +24 bytes in 1 allocation
    strdup at libc.so.6
    make|leak at src/leak, 100%.c:12
    main at src/main.cc:11

To accept what is live now: memview diff --update base.snap head.snap
`;
const ANNOTATIONS = `\
::error file=src/cache.cc,line=40,title=memhook%3A grown in app::+32 bytes in 1 allocation%0A\
cache::put(int) at src/cache.cc:40%0Amain at src/main.cc:9
::error file=src/leak%2C 100%25.c,line=12,title=memhook%3A new in app::+24 bytes in 1 allocation%0A\
strdup at libc.so.6%0Amake|leak at src/leak, 100%25.c:12%0Amain at src/main.cc:11
`;
const MARKDOWN = `### memhook: regression

1 new call stack, 1 grown: +56 bytes in 2 allocations

| | bytes | allocations | where | program |
|---|--:|--:|---|---|
| ❌ grown | +32 | +1 | \`cache::put(int) at src/cache.cc:40\` | \`app\` |
| ❌ new | +24 | +1 | \`make\\|leak at src/leak, 100%.c:12\` | \`app\` |
| fixed | −8 | −1 | \`old at src/old.c:3\` | \`app\` |

<details><summary>grown, app: +32 bytes in 1 allocation</summary>

\`\`\`text
cache::put(int) at src/cache.cc:40
main at src/main.cc:9
\`\`\`
</details>

<details><summary>new, app: +24 bytes in 1 allocation</summary>

\`\`\`text
strdup at libc.so.6
make|leak at src/leak, 100%.c:12
main at src/main.cc:11
\`\`\`
</details>

To accept what is live now: \`memview diff --update base.snap head.snap\`
`;
const JUNIT = `<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="memhook" tests="3" failures="2" errors="0" skipped="0">
  <testsuite name="memhook" tests="3" failures="2" errors="0" skipped="0">
    <testcase classname="memhook" name="compared"><system-out>\
regression: 1 new call stack, 1 grown: +56 bytes in 2 allocations</system-out></testcase>
    <testcase classname="app" name="grown: cache::put(int) at src/cache.cc:40" file="src/cache.cc" line="40">
      <failure type="grown" message="+32 bytes in 1 allocation">cache::put(int) at src/cache.cc:40&#10;\
main at src/main.cc:9</failure>
    </testcase>
    <testcase classname="app" name="new: make|leak at src/leak, 100%.c:12" file="src/leak, 100%.c" line="12">
      <failure type="new" message="+24 bytes in 1 allocation">strdup at libc.so.6&#10;\
make|leak at src/leak, 100%.c:12&#10;main at src/main.cc:11</failure>
    </testcase>
  </testsuite>
</testsuites>
`;

const formats: [string, string][] = [
  ["text", TEXT],
  ["markdown", MARKDOWN],
  ["github", ANNOTATIONS + TEXT],
  ["junit", JUNIT],
];
for (const [format, expected] of formats) {
  test(`memview diff --format ${format}`, () => {
    const { code, stdout, stderr } = memview(["diff", "--format", format, "base.snap", "head.snap"]);
    assert.deepEqual({ code, stdout, stderr }, { code: 1, stdout: expected, stderr: "" });
  });
}

test("memview diff --format json", () => {
  const { code, stdout } = memview(["diff", "--format", "json", "base.snap", "head.snap"]);
  const { changes, ...rest } = JSON.parse(stdout);
  assert.deepEqual(
    { code, ...rest },
    {
      code: 1,
      version: 1,
      verdict: "regression",
      base: { count: 3, bytes: 72 },
      head: { count: 4, bytes: 120 },
      dropped: 0,
      stacks: { new: 1, grown: 1, shrunk: 0, fixed: 1, unchanged: 0 },
    },
  );
  assert.deepEqual(changes[0], {
    status: "grown",
    regression: true,
    moved: false,
    program: "app",
    base: { count: 2, bytes: 64 },
    head: { count: 3, bytes: 96 },
    stack: [
      { module: "app", function: "cache::put(int)", file: "src/cache.cc", line: 40 },
      { module: "app", function: "main", file: "src/main.cc", line: 9 },
    ],
  });
  assert.deepEqual(
    changes.map(({ status, regression }: Record<string, unknown>) => [status, regression]),
    [
      ["grown", true],
      ["new", true],
      ["fixed", false],
    ],
  );
});

/** What the standard's schema says of a document. */
const sarif = (() => {
  const schema: AnySchema = JSON.parse(
    readFileSync(createRequire(import.meta.url).resolve("schemastore/schemas/json/sarif-2.1.0.json"), "utf8"),
  );
  const ajv = new Ajv({ strict: false, unicodeRegExp: false });
  addFormats.default(ajv);
  return ajv.compile(schema);
})();

test("memview diff: where a new leak could be another that is as large, both are told, in each format", () => {
  const was = held(1, 24, "make@src/a.c:5", "work@src/a.c:20", "main@src/main.c:9");
  const is = held(1, 24, "make@src/a.c:5", "work@src/a.c:21", "main@src/main.c:9");
  writeSnapshot(join(folder, "one.snap"), snapshot(was), false);
  writeSnapshot(join(folder, "two.snap"), snapshot(was, is), false);
  const told = (format: string) => memview(["diff", "--format", format, "one.snap", "two.snap"]).stdout;
  const frames = "make at src/a.c:5\nwork at src/a.c:21\nmain at src/main.c:9\n";
  const lines = `${frames}or, since this holds as much:\nwork at src/a.c:20\n`;
  assert.ok(told("text").includes(lines.replace(/^(?=.)/gm, "    ")), told("text"));
  assert.ok(told("markdown").includes(lines));
  assert.ok(told("junit").includes(lines.trimEnd().replaceAll("\n", "&#10;")));
  assert.ok(told("github").includes(lines.trimEnd().replaceAll("\n", "%0A")));
  const [change] = JSON.parse(told("json")).changes;
  assert.deepEqual(change.or, [
    [
      { module: "app", function: "make", file: "src/a.c", line: 5 },
      { module: "app", function: "work", file: "src/a.c", line: 20 },
      { module: "app", function: "main", file: "src/main.c", line: 9 },
    ],
  ]);
  const [result] = JSON.parse(told("sarif")).runs[0].results;
  assert.deepEqual(result.relatedLocations[0].physicalLocation.region, { startLine: 20 });
  assert.ok(sarif(JSON.parse(told("sarif"))), JSON.stringify(sarif.errors));
});

test("memview diff --format sarif is what the standard's schema asks for", () => {
  const { code, stdout } = memview(["diff", "--format", "sarif", "base.snap", "head.snap"]);
  assert.equal(code, 1);
  const document = JSON.parse(stdout);
  assert.ok(sarif(document), JSON.stringify(sarif.errors));
  // The schema does say no.
  const wrong = structuredClone(document);
  wrong.runs[0].results[0].level = "terrible";
  assert.equal(sarif(wrong), false);

  const [grown, added] = document.runs[0].results;
  assert.equal(grown.ruleId, "memory-grown");
  assert.equal(added.message.text, "app: +24 bytes in 1 allocation, make|leak at src/leak, 100%.c:12");
  assert.deepEqual(added.locations[0].physicalLocation, {
    artifactLocation: { uri: "src/leak%2C%20100%25.c" },
    region: { startLine: 12 },
  });
  assert.equal(added.stacks[0].frames.length, 3);
});

test("memview diff: in GitHub Actions the summary is written and code annotated, in any format", () => {
  const summary = join(folder, "summary.md");
  writeFileSync(summary, "before\n");
  const { code, stdout, stderr } = memview(["diff", "base.snap", "head.snap"], { GITHUB_STEP_SUMMARY: summary });
  assert.deepEqual({ code, stdout, stderr }, { code: 1, stdout: TEXT, stderr: ANNOTATIONS });
  assert.equal(readFileSync(summary, "utf8"), `before\n${MARKDOWN}`);
});

test("memview diff: at most ten annotations", () => {
  const many = snapshot(...Array.from({ length: 15 }, (_, i) => held(1, 8, `f${i}@src/f.c:${i + 1}`)));
  writeSnapshot(join(folder, "many.snap"), many, false);
  const { stdout } = memview(["diff", "--format", "github", "base.snap", "many.snap"]);
  assert.equal(stdout.match(/^::error /gm)?.length, 10);
});

const verdicts: [string[], number, string][] = [
  [["base.snap", "base.snap"], 0, "no regression: 2 unchanged call stacks"],
  [["base.snap", "head.snap.gz"], 1, "regression: 1 new call stack, 1 grown: +56 bytes in 2 allocations"],
  [["head.snap", "base.snap"], 1, "regression: 1 new call stack: +8 bytes in 1 allocation"],
  [["--fail-on", "none", "base.snap", "head.snap"], 0, "no regression: 1 new call stack, 1 grown, 1 fixed"],
  [["--fail-on=new", "base.snap", "head.snap"], 1, "regression: 1 new call stack: +24 bytes in 1 allocation"],
  [
    ["--fail-on=new,grown", "--min-bytes=25", "base.snap", "head.snap"],
    1,
    "regression: 1 grown call stack: +32 bytes in 1 allocation",
  ],
  [["--min-count", "2", "base.snap", "head.snap"], 0, "no regression: 1 new call stack, 1 grown, 1 fixed"],
  [["--max-growth=50%", "base.snap", "head.snap"], 1, "regression: 1 new call stack: +24 bytes in 1 allocation"],
  [["--max-growth", "32", "base.snap", "head.snap"], 1, "regression: 1 new call stack: +24 bytes in 1 allocation"],
  [
    ["--ignore-module", "^libc", "base.snap", "head.snap"],
    1,
    "regression: 1 grown call stack: +32 bytes in 1 allocation",
  ],
  [["--suppressions", "known", "base.snap", "head.snap"], 1, "regression: 1 new call stack: +24 bytes in 1 allocation"],
  [["--third", "head.snap", "base.snap", "head.snap"], 0, "no regression: 1 new call stack, 1 grown, 1 fixed"],
  [["--fail-on=any", "head.snap", "head.snap"], 0, "no regression: 2 unchanged call stacks"],
];
writeFileSync(join(folder, "known"), "leak:cache::put\n");
for (const [args, code, verdict] of verdicts) {
  test(`memview diff ${args.join(" ")}`, () => {
    const { stdout, code: actual } = memview(["diff", ...args]);
    assert.deepEqual([stdout.split("\n")[0], actual], [verdict, code]);
  });
}

test("memview diff --update writes HEAD to BASE, compressed if that was", () => {
  for (const name of ["accepted.snap", "accepted.snap.gz"]) {
    writeSnapshot(join(folder, name), base, name.endsWith(".gz"));
    const { code, stdout, stderr } = memview(["diff", "--update", name, "head.snap"]);
    assert.deepEqual(
      { code, stdout, stderr },
      { code: 0, stdout: "", stderr: `memview: ${name}: 2 call stacks with 120 bytes accepted\n` },
    );
    assert.deepEqual(
      readFileSync(join(folder, name)),
      readFileSync(join(folder, name.endsWith(".gz") ? "head.snap.gz" : "head.snap")),
    );
  }
});

test("memview diff: a base that is missing is written, but not under CI", () => {
  const refused = memview(["diff", "new.snap", "head.snap"], { CI: "true" });
  assert.deepEqual(
    { code: refused.code, stderr: refused.stderr },
    {
      code: 2,
      stderr:
        "memview: new.snap: there is no such file; make it and commit it: memview snapshot head.snap -o new.snap\n",
    },
  );
  assert.equal(existsSync(join(folder, "new.snap")), false);
  const written = memview(["diff", "new.snap", "head.snap"]);
  assert.deepEqual(
    { code: written.code, stderr: written.stderr },
    { code: 0, stderr: "memview: new.snap: was not there, 2 call stacks with 120 bytes written; commit it\n" },
  );
  assert.equal(memview(["diff", "new.snap", "head.snap"]).code, 0);
});

const store = new StoreBuilder({ exe: "/nowhere/app" });
const module = store.module("/nowhere/app");
const stack = store.stack([store.frame(module, 0x10n)]);
store.record({ address: 0x1000n, size: 16, time: 1_000_000_000n, stack });
store.record({ address: 0x2000n, size: 32, time: 9_000_000_000n, stack });
store.write(join(folder, "app.mem"));
const STORED = (count: number, bytes: number) => `{"format":"memhook snapshot","version":1,
"totals":{"count":${count},"bytes":${bytes},"stacks":1},
"suppressed":{"count":0,"bytes":0},
"dropped":0,
"stacks":[
{"program":"app","count":${count},"bytes":${bytes},"stack":[["app","+0x10",null,null]]}
]}
`;
const snapshots: [string[], string][] = [
  [["app.mem"], STORED(2, 48)],
  [["-f", "app.mem"], STORED(2, 48)],
  [["app.mem", "app.mem"], STORED(4, 96)],
  [["-f", "app.mem", "-fapp.mem"], STORED(4, 96)],
  [["--min-time-from-start", "5s", "app.mem"], STORED(1, 32)],
];
for (const [args, expected] of snapshots) {
  test(`memview snapshot ${args.join(" ")}`, () => {
    const { code, stdout } = memview(["snapshot", ...args]);
    assert.deepEqual({ code, stdout }, { code: 0, stdout: expected });
  });
}

test("memview snapshot -o, compressed, and compared with the store itself", () => {
  assert.equal(memview(["snapshot", "app.mem", "--compress", "-o", "app.snap"]).code, 0);
  const { code, stdout } = memview(["diff", "app.snap", "app.mem"]);
  assert.deepEqual({ code, stdout }, { code: 0, stdout: "no regression: 1 unchanged call stack\n" });
});

const wrong: [string[], string, Record<string, string>?][] = [
  [["diff", "base.snap"], "compare what? memview diff BASE HEAD"],
  [["diff", "base.snap", "gone.mem"], "gone.mem: no such file; start the program under memhook, or name its store"],
  [
    ["diff", "--fail-on=some", "base.snap", "head.snap"],
    "--fail-on: 'some' is unknown; write new or grown or any or none",
  ],
  [["diff", "--fail-on=any,new", "base.snap", "head.snap"], "--fail-on: 'any,new': any and none stand alone"],
  [
    ["diff", "--max-growth=-5%", "base.snap", "head.snap"],
    "--max-growth: '-5%' is negative; write bytes, or a number with KiB, MiB, GiB, KB, MB or GB",
  ],
  [
    ["diff", "--format=xml", "base.snap", "head.snap"],
    "--format: 'xml' is unknown; write text or json or markdown or github or sarif or junit",
  ],
  [
    ["diff", "--update", "base.snap", "head.snap"],
    "--update is refused where CI=true is set; run it yourself and commit the file: memview diff --update " +
      "base.snap head.snap",
    { CI: "true" },
  ],
  [["snapshot", "base.snap"], "base.snap: is not a memhook store; name the file"],
  [["diff", "--update", "none/x.snap", "head.snap"], "none/x.snap: cannot be written (no such folder)"],
];
for (const [args, expected, more] of wrong) {
  test(`memview ${args.join(" ")}${more ? " under CI" : ""}: one line`, () => {
    const { code, stdout, stderr } = memview(args, more);
    assert.deepEqual({ code, stdout }, { code: 2, stdout: "" });
    assert.ok(stderr.startsWith(`memview: ${expected}`), stderr);
    assert.equal(stderr.split("\n").length, 2);
  });
}
