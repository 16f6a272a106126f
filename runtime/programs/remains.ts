// What a run has left after its program has ended: stores, and processes that run on.
//
// A program that becomes a daemon ends as soon as its child or grandchild goes on alone. No process table says whose
// descendant that is, but its environment names the run's store. It has hardly begun at that time, so it is observed
// until nothing changes for a while, and for two seconds at most.

import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import type { Moment } from "../host/types.js";
import { identityAt, ownIdentity } from "../stores/liveness.js";
import { openStore } from "../stores/store.js";
import { storesAt } from "../stores/storenames.js";

/** Between two looks at what runs on; how many in a row must show the same; how many there are at most. */
const LOOK_MS = 50;
const LOOKS_SAME = 5;
const LOOKS_MOST = 40;
/** How many looks in a row must have found nothing where a process may have been missed. */
const LOOKS_UNSURE = 4;

/** A store that the run left, and what decides whether it is shown. */
export interface LeftStore {
  path: string;
  pid: number;
  exe: string;
  running: boolean;
  liveBytes: number;
  liveCount: number;
  allocatedCount: number;
  dropped: number;
}

export interface Remains {
  stores: LeftStore[];
  /** Processes that run on and have no store. */
  storeless: { pid: number; exe: string }[];
  /** Stores that cannot be read: a line for each. */
  unreadable: string[];
}

/**
 * Finds what the run with stores at `path` has left.
 * @param started its beginning, by Clock.boot(); null unknown: older stores belong to another run.
 */
export async function remainsOf(path: string, started: bigint | null, at: Moment): Promise<Remains> {
  let before = "";
  let same = 0;
  for (let looks = 1; ; looks++) {
    const { unsure, ...found } = await look(path, started, at);
    const nothing = found.storeless.length === 0 && !found.stores.some((store) => store.running);
    // A new store tells of a process, though it may have ended before it was seen.
    const now = JSON.stringify(found.stores);
    same = now === before ? same + 1 : 1;
    if (nothing && (!unsure || same >= LOOKS_UNSURE)) return found;
    if ((same >= LOOKS_SAME && found.storeless.length === 0) || looks === LOOKS_MOST) return found;
    before = now;
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
}

async function look(path: string, started: bigint | null, at: Moment): Promise<Remains & { unsure: boolean }> {
  // First, or one that makes its store meanwhile would have none.
  const { found: running, unsure } = runningWith(path);
  const stores: LeftStore[] = [];
  const unreadable: string[] = [];
  for (const candidate of storesAt(path)) {
    try {
      const store = await openStore(candidate, at);
      const { pid, exe, state } = store.process;
      if (started === null || store.beganAfter(started))
        stores.push({ path: candidate, pid, exe, running: state === "running", ...store.totals() });
      store.close();
    } catch (error) {
      unreadable.push((error as Error).message);
    }
  }
  const storeless = running.filter(({ pid }) => !stores.some((store) => store.pid === pid));
  return { stores, storeless, unreadable, unsure };
}

/**
 * The processes younger than this one, in its pid namespace, that were started with this path for their store.
 * Unsure: there may be one more, since a process has no environment for a moment while it executes a program, and one
 * that ended after /proc was listed may have handed on to one that was not yet there.
 */
function runningWith(path: string): { found: { pid: number; exe: string }[]; unsure: boolean } {
  const own = ownIdentity();
  const found = [];
  let unsure = false;
  for (const name of readdirSync("/proc").filter((each) => /^\d+$/.test(each))) {
    try {
      const environment = readFileSync(`/proc/${name}/environ`, "utf8");
      if (environment !== "" && !environment.split("\0").includes(`MEMHOOK_FILE=${path}`)) continue;
      const { pid, start, namespace } = identityAt(name);
      if (namespace === 0n) unsure = true;
      if (pid === own.pid || start < own.start || namespace !== own.namespace) continue;
      // One of the kernel's, or one that has ended, executes nothing.
      const exe = readlinkSync(`/proc/${name}/exe`);
      if (environment === "") unsure = true;
      else found.push({ pid, exe });
    } catch (error) {
      // Otherwise it is another user's.
      if (["ENOENT", "ESRCH"].includes((error as NodeJS.ErrnoException).code ?? "")) unsure = true;
    }
  }
  return { found, unsure };
}
