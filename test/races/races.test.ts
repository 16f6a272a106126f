// No race and no miscount in the library's tables when many threads use them, by ThreadSanitizer; see races.c. And what
// its store says, read as any other: the same as the program counted.
// Runs under Node alone: what it tests is the library, in C.

import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import test from "node:test";
import { starter } from "../memdb/running.js";
import { rounds } from "../support/counts.js";
import { readReport } from "../support/expectations.js";
import { root, temporaryFolder } from "../support/run.js";

const folder = temporaryFolder();
const startMemdb = starter(folder);
const script = join(root, "test/races/run.sh");

// Nothing in it depends on the runtime, so one of them is enough.
const skip = (() => {
  if (process.versions.bun || "Deno" in globalThis) return "runs under Node only";
  const { status, stdout } = spawnSync("bash", [script, "--able"], { encoding: "utf8" });
  return status === 77 ? stdout.trim() : false;
})();

function races(env: Record<string, string>): Promise<string> {
  const child = spawn("bash", [script, rounds(500, 100_000)], { env: { ...process.env, ...env } });
  let text = "";
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (piece) => (text += piece));
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (status) => {
      if (status === 0 && text.endsWith("right\n")) resolve(text);
      else reject(new Error(`exit status ${status}\n${text}`));
    });
  });
}

async function compare(text: string, path: string): Promise<void> {
  const { totals } = await readReport(path, { aggregate: true, sort: "size" });
  const [, allocated, count, bytes] = /^(\d+) allocations, (\d+) live with (\d+) bytes/m.exec(text)!.map(Number);
  assert.deepEqual(
    [totals.allocatedCount, totals.liveCount, totals.liveBytes, totals.dropped],
    [allocated, count, bytes, 0],
  );
}

test("the tables under six threads: no race, exact counts", { skip, timeout: 600_000 }, async () => {
  const store = join(folder, "races.mem");
  await compare(await races({ MEMHOOK_FILE: store }), store);
});

test("the same while the sender reads them for memdb", { skip, timeout: 600_000 }, async () => {
  const place = join(folder, "memdb");
  mkdirSync(place);
  const { memdb, path } = await startMemdb({ store: join(place, "db"), unix: join(place, "socket") });
  const env = { MEMHOOK_NET_HOST: `unix:${join(place, "socket")}`, MEMHOOK_CACHE_FLUSH_INTERVAL: "1ms" };
  const text = await races(env);
  assert.match(text, /^memdb acknowledged \d+ flushes$/m);
  await memdb.flush();
  await compare(text, path);
});
