// What a run has left when its program has ended: stores, and processes that run on.
//
// A program that becomes a daemon ends as soon as its child, or that one's child, goes on alone. No process table tells whose
// descendant that is, but its environment names the run's store. It has hardly begun then, so it is looked at until nothing changes
// for a while, and for two seconds at most.

import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { identityAt, ownIdentity } from "../stores/liveness.js";
import { openStore } from "../stores/store.js";
import { storesAt } from "../stores/storenames.js";

/** Between two looks at what runs on; how many in a row must show the same; how many there are at most. */
const LOOK_MS = 50;
const LOOKS_SAME = 5;
const LOOKS_MOST = 40;
/** How often a process without an environment makes for another look: during an exec it has none for a moment, others have none at all. */
const LOOKS_UNSURE = 3;

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
export async function remainsOf(path: string, started: bigint | null): Promise<Remains> {
  let before = "";
  let same = 0;
  for (let looks = 1; ; looks++) {
    const { unsure, ...found } = await look(path, started);
    const running = found.stores.filter((store) => store.running);
    const nothing = running.length === 0 && found.storeless.length === 0;
    if (nothing && (!unsure || looks > LOOKS_UNSURE)) return found;
    const now = JSON.stringify(running);
    same = now === before ? same + 1 : 1;
    if ((same >= LOOKS_SAME && found.storeless.length === 0) || looks === LOOKS_MOST) return found;
    before = now;
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
}

async function look(path: string, started: bigint | null): Promise<Remains & { unsure: boolean }> {
  // First, or one that makes its store meanwhile would have none.
  const { found: running, unsure } = runningWith(path);
  const stores: LeftStore[] = [];
  const unreadable: string[] = [];
  for (const candidate of storesAt(path)) {
    try {
      const store = await openStore(candidate);
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

/** The processes younger than this one, in its pid namespace, that were started with this path for their store; whether there may be more. */
function runningWith(path: string): { found: { pid: number; exe: string }[]; unsure: boolean } {
  const own = ownIdentity();
  const found = [];
  let unsure = false;
  for (const name of readdirSync("/proc").filter((each) => /^\d+$/.test(each))) {
    try {
      const environment = readFileSync(`/proc/${name}/environ`, "utf8");
      if (environment !== "" && !environment.split("\0").includes(`MEMHOOK_FILE=${path}`)) continue;
      const { pid, start, namespace } = identityAt(name);
      if (pid === own.pid || start < own.start || namespace !== own.namespace) continue;
      // One of the kernel's, or one that has ended, executes nothing.
      const exe = readlinkSync(`/proc/${name}/exe`);
      if (environment === "") unsure = true;
      else found.push({ pid, exe });
    } catch {
      // Another user's, or it has ended.
    }
  }
  return { found, unsure };
}
