// memdb and memhook as a library: a real program sends to a collector inside
// this very process, and can be looked at meanwhile.

import assert from "node:assert/strict";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { type LogEntry, serve, status } from "../../api/memdb.js";
import { LaunchError, libraryPath, openStore } from "../../api/memhook.js";
import { watch } from "../../api/memview.js";
import { after } from "../support/after.js";
import { build, noCompiler, Running } from "../support/programs.js";
import { temporaryFolder } from "../support/run.js";

const folder = temporaryFolder();
const ends: (() => unknown)[] = [];
after(async () => {
  for (const end of ends) await end();
});

test("memdb: collects, tells its status, writes", { skip: noCompiler }, async () => {
  const path = join(folder, "db.mem");
  const tokenFile = join(folder, "token");
  writeFileSync(tokenFile, "0123456789abcdef");
  const log: LogEntry[] = [];
  const memdb = await serve({ store: path, size: 1 << 24, port: 0, tokenFile, log: (entry) => log.push(entry) });
  ends.push(() => memdb.close());
  const { port } = memdb.address!;
  const program = new Running(build("obedient.c"), ["leak", "1000", "ready", "wait"], {
    env: {
      LD_PRELOAD: libraryPath(),
      MEMHOOK_NET_HOST: "127.0.0.1",
      MEMHOOK_NET_PORT: String(port),
      MEMHOOK_NET_TOKEN_FILE: tokenFile,
      MEMHOOK_CACHE_FLUSH_INTERVAL: "10ms",
    },
  });
  ends.push(() => program.stop());
  assert.equal(await program.line(), "ready");
  while (memdb.status().sessions[0]?.liveBytes !== 1000) await new Promise((resolve) => setImmediate(resolve));
  const [session] = (await status({ port, tokenFile })).sessions;
  assert.deepEqual([session!.pid, session!.liveCount, session!.store], [program.pid, 1, path]);
  await assert.rejects(status({ port }), /^Error: 127\.0\.0\.1 port \d+: this memdb asks for a token/);

  await memdb.flush();
  const store = await openStore(path);
  const { totals, process } = await store.summary();
  assert.deepEqual([totals.liveBytes, process.pid, process.state], [1000, program.pid, "running"]);
  store.close();
  await memdb.close();
  assert.deepEqual(
    log.map(({ event }) => event).filter((event) => event !== "refused"),
    ["listening", "session", "snapshot", "closed", "closing"],
  );
});

test("memdb: what it cannot do is an error in one line", async () => {
  await assert.rejects(serve({ store: join(folder, "x.mem"), size: 4096 }), {
    name: "RangeError",
    message: "size: 4096 is too small for a store; give 8388608 or more",
  });
  await assert.rejects(serve({ store: join(folder, "x.mem"), host: "0.0.0.0", port: 0 }), /can be reached by others/);
  await assert.rejects(status({ unix: join(folder, "no.socket") }), /no\.socket: no memdb there/);
  assert.ok(!existsSync(join(folder, "x.mem")));
});

test("watch: names what grows in a program that runs", { skip: noCompiler }, async () => {
  const path = join(folder, "watched.mem");
  const program = new Running(build("steady.c"), [], { store: path });
  ends.push(() => program.stop());
  const allocate = async (blocks: number) => {
    program.tell(`allocate ${blocks}\n`);
    return (await program.line())!.split(" ").slice(1).map(Number);
  };
  const [count, bytes] = await allocate(10);
  const store = await openStore(path);
  const looks = watch(store, { every: 0, top: 1 });
  const first = (await looks.next()).value!;
  assert.equal(first.growth, undefined);
  const [moreCount, moreBytes] = await allocate(7);
  const { growth, ...now } = (await looks.next()).value!;
  assert.deepEqual([now.count - first.count, now.bytes - first.bytes], [7, moreBytes! - bytes!]);
  const [grown] = growth!.stacks;
  assert.deepEqual(
    [grown!.moreCount, grown!.count, grown!.moreBytes, grown!.stack[0]!.function],
    [moreCount! - count!, moreCount, moreBytes! - bytes!, "allocate"],
  );
  await looks.return();
  store.close();
});

test("libraryPath: by the program, and why there is none", { skip: noCompiler }, () => {
  assert.equal(libraryPath(build("obedient.c")), libraryPath());
  assert.ok(existsSync(libraryPath()));
  assert.throws(
    () => libraryPath(join(folder, "nothing")),
    (error) => error instanceof LaunchError && /^[^\n]*nothing[^\n]*$/.test(error.message),
  );
});
