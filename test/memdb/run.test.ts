// memhook run with MEMHOOK_NET_HOST: memdb has the records, by whatever name this system knows its host.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { test } from "node:test";
import { askStatus } from "../../runtime/memdb/wirestatus.js";
import { memdbHost } from "../../runtime/programs/memdbhost.js";
import { openStore } from "../../runtime/stores/store.js";
import { build, noCompiler } from "../support/programs.js";
import { commandLine, temporaryFolder } from "../support/run.js";
import { Command } from "./command.js";

const folder = temporaryFolder();
let stores = 0;

/** Runs obedient.c, which leaks 77 bytes, until memdb has them. @returns what memhook said. */
async function leak(host: string, port: number): Promise<string> {
  const [command, ...before] = commandLine("memhook");
  const settings = { MEMHOOK_NET_HOST: host, MEMHOOK_NET_PORT: String(port), MEMHOOK_CACHE_FLUSH_INTERVAL: "50ms" };
  const child = spawn(command!, [...before, "run", build("obedient.c"), "leak", "77", "wait"], {
    env: { ...process.env, ...settings },
    stdio: ["ignore", "ignore", "pipe"],
  });
  let said = "";
  child.stderr.on("data", (text) => {
    said += text;
  });
  const closed = once(child, "close");
  const ended = closed.then(() => assert.fail(`it ended: ${said}`));
  process.kill(await Promise.race([sender(port), ended]), "SIGTERM");
  const [code] = await closed;
  ended.catch(() => {});
  assert.equal(code, 128 + 15, said);
  return said;
}

/** The process of which memdb has 77 bytes. */
async function sender(port: number): Promise<number> {
  for (;;) {
    const { sessions } = await askStatus({ host: "127.0.0.1", port });
    const found = sessions.find(({ complete, liveBytes }) => complete && liveBytes === 77);
    if (found) return found.pid;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

async function liveBytes(path: string): Promise<number> {
  const store = await openStore(path);
  try {
    return store.totals().liveBytes;
  } finally {
    store.close();
  }
}

for (const [name, host] of [
  ["a name", "localhost"],
  ["a name in capitals", "LocalHost"],
  ["an address", "127.0.0.1"],
  ["several addresses, of which one answers", "127.0.0.99,::ffff:127.0.0.1,127.0.0.1"],
] as const) {
  test(`memhook run sends to memdb: ${name}`, { skip: noCompiler }, async () => {
    const path = join(folder, `${++stores}.mem`);
    const memdb = new Command("-p", "0", path);
    const { port } = await memdb.listening();
    const said = await leak(host, port);
    assert.match(
      said,
      /^memhook: .*obedient \(pid \d+\) was ended by SIGTERM; its records are at memdb \S+ port \d+\n/,
    );
    assert.ok(said.includes(`at memdb ${host} port ${port}\nmemhook: there: memview -acs STORE`), said);
    memdb.signal("SIGTERM");
    assert.equal(await memdb.exit, 0);
    assert.equal(await liveBytes(path), 77);
  });
}

test("a host's name becomes its addresses; what is none, or nobody's, stays", async () => {
  assert.match(await memdbHost("LOCALHOST"), /^(127\.0\.0\.1|::1)(,(127\.0\.0\.1|::1))?$/);
  for (const host of ["unix:/run/x", "10.0.0.7", "fd00::7", "10.0.0.7,fd00::7", "no-such-host.invalid"])
    assert.equal(await memdbHost(host), host);
});
