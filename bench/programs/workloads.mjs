// The programs that are measured. A workload is
//
//   { name, missing?, against?, children?, command(size, wrap?) → { argv, variables? }, server? }
//
// `size` is 1 for full inputs. `against`: only these contestants. `children`: what
// counts runs in children of the command, which it puts the words of `wrap` before.
// `server`: the command serves until `work(size)` and `stop()` were called.

import { spawnSync } from "node:child_process";
import { existsSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join, resolve } from "node:path";

const sources = new URL(".", import.meta.url).pathname;
const has = (program) => spawnSync("sh", ["-c", `command -v ${program}`]).status === 0;
const absent = (program) => (has(program) ? undefined : `${program} is not installed`);

/** The interpreter itself: what is on PATH may be a script that starts it. */
function interpreter() {
  const asked = spawnSync("python3", ["-c", "import os, sys; print(os.path.realpath(sys.executable))"], {
    encoding: "utf8",
  });
  return asked.status === 0 ? asked.stdout.trim() : null;
}

/** Tables, rows, indexes and queries for sqlite3; half of the rows by statements of their own, for the parser. */
function sqlScript(rows) {
  const lines = [
    "BEGIN;",
    "CREATE TABLE account(id INTEGER PRIMARY KEY, name TEXT, town TEXT, balance REAL);",
    "CREATE TABLE payment(id INTEGER PRIMARY KEY, account INTEGER, amount REAL, note TEXT);",
  ];
  for (let i = 1; i <= rows / 2; i++)
    lines.push(
      `INSERT INTO account VALUES(${i}, 'name ${(i * 7919) % 100003}', 'town ${i % 97}', ${(i * 31) % 1000});`,
    );
  lines.push(
    `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${rows / 2})`,
    `  INSERT INTO payment SELECT i, i * 7919 % ${rows / 2} + 1, i % 1000 / 7.0, 'note ' || (i * 104729 % ` +
      "1000003) FROM n;",
    "CREATE INDEX account_name ON account(name);",
    "CREATE INDEX payment_account ON payment(account, amount);",
    "COMMIT;",
    "SELECT town, count(*), round(sum(amount), 2) FROM account JOIN payment ON payment.account = account.id " +
      "GROUP BY town ORDER BY 3;",
    "SELECT count(DISTINCT substr(note, 6, 3)), group_concat(DISTINCT length(note)) FROM payment;",
    "SELECT name, upper(town) || '!' FROM account WHERE name LIKE '%77%' ORDER BY balance, name LIMIT 50;",
    "UPDATE account SET name = name || ' changed' WHERE id % 3 = 0;",
    "DELETE FROM payment WHERE id % 5 = 0;",
  );
  for (let i = 0; i < rows / 20; i++)
    lines.push(`SELECT sum(amount) FROM payment WHERE account = ${(i * 7919) % rows};`);
  return `${lines.join("\n")}\n`;
}

/** An XML document of rows with attributes, elements and text. */
function xmlRows(rows) {
  const lines = ["<?xml version='1.0'?>", "<rows>"];
  for (let i = 0; i < rows; i++)
    lines.push(
      `<row id="${i}" name="name ${(i * 7919) % 5003}"><tag>t${i % 17}</tag><tag>u${i % 5}</tag><note>note ${i} ` +
        "&amp; more</note></row>",
    );
  return `${lines.join("\n")}\n</rows>\n`;
}

/** A C file with many functions, each with loops, switches and arithmetic for the optimizer. */
function cSource(functions) {
  const parts = ["#include <stddef.h>", "struct item { struct item *next; int kind; long value; char name[16]; };"];
  for (let i = 0; i < functions; i++)
    parts.push(
      `static long step_${i}(struct item *item, long seed) {`,
      "  long sum = seed;",
      "  for (; item; item = item->next) {",
      "    switch (item->kind) {",
      ...Array.from(
        { length: 8 },
        (_, k) => `    case ${k}: sum += item->value * ${k + i + 3} ^ (sum >> ${k + 1}); break;`,
      ),
      `    default: for (size_t k = 0; k < sizeof(item->name); k++) sum = sum * ${2 * i + 31} + item->name[k];`,
      "    }",
      `    if (sum % ${i + 2} == 0) sum ${i ? `+= step_${i - 1}(item->next, sum & 15)` : "++"};`,
      "  }",
      "  return sum;",
      "}",
    );
  parts.push(`long all(struct item *item) { return step_${functions - 1}(item, 1); }`);
  return `${parts.join("\n")}\n`;
}

function jsonRows(rows) {
  const all = [];
  for (let i = 0; i < rows; i++)
    all.push({
      id: i,
      name: `name ${(i * 7919) % 10007}`,
      tags: [`a${i % 7}`, `b${i % 11}`],
      at: { x: i % 100, y: i / 8 },
    });
  return JSON.stringify(all);
}

const freePort = () =>
  new Promise((done) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => done(port));
    });
  });

/** Every workload; inputs are kept in `folder`. */
export async function workloads(folder, out) {
  const scaled = (number, size) => Math.max(1, Math.round(number * size));
  /** The input of that size, made when it is first asked for. */
  const input = (name, make, number) => {
    const path = join(folder, `${number}-${name}`);
    if (!existsSync(path)) writeFileSync(path, make(number));
    return path;
  };
  const program = (name) => resolve(out, name);
  const all = [];

  // The same rounds in all, whatever the number of threads.
  const rounds = 1_200_000;
  const few = ["native", "forward", "memhook", "heaptrack-raw"];
  for (const depth of [13, 4, 16, 64])
    for (const threads of [1, 2, 4])
      all.push({
        name: `pairs, ${threads} thread${threads > 1 ? "s" : ""}${depth === 13 ? "" : `, depth ${depth}`}`,
        against: depth === 13 ? undefined : few,
        command: (size) => ({
          argv: [program("pairs"), `${threads}`, `${scaled(rounds / threads, size)}`, `${depth}`],
        }),
      });
  for (const threads of [1, 2])
    all.push({
      name: `tight pairs, ${threads} thread${threads > 1 ? "s" : ""}`,
      command: (size) => ({
        argv: [program("pairs"), "tight", `${threads}`, `${scaled(rounds / threads, size)}`],
      }),
    });

  all.push({
    name: "sqlite3 script",
    missing: absent("sqlite3"),
    command: (size) => ({
      argv: ["sqlite3", "-batch", ":memory:", `.read ${input("script.sql", sqlScript, scaled(50_000, size))}`],
    }),
  });
  // The design's row has no program; it says that heaptrack makes it 3.7 times
  // as slow. The first is like that, the second denser.
  all.push({
    name: "C++ map and string churn",
    missing: absent("g++"),
    command: (size) => ({ argv: [program("words"), `${scaled(60, size)}`] }),
  });
  all.push({
    name: "C++ map and string churn, dense",
    missing: absent("g++"),
    command: (size) => ({ argv: [program("churn"), `${scaled(60, size)}`] }),
  });
  const python = interpreter();
  all.push({
    name: "python3, PYTHONMALLOC=malloc",
    missing: python ? undefined : "python3 is not installed",
    command: (size) => ({
      argv: [python, join(sources, "objects.py"), `${scaled(14, size)}`],
      variables: ["PYTHONMALLOC=malloc"],
    }),
  });
  all.push({
    name: "gcc -O2",
    children: true,
    command: (size, wrap) => ({
      argv: [
        "gcc",
        ...(wrap ? ["-wrapper", wrap.join(",")] : []),
        ...["-O2", "-c", "-o", join(folder, "large.o"), input("large.c", cSource, scaled(60, size))],
      ],
    }),
  });
  all.push({
    name: "redis-server with redis-benchmark",
    missing: absent("redis-server") ?? absent("redis-benchmark"),
    server: {
      port: await freePort(),
      cli(port, ...words) {
        return spawnSync("redis-cli", ["-p", `${port}`, ...words], { encoding: "utf8" });
      },
      ready(port) {
        return this.cli(port, "ping").stdout.includes("PONG");
      },
      work(port, size) {
        const requests = scaled(40_000, size);
        const tests = "set,get,incr,lpush,lpop,sadd,hset,zadd";
        const words = ["-p", port, "-n", requests, "-r", 50000, "-d", 100, "-P", 16, "-c", 20, "-q", "-t", tests];
        return spawnSync("redis-benchmark", words.map(String), { stdio: "ignore" }).status === 0;
      },
      stop(port) {
        this.cli(port, "shutdown", "nosave");
      },
    },
    command: (_size, _wrap, port) => ({
      argv: ["redis-server", "--bind", "127.0.0.1", "--port", `${port}`, "--save", "", "--appendonly", "no"],
    }),
  });

  // Not looked at while memhook was tuned.
  all.push({
    name: "perl: words",
    missing: absent("perl"),
    command: (size) => ({ argv: ["perl", join(sources, "words.pl"), `${scaled(30, size)}`] }),
  });
  const filter =
    "group_by(.name) | map({key: .[0].name, count: length, tags: (map(.tags[]) | unique), x: (map(.at.x) | add)})";
  all.push({
    name: "jq: group rows",
    missing: absent("jq"),
    command: (size) => ({ argv: ["jq", "-c", filter, input("rows.json", jsonRows, scaled(10_000, size))] }),
  });
  all.push({
    name: "lua: trees of tables",
    missing: absent("lua5.4"),
    command: (size) => ({ argv: ["lua5.4", join(sources, "trees.lua"), `${scaled(60, size)}`] }),
  });
  all.push({
    name: "xmllint: parse and query",
    missing: absent("xmllint"),
    command: (size) => ({
      argv: ["xmllint", "--xpath", "count(//row[tag='t7'])", input("rows.xml", xmlRows, scaled(60_000, size))],
    }),
  });
  all.push({
    name: "gawk: words of rows",
    missing: absent("gawk"),
    command: (size) => ({
      argv: ["gawk", "-f", join(sources, "words.awk"), input("rows.xml", xmlRows, scaled(60_000, size))],
    }),
  });
  all.push({
    name: "ruby: parse and group rows",
    missing: absent("ruby"),
    command: (size) => ({
      argv: ["ruby", join(sources, "rows.rb"), input("rows.json", jsonRows, scaled(40_000, size))],
    }),
  });
  return all;
}
