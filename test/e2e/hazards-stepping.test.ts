// Hooks that are stopped at any of their instructions, where a signal handler forks, jumps out, or ends the thread,
// another thread runs or forks, or the process is killed. And how many instructions they have.
// Runs under Node alone: what it tests is the library, in C.
//
// The ordinary run takes some of the instructions, other ones each day; MEMHOOK_TEST_FULL=1 takes all of them.

import assert from "node:assert/strict";
import { existsSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import test from "node:test";
import { patience, rounds } from "../support/counts.js";
import { expectations, type FullReport, lines, owned, type Row, readReport, rows } from "../support/expectations.js";
import { build, neighbour, noCompiler, runWell } from "../support/programs.js";
import { temporaryFolder } from "../support/run.js";

const folder = temporaryFolder();
const skip = noCompiler || (process.arch === "x64" ? false : "single steps by a trap flag are x86-64's");

const MODES: [string, Record<string, string>][] = [
  ["follow", {}],
  ["fresh", { MEMHOOK_CHILDREN: "fresh" }],
  ["off", { MEMHOOK_CHILDREN: "off" }],
  ["a sample", { MEMHOOK_SAMPLE: "300" }],
];

function forget(prefix: string): void {
  for (const name of readdirSync(folder)) if (name.startsWith(prefix)) rmSync(join(folder, name));
}

for (const kind of ["fork", "_Fork", "clone", "instruction"]) {
  for (const [mode, env] of kind === "fork" || kind === "instruction" ? MODES : MODES.slice(0, 1)) {
    test(`handler_forks.c ${kind}, ${mode}: children that return into an interrupted hook live on`, {
      skip,
    }, async () => {
      const store = join(folder, "handler.mem");
      const { stdout } = await runWell(build("handler_forks.c"), [kind, rounds(50, 5000)], {
        store,
        env,
        limit: patience,
      });
      assert.equal(stdout, "killed 0 0x0\n");
      const { totals } = await readReport(store);
      assert.equal(totals.dropped, 0);
      forget("handler.");
    });
  }
}

/** The ordinary run acts at one instruction of so many. */
const every = Number(rounds(67, 1));
const first = Math.floor(Date.now() / 86_400_000) % every;

function assertRows(report: FullReport, table: Row[], program: string): void {
  const functions = new Set(table.map((row) => row.function));
  const found = rows(owned(report.allocations, program), [program], table);
  const named = found.filter((row) => functions.has(row.function));
  assert.deepEqual(lines(named), lines(table));
}

/** That a child has what was live at the fork, and what it allocated itself. */
function assertChild(child: FullReport, table: Row[], inherits: boolean, program: string): void {
  const own = table.filter((row) => inherits || row.function !== "before");
  assertRows(child, own, program);
}

function rowsBeside(acted: number, asked: number): Row[] {
  return [
    { count: acted, size: 99, kind: "heap", function: "beside", via: "" },
    { count: asked, size: 300_000, kind: "heap", function: "beside", via: "" },
    { count: asked, size: 20_480, kind: "mmap", function: "beside", via: "" },
  ];
}

const ACTIONS: [string, string, Record<string, string>][] = [
  ...["jump", "stay", "end", "_Fork", "clone", "instruction", "others", "fork-elsewhere", "kill"].map(
    (action): [string, string, Record<string, string>] => [action, "", {}],
  ),
  ...MODES.map(([mode, env]): [string, string, Record<string, string>] => ["fork", `, ${mode}`, env]),
];

for (const [action, mode, env] of ACTIONS) {
  test(`stepping.c ${action}${mode}: nothing crashes, and everything is recorded as ever`, { skip }, async (t) => {
    const store = join(folder, "stepping.mem");
    t.after(() => forget("stepping."));
    const program = build("stepping.c");
    const args = [build("plugin.c", { shared: true }), action, String(first), String(every)];
    const { stdout } = await runWell(program, args, { store, env, limit: patience });
    const context = `${args.join(" ")}: ${stdout.split("\n").slice(-5).join("\n")}`;
    assert.doesNotMatch(stdout, /^bad/m, context);
    const acted = Number(/^acted (\d+) in all$/m.exec(stdout)?.[1]);
    assert.ok(acted > 2000 / every, context);
    if (env.MEMHOOK_SAMPLE) return;
    const report = await readReport(store);
    const beside = action === "stay" ? rowsBeside(acted, Number(/^asked (\d+)$/m.exec(stdout)?.[1])) : [];
    assertRows(report, [...expectations("stepping.c"), ...beside], program);
    // What an interrupted hook was about to record is lost at worst, and what its thread had freed.
    assert.ok(report.totals.dropped <= acted, `${report.totals.dropped} dropped, ${context}`);
    for (const kind of ["child", "operated"]) {
      const children = [...stdout.matchAll(new RegExp(`^${kind} (\\d+)$`, "gm"))];
      const stores = children.map(([, pid]) => neighbour(store, Number(pid)));
      if (env.MEMHOOK_CHILDREN === "off") {
        assert.deepEqual(stores.filter(existsSync), []);
        continue;
      }
      const table = expectations("stepping.c", kind).filter((row) => action !== "kill" || row.function === "before");
      const some = Math.ceil(stores.length / 10);
      // What its parent had dropped is missing in a child, too, and what hooks
      // left before had counted and not recorded.
      const most = report.totals.dropped + (["jump", "stay", "end"].includes(action) ? acted : 50);
      for (const path of stores.filter((_, index) => index % some === 0)) {
        const child = await readReport(path);
        assertChild(child, table, env.MEMHOOK_CHILDREN !== "fresh", program);
        assert.ok(child.totals.dropped <= most, `${child.totals.dropped} dropped in a child, ${context}`);
      }
    }
  });
}

for (const fate of ["exits", "leaves", "executes", "is-killed", "begins", "waits"]) {
  test(`free_after_fork.c: a child that ${fate} does not make frees slower for good`, { skip }, async () => {
    const store = join(folder, "after-fork.mem");
    const { stdout } = await runWell(build("free_after_fork.c"), [fate], { store, limit: patience });
    const [, before, after] = /^before (\d+) after (\d+)$/m.exec(stdout)!;
    assert.ok(Number(before) > 20, stdout);
    assert.equal(after, before);
    forget("after-fork.");
  });
}
