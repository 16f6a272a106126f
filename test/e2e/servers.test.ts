// Servers under memhook, where the machine has them, with their own clients doing work: a soak of some seconds.
// Runs under Node alone: what it tests is the library, in C.

import assert from "node:assert/strict";
import { chmodSync, chownSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import test from "node:test";
import { readReport } from "../support/expectations.js";
import { Running, runProgram, which } from "../support/programs.js";
import { temporaryFolder } from "../support/run.js";

const folder = temporaryFolder();
const missing = (...names: string[]) => {
  const absent = names.filter((name) => !which(name));
  return absent.length > 0 ? `not on this machine: ${absent.join(", ")}` : false;
};

test("redis-server with redis-benchmark, a fork to save, and a shutdown", {
  skip: missing("redis-server", "redis-cli", "redis-benchmark"),
}, async (t) => {
  const place = join(folder, "redis");
  mkdirSync(place);
  const socket = join(place, "s");
  const store = join(place, "store.mem");
  const server = new Running(
    which("redis-server")!,
    ["--port", "0", "--unixsocket", socket, "--dir", place, "--save", "", "--logfile", ""],
    { store, cwd: place },
  );
  t.after(() => server.stop());
  for (let line: string | undefined = ""; !line.includes("eady to accept connections"); ) {
    line = await server.line();
    assert.ok(line !== undefined, `redis-server ended: ${server.stdout}${server.stderr}`);
  }
  const cli = async (...args: string[]) => {
    const { status, stdout, stderr } = await runProgram(which("redis-cli")!, ["-s", socket, ...args]);
    assert.equal(status, 0, stderr);
    return stdout.trim();
  };
  const benchmark = await runProgram(which("redis-benchmark")!, [
    ...["-s", socket, "-n", "5000", "-c", "20", "-d", "200", "-q", "-t", "set,get,lpush,rpop,sadd,hset,zadd,incr"],
  ]);
  assert.equal(benchmark.status, 0, benchmark.stderr);
  await cli("flushall");
  await cli("eval", "for i = 1, 20000 do redis.call('set', 'key' .. i, string.rep('x', i % 300)) end", "0");
  assert.equal(await cli("dbsize"), "20000");

  // What redis says of its own memory includes the allocator's rounding; ours is what it asked for.
  const used = Number(/^used_memory:(\d+)/m.exec(await cli("info", "memory"))?.[1]);
  const { totals } = await readReport(store, { aggregate: true, sort: "size", kind: "heap" });
  assert.equal(totals.dropped, 0);
  if (!/jemalloc/.test(await cli("info", "memory"))) {
    assert.ok(
      totals.liveBytes > used * 0.5 && totals.liveBytes < used * 2,
      `${totals.liveBytes} live, redis says ${used}`,
    );
  }

  assert.equal(await cli("save"), "OK");
  assert.match(await cli("bgsave"), /started/);
  // The fork that saves has done its work when its parent says so.
  while (/^rdb_bgsave_in_progress:1/m.test(await cli("info", "persistence")));
  assert.match(await cli("info", "persistence"), /^rdb_last_bgsave_status:ok/m);
  await cli("shutdown", "nosave");
  const { status } = await server.finished;
  assert.equal(status, 0, server.stdout.slice(-500));
  const report = await readReport(store, { aggregate: true, sort: "size" });
  assert.equal(report.process.state, "exited");
  assert.equal(report.totals.dropped, 0);
});

// The postgres server refuses to be root.
const isRoot = process.getuid?.() === 0;

test("postgres: initdb, a single-user session, the same as without", {
  skip: missing("initdb", "postgres", ...(isRoot ? ["setpriv"] : [])),
}, async () => {
  const outcomes = [];
  chmodSync(folder, 0o711);
  for (const hooked of [false, true]) {
    const place = join(folder, hooked ? "pg-hooked" : "pg-bare");
    mkdirSync(place, { mode: 0o700 });
    if (isRoot) chownSync(place, 65534, 65534);
    const as = isRoot ? [which("setpriv")!, "--reuid=65534", "--regid=65534", "--clear-groups"] : [which("env")!];
    const options = {
      cwd: place,
      env: { HOME: place, TZ: "UTC" },
      store: hooked ? join(place, "%e-%p.mem") : undefined,
    };
    const made = await runProgram(
      as[0]!,
      [...as.slice(1), which("initdb")!, "-D", join(place, "db"), "-A", "trust", "-N"],
      options,
    );
    assert.equal(made.status, 0, made.stderr);
    const session = await runProgram(
      as[0]!,
      [...as.slice(1), which("postgres")!, "--single", "-D", join(place, "db"), "postgres"],
      {
        ...options,
        input:
          "create table t as select i, md5(i::text) as h from generate_series(1, 20000) i\n" +
          "select count(*), min(h), max(h) from t\n",
      },
    );
    outcomes.push({ status: session.status, output: session.stdout.replace(/\d{4}-\d\d-\d\d .*/g, "") });
  }
  assert.equal(outcomes[0]!.status, 0);
  assert.deepEqual(outcomes[1], outcomes[0]);
});
