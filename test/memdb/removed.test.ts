// memdb whose files go away under it: it is said once, what was received is kept, and written anew when that is
// possible. What somebody else has put there meanwhile is left alone.

import assert from "node:assert/strict";
import { copyFileSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { openStore } from "../../runtime/stores/store.js";
import { temporaryFolder } from "../support/run.js";
import { starter } from "./running.js";

const folder = temporaryFolder();
const start = starter(folder);

async function live(path: string): Promise<number> {
  const store = await openStore(path);
  try {
    return (await store.query({ aggregate: true, sort: "size" })).matched.count;
  } finally {
    store.close();
  }
}

interface Loss {
  /** Takes the store away. */
  lose(path: string): void;
  reason: RegExp;
  /** What keeps it away, if anything does. */
  restore?(path: string): void;
}

const folderOf = (path: string) => dirname(path);
const losses: Record<string, Loss> = {
  "the file is removed": { lose: (path) => rmSync(path), reason: /^it was removed/ },
  "the file is renamed": { lose: (path) => renameSync(path, `${path}.old`), reason: /^it was removed/ },
  "the folder is removed": {
    lose: (path) => rmSync(folderOf(path), { recursive: true }),
    reason: /^it was removed, and its folder/,
    restore: (path) => mkdirSync(folderOf(path)),
  },
  "the folder is renamed": {
    lose: (path) => renameSync(folderOf(path), `${folderOf(path)}.old`),
    reason: /^it was removed, and its folder/,
    restore: (path) => mkdirSync(folderOf(path)),
  },
  "another file replaces it": {
    lose(path) {
      writeFileSync(`${path}.other`, "not a store");
      renameSync(`${path}.other`, path);
    },
    reason: /^another file is there/,
    restore: (path) => rmSync(path),
  },
  "a copy replaces it": {
    lose(path) {
      copyFileSync(path, `${path}.copy`);
      renameSync(`${path}.copy`, path);
    },
    reason: /^another file is there/,
    restore: (path) => rmSync(path),
  },
};

let cases = 0;
for (const [what, { lose, reason, restore }] of Object.entries(losses)) {
  test(`${what}: it is told once, and nothing is lost`, async () => {
    const home = join(folder, `case${++cases}`);
    mkdirSync(home);
    const path = join(home, "app.mem");
    const { memdb, client, log } = await start({ store: path });
    const program = await client().shake();
    // This process's own: its store is a living one's, which nobody else may touch.
    program.stream.process({ pid: process.pid }).records([[1, { address: 16n, size: 1 }]]);
    await program.commit();
    await memdb.flush();
    const before = await live(path);
    assert.equal(before, 1);

    lose(path);
    const there = restore && /another/.test(what) ? readFileSync(path) : null;
    for (let round = 0; round < 3; round++) {
      program.stream.records([[2 + round, { address: 32n + BigInt(round) * 16n, size: 1 }]]);
      await program.commit();
      await memdb.flush();
    }
    if (restore) {
      if (there) assert.deepEqual(readFileSync(path), there);
      assert.equal(log.filter(({ event }) => event === "recovered").length, 0);
      restore(path);
      await memdb.flush();
    }
    assert.equal(await live(path), 4);
    const told = log.filter(({ event }) => event === "trouble");
    assert.deepEqual(
      told.map(({ store }) => store),
      [path],
    );
    assert.match(told[0]!.reason!, reason);
    assert.equal(log.filter(({ event }) => event === "recovered").length, 1);
  });
}

test("a folder that is gone when the program and memdb end", async () => {
  const home = join(folder, "end");
  mkdirSync(home);
  const { memdb, client, log } = await start({ store: join(home, "app.mem") });
  const program = await client().shake();
  program.stream.process().records([[1, { address: 16n, size: 1 }]]);
  await program.commit();
  await memdb.flush();
  rmSync(home, { recursive: true });
  program.stream.records([[2, { address: 32n, size: 1 }]]);
  await program.commit();
  await memdb.close();
  assert.equal(log.filter(({ event }) => event === "trouble").length, 1);
  assert.equal(log.at(-1)?.event, "closing");
});

test("a file that is removed just before memdb ends is there again", async () => {
  const { memdb, client, path } = await start();
  const program = await client().shake();
  program.stream.process().records([[1, { address: 16n, size: 1 }]]);
  await program.commit();
  await memdb.flush();
  rmSync(path);
  program.stream.records([[2, { address: 32n, size: 1 }]]);
  await program.commit();
  await memdb.close();
  assert.equal(await live(path), 2);
});
