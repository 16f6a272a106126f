// Launchers in a project that has memhook installed: files named memview, memdb and memhook, so that `node memview`,
// `bun memdb` and `deno run -A memview` work there as they do in a checkout of memhook.
//
//   memview ──import()──▶ node_modules/memhook/memview ──▶ its dist/
//
// The files have no extension and use import(), which is the one form that all three runtimes accept. They use a path
// and not a name, because Deno resolves only the names that package.json lists.

import { chmodSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";

export const PROGRAMS = ["memview", "memdb", "memhook"] as const;

/** Launchers cannot be written: one line that says why and what to do. */
export class LauncherError extends Error {}

/**
 * Writes a project's launchers; what is there already in the same words is left. Whether all can be is looked at first.
 * @returns the names of those written.
 * @throws LauncherError when memhook is not installed there, or there is something else under a launcher's name.
 */
export function writeLaunchers(project: string): string[] {
  const installed = installedPackage(project);
  const wanted = PROGRAMS.map((name) => ({ name, path: join(project, name), text: launcher(name, installed) }));
  const missing = wanted.filter(({ path }) => !existsSync(path));
  const other = wanted.find(({ path, text }) => existsSync(path) && textOf(path) !== text);
  if (other) throw new LauncherError(`${other.name} is there already and is no launcher of memhook's; move it away`);
  for (const { name, path, text } of missing) {
    try {
      writeFileSync(path, text, { flag: "wx" });
      // The umask has a say in a new file's mode.
      chmodSync(path, 0o755);
    } catch (error) {
      throw new LauncherError(`${name} cannot be written (${(error as Error).message})`);
    }
  }
  return missing.map(({ name }) => name);
}

/** Where memhook is installed for a project, as a path that starts there: looked for upwards, as the runtimes do. */
function installedPackage(project: string): string {
  for (let folder = project; ; folder = dirname(folder)) {
    const found = join(folder, "node_modules/memhook");
    if (existsSync(join(found, "memview"))) return relative(project, found);
    if (folder === dirname(folder)) break;
  }
  throw new LauncherError(
    "there is no memhook in node_modules here; npm install memhook, bun add memhook, or deno add npm:memhook in " +
      "a folder with a package.json",
  );
}

function launcher(name: string, installed: string): string {
  const target = JSON.stringify(`${installed.startsWith("..") ? "" : "./"}${installed}/${name}`);
  return `#!/usr/bin/env node
// Starts ${name} under Node, Bun or Deno; written by memhook init.
import(${target}).catch((error) => {
  console.error(\`${name}: cannot start (\${error.message.split("\\n", 1)}); install memhook again\`);
  process.exit(2);
});
`;
}

function textOf(path: string): string | null {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return null;
  }
}
