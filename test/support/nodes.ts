// The versions of Node that memhook supports: the one that runs the tests, and the others from the package `node` on
// npm. That package places them with an install script; the packages of its binaries need none.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { root, runTool } from "./run.js";

export const VERSIONS = ["20.20.2", "22.23.3", "24.21.0"] as const;

/** "Node 22" and the path of its program, for each version; fetched once into build/nodes. */
export async function nodes(): Promise<[name: string, program: string][]> {
  const found: [string, string][] = [];
  for (const version of VERSIONS) {
    const major = version.split(".")[0]!;
    const own = process.versions.node.startsWith(`${major}.`);
    found.push([`Node ${major}`, own ? process.execPath : await fetched(version)]);
  }
  return found;
}

async function fetched(version: string): Promise<string> {
  const name = `node-linux-${process.arch}`;
  const folder = join(root, "build/nodes", version);
  const program = join(folder, "node_modules", name, "bin/node");
  if (!existsSync(program)) {
    const options = ["--no-save", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", folder];
    await runTool(["npm", "install", ...options, `${name}@${version}`], root);
  }
  assert.equal(spawnSync(program, ["--version"], { encoding: "utf8" }).stdout, `v${version}\n`, program);
  return program;
}
