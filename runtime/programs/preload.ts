// A name for the library that LD_PRELOAD can hold.
//
// The loader takes spaces and colons as separators, and $ as the start of a variable ($ORIGIN). If the library's path
// has one of them, as in a checkout in "My Projects", a link to the library is used instead.

import { createHash } from "node:crypto";
import { chmodSync, lstatSync, mkdirSync, mkdtempSync, readlinkSync, renameSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join, resolve } from "node:path";
import { LaunchError } from "../host/errors.js";

const UNFIT = /[\s:$]/;

/** The library by a name for LD_PRELOAD, as long as something runs. */
export interface Preload {
  path: string;
  /** To be called when it is not needed any more. */
  remove(): void;
}

/** For one run: a link is in a new folder, which goes away afterwards. */
export function preloadOnce(library: string): Preload {
  if (!UNFIT.test(library)) return { path: library, remove() {} };
  const folder = mkdtempSync(join(linksFolder(), "memhook-"));
  // The program may go on as another user, who still has to reach it.
  chmodSync(folder, 0o755);
  const path = join(folder, basename(library));
  symlinkSync(library, path);
  return { path, remove: () => rmSync(folder, { recursive: true, force: true }) };
}

/**
 * For whoever is told the name: a link stays, one for each user and library.
 * @throws LaunchError when somebody else has put something in its place.
 */
export function preloadAlways(library: string): string {
  if (!UNFIT.test(library)) return library;
  const uid = process.getuid?.() ?? 0;
  const hash = createHash("sha256").update(library).digest("hex").slice(0, 12);
  const folder = join(linksFolder(), `memhook-${uid}-${hash}`);
  try {
    mkdirSync(folder, { mode: 0o755 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  }
  // Others may write beside it, but what is loaded into our programs must be ours.
  const status = lstatSync(folder);
  if (!status.isDirectory() || status.uid !== uid || (status.mode & 0o022) !== 0)
    throw new LaunchError(`${folder} is not a folder that only you can write to: remove it, or set TMPDIR`);
  const path = join(folder, basename(library));
  if (linked(path) === library) return path;
  const unfinished = `${path}.${process.pid}`;
  rmSync(unfinished, { force: true });
  symlinkSync(library, unfinished);
  renameSync(unfinished, path);
  return path;
}

/** Where the link leads, null if there is none. */
function linked(path: string): string | null {
  try {
    return readlinkSync(path);
  } catch {
    return null;
  }
}

/** A folder for links, whose own path has none of these characters either. */
function linksFolder(): string {
  const own = resolve(tmpdir());
  return UNFIT.test(own) ? "/tmp" : own;
}
