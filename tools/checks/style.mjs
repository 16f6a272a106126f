// Lint and format, by Biome.

import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join, relative } from "node:path";

/** @typedef {import("./tree.mjs").Violation} Violation */

/** Biome says paths from the project's folder, or whole, with or without the first slash. */
function fromRoot(root, path) {
  const whole = `/${path.replace(/^\//, "")}`;
  return whole.startsWith(`${root}/`) ? relative(root, whole) : path;
}

/** @returns {Violation[]} */
export function checkStyle(root) {
  const biome = join(root, "node_modules/.bin/biome");
  if (!existsSync(biome)) return [{ file: "node_modules/.bin/biome", line: 1, what: "is missing: run ./build.sh" }];
  const { status, stdout, stderr } = spawnSync(biome, ["check", "--reporter=github", "--max-diagnostics=none", "."], {
    cwd: root,
    encoding: "utf8",
    maxBuffer: 1 << 28,
  });
  const found = [...stdout.matchAll(/^\s*::(?:error|warning) (.*?)::(.*)$/gm)].map(([, properties, message]) => ({
    file: fromRoot(root, /file=([^,]*)/.exec(properties)?.[1] ?? "biome.json"),
    line: Number(/line=(\d+)/.exec(properties)?.[1] ?? 1),
    what: `${/title=([^,]*)/.exec(properties)?.[1] ?? "biome"}: ${message.split("%0A")[0]}`,
  }));
  if (status !== 0 && found.length === 0)
    found.push({ file: "biome.json", line: 1, what: stderr.trim().split("\n")[0] });
  return found;
}
