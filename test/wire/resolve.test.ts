// Names of memdb's host: the resolver of preload/ against files and name servers of this test's own.
// Runs under Node alone: what it tests is the library, in C.

import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { createSocket, type Socket } from "node:dgram";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { before, test } from "node:test";
import { after } from "../support/after.js";
import { compiler, noCompiler } from "../support/programs.js";
import { root, temporaryFolder } from "../support/run.js";

const folder = temporaryFolder();
const program = join(folder, "resolve");
const servers: Socket[] = [];
const asked: string[] = [];
let port = 0;

const A = 1;
const CNAME = 5;
const AAAA = 28;
/** The question's name, by reference. */
const SAME = [0xc0, 12];
const IPV6 = [0x20, 1, 0xd, 0xb8, ...Array(11).fill(0), 9];

function record(name: number[], type: number, data: number[]): number[] {
  return [...name, 0, type, 0, 1, 0, 0, 0, 60, data.length >> 8, data.length & 255, ...data];
}

function labels(name: string): number[] {
  return [...name.split(".").flatMap((label) => [label.length, ...Buffer.from(label)]), 0];
}

/** What a name server says to a question: its code and records, or bytes of its own. */
type Answer = { code?: number; records?: number[][]; bytes?: number[]; id?: number };

const names: Record<string, Record<number, Answer>> = {
  "collector.example": {
    [A]: { records: [record(SAME, A, [127, 0, 0, 9])] },
    [AAAA]: { records: [record(SAME, AAAA, IPV6)] },
  },
  "six.example": { [AAAA]: { records: [record(SAME, AAAA, IPV6)] } },
  "alias.example": {
    [A]: {
      records: [
        record(SAME, CNAME, labels("real.example")),
        record(labels("real.example"), A, [10, 1, 2, 3]),
        record(labels("real.example"), A, [10, 1, 2, 4]),
      ],
    },
  },
  "db.other.example": { [A]: { records: [record(SAME, A, [10, 0, 0, 1])] } },
  "garbage.example": { [A]: { bytes: [1, 2, 3, 4, 5, 6, 7] }, [AAAA]: { bytes: Array(300).fill(0xff) } },
  "cut.example": { [A]: { records: [record(SAME, A, [10, 0, 0, 2]).slice(0, -1)] } },
  "odd.example": {
    [A]: { records: [record(SAME, A, [10, 0, 0])] },
    [AAAA]: { records: [record([63, 1], AAAA, IPV6)] },
  },
  "liar.example": { [A]: { records: [record(SAME, A, [10, 0, 0, 3])], id: 1 } },
};
const ofSecond: typeof names = { "second.example": { [A]: { records: [record(SAME, A, [10, 0, 0, 4])] } } };

function answer(query: Buffer, known: typeof names): Buffer {
  let name = "";
  let at = 12;
  for (; query[at]! > 0; at += 1 + query[at]!) name += `${query.toString("latin1", at + 1, at + 1 + query[at]!)}.`;
  name = name.slice(0, -1);
  const type = query.readUInt16BE(at + 1);
  asked.push(`${name} ${type === A ? "A" : "AAAA"}`);
  const found = known[name];
  // NXDOMAIN; a name that has other records only is no error.
  const { code = 0, records = [], bytes, id = 0 } = found ? (found[type] ?? {}) : { code: 3 };
  if (bytes) return Buffer.from(bytes);
  const head = Buffer.from([0, 0, 0x81, 0x80 | code, 0, 1, 0, records.length, 0, 0, 0, 0]);
  head.writeUInt16BE(query.readUInt16BE(0) ^ id, 0);
  return Buffer.concat([head, query.subarray(12), Buffer.from(records.flat())]);
}

async function nameServer(address: string, known: typeof names): Promise<void> {
  const socket = createSocket("udp4");
  servers.push(socket);
  socket.on("message", (query, { address: from, port: to }) => socket.send(answer(query, known), to, from));
  await new Promise<void>((resolve, reject) => {
    socket.once("error", reject);
    socket.bind(port, address, () => resolve());
  });
  port = socket.address().port;
}

before(async () => {
  if (noCompiler) return;
  const [command, ...flags] = compiler("zig", "clang", "gcc").c;
  const files = ["test/wire/resolve.c", "preload/base/text.c"];
  const options = ["-std=gnu11", "-O1", "-Wall", "-Wextra", "-Ibuild", ...files, "-o", program];
  const { status, stderr } = spawnSync(command!, [...flags, ...options], { cwd: root, encoding: "utf8" });
  assert.equal(status, 0, stderr);
  await nameServer("127.0.0.1", names);
  await nameServer("127.0.0.2", ofSecond);
  const others = Array.from({ length: 3000 }, (_, i) => `0.0.0.0 ads${i}.example.com\n`);
  const aliases = Array.from({ length: 3000 }, (_, i) => ` alias${i}.example.com`);
  writeFileSync(
    join(folder, "hosts"),
    [
      "# 10.9.9.9 listed\n127.0.0.7\tListed.example listed # not.this\n::7 listed\n",
      ...others,
      "127.0.0.8 listed.behind.others LISTED.IN.CAPITALS\n",
      `127.0.0.9${aliases.join("")} listed.in.a.long.line\n`,
      `127.0.0.10 listed.${"x".repeat(300)} listed.behind.no.name\r\n`,
      "no.address listed.without.address\n127.0.0.11 listed.last",
    ].join(""),
  );
  writeFileSync(
    join(folder, "resolv.conf"),
    "; a comment\nsearch corp.example other.example\nnameserver 127.0.0.1\nnameserver 127.0.0.2\noptions ndots:1\n",
  );
});
after(() => {
  for (const server of servers) server.close();
});

async function resolved(host: string): Promise<string[]> {
  asked.length = 0;
  const child = spawn(program, [host, folder, String(port)], { stdio: ["ignore", "pipe", "inherit"] });
  const ended = new Promise((resolve) => child.on("exit", resolve));
  let text = "";
  for await (const piece of child.stdout.setEncoding("utf8")) text += piece;
  assert.equal(await ended, 0, host);
  return text.split("\n").slice(0, -1);
}

const cases: [host: string, addresses: string[]][] = [
  ["127.0.0.5", ["127.0.0.5"]],
  ["listed", ["127.0.0.7", "::7"]],
  ["listed.example", ["127.0.0.7"]],
  ["LISTED.example", ["127.0.0.7"]],
  ["listed.behind.others", ["127.0.0.8"]],
  ["listed.in.capitals", ["127.0.0.8"]],
  ["Listed.In.Capitals", ["127.0.0.8"]],
  ["listed.in.a.long.line", ["127.0.0.9"]],
  ["listed.behind.no.name", ["127.0.0.10"]],
  ["listed.last", ["127.0.0.11"]],
  ["not.this", []],
  ["collector.example", ["127.0.0.9", "2001:db8::9"]],
  ["six.example", ["2001:db8::9"]],
  ["alias.example", ["10.1.2.3", "10.1.2.4"]],
  ["db", ["10.0.0.1"]],
  ["second.example", ["10.0.0.4"]],
  ["nothing.example", []],
  ["garbage.example", []],
  ["cut.example", []],
  ["odd.example", []],
  ["liar.example", []],
  ["a..b", []],
];

for (const [host, addresses] of cases) {
  test(`resolving ${host}: ${addresses.join(", ") || "nothing"}`, { skip: noCompiler }, async () => {
    assert.deepEqual(await resolved(host), addresses);
    // What needs no name server asks none.
    if (/^listed|^127/i.test(host)) assert.deepEqual(asked, []);
  });
}

test("a name without a dot is looked for in the search list first", { skip: noCompiler }, async () => {
  await resolved("db");
  assert.deepEqual(asked, [
    ...Array(2).fill(["db.corp.example A", "db.corp.example AAAA"]).flat(),
    "db.other.example A",
    "db.other.example AAAA",
  ]);
});
