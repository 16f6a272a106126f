// memdb as a command: its options, its log, its signals, its subcommands.

import assert from "node:assert/strict";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { openStore } from "../../runtime/stores/store.js";
import { root, run, temporaryFolder } from "../support/run.js";
import { fromHex } from "../wire/stream.js";
import { Client } from "./client.js";
import { Command } from "./command.js";

const folder = temporaryFolder();

for (const signal of ["SIGINT", "SIGTERM", "SIGQUIT"] as const) {
  test(`${signal} in the middle of everything: all that was acknowledged is stored, exit 0`, async () => {
    const path = join(folder, `${signal}.mem`);
    const memdb = new Command("-h", "127.0.0.1", "-p0", path);
    const { store: first, port } = await memdb.listening();
    assert.equal(first, path);
    const program = await new Client({ host: "127.0.0.1", port }).shake();
    program.stream.process({ pid: 7 });
    let sent = 0;
    for (let round = 0; round < 20; round++) {
      program.stream.records(Array.from({ length: 5000 }, () => [++sent, { address: BigInt(sent), size: 1 }] as const));
      await program.commit();
    }
    memdb.signal(signal);
    assert.equal((await memdb.entry("closed")).counts?.live, sent);
    assert.equal(await memdb.exit, 0);
    const store = await openStore(path);
    assert.equal(store.totals().liveCount, sent);
    store.close();
    await program.cut();
  });
}

test("kill -9: the store is readable, and a new memdb goes on", async () => {
  const path = join(folder, "killed.mem");
  const socket = join(folder, "killed.sock");
  for (let life = 1; life <= 3; life++) {
    const memdb = new Command("--unix", socket, path);
    await memdb.entry("listening");
    const program = await new Client({ path: socket }).shake();
    program.stream.process({ pid: 7 });
    for (let i = 1; i <= 1000 * life; i++) program.stream.records([[i, { address: BigInt(i), size: life }]]);
    await program.commit();
    await program.commit(true);
    memdb.signal("SIGKILL");
    await memdb.exit;
    const store = await openStore(path);
    const { matched } = await store.query({ aggregate: true, sort: "size" });
    store.close();
    assert.deepEqual(matched, { count: 1000 * life, bytes: 1000 * life * life });
    await program.cut();
  }
});

test("status tells what memview would, in both forms", async () => {
  const path = join(folder, "status.mem");
  const socket = join(folder, "status.sock");
  const token = join(folder, "token");
  writeFileSync(token, "a token of good length\n");
  const memdb = new Command("--unix", socket, "--token-file", token, "-f", path);
  await memdb.entry("listening");
  const program = await new Client({ path: socket }).shake(Buffer.from("a token of good length"));
  program.stream.process({ pid: 7, exe: "/bin/x" }).records([[1, { address: 1n, size: 3 }]]);
  await program.commit();
  const ask = (...more: string[]) => run("memdb", ["status", "--unix", socket, "--token-file", token, ...more]);
  const json = ask("--format", "json");
  assert.equal(json.code, 0, json.stderr);
  assert.equal(JSON.parse(json.stdout).sessions[0].liveBytes, 3);
  assert.match(
    ask().stdout,
    /^memdb \d+, since .*\n7 \/bin\/x\n.*status\.mem, from unix:.*\n.*1 allocations, 3 bytes live/,
  );
  const without = run("memdb", ["status", "--unix", socket]);
  assert.deepEqual([without.code, without.stdout], [2, ""]);
  assert.match(without.stderr, /^memdb: .*asks for a token.*\n$/);
  memdb.signal("SIGTERM");
  assert.equal(await memdb.exit, 0);
  await program.cut();
  assert.match(run("memdb", ["status", "--unix", socket]).stderr, /^memdb: .*no memdb there.*\n$/);
});

test("what cannot be is one line and exit code 2", () => {
  const path = join(folder, "x.mem");
  const short = join(folder, "short");
  writeFileSync(short, "short");
  writeFileSync(join(folder, "text.mem"), "no store");
  const cases: [string[], RegExp][] = [
    [["-m", "Name", "-f", path], /two stores/],
    [["-h", "0.0.0.0", path], /can be reached by others: give --token-file FILE .* or --insecure/],
    [["-h", "0.0.0.0", "--token-file", short, path], /can be guessed/],
    [["--token-file", join(folder, "none"), path], /cannot be read/],
    [["-p", "65536", path], /--port: '65536' is out of range/],
    [["-s", "1MiB", path], /--size: 1MiB is too small/],
    [["-f", join(folder, "text.mem"), "-p0"], /is no store/],
    [["-p0", join(folder, "no/folder/x.mem")], /there is no folder/],
    [["dump", join(folder, "none")], /cannot be read/],
    [["--unix", join(folder, "x".repeat(108)), path], /longer than a socket's path can be/],
    [["--unix", join(folder, "no/folder/sock"), path], /there is no folder/],
    [["--unix", short, path], /something that is no socket/],
    [["-h", "no.such.name.invalid", "-p0", path], /no address is known for no\.such\.name\.invalid/],
    [["-h", "192.0.2.1", "--insecure", "-p0", path], /cannot listen on 192\.0\.2\.1 port 0: /],
    [["status", "-p", "1"], /no memdb there/],
  ];
  for (const [args, message] of cases) {
    const { code, stdout, stderr } = run("memdb", args);
    assert.deepEqual([code, stdout], [2, ""], args.join(" "));
    assert.match(stderr, /^memdb: [^\n]*\n$/);
    assert.match(stderr, message);
  }
});

test("where somebody listens or keeps stores already, a second memdb does not start", async () => {
  const path = join(folder, "first.mem");
  const memdb = new Command("-p0", path);
  const { port } = await memdb.listening();
  const samePort = run("memdb", ["-p", String(port), join(folder, "second.mem")]);
  assert.equal(samePort.code, 2);
  assert.match(samePort.stderr, /^memdb: cannot listen on 127\.0\.0\.1 port \d+: somebody listens there already\n$/);
  const samePath = run("memdb", ["-p0", path]);
  assert.equal(samePath.code, 2);
  assert.match(samePath.stderr, /^memdb: .*first\.mem: another memdb \(pid \d+\) keeps its stores there; .*\n$/);
  // A killed memdb is not in the way, and one that ended leaves nothing behind.
  memdb.signal("SIGKILL");
  await memdb.exit;
  const again = new Command("-p0", path);
  await again.listening();
  again.signal("SIGTERM");
  assert.equal(await again.exit, 0);
  assert.deepEqual(
    readdirSync(folder).filter((name) => name.startsWith("first.")),
    [],
  );
});

test("-h is the host, --help is the help", () => {
  const { code, stdout } = run("memdb", ["--help"]);
  assert.equal(code, 0);
  assert.match(stdout, /-h, --host HOST/);
  assert.match(stdout, /Limits:\n +256 processes and 1024 connections/);
});

test("dump shows a stream from a file or standard input, and where it goes wrong", () => {
  const vectors = join(root, "test/vectors/wire");
  const bytes = fromHex(readFileSync(join(vectors, "session.hex"), "utf8"));
  const text = readFileSync(join(vectors, "session.txt"), "utf8");
  const file = join(folder, "stream");
  writeFileSync(file, bytes);
  assert.deepEqual(run("memdb", ["dump", file]), { code: 0, signal: null, stdout: text, stderr: "" });
  assert.equal(run("memdb", ["dump", "-"], { input: bytes }).stdout, text);
  const cut = run("memdb", ["dump", "-"], { input: bytes.subarray(0, 1000) });
  assert.equal(cut.code, 2);
  assert.match(cut.stdout, /\nerror: a length that cannot be: .* at the end\n$/);
});

test("a log whose reader has gone does not stop memdb", async () => {
  const path = join(folder, "log.mem");
  const socket = join(folder, "log.sock");
  const memdb = new Command("--unix", socket, path);
  await memdb.entry("listening");
  memdb.child.stdout!.destroy();
  for (const pid of [1, 2]) {
    const program = await new Client({ path: socket }).shake();
    program.stream.process({ pid });
    assert.equal(await program.commit(), 1n);
    await program.cut();
  }
  memdb.signal("SIGTERM");
  assert.equal(await memdb.exit, 0);
});
