// How text looks on a terminal; what goes elsewhere is tested byte by byte in the other files.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { listText } from "../../cli/reports/list.js";
import { humanAge, humanSize, sizeName } from "../../cli/reports/sizes.js";
import { sourceText } from "../../cli/reports/source.js";
import { frameWords, PLAIN, shortName, shortPath, styleFor } from "../../cli/reports/style.js";
import { processSummary } from "../../cli/reports/summary.js";
import { textReport } from "../../cli/reports/text.js";
import type { Frame } from "../../runtime/host/types.js";
import type { Grouping } from "../../runtime/reports/groups.js";
import type { LiveReport } from "../../runtime/reports/report.js";
import { commandLine, temporaryFolder } from "../support/run.js";
import { StoreBuilder } from "../support/store-builder.js";

const folder = temporaryFolder();

test("sizes and ages for people", () => {
  assert.deepEqual([0, 1023, 1024, 1536, 5 << 20, 2 ** 40, 2 ** 52].map(humanSize), [
    "0 bytes",
    "1023 bytes",
    "1.0 KiB",
    "1.5 KiB",
    "5.0 MiB",
    "1.0 TiB",
    "4096.0 TiB",
  ]);
  assert.deepEqual([0, 1000, 524288, 1 << 20, 1536].map(sizeName), [
    "0 bytes",
    "1000 bytes",
    "512 KiB",
    "1 MiB",
    "1536 bytes",
  ]);
  assert.deepEqual([-5, 0.9, 59, 60, 3600, 12000, 200000].map(humanAge), [
    "0 s",
    "0 s",
    "59 s",
    "1 min",
    "1 h 0 min",
    "3 h 20 min",
    "2 d 7 h",
  ]);
});

const names: [string, string][] = [
  ["main", "main"],
  [
    "std::__cxx11::basic_string<char, std::char_traits<char>, std::allocator<char> >::_M_construct(unsigned " +
      "long, char)",
    "std::string::_M_construct(unsigned long, char)",
  ],
  ["std::vector<int>::push_back(int&&)", "std::vector<int>::push_back(int&&)"],
  ["std::map<int, std::vector<long> >::operator[](int)", "std::map<…>::operator[](int)"],
  ["operator<< <char, std::char_traits<char> >(x)", "operator<< <…>(x)"],
  ["a::operator<(b<std::less<int>, int> const&)", "a::operator<(b<…> const&)"],
  ["a::operator->()", "a::operator->()"],
  ["f<decltype(a->b), something_long>()", "f<…>()"],
  ["<core::option::Option<T> as core::fmt::Debug>::fmt", "<…>::fmt"],
  ["broken<std::less<int>", "broken<std::less<int>"],
  ["myoperator<some_long_argument>()", "myoperator<…>()"],
];
for (const [name, short] of names) {
  test(`${name} is shortened to ${short}`, () => assert.equal(shortName(name), short));
}

test("colours only on a terminal, and never with NO_COLOR", () => {
  const options = { bytes: false, wide: false };
  assert.deepEqual(styleFor(false, {}, options), PLAIN);
  assert.equal(styleFor(true, {}, options).colour, true);
  assert.equal(styleFor(true, { NO_COLOR: "1" }, options).colour, false);
  assert.equal(styleFor(true, { NO_COLOR: "" }, options).colour, true);
  assert.equal(styleFor(true, { TERM: "dumb" }, options).colour, false);
  const exact = { bytes: true, wide: true };
  assert.deepEqual(styleFor(true, { NO_COLOR: "1" }, exact), { ...PLAIN, whole: true, head: true });
  assert.deepEqual(styleFor(false, {}, exact), { ...PLAIN, whole: true });
});

test("paths: relative to the folder, else their end", () => {
  const paths: [string, string, string][] = [
    ["/proj/app/src/a.c", "/proj/app", "src/a.c"],
    ["/proj/app2/a.c", "/proj/app", "/proj/app2/a.c"],
    ["/src/a.c", "/", "src/a.c"],
    ["/build/glibc/csu/libc-start.c", "/proj/app", "…/glibc/csu/libc-start.c"],
    ["/usr/include/c++/13/bits/vector.tcc", "", "…/13/bits/vector.tcc"],
    ["../sysdeps/nptl/call.h", "", "…/sysdeps/nptl/call.h"],
    ["/a/b", "", "/a/b"],
    ["[vdso]", "", "[vdso]"],
    ["", "/work", ""],
  ];
  for (const [path, folder, short] of paths) assert.equal(shortPath(path, folder), short);
});

const frame: Frame = {
  address: "0x1",
  module: "/usr/lib/somewhere/deep/lib.so",
  offset: "0x29d90",
  function: "a_function_with_a_long_name(unsigned long)",
  file: "/proj/app/src/long-name.c",
  line: 12,
  inlined: false,
};

test("frames fit the width: the function's start and the place's end stay", () => {
  const style = { ...PLAIN, short: true, folder: "/proj/app" };
  const words = (width: number, more: Partial<Frame> = {}, its = style) => {
    const { name, place } = frameWords({ ...frame, ...more }, its, width);
    return name === "" ? place : `${name} at ${place}`;
  };
  assert.equal(words(Infinity), "a_function_with_a_long_name(unsigned long) at src/long-name.c:12");
  assert.equal(words(64), words(Infinity));
  assert.equal(words(63), "a_function_with_a_long_name(unsigned lon… at src/long-name.c:12");
  assert.equal(words(40), "a_function_with_a… at src/long-name.c:12");
  assert.equal(words(30), "a_function_… at …ong-name.c:12");
  assert.equal(words(22, { function: null }), "src/long-name.c:12");
  assert.equal(words(12, { function: null }), "…g-name.c:12");
  assert.equal(words(80, { function: "f", file: null }), "f at …/somewhere/deep/lib.so+0x29d90");
  assert.equal(words(80, { function: "f", file: null, module: "" }), "f at 0x1");
  for (let width = 17; width < 80; width++)
    assert.ok([...words(width, { function: "ä€😀".repeat(30) })].length <= width);
  assert.equal(words(10, {}, PLAIN), `${frame.function} at ${frame.file}:12`);
});

test("the width of the terminal, unless wide", () => {
  const lines = (columns: number, wide = false, inlined = false) => {
    const style = styleFor(true, { NO_COLOR: "1" }, { bytes: false, wide }, { columns, folder: "/proj/app" });
    const row = { bytes: 1, count: 1, oldest: null, newest: null, cut: false, stack: [{ ...frame, inlined }] };
    return [...textReport({ ...report, stacks: [row] }, { stacks: true, style, now })].join("").split("\n")[2];
  };
  assert.equal(lines(50), "    a_function_with_a_long_… at src/long-name.c:12");
  assert.equal(lines(50, false, true)?.length, 50);
  assert.match(lines(50, false, true) ?? "", /^ {4}a_function_w.*… at src\/long-name\.c:12 \(inlined\)$/);
  assert.equal(lines(0), `    ${frame.function} at src/long-name.c:12`);
  assert.equal(lines(50, true), `    ${frame.function} at ${frame.file}:12`);
});

const now = { time: 7_260_000_000_000n, known: true };
const report: LiveReport = {
  version: 1,
  process: {
    pid: 7,
    exe: "/opt/app",
    command: [],
    startTime: "2026-03-01T12:00:00.000000000Z",
    state: "running",
  },
  totals: {
    liveCount: 2,
    liveBytes: 1572864,
    allocatedCount: 2,
    allocatedBytes: 1572864,
    peakBytes: 1572864,
    peakTime: "",
    dropped: 0,
  },
  matched: { count: 2, bytes: 1572864 },
  stacks: [
    {
      bytes: 1572864,
      count: 2,
      oldest: null,
      newest: null,
      cut: false,
      stack: [
        {
          address: "0x1",
          module: "/opt/app",
          offset: "0x1",
          function: "f<int, std::less<int> >()",
          file: join(folder, "a.c"),
          line: 2,
          inlined: true,
        },
      ],
    },
  ],
};
writeFileSync(join(folder, "a.c"), "first\n\tsecond\u001b[31m\nthird\nfourth\n");

test("a report in each style", () => {
  const text = (style = PLAIN, source = false) =>
    [...textReport(report, { stacks: true, source, style, now })].join("");
  const place = `at ${join(folder, "a.c")}:2 (inlined)`;
  assert.equal(text(), `size=1572864, times=2\n    f<…>() ${place}\n`);
  assert.equal(text({ ...PLAIN, whole: true }), `size=1572864, times=2\n    f<int, std::less<int> >() ${place}\n`);
  const head = "app (pid 7), running since 2 h 1 min";
  const human = { ...PLAIN, head: true, human: true, short: true, folder };
  const shortPlace = "at a.c:2 (inlined)";
  assert.equal(
    text(human),
    `${head}, 1.5 MiB live in 2 allocations\nsize=1.5 MiB, times=2\n    f<…>() ${shortPlace}\n`,
  );
  assert.equal(
    text({ ...human, colour: true }),
    `\x1b[1m${head}, 1.5 MiB live in 2 allocations\x1b[22m\n\x1b[1msize=1.5 MiB\x1b[22m, times=2\n    f<…>() ` +
      `\x1b[2m${shortPlace}\x1b[22m\n`,
  );
  assert.equal(
    text(PLAIN, true),
    `size=1572864, times=2\n    f<…>() ${place}\n        1  first\n      > 2      second\\x1b[31m\n        3  third\n`,
  );
});

test("what memhook run says of a process, in each style", () => {
  const suppressed = { count: 1, bytes: 72704 };
  const text = (style = PLAIN) =>
    [...processSummary("/opt/bin/that/app", "exited with code 0", { ...report, suppressed }, style)].join("");
  const known = "in 1 allocation suppressed (--no-default-suppressions shows what the C and C++ runtimes keep)";
  assert.equal(
    text(),
    "memhook: /opt/bin/that/app (pid 7) exited with code 0, 1572864 bytes live in 2 allocations\nsize=1572864, " +
      "times=2\n" +
      `    f<…>() at ${join(folder, "a.c")}:2 (inlined)\nmemhook: 72704 bytes ${known}\n`,
  );
  assert.equal(
    text({ ...PLAIN, human: true, short: true, folder: "/opt/bin" }),
    `memhook: that/app (pid 7) exited with code 0, 1.5 MiB live in 2 allocations\nsize=1.5 MiB, times=2\n` +
      `    f<…>() at ${shortPath(join(folder, "a.c"), "/opt/bin")}:2 (inlined)\nmemhook: 71.0 KiB ${known}\n`,
  );
});

test("the stores of a run, in each style", () => {
  const its = { ...report.process, path: "/tmp/app.mem", parentPid: 1, liveCount: 2, liveBytes: 1572864, dropped: 0 };
  const text = (style = PLAIN) => [...listText([{ ...its, command: ["./app", "a b"] }], style)].join("");
  assert.equal(text(), "pid=7, parent=1, running, size=1572864, times=2, /tmp/app.mem: ./app 'a b'\n");
  assert.equal(
    text({ ...PLAIN, human: true, short: true, width: 62 }),
    "pid=7, parent=1, running, size=1.5 MiB, times=2, /tmp/app.mem…\n",
  );
});

test("groups fit the width: of a function the start, of a path the end", () => {
  const group = (by: Grouping, name: string | number) => {
    const { stacks: _, ...head } = report;
    const row = { by, name, bytes: 100, count: 2, oldest: "", newest: "" };
    const style = { ...PLAIN, short: true, colour: true, width: 50 };
    // biome-ignore lint/suspicious/noControlCharactersInRegex: what bold text has
    return [...textReport({ ...head, groups: [row] }, { stacks: false, style })].join("").replace(/\x1b\[\d+m/g, "");
  };
  const start = "size=100, times=2, ";
  assert.equal(group("thread", 4711), `${start}thread=4711\n`);
  assert.equal(group("module", "/usr/lib/x86_64-linux-gnu/libc.so.6"), `${start}module=…_64-linux-gnu/libc.so.6\n`);
  assert.equal(group("line", "/src/app.c:12"), `${start}line=/src/app.c:12\n`);
  const long = group("function", `first<${"x, ".repeat(30)}>::${"second".repeat(5)}`);
  assert.equal(long, `${start}function=first<…>::secondsecon…\n`);
  assert.equal([...long].length, 51);
});

test("source: the ends of a file, and what is no file", () => {
  const file = join(folder, "a.c");
  assert.equal(sourceText(file, 1), "      > 1  first\n        2      second\\x1b[31m\n");
  assert.equal(sourceText(file, 4), "        3  third\n      > 4  fourth\n");
  assert.equal(sourceText(file, 4, 15), "        3  thir\n      > 4  four\n");
  assert.equal(sourceText(file, 5), "");
  assert.equal(sourceText(file, 0), "");
  assert.equal(sourceText(join(folder, "missing.c"), 1), "");
  mkdirSync(join(folder, "folder.c"));
  assert.equal(sourceText(join(folder, "folder.c"), 1), "");
  // Opening a device or a pipe could wait for ever.
  assert.equal(sourceText("/dev/zero", 1), "");
});

const hasScript = spawnSync("script", ["--version"]).status === 0;
test("memview on a terminal", { skip: hasScript ? false : "script is not here" }, () => {
  const path = join(folder, "app.mem");
  const store = new StoreBuilder({ pid: 7, exe: "/nowhere/app" });
  store.record({ address: 0x1000n, size: 4096 });
  store.write(path);
  const shown = (options: string[], env: Record<string, string>) => {
    const command = [...commandLine("memview"), ...options, path].map((word) => `'${word}'`).join(" ");
    const { stdout } = spawnSync("script", ["-qec", command, "/dev/null"], {
      encoding: "utf8",
      input: "",
      env: { ...process.env, TERM: "xterm", ...env },
    });
    return stdout.replaceAll("\r", "");
  };
  const plain = shown(["-a"], { NO_COLOR: "1" });
  const head =
    "app (pid 7), exited, started, as of when it was last written, 1 min ago, 4.0 KiB live in 1 allocation\n" +
    "size=4.0 KiB, times=1\n";
  const closing =
    "\n4.0 KiB live in 1 block at its end; 1 place holds 100 %; it does not grow.\n" +
    "  filled early  4.0 KiB  1 block  █▁▁▁▁▁▁▁  (unknown stack)\n";
  assert.ok(`\n${plain}`.endsWith(`\n${head}${closing}`), plain);
  // A question about some of it is answered, and no other.
  assert.ok(shown(["-a", "-z", "1"], { NO_COLOR: "1" }).endsWith(head));
  const listed = "pid=7, parent=1, exited, size=4.0 KiB, times=1, ";
  assert.ok(shown(["list"], { NO_COLOR: "1" }).startsWith(listed), shown(["list"], { NO_COLOR: "1" }));
  assert.match(shown(["-a", "--bytes"], { NO_COLOR: "1" }), /, 4096 bytes live in 1 allocation\nsize=4096, times=1\n/);
});
