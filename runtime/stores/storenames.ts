// The names of stores. The store of the first process is at PATH; those of others with the same PATH are beside it. The
// library (preload/store/claim.c) and memdb choose names by the same rule, and readers find the stores by it.
//
//     app.mem   app.4711.mem   app.4711.2.mem …        4711: the process id; the last number, where that is taken, too
//     app       app.4711       app.4711.2 …

import { readdirSync } from "node:fs";
import { basename, dirname, extname, join } from "node:path";
import { STORE_NAMES } from "../../asm/layout.js";

/** The file behind a name in shared memory. */
export function sharedMemoryPath(name: string): string {
  return `/dev/shm/${name.replace(/^\/+/, "")}`;
}

/** The names for a process, in the order in which they are tried. */
export function* storeNames(path: string, pid: number): Generator<string> {
  const extension = extname(path);
  const stem = join(dirname(path), basename(path, extension));
  yield path;
  yield `${stem}.${pid}${extension}`;
  for (let number = 2; number < STORE_NAMES; number++) yield `${stem}.${pid}.${number}${extension}`;
}

/**
 * The stores at a path and beside it. In the file's name %p and %e stand for
 * any process id and program's name, as in MEMHOOK_FILE.
 */
export function storesAt(path: string): string[] {
  const extension = extname(path);
  const [stem, end] = [basename(path, extension), extension].map((part) =>
    part
      .replace(/[\\^$.*+?()[\]{}|]/g, "\\$&")
      .replaceAll("%p", "\\d+")
      .replaceAll("%e", ".+"),
  );
  const ours = new RegExp(`^${stem}(\\.\\d+(\\.([2-9]|[1-9]\\d))?)?${end}$`, "s");
  return readdirSync(dirname(path), { withFileTypes: true })
    .filter((entry) => !entry.isDirectory() && ours.test(entry.name))
    .map((entry) => entry.name)
    .sort()
    .map((file) => join(dirname(path), file));
}
