// Whether the process of a store is still there: real processes, and identities that are almost theirs.

import assert from "node:assert/strict";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { type Identity, liveness, statLives } from "../../../runtime/stores/liveness.js";
import { compiler, noCompiler } from "../../support/programs.js";
import { onceIsEnough, root, temporaryFolder } from "../../support/run.js";
import { ownIdentity } from "../../support/stores.js";

const folder = temporaryFolder();

function own(): Identity {
  const { pid, processStart, bootId, pidNamespace } = ownIdentity();
  return { pid, start: processStart, namespace: pidNamespace, bootId };
}

function startOf(pid: number): bigint {
  const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
  return BigInt(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19]!);
}

async function firstLine(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    child.stdout!.once("data", (data) => resolve(String(data).trim()));
    child.once("error", reject);
  });
}

interface StatVector {
  what: string;
  stat: string;
  start: number;
  lives: boolean;
}
const vectors: StatVector[] = JSON.parse(readFileSync(join(root, "test/vectors/liveness/stats.json"), "utf8"));

test("what /proc/PID/stat says: the vectors", () => {
  for (const { what, stat, start, lives } of vectors) assert.equal(statLives(stat, BigInt(start)), lives, what);
});

test("what /proc/PID/stat says: the library means the same", { skip: noCompiler || onceIsEnough }, () => {
  const program = join(folder, "liveness");
  const sources = ["test/runtime/stores/liveness.c", "preload/base/process.c", "preload/base/text.c"].map((name) =>
    join(root, name),
  );
  const built = spawnSync(compiler("zig").c[0]!, [
    ...compiler("zig").c.slice(1),
    "-std=gnu11",
    ...sources,
    "-o",
    program,
  ]);
  assert.equal(built.status, 0, String(built.stderr));
  const input = vectors.map(({ stat, start }) => `${start} ${stat.length}\n${stat}`).join("");
  const { stdout } = spawnSync(program, { input, encoding: "utf8" });
  const said = stdout.trim().split("\n");
  assert.deepEqual(
    vectors.map(({ what }, i) => `${what}: ${said[i]}`),
    vectors.map(({ what, lives }) => `${what}: ${Number(lives)}`),
  );
});

test("this process is running", () => {
  assert.equal(liveness(own()), "running");
});

test("what is unknown is not compared", () => {
  assert.equal(liveness({ ...own(), start: 0n, namespace: 0n, bootId: new Uint8Array(16) }), "running");
});

test("another start, another boot, another pid are other processes", () => {
  assert.equal(liveness({ ...own(), start: own().start + 1n }), "gone");
  assert.equal(liveness({ ...own(), bootId: new Uint8Array(16).fill(7) }), "gone");
  assert.equal(liveness({ ...own(), pid: 0x7ffffff0 }), "gone");
});

test("a process of a namespace that cannot be seen", () => {
  assert.equal(liveness({ ...own(), namespace: 12345n }), "invisible");
});

test("a program whose name looks like the fields behind it", async () => {
  const folder = mkdtempSync(join(tmpdir(), "memhook-name-"));
  const program = join(folder, "a) Z 1 (b");
  symlinkSync("/bin/sh", program);
  const child = spawn(program, ["-c", "echo ready; read line"], { stdio: ["pipe", "pipe", "inherit"] });
  try {
    await firstLine(child);
    assert.match(readFileSync(`/proc/${child.pid}/stat`, "latin1"), /^\d+ \(a\) Z 1 \(b\) /);
    assert.equal(liveness({ ...own(), pid: child.pid!, start: startOf(child.pid!) }), "running");
  } finally {
    child.kill("SIGKILL");
    rmSync(folder, { recursive: true });
  }
});

test("a zombie has ended", async () => {
  // The shell becomes a sleep that does not wait for its child.
  const child = spawn("/bin/sh", ["-c", "sleep 0.01 & echo $!; exec sleep 60"], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  try {
    const pid = Number(await firstLine(child));
    const identity = { ...own(), pid, start: startOf(pid) };
    for (let waited = 0; !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, "latin1")); waited += 10) {
      assert.ok(waited < 10_000, "the child did not end");
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    assert.ok(existsSync(`/proc/${pid}`));
    assert.equal(liveness(identity), "gone");
  } finally {
    child.kill("SIGKILL");
  }
});
