// Which stores beside one are of processes of the same run: those that it started, and those that started it.
//
//   timeout 60 ./app      app.mem is that of timeout, which holds nothing; app.4711.mem is that of app
//
// A path says only that the stores belong together; older runs may have left others there. Parents tell the rest.

import { basename, dirname, extname, join } from "node:path";
import { StoreError } from "../host/errors.js";
import { openStore, type Store } from "./store.js";
import { storesAt } from "./storenames.js";

export interface Relatives {
  /** The path of the first process. */
  first: string;
  /** How many of them hold more than the store does. */
  more: number;
}

/** More are not opened; of each only the header is read. */
const MOST = 256;

interface Process {
  pid: number;
  parentPid: number;
  heldBytes: number;
}

/** The relatives of a store's process that left stores of their own. */
export async function relativesOf(store: Store): Promise<Relatives> {
  const first = firstOf(store.path);
  const others: Process[] = [];
  for (const path of storesBeside(first)
    .filter((each) => each !== store.path)
    .slice(0, MOST)) {
    try {
      const other = await openStore(path);
      others.push(processOf(other));
      other.close();
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
    }
  }
  const own = processOf(store);
  const family = new Set([own]);
  // Whoever is added is asked for its own parent and children, too.
  for (const member of family)
    for (const other of others) if (other.parentPid === member.pid || other.pid === member.parentPid) family.add(other);
  return { first, more: [...family].filter(({ heldBytes }) => heldBytes > own.heldBytes).length };
}

function processOf(store: Store): Process {
  return { pid: store.process.pid, parentPid: store.parentPid, heldBytes: store.heldBytes() };
}

/** The path that the first process of a run had: without a process id and a number behind that. */
function firstOf(path: string): string {
  const extension = extname(path);
  const stem = basename(path, extension).replace(/\.\d+(\.([2-9]|[1-9]\d))?$/, "");
  const first = join(dirname(path), stem + extension);
  return storesBeside(first).includes(first) ? first : path;
}

function storesBeside(path: string): string[] {
  try {
    return storesAt(path);
  } catch {
    // The folder may not be listed.
    return [];
  }
}
