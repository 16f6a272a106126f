// Runs one program of the bench under one contestant, and says what it used.

import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";

/** What one run used: seconds, seconds, MiB; null when it failed or took too long. */
export function readResult(path) {
  if (!existsSync(path)) return null;
  const [wall, user, system, resident, status] = readFileSync(path, "utf8").trim().split(" ").map(Number);
  return status === 0 ? { wall, cpu: user + system, memory: resident / 1024 } : null;
}

/** A folder in `folder` for what the run writes, removed afterwards. */
export async function inFolder(folder, work) {
  const own = mkdtempSync(join(folder, "run-"));
  try {
    return await work(own);
  } finally {
    rmSync(own, { recursive: true, force: true });
  }
}

async function serve(server, size, measure, words, result) {
  const child = spawn(measure, words, { stdio: "ignore" });
  const ended = new Promise((done) => child.on("exit", done));
  const limit = Date.now() + 10_000;
  while (!server.ready(server.port) && Date.now() < limit) await new Promise((done) => setTimeout(done, 20));
  const start = process.hrtime.bigint();
  const worked = server.work(server.port, size);
  const wall = Number(process.hrtime.bigint() - start) / 1e9;
  server.stop(server.port);
  const stop = setTimeout(() => child.kill(), 5000);
  await ended;
  clearTimeout(stop);
  const used = readResult(result);
  return used && worked ? { ...used, wall } : null;
}

/** Runs a workload under a contestant, for `seconds` at most. `out`: where measure is. */
export function run(workload, contestant, { folder, out, seconds, size }) {
  return inFolder(folder, async (own) => {
    const { variables, wrap } = contestant.prepare(own);
    const measure = join(out, "measure");
    const inside = workload.children && contestant.own;
    const command = workload.command(size, inside ? wrap : undefined, workload.server?.port);
    const argv = !inside && wrap ? [...wrap, ...command.argv] : command.argv;
    const set = [...(command.variables ?? []), ...(inside || wrap ? [] : variables)];
    const result = join(own, "result");
    const words = [result, `${seconds}`, ...set, "--", ...argv];
    if (workload.server) return serve(workload.server, size, measure, words, result);
    spawnSync(measure, words, { stdio: "ignore", cwd: own });
    return readResult(result);
  });
}
