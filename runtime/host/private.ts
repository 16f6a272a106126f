// Whether a file belongs to this user alone, so that nobody else can have written it or can change it.
//
// In a folder that everybody can write to, such as /tmp or /dev/shm, anybody may have made a file of any name. memdb
// does not take over such files.

import type { Stats } from "node:fs";

const GROUP_OR_OTHERS_WRITE = 0o022;

/**
 * A regular file of this user's, under one name, that nobody else can write to.
 * Ask of an open file: what a name leads to changes.
 */
export function isPrivate(status: Stats): boolean {
  const { uid, nlink, mode } = status;
  return status.isFile() && uid === process.geteuid!() && nlink === 1 && (mode & GROUP_OR_OTHERS_WRITE) === 0;
}
