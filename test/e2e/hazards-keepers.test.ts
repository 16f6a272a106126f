// What libc keeps for itself is recorded, hidden by the list that is built in,
// and counted: also where libc has no names but those it exports.
// Runs under Node alone: what it tests is the library, in C.

import assert from "node:assert/strict";
import { join } from "node:path";
import test from "node:test";
import { report } from "../../runtime/reports/report.js";
import { openStore } from "../../runtime/stores/store.js";
import { Symbolizer } from "../../runtime/symbols/symbolize.js";
import { assertTable, expectations, readReport } from "../support/expectations.js";
import { build, noCompiler, runWell } from "../support/programs.js";
import { temporaryFolder } from "../support/run.js";

const folder = temporaryFolder();

/** Sums of what is shown and what is hidden by default, with the debug files of these folders. */
async function defaultView(path: string, debugFolders: string[]) {
  const store = await openStore(path);
  const symbolizer = new Symbolizer({ debugFolders, environment: {} });
  try {
    const { matched, suppressed } = await report(store, { aggregate: true, sort: "size" }, symbolizer, {
      stacks: true,
      knownSuppressed: true,
    });
    return { shown: matched, hidden: suppressed?.count ?? 0 };
  } finally {
    symbolizer.close();
    await store.close();
  }
}

// How many blocks each keeps at least, with glibc's of the last years; where it
// depends on the machine or the version, it may be none.
const KEPT: Record<string, number> = {
  ...{ unjoined: 50, joined: 1, setlocale: 1, getpwnam: 1, getpwuid: 1, getgrnam: 1, getgrgid: 1, printf: 1 },
  ...{ localtime: 1, localtime_r: 1, mktime: 1, strftime: 0, tzset: 1, dlerror: 0, dlsym: 0, dlopen: 0 },
};

for (const [call, least] of Object.entries(KEPT)) {
  test(`keepers.c ${call}: recorded, hidden, counted`, { skip: noCompiler }, async () => {
    const store = join(folder, `${call}.mem`);
    const program = build("keepers.c");
    const { stdout } = await runWell(program, [call], { store, env: { TZ: ":/etc/hosts" } });
    const everything = await readReport(store);
    assertTable(everything, expectations("keepers.c"), stdout, program);
    assert.ok(everything.allocations.length > least, `${everything.allocations.length} blocks`);
    for (const folders of [["/usr/lib/debug"], []]) {
      const { shown, hidden } = await defaultView(store, folders);
      assert.deepEqual(shown, { count: 1, bytes: 777 });
      assert.equal(hidden, everything.allocations.length - 1);
    }
  });
}
