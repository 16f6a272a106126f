// memview top: keys and screen as pure functions, and the real thing on a
// terminal of script(1) where that is installed.

import assert from "node:assert/strict";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { columns } from "../../cli/reports/columns.js";
import { PLAIN } from "../../cli/reports/style.js";
import { BYPASSED, droppedLine, SWITCHED_OFF } from "../../cli/reports/text.js";
import { keysOf, press, screen, startState, type TopRow, type TopState, visibleRows } from "../../cli/reports/top.js";
import type { Frame } from "../../runtime/host/types.js";
import { commandLine, RUNTIMES, run, temporaryFolder } from "../support/run.js";
import { StoreBuilder } from "../support/store-builder.js";

const frame = (name: string, line: number): Frame => ({
  address: "0x1",
  module: "/opt/app",
  offset: "0x1",
  function: name,
  file: "/src/app.c",
  line,
  inlined: false,
});
const row = (stackId: number, bytes: number, count: number, growth: number, name: string): TopRow => ({
  stackId,
  bytes,
  count,
  growth,
  frames: [frame(name, stackId), frame("main", 99)],
  cut: { cut: false },
});
const state: TopState = {
  ...startState(),
  head: "app (pid 7)",
  rows: [row(1, 1 << 20, 2, 0, "cache_fill"), row(2, 3 << 20, 1, -1024, "load"), row(3, 2048, 50, 2048, "leak")],
};

/** The state after some keys; it must not have been the end. */
function after(keys: string, from = state): TopState {
  return keysOf(keys).reduce((current: TopState, key) => {
    const next = press(current, key);
    assert.ok(next, `${JSON.stringify(key)} quits`);
    return next;
  }, from);
}
const order = (of: TopState) => visibleRows(of).map(({ stackId }) => stackId);

test("what is missing in the store is said whole", () => {
  for (const missing of [BYPASSED, SWITCHED_OFF, droppedLine(3)!]) {
    const lines = screen({ ...state, missing }, 80, 24, PLAIN);
    assert.ok(lines.every((line) => line.length <= 80));
    assert.ok(lines.join(" ").replace(/ +/g, " ").includes(missing), lines.join("\n"));
  }
});

test("keys sort, the largest first", () => {
  assert.deepEqual(order(state), [2, 1, 3]);
  assert.deepEqual(order(after("n")), [3, 1, 2]);
  assert.deepEqual(order(after("g")), [3, 1, 2]);
  assert.deepEqual(order(after("ngs")), [2, 1, 3]);
});

test("keys filter by function, file and module", () => {
  assert.deepEqual(order(after("/LEA\r")), [3]);
  assert.deepEqual(order(after("/leaq\x7fk")), [3]);
  assert.deepEqual(order(after("/app.c")), [2, 1, 3]);
  assert.deepEqual(order(after("/opt/app\r")), [2, 1, 3]);
  assert.deepEqual(order(after("/nothing\r")), []);
  // While a filter is typed, letters are letters.
  assert.equal(after("/q\r").filter, "q");
  assert.equal(after("/leak\x1b").filter, "");
  assert.equal(after("/leak\r\x1b").filter, "");
});

test("keys quit, pause, move and expand", () => {
  for (const key of ["q", "\x03", "\x04", "\x1c"]) assert.equal(press(state, key), null);
  assert.equal(press(after("/x"), "\x03"), null);
  assert.equal(after("p").paused, true);
  assert.equal(after("p ").paused, false);
  assert.equal(after("j").selected, 1);
  assert.equal(after("jjjj").selected, 3);
  assert.equal(after("\x1b[B\x1bOB\x1b[A").selected, 1);
  assert.equal(after("k").selected, 2);
  assert.deepEqual([...after("j\r").expanded], [1]);
  assert.deepEqual([...after("j\r\r").expanded], []);
  assert.deepEqual(after("/nothing\rj\r").expanded, new Set());
  assert.deepEqual(after("x\x1b[11~"), state);
});

test("page up and page down, home and end", () => {
  const many = { ...state, rows: Array.from({ length: 25 }, (_, i) => row(i, 1000 - i, 1, 0, "f")) };
  for (const [keys, selected] of [
    ["\x1b[6~", 10],
    ["\x1b[6~\x1b[6~\x1b[6~", 24],
    ["\x1b[6~j\x1b[5~", 1],
    ["\x1b[F", 24],
    ["\x1bOF\x1bOH", 0],
    ["\x1b[4~\x1b[1~", 0],
  ] as const)
    assert.equal(after(keys, many).selected, selected, JSON.stringify(keys));
});

test("another filter replaces the one before", () => {
  assert.equal(after("/load\r/le").filter, "le");
  assert.equal(after("/load\r/\r").filter, "");
});

test("a tall screen has the verdict's places under its head", () => {
  const places = ["  grows steadily  3.0 MiB  1 block  load  app.c:2", "  …  2 places more hold 1.0 MiB"];
  assert.deepEqual(screen({ ...state, places }, 80, 20, PLAIN).slice(0, 4), [
    "app (pid 7)",
    ...places,
    "        SIZE       GROWTH    TIMES  by size",
  ]);
  assert.deepEqual(screen({ ...state, places }, 80, 19, PLAIN), screen(state, 80, 19, PLAIN));
});

test("the screen", () => {
  const lines = screen(after("j\r"), 80, 24, PLAIN);
  assert.deepEqual(lines, [
    "app (pid 7)",
    "        SIZE       GROWTH    TIMES  by size",
    "     3.0 MiB     -1.0 KiB        1  load at /src/app.c:2",
    ">    1.0 MiB            0        2  cache_fill at /src/app.c:1",
    "                                    main at /src/app.c:99",
    "     2.0 KiB     +2.0 KiB       50  leak at /src/app.c:3",
    "s size  n times  g growth  / filter  enter frames  p pause  q quit",
  ]);
  assert.match(screen(after("p/le"), 80, 24, PLAIN)[1]!, /paused, by size, filter: le_$/);
});

test("a narrow screen has the numbers of the order, and room for the names", () => {
  const head = "app (pid 7), running since 2 h 5 min, 4.0 MiB live in 53 allocations";
  assert.deepEqual(screen(after("gj\r", { ...state, head }), 40, 24, PLAIN), [
    "app (pid 7), running since 2 h 5 min,",
    "4.0 MiB live in 53 allocations",
    "      GROWTH  by growth",
    "    +2.0 KiB  leak at /src/app.c:3",
    ">          0  cache_fill at /src/app.c:1",
    "    main at /src/app.c:99",
    "    -1.0 KiB  load at /src/app.c:2",
    "s n g sort  / filter  p pause  q quit",
  ]);
});

test("the screen says when there is nothing to show, what is left out, and what is missing", () => {
  const help = "s size  n times  g growth  / filter  enter frames  p pause  q quit";
  const columns = "        SIZE       GROWTH    TIMES  by size";
  const empty = { ...state, rows: [] };
  assert.deepEqual(screen(empty, 80, 24, PLAIN), ["app (pid 7)", columns, "  Nothing is live.", help]);
  const filtered = screen(after("/nothing\r"), 80, 24, PLAIN);
  assert.deepEqual(filtered.slice(1, 3), [`${columns}, filter: nothing`, "  No call stack fits the filter."]);
  const lines = screen({ ...empty, missing: "3 allocations were not recorded", known: 72704 }, 90, 24, PLAIN);
  assert.deepEqual(lines.slice(1, 3), [
    "3 allocations were not recorded",
    `${columns}, 71.0 KiB of the runtimes left out`,
  ]);
});

test("a row tells a stack by the innermost frame that is the program's own", () => {
  const [own, main] = [frame("Tracker::remember(Session const&)", 25), frame("main", 99)];
  const header = {
    ...frame("std::__new_allocator<char>::allocate", 137),
    file: "/usr/include/c++/12/bits/new_allocator.h",
  };
  const runtime = {
    ...frame("operator new", 1),
    module: "/usr/lib/x86_64-linux-gnu/libstdc++.so.6",
    file: null,
    line: null,
  };
  const titles = [[runtime, header, own, main], [header, runtime], [own, main], []].map((frames) => {
    const lines = screen({ ...state, rows: [{ ...state.rows[0]!, frames }] }, 120, 24, PLAIN);
    return lines[2]!.slice(36);
  });
  assert.deepEqual(titles, [
    "Tracker::remember(Session const&) at /src/app.c:25",
    "std::__new_allocator<char>::allocate at /usr/include/c++/12/bits/new_allocator.h:137",
    "Tracker::remember(Session const&) at /src/app.c:25",
    "(unknown stack)",
  ]);
  // Opened, such a row has all of its frames.
  const open = after("\r", { ...state, rows: [{ ...state.rows[0]!, frames: [header, own, main] }] });
  assert.deepEqual(
    screen(open, 120, 24, PLAIN)
      .slice(3, -1)
      .map((line) => line.trim().split(" at ")[0]),
    ["std::__new_allocator<char>::allocate", "Tracker::remember(Session const&)", "main"],
  );
});

test("the screen fits, and what is selected is on it", () => {
  // Every third name is of wide characters.
  const nameOf = (i: number) => (i % 3 === 0 ? `f${i} 日本語の関数の名前🙂` : `f${i}`);
  const many = { ...state, rows: Array.from({ length: 500 }, (_, i) => row(i, 1000 - i, 1, 0, nameOf(i))) };
  for (const [width, height] of [
    [80, 24],
    [20, 5],
    [1, 1],
    [200, 4],
    [5, 3],
  ] as const) {
    for (const keys of ["", "j".repeat(30), "j".repeat(499), `${"j".repeat(100)}\r`]) {
      const lines = screen(after(keys, many), width, height, PLAIN);
      assert.ok(lines.length <= height);
      for (const line of lines) assert.ok(columns(line) <= width, line);
      if (height > 3) assert.equal(lines.filter((line) => line.startsWith(">")).length, 1);
    }
  }
  assert.ok(
    screen(after("j".repeat(40), many), 80, 24, PLAIN).some((line) => line.startsWith(">") && line.includes("f40 ")),
  );
});

const folder = temporaryFolder();
const path = join(folder, "app.mem");
{
  const store = new StoreBuilder({ pid: 7, exe: "/nowhere/app" });
  const stack = store.stack([store.frame(0, 0x1234n)]);
  store.record({ address: 0x1000n, size: 4096, stack });
  store.record({ address: 0x3000n, size: 10 });
  store.write(path);
}

test("memview top without a terminal prints once", () => {
  const { code, stdout, stderr } = run("memview", ["top", path], { input: "" });
  assert.deepEqual([code, stderr], [0, ""]);
  const verdict =
    "4.0 KiB live in 2 blocks at its end; 1 place holds 100 %; it does not grow.\n" +
    "  filled early   4.0 KiB  1 block  █▁▁▁▁▁▁▁  0x1234\n" +
    "  filled early  10 bytes  1 block  █▁▁▁▁▁▁▁  (unknown stack)\n\n";
  assert.equal(stdout, `${verdict}size=10, times=1\n    (unknown stack)\nsize=4096, times=1\n    0x1234\n`);
  const { stdout: one } = run("memview", ["top", "--top=1", path], { input: "" });
  assert.equal(one, `${verdict}size=4096, times=1\n    0x1234\n`);
});

const hasScript = spawnSync("script", ["--version"]).status === 0;
for (const [name, runtime] of Object.entries(RUNTIMES)) {
  test(`memview top on a terminal (${name})`, { skip: hasScript ? false : "script is not here" }, async () => {
    const command = [...commandLine("memview", runtime), "top", path].map((word) => `'${word}'`).join(" ");
    const child = spawn("script", ["-qec", command, "/dev/null"], {
      env: { ...process.env, TERM: "xterm", NO_COLOR: "1" },
      stdio: ["pipe", "pipe", "inherit"],
    });
    const limit = setTimeout(() => child.kill("SIGKILL"), 60_000);
    let shown = "";
    let step = 0;
    // Each key is pressed when the screen shows what the one before did.
    const steps: [RegExp, string][] = [
      [/app \(pid 7\), exited.*4\.0 KiB.*0x1234/s, "n"],
      [/by times/, "/"],
      [/filter: _/, "0x12\r"],
      [/filter: 0x12[^_]/, "q"],
    ];
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      shown += text;
      while (step < steps.length && steps[step]![0].test(shown)) child.stdin.write(steps[step++]![1]);
    });
    const code = await new Promise((resolve) => child.on("close", resolve));
    clearTimeout(limit);
    assert.equal(code, 0, JSON.stringify(shown));
    assert.equal(step, steps.length, JSON.stringify(shown));
    assert.ok(
      shown.includes("\x1b[?1049h") && shown.trimEnd().endsWith("\x1b[?25h\x1b[?1049l"),
      JSON.stringify(shown.slice(-80)),
    );
  });
}

const ENTERS = "\x1b[?1049h";
const LEAVES = "\x1b[?25h\x1b[?1049l";
const once =
  "bun" in process.versions || "deno" in process.versions ? "Node's suite does this for all runtimes" : false;
const skip = once || (hasScript ? false : "script is not here");

/**
 * `memview top` on a terminal, which says its process id first; `act` is called with what the terminal has got so far.
 */
async function onTerminal(
  runtime: readonly string[],
  TERM: string,
  act: (shown: string, pid: number, script: ChildProcess) => string | undefined,
) {
  const words = [...commandLine("memview", runtime), "top", path].map((word) => `'${word}'`).join(" ");
  const child = spawn("script", ["-qec", `echo pid $$; exec ${words}`, "/dev/null"], {
    env: { ...process.env, TERM, NO_COLOR: "1" },
    stdio: ["pipe", "pipe", "inherit"],
  });
  const limit = setTimeout(() => child.kill("SIGKILL"), 60_000);
  let shown = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    shown += text;
    const pid = /^pid (\d+)/m.exec(shown)?.[1];
    const keys = pid === undefined ? undefined : act(shown, Number(pid), child);
    if (keys !== undefined) child.stdin.write(keys);
  });
  const code = await new Promise((resolve) => child.on("close", resolve));
  clearTimeout(limit);
  return { code, shown };
}

const isStopped = (pid: number) => /\) T /.test(readFileSync(`/proc/${pid}/stat`, "latin1"));

for (const [name, runtime] of Object.entries(RUNTIMES)) {
  test(`memview top gives the terminal back when it is quit or suspended (${name})`, { skip }, async () => {
    const isDrawn = (shown: string) => shown.lastIndexOf("q quit") > shown.lastIndexOf(ENTERS);
    let quit = false;
    const ended = await onTerminal(runtime, "xterm", (shown, pid) => {
      if (!quit && isDrawn(shown)) quit = process.kill(pid, "SIGQUIT");
      return undefined;
    });
    assert.equal(ended.code, 0);
    assert.ok(ended.shown.trimEnd().endsWith(LEAVES), JSON.stringify(ended.shown.slice(-80)));

    // By a signal, then by its key. script(1) stops with it, and goes on with it.
    let step = 0;
    const suspended = await onTerminal(runtime, "xterm", (shown, pid, script) => {
      const times = shown.split(ENTERS).length - 1;
      if (step !== times - 1 || !isDrawn(shown)) return undefined;
      step++;
      if (step === 3) return "q";
      if (step === 1) process.kill(pid, "SIGTSTP");
      const look = () => {
        if ([pid, script.pid!].every(isStopped)) script.kill("SIGCONT");
        else setTimeout(look, 5);
      };
      look();
      return step === 2 ? "\x1a" : undefined;
    });
    assert.equal(step, 3, JSON.stringify(suspended.shown));
    assert.equal(suspended.code, 0);
    assert.ok(suspended.shown.trimEnd().endsWith(LEAVES));
    assert.equal(suspended.shown.split(LEAVES).length - 1, 3);
  });

  test(`memview top prints once on a terminal that can only print (${name})`, { skip }, async () => {
    const { code, shown } = await onTerminal(runtime, "dumb", () => undefined);
    assert.equal(code, 0);
    assert.ok(!shown.includes("\x1b"), JSON.stringify(shown));
    assert.match(shown, /size=4096, times=1/);
  });
}
