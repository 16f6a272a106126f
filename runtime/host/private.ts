// Whether a file is this user's alone, so that what it says is this user's word and nobody else can change it.
//
// A folder that everybody can write to, /tmp or /dev/shm, has files of anybody
// under any name. memdb takes over none of them.

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
