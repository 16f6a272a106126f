// What is generated from the programs' definitions is up to date.

import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";

/** @typedef {import("./tree.mjs").Violation} Violation */

/** @returns {Violation[]} */
export function checkDocuments(root) {
  const tool = join(root, "tools/docs.mjs");
  if (!existsSync(tool)) return [];
  const { status, stdout, stderr } = spawnSync("node", [tool, "--check"], { encoding: "utf8" });
  const found = [...stdout.matchAll(/^(\S+): (.*)$/gm)].map(([, file, what]) => ({ file, line: 1, what }));
  if (status !== 0 && found.length === 0)
    found.push({ file: "tools/docs.mjs", line: 1, what: /^\w*Error.*$/m.exec(stderr)?.[0] ?? stderr.trim() });
  return found;
}
